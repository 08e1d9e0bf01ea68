"""Top-down pipeline of COCO: from boxes to crop windows, and from keypoints to results, as HRNet and MSPN do it."""

from dataclasses import dataclass

import numpy as np

from protocols.coco.annotations import PERSON
from protocols.coco.oks import nms, rescore, soft_nms
from protocols.coco.results import Entry

ASPECT = 3 / 4  # width : height of the input, 192 x 256


@dataclass(frozen=True)
class TopDown:
    """Settings of a top-down pipeline except cropping and decoding."""

    name: str
    margin: tuple[float, float]  # factors of the box's width and height, before it is enlarged to 3:4
    padding: float  # factor of both sides after that
    keypoint_threshold: float | None  # instance score: box score x mean of the keypoint scores above it; None: of all
    suppression: str = ""  # "hard" or "soft" OKS-NMS, empty for none
    nms_threshold: float = 0.9
    by_score: bool = False  # results are sorted by (image id, score), descending


HRNET = TopDown("hrnet", margin=(1.0, 1.0), padding=1.25, keypoint_threshold=0.2, suppression="hard")
MSPN = TopDown("mspn", margin=(1.09, 1.135), padding=1.0, keypoint_threshold=None, by_score=True)
PRESETS = {preset.name: preset for preset in (HRNET, MSPN)}


def box_windows(boxes: np.ndarray, preset: TopDown) -> tuple[np.ndarray, np.ndarray]:
    """Return centres (N x 2) and heights (N) of the 3:4 windows around boxes (N x 4: x, y, width, height), pixels.

    The short side is enlarged until width : height is 3 : 4. Unlike the authors' code, nothing is rounded to float32.
    """
    centre = boxes[:, :2] + boxes[:, 2:] * 0.5
    width, height = (boxes[:, 2:] * preset.margin).T
    return centre, np.maximum(height, width / ASPECT) * preset.padding


def assemble(
    keypoints: np.ndarray, box_scores: np.ndarray, image_ids: np.ndarray, boxes: np.ndarray, preset: TopDown
) -> list[Entry]:
    """Return COCO results, ready for JSON, from one predicted person a box: rescored, suppressed and ordered.

    keypoints: N x 17 x 3 (x, y in pixels, score); box_scores: N, 1 for ground-truth boxes; image_ids: N;
    boxes: N x 4. Images are in the order of their first box. The area in the OKS of two predictions is that
    of the window, as in HRNet.
    """
    scores = rescore(box_scores, keypoints[:, :, 2], preset.keypoint_threshold)
    areas = ASPECT * box_windows(boxes, preset)[1] ** 2
    rows = [row for group in _images(image_ids) for row in _survivors(keypoints, areas, scores, group, preset)]
    results: list[Entry] = [
        {
            "image_id": int(image_ids[row]),
            "category_id": PERSON,
            "keypoints": keypoints[row].ravel().tolist(),
            "score": float(scores[row]),
        }
        for row in rows
    ]
    if preset.by_score:
        results.sort(key=lambda result: (result["image_id"], result["score"]), reverse=True)
    return results


def _images(image_ids: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each image, images in the order of their first row."""
    _, first, group = np.unique(image_ids, return_index=True, return_inverse=True)
    rows = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1]) if len(group) else []
    return [rows[i] for i in np.argsort(first)]


def _survivors(
    keypoints: np.ndarray, areas: np.ndarray, scores: np.ndarray, group: np.ndarray, preset: TopDown
) -> np.ndarray:
    """Return the rows of one image that become results."""
    if not preset.suppression:
        return group
    suppress = {"hard": nms, "soft": soft_nms}[preset.suppression]
    return group[suppress(keypoints[group, :, :2], areas[group], scores[group], preset.nms_threshold)]
