"""PCKh with 95 % intervals from 1,000 resamples of the people, against a plain scorer called for each of them."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.pckh import PEOPLE, by_loops, sample
from benchmarks.rounds import Line, in_turn, main
from protocols.joints import mpii_pckh
from protocols.pose.people import People, Predictions

RESAMPLES = 1000
CALLED = 10  # resamples that are timed, since all would take a quarter of an hour


def resampled(predictions: Predictions, people: People, times: int) -> list[dict[tuple[str, str], float]]:
    """Score `times` resamples of the people with the plain scorer."""
    rng, found = np.random.default_rng(0), []
    for _ in range(times):
        rows = rng.integers(0, len(people), len(people))
        drawn = replace(
            people,
            keypoints=people.keypoints[rows],
            visibility=people.visibility[rows],
            head_size=mpii_pckh.head_sizes(people)[rows],
        )
        found.append(by_loops(Predictions(predictions.keypoints[rows]), drawn))
    return found


def lines(tiny: bool) -> Iterator[Line]:
    """Yield the comparisons, `tiny` ones to check that they run."""
    given = sample(50 if tiny else PEOPLE)
    rounds, called, resamples = (1, 1, 10) if tiny else (7, CALLED, RESAMPLES)
    ours, some = in_turn(
        lambda: mpii_pckh.score(*given, resamples=resamples), lambda: resampled(*given, called), rounds=rounds
    )
    yield Line(
        f"PCKh of {len(given[1]):,} people with intervals from {resamples:,} resamples",
        ours,
        rounds,
        f"{resamples:,} calls of the plain scorer",
        some * resamples / called,
        reach=50,
        note=f"the calls are {called}, times {resamples // called}",
    )


if __name__ == "__main__":
    main("pckh_intervals", lines)
