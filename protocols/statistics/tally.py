"""Percentages of joints (or sticks): what each person adds to them, and how they are averaged.

Scores, their curves, their intervals and the differences between two of them all read the same
per-person credits, so they cannot disagree.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Statistic:
    """One percentage. `pooled` averages over what is counted, otherwise over the columns' percentages."""

    metric: str
    part: str
    credit: str  # key of Tally.credits
    columns: tuple[int, ...]  # joints or sticks
    pooled: bool = False


@dataclass(frozen=True)
class Tally:
    """What N people add to the statistics of a protocol, over J columns (joints or sticks)."""

    credits: dict[str, np.ndarray]  # N x J whole numbers, so that sums are exact in any order; 0 where not counted
    counted: np.ndarray  # N x J bool
    statistics: tuple[Statistic, ...]
    full: dict[str, int] = field(default_factory=dict)  # what a full hit is worth, where that is not 1

    def columns(self) -> np.ndarray:
        """N x (C + 1) J float32: the C credits, then what is counted, side by side; counts up to 2^24 are exact."""
        return np.concatenate([*self.credits.values(), self.counted], axis=1, dtype=np.float32, casting="unsafe")

    def sums(self) -> np.ndarray:
        """(C + 1) J float64: the column sums over all people."""
        parts = [*self.credits.values(), self.counted]
        return np.concatenate([np.sum(part, axis=0, dtype=np.float64) for part in parts])

    def counts(self) -> np.ndarray:
        """M: how many joints (or sticks) each statistic counts."""
        counted = np.count_nonzero(self.counted, axis=0)
        return np.array([counted[list(statistic.columns)].sum() for statistic in self.statistics])

    def estimates(self, sums: np.ndarray) -> np.ndarray:
        """... x M percentages from column sums, ... x (C + 1) J; NaN where nothing is counted."""
        *credits, counted = np.split(sums, len(self.credits) + 1, axis=-1)
        hits = {name: credit / self.full.get(name, 1) for name, credit in zip(self.credits, credits, strict=True)}
        shares = {name: percentages(hits[name], counted) for name in hits}
        return np.stack([average(shares[s.credit], counted, s.columns, s.pooled) for s in self.statistics], axis=-1)


def percentages(hits: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """... x J: 100 hits / counted, NaN where nothing is counted."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return 100.0 * hits / counted


def average(shares: np.ndarray, counted: np.ndarray, columns: tuple[int, ...], pooled: bool) -> np.ndarray:
    """... percentages of a part from those of its columns (... x J); columns without a count are left out.

    Pooled: written as the official HRNet evaluation does, sum_j share_j * (n_j / sum n) over all J
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
