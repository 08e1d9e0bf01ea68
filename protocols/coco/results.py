"""COCO keypoint results and person detections: JSON files that strangers bring, checked before they are scored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from protocols.coco.annotations import PERSON
from protocols.coco.json_files import Box, Id, convert, decode
from protocols.errors import DataError
from protocols.pose.people import GroundTruth
from protocols.pose.skeletons import COCO

_CAUSE = (
    "not a list of results as COCO's server takes it, [{image_id, category_id, keypoints, score}, ...]: "
    "the annotation file itself, results wrapped in an object, or numbers written as text"
)


@dataclass(frozen=True)
class Results:
    """R predicted people in the order of the file. Pixels, first one at 0."""

    image_ids: np.ndarray  # R int64
    keypoints: np.ndarray  # R x 17 x 2 float64
    keypoint_scores: np.ndarray  # R x 17 float64; COCO's metric does not look at them
    scores: np.ndarray  # R float64
    source: str = ""
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class Detections:
    """N boxes around people in the order of the file. Pixels, first one at 0."""

    image_ids: np.ndarray  # N int64
    boxes: np.ndarray  # N x 4 float64: x, y, width, height, as detected: not clipped
    scores: np.ndarray  # N float64
    others: int  # boxes of other categories, left out


class _Result(msgspec.Struct):
    image_id: Id
    category_id: Id
    keypoints: list[float | list[float]]  # some write a list a joint
    score: float
    bbox: Any = msgspec.UNSET


class _Detection(msgspec.Struct):
    image_id: Id
    category_id: Id
    bbox: Box
    score: float


def read(path: Path, truth: GroundTruth) -> Results:
    """Read a result file for the images of `truth`. Raises DataError that names the entry.

    Refused: another layout than a list, missing or non-finite numbers, other lengths than 51, unknown images.
    Repaired, with a warning: a `bbox` key, other categories. An empty list is a result that finds nobody.
    """
    return _checked(decode(path, list[_Result], _CAUSE), truth, path.name)


def from_entries(entries: list[dict[str, Any]], truth: GroundTruth, source: str = "results") -> Results:
    """The same checks for a list in memory, as `top_down.assemble` returns it. Raises DataError."""
    return _checked(convert(entries, list[_Result], source, _CAUSE), truth, source)


def read_detections(path: Path) -> Detections:
    """Read a file of person boxes: [{image_id, category_id, bbox, score}, ...]. Raises DataError.

    Boxes of other categories than person are left out and counted, scores are not cut.
    """
    everything = decode(path, list[_Detection], "not a list of detections: [{image_id, category_id, bbox, score}, ...]")
    found = [entry for entry in everything if entry.category_id == PERSON]
    boxes = np.array([entry.bbox for entry in found], dtype=np.float64).reshape(-1, 4)
    scores = np.array([entry.score for entry in found], dtype=np.float64)
    bad = ~(np.isfinite(boxes).all(axis=1) & np.isfinite(scores) & (boxes[:, 2:] > 0).all(axis=1))
    if bad.any():
        raise DataError(
            f"{path.name}: {bad.sum()} of {len(found)} person boxes are no boxes, first {found[bad.argmax()].bbox}.",
            expected="bbox is x, y, width, height: finite, width and height above 0",
            cause="corners instead of a width and a height, or a detector that diverged",
        )
    ids = np.array([entry.image_id for entry in found], dtype=np.int64)
    return Detections(ids, boxes, scores, others=len(everything) - len(found))


def _checked(entries: list[_Result], truth: GroundTruth, source: str) -> Results:
    """Arrays from decoded entries, after every check; `warnings` tell what was repaired or looks wrong."""
    warnings = []
    others = sum(entry.category_id != PERSON for entry in entries)
    if others:
        warnings.append(f"{others} of {len(entries)} results are of another category than person (1): left out.")
    for number, entry in enumerate(entries):
        entry.keypoints = _flat(entry.keypoints, number, source)
    _check_lengths(entries, source)
    people = [(number, entry) for number, entry in enumerate(entries) if entry.category_id == PERSON]
    numbers = [number for number, _ in people]
    points = np.array([entry.keypoints for _, entry in people], dtype=np.float64).reshape(-1, 17, 3)
    scores = np.array([entry.score for _, entry in people], dtype=np.float64)
    image_ids = np.array([entry.image_id for _, entry in people], dtype=np.int64)
    _check_finite(points, scores, numbers, source)
    _check_images(image_ids, numbers, truth, source)
    if any(entry.bbox is not msgspec.UNSET for entry in entries):
        warnings.append(
            "The results have a bbox key: left out, areas are those of the predicted keypoints. "
            "pycocotools would silently take the boxes' areas for APM, APL, ARM and ARL if the first result has it."
        )
    warnings += _suspicions(points[..., :2])
    return Results(image_ids, points[..., :2].copy(), points[..., 2].copy(), scores, source, tuple(warnings))


def _flat(keypoints: list[float | list[float]], number: int, source: str) -> list[float]:
    """x, y, score in turn, also of a file that has a list of the three for each joint."""
    lists = [isinstance(joint, list) for joint in keypoints]
    if not any(lists):
        return keypoints
    wrong = [place for place, joint in enumerate(keypoints) if not lists[place] or len(joint) != 3]
    if wrong:
        raise DataError(
            f"{source}: entry {number} (the first is 0), keypoints[{wrong[0]}] is {str(keypoints[wrong[0]])[:60]}.",
            expected="51 numbers, or 17 lists of three: x, y, score of a joint",
            cause="joints without scores, or numbers and lists mixed",
        )
    return [number for joint in keypoints for number in joint]


def _check_lengths(entries: list[_Result], source: str) -> None:
    for number, entry in enumerate(entries):
        if entry.category_id == PERSON and len(entry.keypoints) != 51:
            raise DataError(
                f"{source}: entry {number} (the first is 0) has {len(entry.keypoints)} numbers as keypoints.",
                expected="51: x, y, score of 17 joints",
                cause="joints without scores (34), or another skeleton" if len(entry.keypoints) == 34 else "",
            )


def _check_finite(points: np.ndarray, scores: np.ndarray, numbers: list[int], source: str) -> None:
    bad = ~np.isfinite(points)
    if bad.any():
        entry, joint, field = np.argwhere(bad)[0]
        raise DataError(
            f"{source}: entry {numbers[entry]} (the first is 0) has {points[entry, joint, field]} as "
            f"{('x', 'y', 'score')[field]} of its {COCO.joints[joint]}; {bad.any(axis=(1, 2)).sum()} of {len(points)} "
            "entries have a non-finite number.",
            expected="finite numbers",
            cause="a network that diverged, or a division by an empty heatmap; pycocotools scores NaN as a perfect hit",
        )
    if not np.isfinite(scores).all():
        entry = int(np.isfinite(scores).argmin())
        raise DataError(
            f"{source}: entry {numbers[entry]} (the first is 0) has the score {scores[entry]}.",
            expected="a finite score: it decides the order of the results",
        )


def _check_images(image_ids: np.ndarray, numbers: list[int], truth: GroundTruth, source: str) -> None:
    unknown = ~np.isin(image_ids, truth.image_ids)
    if unknown.any():
        first = int(unknown.argmax())
        raise DataError(
            f"{source}: entry {numbers[first]} (the first is 0) is on image {image_ids[first]}, which "
            f"{truth.source or 'the ground truth'} does not have; so are {unknown.sum()} of {len(image_ids)} entries.",
            expected=f"image ids of {truth.source or 'the ground truth'} ({len(truth.image_ids)} images)",
            cause="results of another split or year",
        )


def _suspicions(keypoints: np.ndarray) -> list[str]:
    """What can be scored but will not do well."""
    if not len(keypoints):
        return ["The list of results is empty: nobody is found, every number is 0."]
    low, high = keypoints.min(), keypoints.max()
    if low >= 0 and high <= 1:
        return ["All keypoints lie within 0 and 1: these look like normalised coordinates, not pixels of the image."]
    if low >= 0 and high <= 64:
        return ["All keypoints lie within 0 and 64: these look like heatmap cells, not pixels of the image."]
    return []
