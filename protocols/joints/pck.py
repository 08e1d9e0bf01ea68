"""PCKh and PCK: normalized distances, hits at a list of thresholds, curve, AUC.

Thresholds are k * 0.01 in float64 with k an integer; a joint is hit if distance <= threshold.
"""

from dataclasses import dataclass, replace

import numpy as np

from protocols import Value
from protocols.errors import DataError
from protocols.pose.people import People, Predictions
from protocols.pose.skeletons import Skeleton
from protocols.statistics import bootstrap
from protocols.statistics.scores import Scores
from protocols.statistics.tally import Statistic, Tally, average, percentages

STEP = 0.01
UNCOUNTED = ("pelvis", "thorax")  # no paper's mean holds them, and a prediction file may leave them out
UNANSWERED = "no answer"  # metric: annotated joints that a prediction file leaves out
MANY = 0.2  # share of them that deserves a warning


@dataclass(frozen=True)
class Definition:
    """Thresholds of a PCK metric, and the joints that it averages."""

    metric: str  # "PCKh" or "PCK"
    steps: int  # the curve runs over 0, 0.01, ..., steps * 0.01
    reported: tuple[int, ...]  # steps of the curve that become values
    parts: tuple[tuple[str, tuple[int, ...]], ...]  # (column of a table, its joints); left and right are averaged
    mean: tuple[int, ...]  # joints pooled in the mean

    @property
    def thresholds(self) -> np.ndarray:
        """Thresholds of the curve, steps + 1 float64."""
        return np.arange(self.steps + 1) * STEP

    def name(self, step: int) -> str:
        """Return the name of the metric at one threshold: PCKh@0.5."""
        return f"{self.metric}@{step * STEP:g}"


@dataclass(frozen=True)
class Variant:
    """Score of the same predictions under another convention; `value - standard` is the effect of the convention."""

    metric: str
    part: str
    convention: str  # the difference
    source: str  # code or paper that computes it this way
    value: float  # per cent
    standard: float  # per cent, by this suite's convention


def definition(skeleton: Skeleton, metric: str, steps: int, reported: tuple[int, ...]) -> Definition:
    """Define a metric by the columns of the papers' tables; its mean pools all joints except pelvis and thorax."""
    return Definition(
        metric=metric,
        steps=steps,
        reported=reported,
        parts=tuple((name, tuple(map(skeleton.index, joints))) for name, joints in skeleton.parts),
        mean=tuple(i for i, joint in enumerate(skeleton.joints) if joint not in UNCOUNTED),
    )


def distances(predictions: Predictions, people: People, size: np.ndarray) -> np.ndarray:
    """Compute ||p - g|| / size, N x J float64; NaN where the joint is not annotated or the size is NaN.

    Infinite where the predictions have no answer (NaN), which is a miss at every threshold, as in the official
    toolkits, where NaN is never within one. size: N, pixels: head size or torso length of each person. Raises
    DataError as `check` does, and for sizes <= 0.
    """
    check(predictions, people)
    if np.any(size <= 0):
        row = int(np.argmax(size <= 0))
        raise DataError(
            what=f"{people.dataset}/{people.split}: person {row} has a size of {size[row]:g} pixels.",
            expected="a head size or torso length above 0, because distances are divided by it",
            cause="two corners or joints of the annotation coincide",
            next_step="correct the annotation, or remove this person",
        )
    gap = predictions.keypoints - people.keypoints
    gap *= gap
    # sqrt of a sum of squares, not hypot: equals numpy.linalg.norm of the official scorers to the last bit.
    distance = np.sqrt(gap[..., 0] + gap[..., 1])
    distance[np.isnan(distance)] = np.inf
    distance /= size[:, None]
    distance[~people.annotated] = np.nan
    return distance


def check(predictions: Predictions, people: People) -> None:
    """Raise DataError unless the predictions have the people's shape, some answer, and nothing infinite."""
    found, expected = predictions.keypoints.shape, people.keypoints.shape
    where = predictions.source or "predictions"
    if found != expected:
        raise DataError(
            what=f"{where}: the keypoints have the shape {'x'.join(map(str, found))}.",
            expected=f"{'x'.join(map(str, expected))} (people, {people.skeleton.name} joints, x and y) "
            f"for {people.dataset}/{people.split}",
            cause="predictions for another split or skeleton",
            next_step="choose the dataset and split that the predictions were made for",
        )
    if np.isfinite(predictions.keypoints.sum()):  # then all are finite, and the search below is not needed
        return
    infinite = np.isinf(predictions.keypoints).any(axis=-1) & people.annotated
    if infinite.any():
        row, joint = map(int, np.argwhere(infinite)[0])
        raise DataError(
            what=f"{where}: {int(infinite.sum())} joints have infinite coordinates, "
            f"first person {row}, {people.skeleton.joints[joint]}.",
            expected="a finite position, or NaN for a joint without an answer",
            cause="a division by zero, or a network that diverged",
            next_step="predict every joint; a position far away is a miss, and so is NaN",
        )
    missing, counted = unanswered(predictions, people)
    if counted and missing == counted:
        raise DataError(
            what=f"{where}: none of the {counted:,} annotated joints has an answer: all are NaN.",
            expected="positions in pixels; NaN only for joints without an answer",
            cause="a network that diverged, or an array that was never filled",
            next_step="look at what wrote the file",
        )


