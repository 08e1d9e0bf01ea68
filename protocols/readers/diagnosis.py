"""What predictions look like they suffer from: another frame, exchanged sides or axes, another order of people.

Nothing is corrected. A sentence says what it looks like, and how the score would change without it.

Suspicion rests on closeness, which is the same for every protocol: 1 for a joint that is exact, falling to 0 at
a tenth of the person's extent. A repair is suggested when it makes people closer beyond chance (a paired z
of 4 or more over people) and the score rises.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from protocols.errors import DataError
from protocols.pose.crops import to_image, windows
from protocols.pose.people import People, Predictions
from protocols.statistics.scores import Scores

REACH = 0.1  # of the extent: where closeness ends; about half a head
CLEAR = 4.0  # paired z over people
GROSS = 2.0  # points that a gross repair must bring at least
FITTED = 10.0  # points, for repairs that are fitted to each person and so gain a little on any file
SAMPLE = 200  # people that are compared with everybody else's annotation
FRAMES = (1, 64, 96, 128, 256, 384)  # sides of heatmaps and crops, in cells or pixels; 1 for fractions

Score = Callable[[Predictions], Scores]


def warnings(predictions: Predictions, people: People, score: Score) -> tuple[str, ...]:
    """Sentences on shifted, mirrored, swapped, transposed, rescaled or reordered predictions; empty for sound ones.

    score: the protocol without resampling; its first value for "mean" is the score of the sentences.
    """
    whole = replace(predictions, keypoints=np.nan_to_num(predictions.keypoints, nan=0.0))
    found = _gross(whole, people, score) or _order(whole, people, score) or _shift(whole, people, score)
    return (found,) if found else _far(whole, people)


def _gross(predictions: Predictions, people: People, score: Score) -> str:
    """The repair of frame, sides or axes that brings most, if it brings enough."""
    before, base = _headline(score(predictions)), closeness(predictions.keypoints, people)
    best, sentence = 0.0, ""
    for looks, would, keypoints, needed, rival in _repairs(predictions.keypoints, people):
        against = base if rival is None else np.maximum(base, closeness(rival, people))
        if _z(closeness(keypoints, people) - against) < CLEAR:
            continue
        after = _headline(score(replace(predictions, keypoints=keypoints)))
        if after - before > max(best, needed):
            best, sentence = after - before, f"{looks}: {would} {_rise(before, after)}"
    return sentence or _unplaced(predictions, people, score)


def _repairs(keypoints: np.ndarray, people: People) -> Iterator[tuple[str, str, np.ndarray, float, np.ndarray | None]]:
    """What it looks like, what is undone, repaired keypoints, points needed, and a rival that must be beaten too."""
    mirror = list(people.skeleton.mirror)
    yield "Left and right look swapped", "with the names exchanged", keypoints[:, mirror], GROSS, None
    yield "x and y look swapped", "with the axes exchanged", keypoints[..., ::-1], GROSS, None
    for looks, in_image in _frames(keypoints, people):
        yield looks, "mapped to the image", in_image, FITTED, None
    shifted = keypoints + _median(people.keypoints - keypoints, people) * (1, 0)
    for names, chosen in (("", keypoints), (" and their names exchanged", keypoints[:, mirror])):
        line = _median(people.keypoints + chosen, people)[..., 0]
        reflected = np.stack([line - chosen[..., 0], chosen[..., 1]], axis=-1)
        yield (
            "The people look mirrored",
            f"reflected, each about a line that suits it best{names},",
            reflected,
            FITTED,
            shifted,
        )


def _frames(keypoints: np.ndarray, people: People) -> Iterator[tuple[str, np.ndarray]]:
    """The predictions read as cells of a crop, or as fractions of it or of the image, where they could be."""
    side = _side(keypoints)
    if side and np.isfinite(people.scale).all():
        in_image = to_image(keypoints, *windows(people), (side, side)) + people.origin
        yield f"The coordinates look like {'fractions' if side == 1 else f'cells of {side}'} of the crop", in_image
    if side == 1:
        try:
            sizes = np.array([people.read_image(row).shape[1::-1] for row in range(len(people))])
        except DataError:
            return
        yield "The coordinates look like fractions of the image", keypoints * sizes[:, None] + people.origin


def _side(keypoints: np.ndarray) -> int:
    """The smallest frame that holds the predictions but for a few; 0 if there is none."""
    low, high = np.percentile(keypoints, (1, 99))
    return next((side for side in FRAMES if high <= side), 0) if low >= 0 else 0


def _unplaced(predictions: Predictions, people: People, score: Score) -> str:
    """Said when the frame is surely wrong but where the crops or images lay is not known."""
    side, truth = _side(predictions.keypoints), people.keypoints[people.annotated]
    if side not in (1, 64) or np.mean(truth > side) < 0.05:
        return ""
    fitted = replace(predictions, keypoints=_fitted(predictions.keypoints, people))
    return (
        f"The coordinates look like {'fractions' if side == 1 else 'heatmap cells'}, all between 0 and {side}. Where "
        "the crops or images lay is not known; scaled and moved as suits each person best "
        f"{_rise(_headline(score(predictions)), _headline(score(fitted)))}"
    )


def _fitted(keypoints: np.ndarray, people: People) -> np.ndarray:
    """Each axis of each person scaled and moved to the annotation by least squares."""
    weight = people.annotated[..., None] / np.maximum(people.annotated.sum(axis=1), 1)[:, None, None]
    centred = keypoints - (weight * keypoints).sum(axis=1, keepdims=True)
    middle = (weight * people.keypoints).sum(axis=1, keepdims=True)
    spread = (weight * centred**2).sum(axis=1, keepdims=True)
    slope = (weight * centred * (people.keypoints - middle)).sum(axis=1, keepdims=True) / np.maximum(spread, 1e-12)
    return centred * slope + middle


def _order(predictions: Predictions, people: People, score: Score) -> str:
    """Predictions that fit the annotation of somebody else far better than their own."""
    sample = np.unique(np.linspace(0, len(people) - 1, SAMPLE).astype(int))
    strangers, match = _strangers(predictions.keypoints, people, sample)
    if strangers.mean() < 0.1 or len(set(match[strangers])) < 0.5 * strangers.sum():
        return ""
    blocks = np.array_split(np.arange(len(people)), max(1, len(people) // 400))
    found = [_strangers(predictions.keypoints, people, block) for block in blocks]
    strangers, match = (np.concatenate(parts) for parts in zip(*found, strict=True))
    source = np.arange(len(people))
    source[match[strangers]] = np.flatnonzero(strangers)
    before = _headline(score(predictions))
    after = _headline(score(replace(predictions, keypoints=predictions.keypoints[source])))
    return (
        f"The people look reordered: {strangers.mean():.0%} of the predictions fit the annotation of another person; "
        f"matched to those {_rise(before, after)}"
    )


def _strangers(keypoints: np.ndarray, people: People, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row: whether somebody else's annotation fits it far better, and whose fits best."""
    seen = people.annotated.astype(np.float64)
    truth = np.where(people.annotated[..., None], people.keypoints, 0.0)
    flat = seen.sum(axis=1)
    square = sum(
        keypoints[rows, :, k] ** 2 @ seen.T - 2 * keypoints[rows, :, k] @ truth[..., k].T + (truth[..., k] ** 2).sum(1)
        for k in (0, 1)
    )
    distance = np.sqrt(np.maximum(square, 0) / np.maximum(flat, 1))
    distance[:, flat < 3] = np.inf  # too few joints to know anybody by
    match = distance.argmin(axis=1)
    extent = extents(people)
    own, best = distance[np.arange(len(rows)), rows], distance.min(axis=1)
    return (own > 0.3 * extent[rows]) & np.isfinite(own) & (best < REACH * extent[match]) & (best < own / 4), match


