"""Diagnosis of predictions: other coordinates, sides, axes or columns; mirrored or reordered people; a shifted pixel.

Nothing is corrected. A warning names the likely mistake and the score without it.

The tests use closeness, which is the same for every protocol: 1 for a joint that is exact, falling to 0 at
a tenth of the person's extent. A correction is suggested if it makes people significantly closer (a paired z
of 4 or more over people) and raises the score.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from protocols.errors import DataError
from protocols.pose import column_order
from protocols.pose.crops import to_image, windows
from protocols.pose.people import People, Predictions

REACH = 0.1  # of the extent: distance at which closeness is 0; about half a head
MIN_Z = 4.0  # paired, over people
MIN_GAIN = 2.0  # points that a correction must gain
MIN_GAIN_FITTED = 10.0  # points, for corrections fitted to each person, which gain a little on any file
SAMPLE = 200  # people that are compared with everybody else's annotation
SIDES = (1, 64, 96, 128, 256, 384)  # of heatmaps and crops, in pixels; 1 for fractions

Score = Callable[[Predictions], float]


class Correction(NamedTuple):
    """Predictions without a suspected mistake."""

    symptom: str  # start of the warning
    action: str  # phrase before "the score would rise"
    keypoints: np.ndarray  # N x J x 2, corrected
    min_gain: float = MIN_GAIN  # points
    rival: np.ndarray | None = None  # N x J x 2, a simpler explanation that must be worse


def warnings(predictions: Predictions, people: People, score: Score) -> tuple[str, ...]:
    """Warn of shifted, mirrored, swapped, transposed, rescaled or reordered predictions; empty for sound ones.

    score: the headline of the protocol, in per cent, which warnings quote.
    """
    finite = replace(predictions, keypoints=np.nan_to_num(predictions.keypoints, nan=0.0))
    warning = _best_correction(finite, people, score) or _order(finite, people, score) or _shift(finite, people, score)
    return (warning,) if warning else _far(finite, people)


def _best_correction(predictions: Predictions, people: People, score: Score) -> str:
    """Return the warning for the correction of units, sides or axes that gains most; "" if none gains enough."""
    before, base = score(predictions), closeness(predictions.keypoints, people)
    best, warning = 0.0, ""
    for correction in _corrections(predictions.keypoints, people):
        rival = correction.rival
        against = base if rival is None else np.maximum(base, closeness(rival, people))
        if _z(closeness(correction.keypoints, people) - against) < MIN_Z:
            continue
        after = score(replace(predictions, keypoints=correction.keypoints))
        if after - before > max(best, correction.min_gain):
            best, warning = after - before, f"{correction.symptom}: {correction.action} {_change(before, after)}"
    return warning or _unknown_crops(predictions, people, score)


def _corrections(keypoints: np.ndarray, people: People) -> Iterator[Correction]:
    """Yield candidate corrections; of equally good ones the first is suggested."""
    mirror = list(people.skeleton.mirror)
    yield Correction("Left and right look swapped", "with the names exchanged", keypoints[:, mirror])
    yield Correction("x and y look swapped", "with the axes exchanged", keypoints[..., ::-1])
    if order := column_order.assigned(_fits(keypoints, people)):
        found = column_order.words(order, people.skeleton.joints)
        yield Correction(f"The columns look reordered ({found})", "read so,", keypoints[:, order])
    for symptom, in_image in _in_image(keypoints, people):
        yield Correction(symptom, "mapped to the image", in_image, MIN_GAIN_FITTED)
    shifted = keypoints + _median(people.keypoints - keypoints, people) * (1, 0)
    for names, named in (("", keypoints), (" and their names exchanged", keypoints[:, mirror])):
        line = _median(people.keypoints + named, people)[..., 0]
        reflected = np.stack([line - named[..., 0], named[..., 1]], axis=-1)
        action = f"reflected, each about its best line{names},"
        yield Correction("The people look mirrored", action, reflected, MIN_GAIN_FITTED, rival=shifted)


def _fits(keypoints: np.ndarray, people: People) -> np.ndarray:
    """Return how close each column is to each annotated joint, columns x joints: the mean closeness over people."""
    reach = REACH * extents(people)[:, None]
    truth = np.where(people.annotated[..., None], people.keypoints, np.nan)
    rows = []
    for column in range(keypoints.shape[1]):
        gap = keypoints[:, column, None] - truth
        close = np.maximum(0.0, 1.0 - np.sqrt(gap[..., 0] ** 2 + gap[..., 1] ** 2) / reach)
        rows.append(np.nansum(close, axis=0) / np.maximum(people.annotated.sum(axis=0), 1))
    return np.array(rows)


def _in_image(keypoints: np.ndarray, people: People) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the predictions mapped from pixels or fractions of the crop, or fractions of the image, if they may be."""
    side = _side(keypoints)
    if side and np.isfinite(people.scale).all():
        in_image = to_image(keypoints, *windows(people), (side, side)) + people.origin
        units = "fractions of the crop" if side == 1 else f"pixels of a crop or heatmap of {side} x {side}"
        yield f"The coordinates look like {units}", in_image
    if side == 1:
        try:
            sizes = np.array([people.read_image(row).shape[1::-1] for row in range(len(people))])
        except DataError:
            return
        yield "The coordinates look like fractions of the image", keypoints * sizes[:, None] + people.origin


