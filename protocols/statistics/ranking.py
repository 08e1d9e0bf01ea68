"""Rankings of methods on the same people: which differences are larger than chance, and the spread of a score.

A person's influence on a percentage is 100 (h - r n) / mean n, with h hits of n counted joints and r the share of all;
its standard deviation over the square root of the number of people is the standard error (delta method).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np

from protocols.statistics import bootstrap
from protocols.statistics.tally import Tally

LEVEL = 0.05  # of the family of all pairs
Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Pair:
    """Difference of two methods on the same people, in points; the places are those in the given order."""

    first: int
    second: int
    difference: float  # first minus second
    low: float  # the 95 % interval, bootstrap over people
    high: float
    p: float  # of no difference, corrected for the number of pairs

    @property
    def decided(self) -> bool:
        """Return whether the difference is larger than chance."""
        return self.p < LEVEL


@dataclass(frozen=True)
class Spread:
    """Spread over people of scores on one test set, found on methods whose predictions are known.

    Assumption: that of another method of a height is that of a binomial share of the same height times `factor`, and
    its persons are as easy or hard for it as for the known ones, which two methods share to the degree `correlation`.
    """

    methods: int
    people: int
    factor: float  # mean over methods of standard deviation / sqrt(score (100 - score))
    factors: tuple[float, float]  # smallest and largest of a method
    correlation: float  # mean over pairs of methods
    correlations: tuple[float, float]  # smallest and largest of a pair

    def half_width(self, score: float) -> float:
        """Half of the 95 % interval of a score (per cent), in points."""
        return Z * self.factor * math.sqrt(max(score * (100 - score), 0.0) / self.people)

    def half_width_of_difference(self, one: float, two: float, correlation: float | None = None) -> float:
        """Half of the 95 % interval of the difference of two scores (per cent), in points."""
        first, second = self.half_width(one), self.half_width(two)
        shared = self.correlation if correlation is None else correlation
        return math.sqrt(max(first**2 + second**2 - 2 * shared * first * second, 0.0))


def pairs(tallies: Sequence[Tally], *, resamples: int = 1000, seed: int = 0) -> list[Pair]:
    """Compare every two tallies of one statistic; the first of a pair stands before the second.

    p is that of a paired z test on the influences, corrected by Holm's method for the number of pairs; intervals are
    those of bootstrap.paired_difference. All tallies must count the same joints.
    """
    estimates = _resampled(tallies, resamples, seed)
    points = [float(tally.estimates(tally.sums())[0]) for tally in tallies]
    influence = [_influence(tally) for tally in tallies]
    places = list(combinations(range(len(tallies)), 2))
    low, high = bootstrap.interval(np.stack([estimates[:, one] - estimates[:, two] for one, two in places], axis=1))
    raw = [_p_value(points[one] - points[two], influence[one] - influence[two]) for one, two in places]
    found = zip(places, low, high, holm(raw), strict=True)
    return [Pair(one, two, points[one] - points[two], float(a), float(b), p) for (one, two), a, b, p in found]


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p values for their number (Holm 1979): the k-th smallest of m times m - k + 1, never falling."""
    corrected, highest = [0.0] * len(p_values), 0.0
    for turn, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - turn) * p_values[place]))
        corrected[place] = highest
    return corrected


def spread(tallies: Sequence[Tally]) -> Spread:
    """Measure the spread over people of two or more methods on one test set."""
    influence = np.stack([_influence(tally) for tally in tallies])
    points = np.array([float(tally.estimates(tally.sums())[0]) for tally in tallies])
    factors = influence.std(axis=1, ddof=1) / np.sqrt(points * (100 - points))
    shared = np.corrcoef(influence)[np.triu_indices(len(tallies), 1)]
    return Spread(
        methods=len(tallies),
        people=influence.shape[1],
        factor=float(factors.mean()),
        factors=(float(factors.min()), float(factors.max())),
        correlation=float(shared.mean()),
        correlations=(float(shared.min()), float(shared.max())),
    )


def _hits(tally: Tally) -> np.ndarray:
    """Return the hits of each person, N float64."""
    (credit,) = tally.credits.values()
    return np.asarray(credit, np.float64).sum(axis=1)


def _influence(tally: Tally) -> np.ndarray:
    """Return the influence of each person on the percentage, N, in points."""
    hits, counted = _hits(tally), tally.counted.sum(axis=1)
    return 100 * (hits - hits.sum() / counted.sum() * counted) / counted.mean()


def _resampled(tallies: Sequence[Tally], resamples: int, seed: int) -> np.ndarray:
    """Return resamples x methods percentages of the same resampled people."""
    columns = np.stack([*map(_hits, tallies), tallies[0].counted.sum(axis=1)], axis=1)
    sums = np.concatenate([block @ columns for block in bootstrap.draws(len(columns), resamples, seed)])
    return 100 * sums[:, :-1] / sums[:, -1:]


def _p_value(difference: float, influence: np.ndarray) -> float:
    """Return the two-sided p of no difference; 1 where nobody differs."""
    error = influence.std(ddof=1) / math.sqrt(len(influence))
    return math.erfc(abs(difference) / error / math.sqrt(2)) if error > 0 else 1.0
