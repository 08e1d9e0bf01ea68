"""Measurement rows and curves, as the store keeps them."""

import math
from collections.abc import Iterable
from typing import Any

from bench.cells.cell import Cell
from protocols import Value
from protocols.statistics.scores import Scores


def rows(values: Iterable[Value], cell: Cell, name: str, key: str, source: str) -> list[dict[str, Any]]:
    """Measurement rows, one a value: what bench prints with --json and the store keeps.

    `name`: of what was scored, a network's or a file's; `source`: "measured" or "predictions".
    """
    return [
        {
            "architecture": name,
            "protocol": cell.protocol,
            "protocol_version": cell.rules.version,
            "dataset": cell.dataset,
            "split": cell.split,
            "metric": value.metric,
            "part": value.part,
            "value": None if math.isnan(value.value) else value.value,  # not defined; JSON has no NaN
            "unit": value.unit,
            "low": value.low,
            "high": value.high,
            "n": value.n,
            "seed": cell.seed,
            "cell": key,
            "source": source,
        }
        for value in values
    ]


def curve_csv(scores: Scores) -> str:
    """The curve behind the numbers as CSV: part, threshold, value."""
    lines = ["part,threshold,value"]
    for part, values in scores.curve.items():
        lines += [f"{part},{t:g},{value:.4f}" for t, value in zip(scores.thresholds, values, strict=True)]
    return "\n".join(lines) + "\n"
