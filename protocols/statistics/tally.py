"""Percentages of joints (or sticks): the credit of each person, and how credits are averaged.

Scores, curves, intervals and paired differences are all computed from the same credits of each person, so that they
cannot disagree.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Statistic:
    """Definition of one percentage: of all counted joints if `pooled`, else the mean of the columns' percentages."""

    metric: str
    part: str
    credit: str  # key of Tally.credits
    columns: tuple[int, ...]  # joints or sticks
    pooled: bool = False


@dataclass(frozen=True)
class Tally:
    """Credits of N people in J columns (joints or sticks), and the statistics computed from them."""

    credits: dict[str, np.ndarray]  # N x J whole numbers, so that sums are exact in any order; 0 where not counted
    counted: np.ndarray  # N x J bool
    statistics: tuple[Statistic, ...]
    full: dict[str, int] = field(default_factory=dict)  # credit of a full hit, where that is not 1

    def columns(self) -> np.ndarray:
        """Return N x (C + 1) J float32: the C credits and `counted` side by side; counts up to 2^24 are exact."""
        return np.concatenate([*self.credits.values(), self.counted], axis=1, dtype=np.float32, casting="unsafe")

    def sums(self) -> np.ndarray:
        """Return the column sums over all people, (C + 1) J float64."""
        parts = [*self.credits.values(), self.counted]
        return np.concatenate([np.sum(part, axis=0, dtype=np.float64) for part in parts])

    def counts(self) -> np.ndarray:
        """Count the joints (or sticks) of each of the M statistics."""
        counted = np.count_nonzero(self.counted, axis=0)
        return np.array([counted[list(statistic.columns)].sum() for statistic in self.statistics])

    def estimates(self, sums: np.ndarray) -> np.ndarray:
        """Compute the M statistics, ... x M, from column sums, ... x (C + 1) J; NaN where nothing is counted."""
        *credits, counted = np.split(sums, len(self.credits) + 1, axis=-1)
        hits = {name: credit / self.full.get(name, 1) for name, credit in zip(self.credits, credits, strict=True)}
        shares = {name: percentages(hits[name], counted) for name in hits}
        return np.stack([average(shares[s.credit], counted, s.columns, s.pooled) for s in self.statistics], axis=-1)


def percentages(hits: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Return 100 hits / counted, ... x J; NaN where nothing is counted."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return 100.0 * hits / counted


def average(shares: np.ndarray, counted: np.ndarray, columns: tuple[int, ...], pooled: bool) -> np.ndarray:
    """Average the percentages of some columns (of ... x J); columns that count nothing are left out.

    Pooled averages are computed as in the official HRNet evaluation, sum_j share_j * (n_j / sum n) over all J
    columns with zeros at those left out, because another order of additions changes the last bit.
    """
    if pooled:
        ratio = np.zeros_like(counted, dtype=np.float64)
        ratio[..., columns] = counted[..., columns]
        with np.errstate(invalid="ignore"):
            ratio = ratio / ratio.sum(axis=-1, keepdims=True)
        return np.sum(np.where(ratio != 0, shares * ratio, 0.0), axis=-1)
    chosen = shares[..., columns]
    missing = np.isnan(chosen)
    if not missing.any():
        return chosen.mean(axis=-1)
    with np.errstate(invalid="ignore"):
        return np.where(missing, 0.0, chosen).sum(axis=-1) / (~missing).sum(axis=-1)
