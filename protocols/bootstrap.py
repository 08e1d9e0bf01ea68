"""Percentile bootstrap: 95 % intervals over people, seeds as a second level, and paired differences.

A resample draws people with replacement. It is stored as counts (how often each person was
drawn), so that a thousand resamples of every percentage are one matrix product.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from protocols import Value
from protocols.errors import DataError
from protocols.tally import Tally

LEVEL = 95.0  # per cent
_ROWS = 128  # resamples drawn at a time: the counts then stay in cache


def draws(people: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks of rows, `resamples` in all; entry (r, i) says how often resample r holds person i (float32).

    The same arguments give the same draws, whatever is resampled: that makes differences paired.
    """
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, _ROWS):
        rows = min(_ROWS, resamples - start)
        chosen = generator.integers(0, people, size=(rows, people), dtype=np.uint32)
        chosen += (np.arange(rows, dtype=np.uint32) * people)[:, None]
        counts = np.bincount(chosen.ravel(), minlength=rows * people)
        yield counts.reshape(rows, people).astype(np.float32)


def interval(estimates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end (each M) of the central 95 % of R x M estimates; NaN ones are left out."""
    tails = ((100 - LEVEL) / 2, (100 + LEVEL) / 2)
    percentile = np.nanpercentile if np.isnan(estimates).any() else np.percentile
    low, high = percentile(estimates, tails, axis=0)
    return low, high


def values(tallies: Sequence[Tally], *, resamples: int = 1000, seed: int = 0) -> tuple[Value, ...]:
    """Every statistic with its interval; statistics that count no joint are left out.

    tallies: one a training seed, for the same people. With several, the value is the mean over
        seeds, and each resample draws seeds with replacement, then people.
    resamples: 0 for no intervals. They are also left out for a single person, who has no spread.
    """
    points = _points(tallies)
    counts = tallies[0].counts()
    low, high = _intervals(_resampled(tallies, resamples, seed, stream=0), tallies[0], resamples)
    return tuple(
        Value(statistic.metric, statistic.part, float(point), "%", int(n), *ends)
        for statistic, point, n, *ends in zip(tallies[0].statistics, points, counts, low, high, strict=True)
        if n
    )


def paired_difference(
    ours: Sequence[Tally], theirs: Sequence[Tally], *, resamples: int = 1000, seed: int = 0
) -> tuple[Value, ...]:
    """Ours minus theirs for every statistic, in points, with the interval of the difference.

    Both are scored on the same people, and each resample draws the same people for both; the
    seeds of the two sides are drawn apart. Raises DataError where the people differ.
    """
    if not np.array_equal(ours[0].counted, theirs[0].counted):
        raise DataError(
            what="The two rows cannot be compared: they were not scored on the same people and joints.",
            expected=f"The same joints counted on both sides; they have {int(theirs[0].counted.sum())} of "
            f"{len(theirs[0].counted)} people, ours {int(ours[0].counted.sum())} of {len(ours[0].counted)}.",
            cause="Another dataset, split, convention or version of the protocol.",
            next_step="Score both files with the same options.",
        )
    points = _points(ours) - _points(theirs)
    counts = ours[0].counts()
    estimates = _resampled(ours, resamples, seed, stream=0) - _resampled(theirs, resamples, seed, stream=1)
    low, high = _intervals(estimates, ours[0], resamples)
    return tuple(
        Value(statistic.metric, statistic.part, float(point), "points", int(n), *ends)
        for statistic, point, n, *ends in zip(ours[0].statistics, points, counts, low, high, strict=True)
        if n
    )


def _points(tallies: Sequence[Tally]) -> np.ndarray:
    """The statistics without resampling, averaged over seeds: M."""
    return np.mean([tally.estimates(tally.sums()) for tally in tallies], axis=0)


def _resampled(tallies: Sequence[Tally], resamples: int, seed: int, stream: int) -> np.ndarray:
    """R x M estimates; `stream` tells the seed draws of the two sides of a difference apart."""
    people, seeds = tallies[0].counted.shape[0], len(tallies)
    columns = [tally.columns().astype(np.float32) for tally in tallies]  # counts up to 2^24 stay exact
    generator = np.random.default_rng((seed, stream))
    estimates = []
    for counts in draws(people, resamples, seed):
        chosen = generator.integers(0, seeds, size=(len(counts), seeds))
        share = np.stack([(chosen == i).mean(axis=1) for i in range(seeds)])
        sums = sum(share[i][:, None] * (counts @ columns[i]) for i in range(seeds))
        estimates.append(tallies[0].estimates(sums))
    return np.concatenate(estimates) if estimates else np.empty((0, len(tallies[0].statistics)))


def _intervals(estimates: np.ndarray, tally: Tally, resamples: int) -> tuple[Sequence, Sequence]:
    """Ends as floats, or None where an interval would say nothing."""
    nothing = [None] * len(tally.statistics)
    if not resamples or len(tally.counted) < 2:
        return nothing, nothing
    counted = tally.counts() > 0
    low, high = nothing.copy(), nothing.copy()
    ends = interval(estimates[:, counted])
    for place, i in enumerate(np.flatnonzero(counted)):
        low[i], high[i] = float(ends[0][place]), float(ends[1][place])
    return low, high
