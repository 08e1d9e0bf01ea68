"""Reader of COCO's person_keypoints_*.json: every annotation of a split, also those that OKS ignores."""

import math
from pathlib import Path

import msgspec
import numpy as np

from protocols.coco import annotation_repairs
from protocols.coco.json_files import Box, Id, decode
from protocols.errors import DataError
from protocols.pose.people import GroundTruth

PERSON = 1  # category_id
_CAUSE = "not a person_keypoints_*.json; instances_*.json and image_info_*.json have no keypoints"


class _Image(msgspec.Struct):
    id: Id
    file_name: str
    width: Id = 0  # 0: not given
    height: Id = 0


class _Person(msgspec.Struct):
    id: Id
    image_id: Id
    category_id: Id
    keypoints: list[float]
    num_keypoints: Id | None = None
    area: float | None = None
    bbox: Box | None = None
    iscrowd: Id = 0


class _File(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Person]


def read(path: Path) -> GroundTruth:
    """Read a person_keypoints_*.json. Raises DataError that names the annotation.

    What is missing is filled in where it follows from the rest, and contradictions are said: `warnings`.

    Annotation ids must be unique and at least 1: pycocotools treats a match with id 0 as no match, which
    turns a perfect AP of 1 into 0.835.
    """
    content = decode(path, _File, _CAUSE, strict=False)  # ids may be text
    images = sorted(content.images, key=lambda image: image.id)
    people = content.annotations
    _check(images, people, path.name)
    row = {image.id: i for i, image in enumerate(images)}
    image = np.array([row[person.image_id] for person in people], dtype=np.int64)
    points = np.array([person.keypoints for person in people], dtype=np.float64).reshape(-1, 17, 3)
    areas = np.array([person.area for person in people], dtype=np.float64)
    boxes = np.array([person.bbox or (np.nan,) * 4 for person in people], dtype=np.float64).reshape(-1, 4)
    labelled = np.array([-1 if person.num_keypoints is None else person.num_keypoints for person in people], np.int64)
    sizes = np.array([(image.width, image.height) for image in images], dtype=np.int64).reshape(-1, 2)
    filled = annotation_repairs.fill(points, boxes, labelled, sizes, image)
    warnings = (*filled, *annotation_repairs.contradictions(points, areas, boxes, labelled, sizes[image]))
    return GroundTruth(
        image_ids=np.array([image.id for image in images], dtype=np.int64),
        image_names=tuple(image.file_name for image in images),
        image_sizes=sizes,
        ids=np.array([person.id for person in people], dtype=np.int64),
        image=image,
        keypoints=np.ascontiguousarray(points[:, :, :2]),
        visibility=points[:, :, 2].astype(np.uint8),
        areas=areas,
        boxes=boxes,
        crowd=np.array([bool(person.iscrowd) for person in people], dtype=bool),
        labelled=labelled,
        source=path.name,
        warnings=warnings,
    )


def _check(images: list[_Image], people: list[_Person], source: str) -> None:
    """Raise DataError for the first image or annotation that cannot be used."""
    image_ids = {image.id for image in images}
    if not images or len(image_ids) < len(images):
        raise DataError(f"{source}: {'an image id occurs twice' if images else 'there are no images'}.")
    seen = set()
    for person in people:
        if person.id == 0:
            raise DataError(
                f"{source}: an annotation has the id 0.",
                expected="ids from 1",
                cause="a converter that counts from 0; pycocotools treats a match with id 0 as no match",
                next_step="add 1 to every annotation id",
            )
        if person.id in seen:
            raise DataError(f"{source}: {_name(person)} occurs twice.", "each id once", "files joined without new ids")
        seen.add(person.id)
        if person.image_id not in image_ids:
            raise DataError(f"{source}: {_name(person)} is on image {person.image_id}, which is not listed.")
        if person.category_id != PERSON:
            raise DataError(f"{source}: {_name(person)} has category {person.category_id}.", "1 (person)", _CAUSE)
        if len(person.keypoints) != 51:
            raise DataError(
                f"{source}: {_name(person)} has {len(person.keypoints)} numbers as keypoints.",
                expected="51: x, y, visibility of 17 joints",
            )
        if person.area is None:
            without = sum(other.area is None for other in people)
            raise DataError(
                f"{source}: {_name(person)} has no area; so have {without:,} of {len(people):,}.",
                expected="area: square pixels of the person's segment, by which OKS divides",
                next_step="write the area of the segment; where there is none, 0.53 times that of the box is usual",
            )
        if not all(map(math.isfinite, (*person.keypoints, *(person.bbox or ()), person.area))):
            raise DataError(f"{source}: {_name(person)} has a number that is not finite.")
        if not set(person.keypoints[2::3]) <= {0, 1, 2}:
            raise DataError(f"{source}: {_name(person)} has a visibility other than 0, 1, 2.")


def _name(person: _Person) -> str:
    return f"annotation {person.id}"
