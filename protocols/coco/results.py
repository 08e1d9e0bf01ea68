"""Readers of COCO keypoint results and person detections: JSON files of any origin, checked before they are scored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

import msgspec
import numpy as np

from protocols.coco import foreign_results, json_files
from protocols.coco.annotations import PERSON
from protocols.coco.json_files import Box, Id, convert, decode
from protocols.errors import DataError
from protocols.pose.people import GroundTruth
from protocols.pose.skeletons import COCO

_CAUSE = (
    "not a list of results as COCO's server expects it, [{image_id, category_id, keypoints, score}, ...]: "
    "the annotation file itself, results wrapped in an object, or numbers written as text"
)


@dataclass(frozen=True)
class Results:
    """R predicted people in the order of the file. Pixels are counted from 0."""

    image_ids: np.ndarray  # R int64
    keypoints: np.ndarray  # R x 17 x 2 float64
    keypoint_scores: np.ndarray  # R x 17 float64; not used by COCO's metric
    scores: np.ndarray  # R float64
    source: str = ""
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class Detections:
    """N boxes around people in the order of the file. Pixels are counted from 0."""

    image_ids: np.ndarray  # N int64
    boxes: np.ndarray  # N x 4 float64: x, y, width, height, as detected: not clipped
    scores: np.ndarray  # N float64
    others: int  # number of boxes of other categories, which are left out


class Entry(TypedDict):
    """One result as COCO's JSON has it."""

    image_id: int
    category_id: int
    keypoints: list[float]  # x, y, score of 17 joints
    score: float


class _Result(msgspec.Struct):
    image_id: Id
    category_id: Id
    keypoints: list[float | list[float]]  # some files have a list for each joint
    score: float
    bbox: Any = msgspec.UNSET


class _Detection(msgspec.Struct):
    image_id: Id
    category_id: Id
    bbox: Box
    score: float


def read(path: Path, truth: GroundTruth) -> Results:
    """Read a result file for the images of `truth`. Raises DataError that names the entry.

    Refused: missing or non-finite numbers, other lengths than 51, unknown images, no result of a person. Said: ids
    written as floats, text or file names, and a list inside an object. Left out, with a warning: a `bbox` key, other
    categories. An empty list is valid: nobody is found.
    """
    try:
        return _checked(decode(path, list[_Result], _CAUSE), truth, path.name)
    except DataError as refused:
        content = json_files.content(path)
        if content is None:  # it cannot be read at all
            raise
        entries, notes = foreign_results.translated(content, truth, path.name)
        if not notes:  # it is in COCO's form, and what is wrong with it was said
            raise refused from None
        found = _checked(convert(entries, list[_Result], path.name, _CAUSE), truth, path.name)
        return replace(found, warnings=(*notes, *found.warnings))


def from_entries(entries: list[Entry], truth: GroundTruth, source: str = "results") -> Results:
    """Check a list in memory, such as `top_down.assemble` returns, in the same way. Raises DataError."""
    return _checked(convert(entries, list[_Result], source, _CAUSE), truth, source)


def read_detections(path: Path) -> Detections:
    """Read a file of person boxes: [{image_id, category_id, bbox, score}, ...]. Raises DataError.

    Boxes of other categories than person are left out and counted; no score is too low.
    """
    everything = decode(path, list[_Detection], "not a list of detections: [{image_id, category_id, bbox, score}, ...]")
    people = [entry for entry in everything if entry.category_id == PERSON]
    boxes = np.array([entry.bbox for entry in people], dtype=np.float64).reshape(-1, 4)
    scores = np.array([entry.score for entry in people], dtype=np.float64)
    bad = ~(np.isfinite(boxes).all(axis=1) & np.isfinite(scores) & (boxes[:, 2:] > 0).all(axis=1))
    if bad.any():
        raise DataError(
            f"{path.name}: {bad.sum()} of {len(people)} person boxes are invalid, first {people[bad.argmax()].bbox}.",
            expected="bbox is x, y, width, height: finite, width and height above 0",
            cause="corners instead of a width and a height, or a detector that diverged",
        )
    ids = np.array([entry.image_id for entry in people], dtype=np.int64)
    return Detections(ids, boxes, scores, others=len(everything) - len(people))