def _shift(predictions: Predictions, people: People, score: Score) -> str:
    """One pixel along both axes, up or down, if that is closer than none and closer than two."""
    base = closeness(predictions.keypoints, people)
    for step in (1, -1):
        once, twice = (closeness(predictions.keypoints + step * k, people) for k in (1, 2))
        if _z(once - base) >= CLEAR and np.nanmean(once - twice) > 0:
            before, after = (
                _headline(score(replace(predictions, keypoints=predictions.keypoints + k))) for k in (0, step)
            )
            other = people.origin - step
            frame = f"counted from {other} instead of {people.origin}" if other in (0, 1) else "converted twice"
            return (
                f"The coordinates look shifted by a pixel, as if {frame}: with {step:+d} added {_rise(before, after)}"
            )
    return ""


def _far(predictions: Predictions, people: People) -> tuple[str, ...]:
    """Said when many people are predicted somewhere else altogether, and nothing above explains it."""
    gap = _median(predictions.keypoints - people.keypoints, people)[:, 0]
    share = np.mean(np.sqrt((gap**2).sum(axis=1)) > extents(people))
    if not share > 0.2:
        return ()
    return (
        f"{share:.0%} of the people are predicted more than their own extent away from the annotation: "
        "the file may be of another split, order or frame. It was scored as it is.",
    )


