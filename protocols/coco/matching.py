"""Matching predicted to annotated people: COCO's greedy matching by OKS, for all images at once.

Source: pycocotools 2.0.11, COCOeval.evaluateImg. There it runs image by image, area range by area range and
threshold by threshold; here one step handles the k-th best result of every image at all thresholds, and only
pairs whose OKS reaches the lowest threshold are considered. The outcome is the same, ties included.
"""

from dataclasses import dataclass

import numpy as np

from protocols.coco.oks import pair_oks
from protocols.coco.results import Results
from protocols.pose.people import GroundTruth

THRESHOLDS = np.linspace(0.5, 0.95, 10)
AREA_RANGES = {"all": (0.0, 1e5**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e5**2)}  # both ends included
MAX_RESULTS = 20  # results an image that are scored, best first
HIT, MISS, IGNORED = 1, 0, -1
NO_MATCH = -1


@dataclass(frozen=True)
class Matches:
    """Outcome of every result, best score first, and the number of people in each image.

    The ten numbers follow from it, also for a resample of the images.
    """

    image_ids: np.ndarray  # I int64, ascending
    image: np.ndarray  # D int64: row of the image of each result
    scores: np.ndarray  # D float64, descending
    outcome: np.ndarray  # area x threshold x D int8: HIT, MISS or IGNORED
    people: np.ndarray  # area x I int64: people counted in each area range


def match(results: Results, truth: GroundTruth) -> Matches:
    """Match every result to an annotated person, for the three area ranges and ten thresholds.

    An annotation is ignored if it is a crowd, has no labelled joints or lies outside the area range; a result
    is ignored if it matches an ignored annotation, or matches none and its own area is outside the range.
    """
    image, rank, rows = _best_of_each_image(results, truth)
    keypoints = results.keypoints[rows]
    extent = keypoints.max(axis=1) - keypoints.min(axis=1)
    areas = extent[:, 0] * extent[:, 1]
    result, person, oks = _candidates(image, keypoints, truth)
    outcome = np.empty((len(AREA_RANGES), len(THRESHOLDS), len(rows)), dtype=np.int8)
    people = np.empty((len(AREA_RANGES), len(truth.image_ids)), dtype=np.int64)
    for a, (low, high) in enumerate(AREA_RANGES.values()):
        ignored = truth.crowd | (truth.labelled == 0) | (truth.areas < low) | (truth.areas > high)
        partner = _greedy(result, person, oks, rank, ignored, truth.crowd)
        matched = partner != NO_MATCH
        outside = (areas < low) | (areas > high)
        counts = np.where(matched, ~np.append(ignored, False)[partner], ~outside[:, None])
        outcome[a] = np.where(counts, np.where(matched, HIT, MISS), IGNORED).T
        people[a] = np.bincount(truth.image[~ignored], minlength=len(truth.image_ids))
    order = np.argsort(-results.scores[rows], kind="stable")
    return Matches(truth.image_ids, image[order], results.scores[rows][order], outcome[:, :, order], people)


def joint_offsets(results: Results, truth: GroundTruth) -> np.ndarray:
    """Return predicted minus annotated joints of the pairs that reach the lowest threshold, K x 2 pixels."""
    image, _, rows = _best_of_each_image(results, truth)
    result, person, _ = _candidates(image, results.keypoints[rows], truth)
    return (results.keypoints[rows[result]] - truth.keypoints[person])[truth.visibility[person] > 0]


def _best_of_each_image(results: Results, truth: GroundTruth) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the best MAX_RESULTS results of each image: row of the image, rank in it, row of the result."""
    image = np.searchsorted(truth.image_ids, results.image_ids)
    rows = np.lexsort((-results.scores, image))  # stable: equal scores keep the order of the file
    image = image[rows]
    rank = np.arange(len(rows)) - np.searchsorted(image, image)
    return image[rank < MAX_RESULTS], rank[rank < MAX_RESULTS], rows[rank < MAX_RESULTS]


def _candidates(
    image: np.ndarray, keypoints: np.ndarray, truth: GroundTruth
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs on the same image whose OKS reaches the lowest threshold: result, annotation, OKS."""
    by_image = np.argsort(truth.image, kind="stable")
    count = np.bincount(truth.image, minlength=len(truth.image_ids))
    first = np.cumsum(count) - count
    result = np.repeat(np.arange(len(image)), count[image])
    place = np.arange(len(result)) - np.searchsorted(result, result)  # 0, 1, ... within each result
    person = by_image[first[image[result]] + place]
    labelled = truth.visibility > 0
    oks = np.empty(len(result))
    block = 1 << 18  # pairs at a time, to bound the memory
    for start in range(0, len(result), block):
        d, g = result[start : start + block], person[start : start + block]
        oks[start : start + block] = pair_oks(
            keypoints[d], truth.keypoints[g], labelled[g], truth.areas[g], truth.boxes[g]
        )
    close = oks >= THRESHOLDS[0]
    return result[close], person[close], oks[close]


def _greedy(
    result: np.ndarray, person: np.ndarray, oks: np.ndarray, rank: np.ndarray, ignored: np.ndarray, crowd: np.ndarray
) -> np.ndarray:
    """Return the annotation that each result matches, or NO_MATCH, D x threshold.

    Results choose in the order of their rank; each takes the free annotation of the highest OKS, a counted one
    before any ignored one, and the later of two equal ones. A crowd is always free.
    """
    order = np.lexsort((person, ignored[person], result))
    result, person, oks = result[order], person[order], oks[order]
    turn = np.arange(len(result)) - np.searchsorted(result, result)  # 0, 1, ... within each result
    partner = np.full((len(rank), len(THRESHOLDS)), NO_MATCH)
    best = np.tile(THRESHOLDS, (len(rank), 1))
    taken = np.zeros((len(ignored), len(THRESHOLDS)), dtype=bool)
    for k in range(MAX_RESULTS):
        now = np.flatnonzero(rank[result] == k)
        for step in range(turn[now].max(initial=-1) + 1):
            pairs = now[turn[now] == step]
            d, g = result[pairs], person[pairs]
            settled = (partner[d] != NO_MATCH) & ~ignored[partner[d]] & ignored[g, None]
            better = ~taken[g] & ~settled & (oks[pairs, None] >= best[d])
            partner[d] = np.where(better, g[:, None], partner[d])
            best[d] = np.where(better, oks[pairs, None], best[d])
        chosen = np.unique(result[now])
        d, threshold = np.nonzero(partner[chosen] != NO_MATCH)
        g = partner[chosen[d], threshold]
        taken[g, threshold] = ~crowd[g]
    return partner