def _side(keypoints: np.ndarray) -> int:
    """Return the smallest of SIDES that contains nearly all predictions; 0 if there is none."""
    low, high = np.percentile(keypoints, (1, 99))
    return next((side for side in SIDES if high <= side), 0) if low >= 0 else 0


def _unknown_crops(predictions: Predictions, people: People, score: Score) -> str:
    """Warn if coordinates are not pixels of the image and the position of the crops or images is unknown."""
    side, truth = _side(predictions.keypoints), people.keypoints[people.annotated]
    if side not in (1, 64) or np.mean(truth > side) < 0.05:
        return ""
    fitted = replace(predictions, keypoints=_fitted(predictions.keypoints, people))
    return (
        f"The coordinates look like {'fractions' if side == 1 else 'heatmap pixels'}, all between 0 and {side}. The "
        "position of the crops or images is unknown; scaled and moved to fit each person best "
        f"{_change(score(predictions), score(fitted))}"
    )


def _fitted(keypoints: np.ndarray, people: People) -> np.ndarray:
    """Scale and move each axis of each person to the annotation by least squares."""
    weight = people.annotated[..., None] / np.maximum(people.annotated.sum(axis=1), 1)[:, None, None]
    centred = keypoints - (weight * keypoints).sum(axis=1, keepdims=True)
    middle = (weight * people.keypoints).sum(axis=1, keepdims=True)
    spread = (weight * centred**2).sum(axis=1, keepdims=True)
    slope = (weight * centred * (people.keypoints - middle)).sum(axis=1, keepdims=True) / np.maximum(spread, 1e-12)
    return centred * slope + middle


