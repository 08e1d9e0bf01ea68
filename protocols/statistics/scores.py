"""Result of scoring predictions: values, curve, and the numbers of each person for paired differences."""

from dataclasses import dataclass, field

import numpy as np

from protocols import Value


@dataclass(frozen=True)
class Scores:
    """Scores of one set of predictions under one protocol."""

    values: tuple[Value, ...]
    thresholds: np.ndarray | None = None  # T, the abscissa of `curve`
    curve: dict[str, np.ndarray] = field(default_factory=dict)  # part -> T percentages
    samples: dict[str, np.ndarray] = field(default_factory=dict)  # per person (or image), for paired differences
    warnings: tuple[str, ...] = ()