def unanswered(predictions: Predictions, people: People) -> tuple[int, int]:
    """Count the annotated joints without an answer (a coordinate is NaN), and all annotated joints that count."""
    counted = people.annotated & [joint not in UNCOUNTED for joint in people.skeleton.joints]
    return int((np.isnan(predictions.keypoints).any(axis=-1) & counted).sum()), int(counted.sum())


def with_unanswered(scores: Scores, predictions: Predictions, people: People) -> Scores:
    """Add the number of annotated joints without an answer, if there are any, and a warning if they are many."""
    missing, counted = unanswered(predictions, people)
    if not missing:
        return scores
    words = f"{missing:,} of {counted:,} annotated joints have no answer; each counts as a miss."
    return replace(
        scores,
        values=(*scores.values, Value(UNANSWERED, "all", missing, "joints", counted)),
        warnings=(*scores.warnings, *([words] if missing > MANY * counted else [])),
    )


def first_threshold(distance: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return the index of the first threshold >= distance; len(thresholds) if there is none, and for NaN.

    The index by division is corrected by comparison, so that `first <= k` equals
    `distance <= thresholds[k]` for every float64.
    """
    last = len(thresholds)
    with np.errstate(invalid="ignore"):
        first = np.ceil(distance * (1 / STEP))
        np.fmin(first, last, out=first)  # also turns NaN into `last`
        first = first.astype(np.uint8 if last < 255 else np.int64)
        padded = np.append(thresholds, np.inf)
        first += distance > padded[first]
        first -= (first > 0) & (distance <= padded[first - (first > 0)])
    return first


def tally(distance: np.ndarray, definition: Definition, extra: tuple[Statistic, ...] = ()) -> Tally:
    """Return the credits of each joint of each person: hits at the reported thresholds, and its share of the AUC."""
    return _tally(first_threshold(distance, definition.thresholds), ~np.isnan(distance), definition, extra)


def _tally(first: np.ndarray, counted: np.ndarray, definition: Definition, extra: tuple[Statistic, ...]) -> Tally:
    # In half steps: a joint hit from threshold k on covers the trapezoids right of k and half of the one left of it.
    area = np.clip(2 * (definition.steps - np.arange(definition.steps + 2)) + 1, 0, 2 * definition.steps)
    credits = {definition.name(step): first <= step for step in definition.reported} | {"AUC": area[first]}
    statistics = tuple(
        Statistic(metric, part, metric, columns, pooled=part == "mean")
        for metric in credits
        for part, columns in (*definition.parts, ("mean", definition.mean))
    )
    return Tally(credits, counted, statistics + extra, full={"AUC": 2 * definition.steps})


def curves(distance: np.ndarray, definition: Definition) -> dict[str, np.ndarray]:
    """Return part -> percentages at every threshold of the curve; NaN for a part that nobody has."""
    return _curves(first_threshold(distance, definition.thresholds), ~np.isnan(distance), definition)


def _curves(first: np.ndarray, counted: np.ndarray, definition: Definition) -> dict[str, np.ndarray]:
    joints = first.shape[1]
    at_threshold = np.bincount(
        (first.astype(np.intp) * joints + np.arange(joints)).ravel(), minlength=(definition.steps + 2) * joints
    )
    hits = np.cumsum(at_threshold.reshape(-1, joints)[: definition.steps + 1], axis=0)
    counted = np.broadcast_to(np.count_nonzero(counted, axis=0), hits.shape)
    shares = percentages(hits, counted)
    parts = (*definition.parts, ("mean", definition.mean))
    return {name: average(shares, counted, columns, name == "mean") for name, columns in parts}


def scores(
    distance: np.ndarray,
    definition: Definition,
    *,
    resamples: int,
    seed: int,
    extra: tuple[Statistic, ...] = (),
    warnings: tuple[str, ...] = (),
) -> Scores:
    """Compute values with intervals and curves; `samples` keeps the distances for comparisons."""
    first, counted = first_threshold(distance, definition.thresholds), ~np.isnan(distance)
    return Scores(
        values=bootstrap.values([_tally(first, counted, definition, extra)], resamples=resamples, seed=seed),
        thresholds=definition.thresholds,
        curve=_curves(first, counted, definition),
        samples={"distance": distance},
        warnings=warnings,
    )