def closeness(keypoints: np.ndarray, people: People) -> np.ndarray:
    """N: mean over a person's annotated joints of max(0, 1 - distance / (0.1 extent)); NaN for nobody's joints."""
    gap = keypoints - people.keypoints
    distance = np.sqrt(gap[..., 0] ** 2 + gap[..., 1] ** 2)
    close = np.maximum(0.0, 1.0 - distance / (REACH * extents(people))[:, None]) * people.annotated
    counted = people.annotated.sum(axis=1)
    return np.where(counted > 0, close.sum(axis=1) / np.maximum(counted, 1), np.nan)


def extents(people: People) -> np.ndarray:
    """N: the longer side of the box around the annotated joints, at least one pixel."""
    low, high = np.full((2, len(people), 2), [[[np.inf]], [[-np.inf]]])
    for joint in range(len(people.skeleton)):  # much faster than a reduction over a short middle axis
        here = people.annotated[:, joint, None]
        np.minimum(low, people.keypoints[:, joint], out=low, where=here)
        np.maximum(high, people.keypoints[:, joint], out=high, where=here)
    return np.maximum((high - low).max(axis=1), 1.0)


def _median(offsets: np.ndarray, people: People) -> np.ndarray:
    """N x 1 x 2: median over a person's annotated joints; 0 for nobody's joints."""
    ordered = np.sort(np.where(people.annotated[..., None], offsets, np.inf), axis=1)
    counted = people.annotated.sum(axis=1)[:, None, None]
    low, high = (
        np.take_along_axis(ordered, np.maximum(middle, 0), axis=1) for middle in ((counted - 1) // 2, counted // 2)
    )
    return np.where(counted > 0, (low + high) / 2, 0.0)


def _z(gain: np.ndarray) -> float:
    """Mean over its standard error, NaN left out; 0 for fewer than two people, infinite for a gain without spread."""
    gain = gain[~np.isnan(gain)]
    if len(gain) < 2 or gain.mean() <= 0:
        return 0.0
    spread = gain.std(ddof=1)
    return float(gain.mean() / spread * np.sqrt(len(gain))) if spread > 0 else np.inf


def _headline(scores: Scores) -> float:
    return next((value.value for value in scores.values if value.part == "mean"), 0.0)


def _rise(before: float, after: float) -> str:
    moved = f"{'rise' if after >= before else 'fall'} by {abs(after - before):.2f} points"
    return f"the score would {moved}, from {before:.2f} to {after:.2f}. It was scored as it is."