def _order(predictions: Predictions, people: People, score: Score) -> str:
    """Warn if predictions fit the annotation of other people far better than their own."""
    sample = np.unique(np.linspace(0, len(people) - 1, SAMPLE).astype(int))
    misplaced, match = _misplaced(predictions.keypoints, people, sample)
    if misplaced.mean() < 0.1 or len(set(match[misplaced])) < 0.5 * misplaced.sum():
        return ""
    blocks = np.array_split(np.arange(len(people)), max(1, len(people) // 400))
    parts = [_misplaced(predictions.keypoints, people, block) for block in blocks]
    misplaced, match = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    source = np.arange(len(people))
    source[match[misplaced]] = np.flatnonzero(misplaced)
    before = score(predictions)
    after = score(replace(predictions, keypoints=predictions.keypoints[source]))
    return (
        f"The people look reordered: {misplaced.mean():.0%} of the predictions fit the annotation of another person; "
        f"matched to those {_change(before, after)}"
    )


def _misplaced(keypoints: np.ndarray, people: People, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row whether another person's annotation fits it far better, and the person that fits best."""
    annotated = people.annotated.astype(np.float64)
    truth = np.where(people.annotated[..., None], people.keypoints, 0.0)
    count = annotated.sum(axis=1)
    square = sum(
        keypoints[rows, :, k] ** 2 @ annotated.T
        - 2 * keypoints[rows, :, k] @ truth[..., k].T
        + (truth[..., k] ** 2).sum(1)
        for k in (0, 1)
    )
    distance = np.sqrt(np.maximum(square, 0) / np.maximum(count, 1))
    distance[:, count < 3] = np.inf  # too few joints to recognize a person
    match = distance.argmin(axis=1)
    extent = extents(people)
    own, best = distance[np.arange(len(rows)), rows], distance.min(axis=1)
    return (own > 0.3 * extent[rows]) & np.isfinite(own) & (best < REACH * extent[match]) & (best < own / 4), match


def _shift(predictions: Predictions, people: People, score: Score) -> str:
    """Warn if a shift by one pixel along both axes is closer than none, and closer than two pixels."""
    base = closeness(predictions.keypoints, people)
    for step in (1, -1):
        once, twice = (closeness(predictions.keypoints + step * k, people) for k in (1, 2))
        if _z(once - base) >= MIN_Z and np.nanmean(once - twice) > 0:
            before, after = (score(replace(predictions, keypoints=predictions.keypoints + k)) for k in (0, step))
            other = people.origin - step
            origin = f"counted from {other} instead of {people.origin}" if other in (0, 1) else "converted twice"
            change = _change(before, after)
            return f"The coordinates look shifted by a pixel, as if {origin}: with {step:+d} added {change}"
    return ""


def _far(predictions: Predictions, people: People) -> tuple[str, ...]:
    """Warn if many people are predicted far away, and nothing above explains it."""
    gap = _median(predictions.keypoints - people.keypoints, people)[:, 0]
    share = np.mean(np.sqrt((gap**2).sum(axis=1)) > extents(people))
    if not share > 0.2:
        return ()
    return (
        f"{share:.0%} of the people are predicted more than their own extent away from the annotation: "
        "the file may be of another split or order, or its coordinates are not pixels. It was scored as it is.",
    )


def closeness(keypoints: np.ndarray, people: People) -> np.ndarray:
    """Return the mean over each person's annotated joints of max(0, 1 - distance / (0.1 extent)); NaN without any."""
    gap = keypoints - people.keypoints
    distance = np.sqrt(gap[..., 0] ** 2 + gap[..., 1] ** 2)
    close = np.maximum(0.0, 1.0 - distance / (REACH * extents(people))[:, None]) * people.annotated
    counted = people.annotated.sum(axis=1)
    return np.where(counted > 0, close.sum(axis=1) / np.maximum(counted, 1), np.nan)


def extents(people: People) -> np.ndarray:
    """Return the longer side of the box around each person's annotated joints, at least one pixel."""
    low, high = np.full((2, len(people), 2), [[[np.inf]], [[-np.inf]]])
    for joint in range(len(people.skeleton)):  # much faster than a reduction over a short middle axis
        annotated = people.annotated[:, joint, None]
        np.minimum(low, people.keypoints[:, joint], out=low, where=annotated)
        np.maximum(high, people.keypoints[:, joint], out=high, where=annotated)
    return np.maximum((high - low).max(axis=1), 1.0)


def _median(offsets: np.ndarray, people: People) -> np.ndarray:
    """Return the median over each person's annotated joints, N x 1 x 2; 0 without any."""
    ordered = np.sort(np.where(people.annotated[..., None], offsets, np.inf), axis=1)
    counted = people.annotated.sum(axis=1)[:, None, None]
    low, high = (
        np.take_along_axis(ordered, np.maximum(middle, 0), axis=1) for middle in ((counted - 1) // 2, counted // 2)
    )
    return np.where(counted > 0, (low + high) / 2, 0.0)


def _z(gain: np.ndarray) -> float:
    """Return mean / standard error without NaN; 0 for fewer than two people, infinite for a gain without spread."""
    gain = gain[~np.isnan(gain)]
    if len(gain) < 2 or gain.mean() <= 0:
        return 0.0
    spread = gain.std(ddof=1)
    return float(gain.mean() / spread * np.sqrt(len(gain))) if spread > 0 else np.inf


def _change(before: float, after: float) -> str:
    change = f"{'rise' if after >= before else 'fall'} by {abs(after - before):.2f} points"
    return f"the score would {change}, from {before:.2f} to {after:.2f}. It was scored as it is."
