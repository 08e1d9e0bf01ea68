"""Diagnosis of COCO results: sides, axes or columns, mirrored people, other units, resized images, a shifted pixel.

Nothing is corrected. A warning names the likely mistake and the AP without it.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from protocols.coco.ap import score
from protocols.coco.matching import joint_offsets
from protocols.coco.results import Results
from protocols.pose import column_order
from protocols.pose.people import GroundTruth
from protocols.pose.skeletons import COCO

SOUND_AP = 0.5  # at which swaps, mirrors and fractions are ruled out: any of them leaves next to no AP
MIN_GAIN = 0.02  # AP that a correction must gain
MIN_JOINTS = 100  # to look for a shift
REACH = 0.5  # of the root of the area: distance at which a column and a joint no longer fit
FEWEST, MOST = 5, 500  # annotated joints of a person, and results, that are looked at for the order of columns
EMPTY = 0.1  # share of images with people but without a result that deserves a word
SIDES = (512, 800, 1024, 1333)  # pixels to which the longer side of images is commonly resized
FULL = (0.6, 1.15)  # of the longer side: what the farthest joints of nearly all people reach
MIN_Z = 4.0  # standard errors of the median between a shift and 0


def warnings(results: Results, truth: GroundTruth) -> tuple[str, ...]:
    """Return a warning about reordered, mirrored, rescaled or shifted results; empty for sound ones."""
    if not len(results):
        return ()
    before = _ap(results, results.keypoints, truth)
    warning = _best_correction(results, truth, before) if before < SOUND_AP else ""
    warning = warning or _shift(results, truth, before)
    return tuple(filter(None, (warning, _partial(results, truth))))


def _partial(results: Results, truth: GroundTruth) -> str:
    """Return the warning that many images with people have no result, with the AP on the others; else ""."""
    with_people = np.unique(truth.image[(truth.labelled > 0) & ~truth.crowd])
    answered = np.isin(truth.image_ids[with_people], results.image_ids)
    missing = int((~answered).sum())
    if not answered.any() or missing < EMPTY * len(with_people):
        return ""
    there = truth.on_images(np.unique(results.image_ids))
    nothing = len(truth.image_ids) - len(there.image_ids)
    return (
        f"No result is on {nothing:,} of {len(truth.image_ids):,} images, {missing:,} of them with people: a run that "
        "was stopped, one of several files, or a list of images of its own? On the others AP is "
        f"{_ap(results, results.keypoints, there):.5f}."
    )


def _best_correction(results: Results, truth: GroundTruth, before: float) -> str:
    """Return the warning for the correction that gains most AP; "" if none gains enough."""
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
    if order := column_order.assigned(_fits(results, truth)):
        found = column_order.words(order, COCO.joints)
        corrections[f"The columns look reordered ({found}): read so"] = keypoints[:, order]
    corrections |= _resized(results, truth)
    after = {mistake: _ap(results, corrected, truth) for mistake, corrected in corrections.items()}
    best = max(after, key=after.__getitem__)
    return _sentence(best, before, after[best]) if after[best] > before + MIN_GAIN else ""


def _fits(results: Results, truth: GroundTruth) -> np.ndarray:
    """Return how close each column is to each joint of the person at the same place, columns x joints."""
    total, counted = np.zeros((len(COCO), len(COCO))), np.zeros(len(COCO))
    for result, person in _same_place(results, truth):
        annotated = truth.visibility[person] > 0
        gap = results.keypoints[result][:, None] - truth.keypoints[person][None]
        reach = REACH * np.sqrt(max(truth.areas[person], 1.0))
        close = np.maximum(0.0, 1.0 - np.linalg.norm(gap, axis=-1) / reach)
        total += close * annotated
        counted += annotated
    return total / np.maximum(counted, 1)


def _same_place(results: Results, truth: GroundTruth) -> Iterator[tuple[int, int]]:
    """Yield results with the annotated person that they cover, whatever their columns mean: its joints are near any."""
    people = defaultdict(list)
    for person in np.flatnonzero((truth.visibility > 0).sum(axis=1) >= FEWEST):
        people[int(truth.image_ids[truth.image[person]])].append(int(person))
    for result in np.argsort(-results.scores, kind="stable")[:MOST].tolist():
        found = []
        for person in people.get(int(results.image_ids[result]), ()):
            joints = truth.keypoints[person][truth.visibility[person] > 0]
            gap = np.linalg.norm(joints[:, None] - results.keypoints[result][None], axis=-1).min(axis=1)
            found.append((float(gap.mean()) / np.sqrt(max(truth.areas[person], 1.0)), person))
        if found and min(found)[0] < REACH:
            yield result, min(found)[1]


def _resized(results: Results, truth: GroundTruth) -> dict[str, np.ndarray]:
    """Return the results mapped back from images of another size, by the mistake, where that fits the images."""
    keypoints = results.keypoints
    longer = truth.image_sizes[np.searchsorted(truth.image_ids, results.image_ids)].max(axis=1).astype(np.float64)
    factors = {
        f"The images look resized to 1/{factor:g} of their size: multiplied by {factor:g}": np.full(
            len(results), factor
        )
        for factor in (2.0, 4.0, 8.0)
    }
    factors |= {
        f"The images look enlarged {factor:g} times: divided by {factor:g}": np.full(len(results), 1 / factor)
        for factor in (2.0, 4.0)
    }
    factors |= {
        f"The images look resized to {side} pixels along the longer side: mapped back": longer / side for side in SIDES
    }
    reached = keypoints.max(axis=(1, 2)) / longer
    fitting = {name: factor for name, factor in factors.items()
               if FULL[0] < np.percentile(reached * factor, 98) < FULL[1]}  # fmt: skip
    return {name: keypoints * factor[:, None, None] for name, factor in fitting.items()}


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