def _checked(entries: list[_Result], truth: GroundTruth, source: str) -> Results:
    """Check decoded entries and return them as arrays, with warnings about what was left out or looks wrong."""
    warnings = []
    others = sum(entry.category_id != PERSON for entry in entries)
    if others and others == len(entries):
        found = sorted({entry.category_id for entry in entries})
        raise DataError(
            f"{source}: none of the {len(entries):,} results is of a person (category 1): their category_id is "
            f"{', '.join(map(str, found[:5]))}{', ...' if len(found) > 5 else ''}.",
            expected="category_id 1",
            cause="categories counted from 0, as older versions of ultralytics wrote them",
            next_step="add 1 to category_id" if found == [0] else "write category_id 1 for people",
        )
    if others:
        warnings.append(f"{others} of {len(entries)} results are of another category than person (1): left out.")
    flat = [_flat(entry.keypoints, number, source) for number, entry in enumerate(entries)]
    numbers = [number for number, entry in enumerate(entries) if entry.category_id == PERSON]
    _check_lengths(flat, numbers, source)
    points = np.array([flat[number] for number in numbers], dtype=np.float64).reshape(-1, 17, 3)
    scores = np.array([entries[number].score for number in numbers], dtype=np.float64)
    image_ids = np.array([entries[number].image_id for number in numbers], dtype=np.int64)
    _check_finite(points, scores, numbers, source)
    _check_images(image_ids, numbers, truth, source)
    if any(entry.bbox is not msgspec.UNSET for entry in entries):
        warnings.append(
            "The results have a bbox key: left out, areas are those of the predicted keypoints. "
            "pycocotools would silently use the boxes' areas for APM, APL, ARM and ARL if the first result has it."
        )
    warnings += _repeated(image_ids, points, scores)
    warnings += _suspicions(points[..., :2])
    return Results(image_ids, points[..., :2].copy(), points[..., 2].copy(), scores, source, tuple(warnings))


def _flat(keypoints: list[float | list[float]], number: int, source: str) -> Sequence[float]:
    """Return x, y, score, x, y, score, ..., also if the file has a list of the three for each joint."""
    numbers = [joint for joint in keypoints if not isinstance(joint, list)]
    if len(numbers) == len(keypoints):
        return numbers
    triples = [joint for joint in keypoints if isinstance(joint, list) and len(joint) == 3]
    if len(triples) == len(keypoints):
        return [value for triple in triples for value in triple]
    wrong = [place for place, joint in enumerate(keypoints) if not isinstance(joint, list) or len(joint) != 3]
    raise DataError(
        f"{source}: entry {number} (the first is 0), keypoints[{wrong[0]}] is {str(keypoints[wrong[0]])[:60]}.",
        expected="51 numbers, or 17 lists of three: x, y, score of a joint",
        cause="joints without scores, or numbers and lists mixed",
    )


def _check_lengths(keypoints: Sequence[Sequence[float]], numbers: list[int], source: str) -> None:
    for number in numbers:
        if len(keypoints[number]) != 51:
            raise DataError(
                f"{source}: entry {number} (the first is 0) has {len(keypoints[number])} numbers as keypoints.",
                expected="51: x, y, score of 17 joints",
                cause="joints without scores (34), or another skeleton" if len(keypoints[number]) == 34 else "",
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


def _repeated(image_ids: np.ndarray, points: np.ndarray, scores: np.ndarray) -> list[str]:
    """Return a warning about results that occur more than once, letter by letter."""
    rows = np.concatenate([image_ids[:, None], points.reshape(-1, 51), scores[:, None]], axis=1)
    again = len(rows) - len(np.unique(rows, axis=0))
    if not again:
        return []
    return [f"{again:,} of {len(rows):,} results are there more than once: each copy counts as a false positive."]


def _suspicions(keypoints: np.ndarray) -> list[str]:
    """Return warnings about results that can be scored and will score badly."""
    if not len(keypoints):
        return ["The list of results is empty: nobody is found, every number is 0."]
    low, high = keypoints.min(), keypoints.max()
    if low >= 0 and high <= 1:
        return ["All keypoints lie within 0 and 1: these look like normalized coordinates, not pixels of the image."]
    if low >= 0 and high <= 64:
        return ["All keypoints lie within 0 and 64: these look like heatmap pixels, not pixels of the image."]
    return []
