"""Reader of COCO person keypoints: one row for each ground-truth box, or for each detected box.

The layout of the data folder is COCO's: coco/annotations/person_keypoints_SPLIT.json, coco/SPLIT/*.jpg.
"""

import hashlib
from pathlib import Path
from typing import Required, TypedDict

import numpy as np

from protocols.coco.annotations import read
from protocols.coco.results import Detections, read_detections
from protocols.coco.top_down import HRNET, TopDown, box_windows
from protocols.datasets import images
from protocols.errors import DataError
from protocols.pose.crops import WINDOW
from protocols.pose.people import GroundTruth, People
from protocols.pose.skeletons import COCO

# Path of the detections (56.4 AP on people) in the instructions of HRNet and SimpleBaseline.
DETECTIONS = "person_detection_results/COCO_{split}_detections_AP_H_56_person.json"


class _OfBoxes(TypedDict, total=False):
    """Fields of People that depend on whose boxes they are."""

    keypoints: Required[np.ndarray]
    visibility: Required[np.ndarray]
    areas: np.ndarray
    annotation_ids: np.ndarray
    box_scores: np.ndarray


def people(
    split: str,
    data: Path,
    boxes: str = "ground-truth",
    detections: Path | None = None,
    preset: TopDown = HRNET,
) -> People:
    """Read the people of a split, with crops at their ground-truth boxes or at detected ones.

    `boxes` is "ground-truth" (clipped to the image; area > 0, keypoints not all 0, no crowds) or "detections"
    (as detected; those on images of other splits are left out), read from `detections` or from
    the path that HRNet uses. `preset` turns a box into a window of 3:4; `scale` is the height of that window / 250,
    so that a crop covers 250 * scale pixels of the image in height, as for the other datasets.
    Rows of detected boxes have no joints. The fingerprint covers boxes and preset. Raises DataError.
    """
    folder = data / "coco"
    truth = ground_truth(split, data)
    if boxes == "ground-truth":
        rows, frame = _annotated_boxes(truth)
        image, fields = truth.image[rows], _annotated(truth, rows)
    elif boxes == "detections":
        detected = read_detections(detections or folder / DETECTIONS.format(split=split))
        rows, image = _on_images(detected, truth)
        frame, fields = detected.boxes[rows], _unannotated(detected.scores[rows])
    else:
        raise DataError(f"coco: there are no boxes called {boxes!r}.", expected="ground-truth or detections")
    centre, height = box_windows(frame, preset)
    names = tuple(f"{split}/{truth.image_names[i]}" for i in image)
    joints = int((fields["visibility"] > 0).sum())
    return People(
        dataset="coco",
        split=split,
        skeleton=COCO,
        images=names,
        centre=centre,
        scale=height / WINDOW,
        head_size=None,
        origin=0,
        fingerprint=_fingerprint(truth, frame, image, fields.get("box_scores"), preset),
        read_image=lambda row: _read_image(folder, names[row]),
        boxes=frame,
        image_ids=truth.image_ids[image],
        ground_truth=truth,
        notes={
            "images": len(truth.image_ids),
            "people": len(rows),
            "joints": joints,
            "missing": len(rows) * len(COCO) - joints if boxes == "ground-truth" else 0,
            "boxes": f"{boxes}, {preset.name}",
        },
        **fields,
    )


def ground_truth(split: str, data: Path) -> GroundTruth:
    """Read every annotation of a split, the ground truth of results. Raises DataError."""
    truth = read(data / "coco" / "annotations" / f"person_keypoints_{split}.json")
    images.check_names(truth.image_names, truth.source)
    return truth


def _annotated_boxes(truth: GroundTruth) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of the annotations that HRNet tests on, image by image, and their boxes clipped to the image.

    The far corner is the last pixel inside, so that a box loses one pixel of its width and height.
    """
    near = np.maximum(truth.boxes[:, :2], 0)
    far = np.minimum(truth.image_sizes[truth.image] - 1, near + np.maximum(truth.boxes[:, 2:] - 1, 0))
    clipped = np.concatenate([near, far - near], axis=1)
    has_joints = (truth.keypoints > 0).any(axis=(1, 2)) | (truth.visibility > 0).any(axis=1)
    has_box = (clipped[:, 2:] >= 0).all(axis=1) & (clipped[:, 2:] > 0).any(axis=1)
    rows = np.flatnonzero((truth.areas > 0) & has_box & has_joints & ~truth.crowd)
    rows = rows[np.argsort(truth.image[rows], kind="stable")]
    return rows, clipped[rows]


def _annotated(truth: GroundTruth, rows: np.ndarray) -> _OfBoxes:
    return {
        "keypoints": truth.keypoints[rows],
        "visibility": truth.visibility[rows],
        "areas": truth.areas[rows],
        "annotation_ids": truth.ids[rows],
    }


def _unannotated(scores: np.ndarray) -> _OfBoxes:
    """Return fields of detected people."""
    return {
        "keypoints": np.zeros((len(scores), len(COCO), 2)),
        "visibility": np.zeros((len(scores), len(COCO)), dtype=np.uint8),
        "box_scores": scores,
    }


def _fingerprint(
    truth: GroundTruth, boxes: np.ndarray, image: np.ndarray, scores: np.ndarray | None, preset: TopDown
) -> str:
    """Return a digest of annotation, boxes, their scores and the preset of the windows."""
    content = hashlib.sha256(truth.fingerprint.encode() + boxes.tobytes())
    if scores is not None:
        content.update(truth.image_ids[image].tobytes() + scores.tobytes())
    if preset != HRNET:
        content.update(repr(preset).encode())
    return content.hexdigest()[:16]


def _on_images(detected: Detections, truth: GroundTruth) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of the boxes on images of the split, and the rows of those images."""
    rows = np.flatnonzero(np.isin(detected.image_ids, truth.image_ids))
    if not len(rows):
        raise DataError(
            f"None of the {len(detected.scores)} detected boxes is on one of the {len(truth.image_ids)} images.",
            cause="detections of another split",
        )
    return rows, np.searchsorted(truth.image_ids, detected.image_ids[rows])


def _read_image(folder: Path, name: str) -> np.ndarray:
    """Read H x W x 3 uint8 RGB without applying the orientation flag: the annotation is in stored pixels."""
    image = images.decode(folder / name)
    if image is None or not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise DataError(
            f"{folder / name}: this image is missing or cannot be decoded.",
            cause="the images of the split were not unpacked beside the annotations",
        )
    return image
