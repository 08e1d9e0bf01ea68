"""PCKh at 0.5 and 0.1, the curve of 51 points and the AUC of every part, against loops over joints and thresholds."""

from collections.abc import Iterator

import numpy as np

from benchmarks.rounds import Line, in_turn, main
from protocols.joints import mpii_pckh
from protocols.pose.people import ABSENT, VISIBLE, People, Predictions
from protocols.pose.skeletons import MPII

PEOPLE = 2958
THRESHOLDS = np.arange(51) * 0.01


def sample(count: int) -> tuple[Predictions, People]:
    """Draw people as on MPII, one joint in fifteen not annotated, and predictions within a few pixels."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 1000, (count, 16, 2))
    people = People(
        dataset="made up", split="val", skeleton=MPII, images=("",) * count, keypoints=points,
        visibility=np.where(rng.random((count, 16)) < 1 / 15, ABSENT, VISIBLE).astype(np.uint8),
        centre=points.mean(axis=1), scale=np.ones(count), head_size=rng.uniform(30, 90, count), origin=1,
        fingerprint="made up", read_image=lambda row: np.zeros((4, 4, 3), np.uint8),
    )  # fmt: skip
    return Predictions(points + rng.normal(0, 15, points.shape)), people


def by_loops(predictions: Predictions, people: People) -> dict[tuple[str, str], float]:
    """Compute the numbers as the official scorers do: joint by joint, threshold by threshold."""
    joints = predictions.keypoints.shape[1]
    distance, head_size = np.full((joints, len(people)), np.nan), mpii_pckh.head_sizes(people)
    for joint in range(joints):
        annotated = people.annotated[:, joint]
        gap = predictions.keypoints[annotated, joint] - people.keypoints[annotated, joint]
        distance[joint, annotated] = np.linalg.norm(gap, axis=1) / head_size[annotated]
    table = np.empty((len(THRESHOLDS), joints))
    for joint in range(joints):
        for step, threshold in enumerate(THRESHOLDS):
            finite = distance[joint][~np.isnan(distance[joint])]
            table[step, joint] = 100 * np.mean(finite <= threshold)
    counted = (~np.isnan(distance)).sum(axis=1)
    curves = {part: table[:, list(columns)].mean(axis=1) for part, columns in mpii_pckh.PCKH.parts}
    pooled = list(mpii_pckh.PCKH.mean)
    curves["mean"] = (table[:, pooled] * counted[pooled]).sum(axis=1) / counted[pooled].sum()
    upper = list(mpii_pckh.UPPER_JOINTS)
    found = {
        ("PCKh@0.5 unweighted", "mean"): table[50, pooled].mean(),
        ("PCKh@0.5", "upper body"): (table[50, upper] * counted[upper]).sum() / counted[upper].sum(),
    }
    for part, curve in curves.items():
        found |= {("PCKh@0.5", part): curve[50], ("PCKh@0.1", part): curve[10]}
        found["AUC", part] = np.trapezoid(curve) / 50
    return found


def check(predictions: Predictions, people: People) -> None:
    """Check that both compute the same numbers."""
    theirs = by_loops(predictions, people)
    ours = {(v.metric, v.part): v.value for v in mpii_pckh.score(predictions, people, resamples=0).values}
    assert ours.keys() == theirs.keys()
    assert all(abs(ours[key] - theirs[key]) < 1e-9 for key in ours)


def lines(tiny: bool) -> Iterator[Line]:
    """Yield the comparisons, `tiny` ones to check that they run."""
    given = sample(50 if tiny else PEOPLE)
    check(*given)
    rounds = 1 if tiny else 15
    ours, peer = in_turn(lambda: mpii_pckh.score(*given, resamples=0), lambda: by_loops(*given), rounds=rounds)
    what = f"PCKh of {len(given[1]):,} people, all parts, curves"
    yield Line(what, ours, rounds, "loops over joints and thresholds", peer, reach=4)


if __name__ == "__main__":
    main("pckh", lines)
