"""Diagnosis of COCO results: swapped sides or axes, mirrored people, normalized coordinates, a shift by a pixel.

Nothing is corrected. A warning names the likely mistake and the AP without it.
"""

from dataclasses import replace

import numpy as np

from protocols.coco.ap import score
from protocols.coco.matching import joint_offsets
from protocols.coco.results import Results
from protocols.pose.people import GroundTruth
from protocols.pose.skeletons import COCO

SOUND_AP = 0.5  # at which swaps, mirrors and fractions are ruled out: any of them leaves next to no AP
MIN_GAIN = 0.02  # AP that a correction must gain
MIN_JOINTS = 100  # to look for a shift
MIN_Z = 4.0  # standard errors of the median between a shift and 0


def warnings(results: Results, truth: GroundTruth) -> tuple[str, ...]:
    """Return a warning about swapped, transposed, mirrored, normalized or shifted results; empty for sound ones."""
    if not len(results):
        return ()
    before = _ap(results, results.keypoints, truth)
    warning = _best_correction(results, truth, before) if before < SOUND_AP else ""
    warning = warning or _shift(results, truth, before)
    return (warning,) if warning else ()


def _best_correction(results: Results, truth: GroundTruth, before: float) -> str:
    """Return the warning for the correction of sides, axes or units that gains most AP; "" if none gains enough."""
    keypoints, mirror = results.keypoints, list(COCO.mirror)
    size = truth.image_sizes[np.searchsorted(truth.image_ids, results.image_ids)].astype(np.float64)[:, None]
    reflected = np.stack([size[..., 0] - 1 - keypoints[..., 0], keypoints[..., 1]], axis=-1)
    corrections = {
        "Left and right look swapped: with the names exchanged": keypoints[:, mirror],
        "x and y look swapped: with the axes exchanged": keypoints[..., ::-1],
        "The people look mirrored: reflected in the image": reflected,
        "The people look mirrored: reflected in the image, with left and right exchanged": reflected[:, mirror],
        "The coordinates look like fractions of the image: multiplied by its size": keypoints * size,
    }
    after = {mistake: _ap(results, corrected, truth) for mistake, corrected in corrections.items()}
    best = max(after, key=after.__getitem__)
    return _sentence(best, before, after[best]) if after[best] > before + MIN_GAIN else ""


def _shift(results: Results, truth: GroundTruth, before: float) -> str:
    """Return the warning for a shift by one pixel in x and y, as between coordinates from 0 and from 1; else ""."""
    offset = joint_offsets(results, truth)
    if len(offset) < MIN_JOINTS:
        return ""
    middle = np.median(offset, axis=0)
    spread = 1.4826 * np.median(np.abs(offset - middle), axis=0)  # standard deviation, robust to outliers
    step = np.sign(middle)
    clear = np.abs(middle) > MIN_Z * 1.2533 * spread / np.sqrt(len(offset))
    if not clear.all() or (np.abs(middle - step) > 0.4).any():
        return ""
    after = _ap(results, results.keypoints - step, truth)
    mistake = (
        f"The results look shifted by ({step[0]:+.0f}, {step[1]:+.0f}) pixels, as between coordinates from 0 and from 1"
    )
    return _sentence(f"{mistake}: without it", before, after) if after > before else ""


def _ap(results: Results, keypoints: np.ndarray, truth: GroundTruth) -> float:
    return score(replace(results, keypoints=keypoints), truth, resamples=0).values[0].value


def _sentence(mistake: str, before: float, after: float) -> str:
    return f"{mistake} AP would be {after:.3f} instead of {before:.3f}. Scored as they are."
