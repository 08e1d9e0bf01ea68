"""Percentile bootstrap: 95 % intervals over people, training seeds as a second level, and paired differences.

A resample draws people with replacement. It is stored as the count of draws of each person, so that a thousand
resamples of every percentage are one matrix product.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from protocols import Value
from protocols.errors import DataError
from protocols.statistics.tally import Tally

LEVEL = 95.0  # per cent
_ROWS = 16  # resamples drawn at a time, so that their counts stay in cache


def draws(people: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield blocks of rows, `resamples` in all; entry (r, i) counts person i in resample r (float32).

    The same arguments give the same draws, which makes differences paired.
    """
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, _ROWS):
        rows = min(_ROWS, resamples - start)
        chosen = generator.integers(0, people, size=(rows, people))
        chosen += np.arange(rows)[:, None] * people
        counts = np.bincount(chosen.ravel(), minlength=rows * people)
        yield counts.reshape(rows, people).astype(np.float32)


def interval(estimates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper end (each M) of the central 95 % of R x M estimates; NaN is left out."""
    tails = ((100 - LEVEL) / 2, (100 + LEVEL) / 2)
    percentile = np.nanpercentile if np.isnan(estimates).any() else np.percentile
    low, high = percentile(estimates, tails, axis=0)
    return low, high


def values(tallies: Sequence[Tally], *, resamples: int = 1000, seed: int = 0) -> tuple[Value, ...]:
    """Compute every statistic with its interval; statistics that count no joint are left out.

    tallies: one a training seed, for the same people. With several, the value is the mean over
        seeds, and each resample draws seeds with replacement, then people.
    resamples: 0 for no intervals. A single person has no interval either.
    """
    estimates = _resampled(tallies, resamples, seed, stream=0)
    return _values(tallies[0], _points(tallies), estimates, "%")


def paired_difference(
    ours: Sequence[Tally], theirs: Sequence[Tally], *, resamples: int = 1000, seed: int = 0
) -> tuple[Value, ...]:
    """Compute ours minus theirs for every statistic, in points, with the interval of the difference.

    Both are scored on the same people, and each resample draws the same people for both; the seeds of the two sides
    are drawn independently. Raises DataError if the people differ.
    """
    if not np.array_equal(ours[0].counted, theirs[0].counted):
        raise DataError(
            what="The two rows cannot be compared: they were not scored on the same people and joints.",
            expected=f"the same joints counted on both sides; they have {int(theirs[0].counted.sum())} of "
            f"{len(theirs[0].counted)} people, ours {int(ours[0].counted.sum())} of {len(ours[0].counted)}",
            cause="another dataset, split, convention or version of the protocol",
            next_step="score both files with the same options",
        )
    estimates = _resampled(ours, resamples, seed, stream=0) - _resampled(theirs, resamples, seed, stream=1)
    return _values(ours[0], _points(ours) - _points(theirs), estimates, "points")


def _points(tallies: Sequence[Tally]) -> np.ndarray:
    """Return the M statistics without resampling, averaged over seeds."""
    return np.mean([tally.estimates(tally.sums()) for tally in tallies], axis=0)


def _resampled(tallies: Sequence[Tally], resamples: int, seed: int, stream: int) -> np.ndarray:
    """Return R x M estimates; `stream` gives each side of a difference its own draws of seeds."""
    people, seeds = tallies[0].counted.shape[0], len(tallies)
    if not resamples or people < 2:
        return np.empty((0, len(tallies[0].statistics)))
    columns = [tally.columns() for tally in tallies]
    chosen = np.random.default_rng((seed, stream)).integers(0, seeds, size=(resamples, seeds))
    sums = np.zeros((resamples, columns[0].shape[1]))
    start = 0
    for counts in draws(people, resamples, seed):
        block = slice(start, start + len(counts))
        for i, column in enumerate(columns):
            sums[block] += (chosen[block] == i).mean(axis=1, keepdims=True) * (counts @ column)
        start = block.stop
    return tallies[0].estimates(sums)


def _values(tally: Tally, points: np.ndarray, estimates: np.ndarray, unit: str) -> tuple[Value, ...]:
    """Return the statistics that count anything, each with the interval of its column of R x M estimates."""
    counts = tally.counts()
    counted = np.flatnonzero(counts)
    ends = zip(*interval(estimates[:, counted]), strict=True) if len(estimates) else [(None, None)] * len(counted)
    named = [tally.statistics[i] for i in counted]
    return tuple(
        Value(
            statistic.metric,
            statistic.part,
            float(point),
            unit,
            int(n),
            *(end if end is None else float(end) for end in pair),
        )
        for statistic, point, n, pair in zip(named, points[counted], counts[counted], ends, strict=True)
    )
