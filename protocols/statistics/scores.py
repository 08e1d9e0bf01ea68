"""What scoring predictions yields: the values, the curve behind them and the people behind those."""

from dataclasses import dataclass, field

import numpy as np

from protocols import Value


@dataclass(frozen=True)
class Scores:
    """The outcome of one protocol on one set of predictions."""

    values: tuple[Value, ...]
    thresholds: np.ndarray | None = None  # T, the abscissa of `curve`
    curve: dict[str, np.ndarray] = field(default_factory=dict)  # part -> T percentages
    samples: dict[str, np.ndarray] = field(default_factory=dict)  # per person (or image), for paired differences
    warnings: tuple[str, ...] = ()
