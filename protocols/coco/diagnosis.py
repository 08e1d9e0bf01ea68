"""What COCO results look like they suffer from: exchanged sides or axes, a mirror, fractions, a shift by a pixel.

Nothing is corrected. A sentence says what it looks like, and how AP would change without it.
"""

from dataclasses import replace

import numpy as np

from protocols.coco.ap import score
from protocols.coco.matching import offsets
from protocols.coco.results import Results
from protocols.pose.people import GroundTruth
from protocols.pose.skeletons import COCO

SOUND = 0.5  # AP from which on the gross repairs are not tried: each of them would have cost nearly everything
GROSS = 0.02  # AP that a gross repair must bring
FEW = 100  # joints, below which no shift is looked for
CLEAR = 4.0  # standard errors of the median that a shift must be away from 0


def warnings(results: Results, truth: GroundTruth) -> tuple[str, ...]:
    """Sentences on mirrored, swapped, transposed, fractional or shifted results; empty for sound ones."""
    if not len(results):
        return ()
    before = _ap(results, results.keypoints, truth)
    found = _gross(results, truth, before) if before < SOUND else ""
    found = found or _shift(results, truth, before)
    return (found,) if found else ()


def _gross(results: Results, truth: GroundTruth, before: float) -> str:
    """The repair of sides, axes or frame that brings most, if it brings enough."""
    keypoints, mirror = results.keypoints, list(COCO.mirror)
    size = truth.image_sizes[np.searchsorted(truth.image_ids, results.image_ids)].astype(np.float64)[:, None]
    reflected = np.stack([size[..., 0] - 1 - keypoints[..., 0], keypoints[..., 1]], axis=-1)
    repairs = {
        "Left and right look swapped: with the names exchanged": keypoints[:, mirror],
        "x and y look swapped: with the axes exchanged": keypoints[..., ::-1],
        "The people look mirrored: reflected in the image": reflected,
        "The people look mirrored: reflected in the image, with left and right exchanged": reflected[:, mirror],
        "The coordinates look like fractions of the image: multiplied by its size": keypoints * size,
    }
    after = {sentence: _ap(results, repaired, truth) for sentence, repaired in repairs.items()}
    best = max(after, key=after.get)
    return _sentence(best, before, after[best]) if after[best] > before + GROSS else ""


def _shift(results: Results, truth: GroundTruth, before: float) -> str:
    """A shift by one pixel in x and in y, as between coordinates from 0 and from 1."""
    offset = offsets(results, truth)
    if len(offset) < FEW:
        return ""
    middle = np.median(offset, axis=0)
    spread = 1.4826 * np.median(np.abs(offset - middle), axis=0)  # of normal offsets, whatever the outliers do
    step = np.sign(middle)
    clear = np.abs(middle) > CLEAR * 1.2533 * spread / np.sqrt(len(offset))
    if not clear.all() or (np.abs(middle - step) > 0.4).any():
        return ""
    after = _ap(results, results.keypoints - step, truth)
    looks = f"The results look shifted by ({step[0]:+.0f}, {step[1]:+.0f}) pixels, as between frames from 0 and from 1"
    return _sentence(f"{looks}: without it", before, after) if after > before else ""


def _ap(results: Results, keypoints: np.ndarray, truth: GroundTruth) -> float:
    return score(replace(results, keypoints=keypoints), truth, resamples=0).values[0].value


def _sentence(looks: str, before: float, after: float) -> str:
    return f"{looks} AP would be {after:.3f} instead of {before:.3f}. Scored as they are."
