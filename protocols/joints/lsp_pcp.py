"""PCP on LSP: share of sticks (body parts) whose two ends are both near the ground truth.

Strict PCP (Ferrari et al., CVPR 2008; Pishchulin's LSP toolkit): both ends within half the stick's
length in that image. PCPm: half the stick's mean length over the split. Loose PCP: the mean of the
two distances within half the length. Ends are matched in order, never swapped; a stick of length 0
is a miss (LSP image 1185 has one).
"""

import numpy as np

from protocols.joints import pck
from protocols.joints.lsp_pck import lsp_joints
from protocols.pose.people import People, Predictions
from protocols.statistics import bootstrap
from protocols.statistics.scores import Scores
from protocols.statistics.tally import Statistic, Tally

# An end is the midpoint of its joints.
STICKS = {
    "torso": (("right_shoulder", "left_shoulder"), ("right_hip", "left_hip")),
    "head": (("upper_neck",), ("head_top",)),
    "right upper arm": (("right_elbow",), ("right_shoulder",)),
    "left upper arm": (("left_shoulder",), ("left_elbow",)),
    "right lower arm": (("right_wrist",), ("right_elbow",)),
    "left lower arm": (("left_elbow",), ("left_wrist",)),
    "right upper leg": (("right_knee",), ("right_hip",)),
    "left upper leg": (("left_hip",), ("left_knee",)),
    "right lower leg": (("right_ankle",), ("right_knee",)),
    "left lower leg": (("left_knee",), ("left_ankle",)),
}
METRICS = ("PCP", "PCPm", "PCP loose")
TOLERANCE = 0.5  # of a stick's length


def _parts() -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return (part, columns): every stick, left and right averaged, and the mean over all."""
    sticks = list(STICKS)
    single = tuple((name, (i,)) for i, name in enumerate(sticks))
    limbs = ("upper arm", "lower arm", "upper leg", "lower leg")
    paired = tuple((limb, (sticks.index(f"left {limb}"), sticks.index(f"right {limb}"))) for limb in limbs)
    return (*single, *paired, ("mean", tuple(range(len(sticks)))))


STATISTICS = tuple(
    Statistic(metric, part, metric, columns, pooled=part == "mean") for metric in METRICS for part, columns in _parts()
)


def score(predictions: Predictions, people: People, *, resamples: int = 1000, seed: int = 0) -> Scores:
    """Compute PCP, PCPm and PCP loose of every stick, in per cent, with 95 % intervals over people.

    Works for any skeleton with the 14 LSP joints; sticks with an end that is not annotated
    are not counted. samples[metric] is N x 10 float32: 1 matched, 0 not, NaN not counted. Raises
    DataError as pck.check does; a stick with an end without an answer is a miss.
    """
    predictions, people = lsp_joints(predictions, people)
    truth = np.where(people.annotated[..., None], people.keypoints, np.nan)
    start, stop = _ends(truth, people)
    predicted_start, predicted_stop = _ends(predictions.keypoints, people)
    length = _distance(start, stop)
    first, second = _distance(predicted_start, start), _distance(predicted_stop, stop)
    with np.errstate(invalid="ignore"):
        strict = np.maximum(first, second) <= TOLERANCE * length
        mean_length = np.maximum(first, second) <= TOLERANCE * _mean_lengths(length)
        loose = (first + second) / 2 <= TOLERANCE * length
    hits = (strict & (length > 0), mean_length & (length > 0), loose & (length > 0))
    samples = {
        metric: np.where(np.isnan(length), np.nan, hit).astype(np.float32)
        for metric, hit in zip(METRICS, hits, strict=True)
    }
    scores = Scores(values=bootstrap.values([tally(samples)], resamples=resamples, seed=seed), samples=samples)
    return pck.with_unanswered(scores, predictions, people)


def tally(samples: dict[str, np.ndarray]) -> Tally:
    """Return the credits of stored samples, for bootstrap.values and bootstrap.paired_difference."""
    credits = {metric: np.nan_to_num(samples[metric], nan=0.0) for metric in METRICS}
    return Tally(credits, ~np.isnan(samples[METRICS[0]]), STATISTICS)


def _ends(keypoints: np.ndarray, people: People) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends of the sticks, each N x 10 x 2."""
    start, stop = (
        np.stack([keypoints[:, [people.skeleton.index(j) for j in ends[k]]].mean(axis=1) for ends in STICKS.values()])
        for k in (0, 1)
    )
    return start.transpose(1, 0, 2), stop.transpose(1, 0, 2)


def _distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.sqrt(((one - other) ** 2).sum(axis=-1))


def _mean_lengths(length: np.ndarray) -> np.ndarray:
    """Return the mean length of each stick over the people whose stick is annotated, 10."""
    counted = np.maximum((~np.isnan(length)).sum(axis=0), 1)
    return np.nansum(length, axis=0) / counted
