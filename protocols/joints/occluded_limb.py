"""Occluded limb: the loss of PCKh when a disc of noise covers one calf (Liu et al. 2018, table 4).

Two predictions of the same people are scored: on the original images (clean) and on those covered by
`occlusion.occlude`. The drop over all people is diluted, since half of the ankles are not
covered; so the covered side, and the other side of the same people, are also scored on their own.
"""

from dataclasses import replace

import numpy as np

from protocols import Value
from protocols.errors import DataError
from protocols.joints import pck
from protocols.joints.occlusion import HEAD_BOXES, SIDES, Occlusion
from protocols.pose.people import People, Predictions
from protocols.pose.skeletons import SKELETONS, Skeleton
from protocols.statistics import bootstrap
from protocols.statistics.scores import Scores
from protocols.statistics.tally import Statistic, Tally

THRESHOLD = 0.5  # head sizes
SEPARATION = 1.0  # head sizes between left and right, below which a confusion cannot be recognized
LIMB = ("ankle", "knee")
# Blocks of J columns in `counted`: the people that a percentage is about.
EVERYBODY, COVERED, UNTOUCHED, NO_COLLATERAL, SEPARATE = range(5)


def score(
    clean: Predictions,
    occluded: Predictions,
    people: People,
    occlusion: Occlusion,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Scores:
    """Compute PCKh@0.5 with calves covered, clean, and the drop (clean - covered, points); intervals over people.

    Parts: those of the papers' tables over all people; ankle and knee "covered" (the covered side),
    "untouched" (the other side of the same people), and ankle "without collateral" (people whose disc
    hides nothing of the other leg). "left-right confusion": the covered joint is missed and within half a
    head size of the other side's joint, among people whose other side is annotated and more than a head size away;
    "confusion of errors": its share of the misses. Raises DataError as pck.distances does.
    """
    size = occlusion.head_size
    if len(size) != len(people):
        raise DataError(
            what=f"The occlusion is of {len(size)} people, the dataset has {len(people)}.",
            expected="the occlusion that `occlude` returned for these people",
            next_step="cover and score the same people",
        )
    distance = {"clean": pck.distances(clean, people, size), "occluded": pck.distances(occluded, people, size)}
    separate = _separate(people, size)
    counted = _counted(people, occlusion, ~np.isnan(distance["clean"]), separate)
    mirror = list(people.skeleton.mirror)
    samples = {"counted": counted}
    for name, predictions in (("clean", clean), ("occluded", occluded)):
        across = np.linalg.norm(predictions.keypoints - people.keypoints[:, mirror], axis=-1) / size[:, None]
        with np.errstate(invalid="ignore"):
            samples[f"distance_{name}"] = distance[name]
            samples[f"confused_{name}"] = (distance[name] > THRESHOLD) & (across <= THRESHOLD) & separate
    values = bootstrap.values([tally(samples)], resamples=resamples, seed=seed)
    for name in ("clean", "occluded"):
        values += bootstrap.values([_errors(samples, name)], resamples=resamples, seed=seed)
    return Scores(values=tuple(map(_in_points, values)), samples=samples, warnings=_warnings(occlusion))


def tally(samples: dict[str, np.ndarray]) -> Tally:
    """Return the credits of stored samples, for bootstrap.values and bootstrap.paired_difference."""
    credits = {}
    for name in ("clean", "occluded"):
        with np.errstate(invalid="ignore"):
            hit = samples[f"distance_{name}"] <= THRESHOLD
        credits[name] = np.hstack([hit, hit, hit, hit, samples[f"confused_{name}"]]).astype(np.float64)
        credits[name] *= samples["counted"]
    credits["drop"] = credits["clean"] - credits["occluded"]
    joints = samples["distance_clean"].shape[1]
    return Tally(credits, samples["counted"], _statistics(_skeleton(joints)))


def _skeleton(joints: int) -> Skeleton:
    return next(skeleton for skeleton in SKELETONS.values() if len(skeleton) == joints)


def _statistics(skeleton: Skeleton) -> tuple[Statistic, ...]:
    """Define the percentages by their columns of `counted`."""
    pckh = pck.definition(skeleton, "PCKh", steps=50, reported=(50,))
    metrics = (("PCKh@0.5", "occluded"), ("PCKh@0.5 clean", "clean"), ("drop", "drop"))
    defined = []
    for metric, credit in metrics:
        defined += [Statistic(metric, part, credit, columns) for part, columns in pckh.parts]
        defined.append(Statistic(metric, "mean", credit, pckh.mean, pooled=True))
        for joint in LIMB:
            for words, block in (("covered", COVERED), ("untouched", UNTOUCHED)):
                defined.append(Statistic(metric, f"{joint} {words}", credit, _columns(skeleton, joint, block), True))
        columns = _columns(skeleton, "ankle", NO_COLLATERAL)
        defined.append(Statistic(metric, "ankle without collateral", credit, columns))
    for metric, credit in (("left-right confusion", "occluded"), ("left-right confusion clean", "clean")):
        defined += [
            Statistic(metric, f"{joint} covered", credit, _columns(skeleton, joint, SEPARATE), True) for joint in LIMB
        ]
    return tuple(defined)


def _columns(skeleton: Skeleton, joint: str, block: int) -> tuple[int, ...]:
    return tuple(block * len(skeleton) + skeleton.index(f"{side}_{joint}") for side in SIDES)


def _counted(people: People, occlusion: Occlusion, scored: np.ndarray, separate: np.ndarray) -> np.ndarray:
    """Return N x 5 J bool: the joints that each block counts."""
    limb = np.zeros((2, len(people), len(people.skeleton)), bool)  # covered side, untouched side
    for index, side in enumerate(SIDES):
        columns = [people.skeleton.index(f"{side}_{joint}") for joint in LIMB]
        limb[0][:, columns] = (occlusion.side == index)[:, None]
        limb[1][:, columns] = (occlusion.side == 1 - index)[:, None]
    no_collateral = ~(occlusion.other_knee | occlusion.other_ankle)[:, None]
    blocks = {
        EVERYBODY: scored,
        COVERED: scored & limb[0],
        UNTOUCHED: scored & limb[1],
        NO_COLLATERAL: scored & no_collateral,
        SEPARATE: scored & limb[0] & separate,
    }
    return np.hstack([blocks[block] for block in sorted(blocks)])


def _separate(people: People, size: np.ndarray) -> np.ndarray:
    """Return N x J bool: both sides are annotated, and more than a head size from each other."""
    mirror = list(people.skeleton.mirror)
    gap = np.linalg.norm(people.keypoints - people.keypoints[:, mirror], axis=-1)
    with np.errstate(invalid="ignore"):
        return people.annotated & people.annotated[:, mirror] & (gap > SEPARATION * size[:, None])


def _errors(samples: dict[str, np.ndarray], name: str) -> Tally:
    """Return confusions as a share of the misses, among separate covered joints."""
    joints = samples["distance_clean"].shape[1]
    with np.errstate(invalid="ignore"):
        missed = samples["counted"][:, SEPARATE * joints :] & (samples[f"distance_{name}"] > THRESHOLD)
    metric = "confusion of errors" + " clean" * (name == "clean")
    columns = {joint: _columns(_skeleton(joints), joint, block=0) for joint in LIMB}
    return Tally(
        {"confused": (samples[f"confused_{name}"] & missed).astype(np.float64)},
        missed,
        tuple(Statistic(metric, f"{joint} covered", "confused", columns[joint], True) for joint in LIMB),
    )


def _in_points(value: Value) -> Value:
    return replace(value, unit="points") if value.metric == "drop" else value


def _warnings(occlusion: Occlusion) -> tuple[str, ...]:
    """Return a warning if head sizes are not those of head boxes."""
    if occlusion.head_rule == HEAD_BOXES:
        return ()
    unknown = int(np.isnan(occlusion.head_size).sum())
    lost = f"; {unknown} people without it are neither covered nor scored" if unknown else ""
    return (f"The dataset has no head boxes: the head size is the distance {occlusion.head_rule}{lost}.",)
