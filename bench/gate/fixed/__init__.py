"""Fixed inputs of the gate, made by code from integers and seeds, whose rows must repeat exactly.

A kind is a module whose `cases(folder)` returns, by name, functions that yield rows; `folder` holds the annotation of
`annotation.write`. `bench check NAME KIND` chooses among them like among cells.
"""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

TOLERANCE = {"network": 1e-4}  # relative, by kind: float32 sums through many layers, in the order of any processor
OTHERWISE = 1e-6  # of every other kind
KINDS = ("decoding", "prediction", "network", "targets", "training", "reader", "scoring")


class Row(NamedTuple):
    """A number of a fixed input."""

    metric: str
    part: str
    value: float
    n: int = 1


Case = Callable[[], Iterator[Row]]


def cases(kind: str, folder: Path) -> dict[str, Case]:
    """Fixed inputs of a kind by name; none of them is computed yet."""
    return importlib.import_module(f"{__name__}.{kind}").cases(folder)


def tolerance(kind: str) -> float:
    """Relative tolerance of the rows of a kind."""
    return TOLERANCE.get(kind, OTHERWISE)
