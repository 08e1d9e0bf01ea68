"""Readers of the files with MPII annotation, each as an `Annotation`: h5, gt_valid.mat, JSON, the official mat."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import numpy as np
import scipy.io
from numpy.typing import ArrayLike

from protocols.errors import DataError
from protocols.pose.skeletons import MPII, MPII_COLUMNS, SHORT_NAMES
from protocols.readers import mat_structure
from protocols.readers.arrays import LIMIT, load

MAX_JSON_BYTES = 64 * 2**20  # of an annotation; pytorch-pose's has 17 MiB
HEAD_SCALE = 0.6  # head size = 0.6 x diagonal of the head box: Andriluka et al., CVPR 2014 toolkit


@dataclass(frozen=True)
class Annotation:
    """Annotation of N people in one file; None for fields that the file lacks. Pixels are counted from 1."""

    file: str
    keypoints: np.ndarray  # N x 16 x 2 float64
    annotated: np.ndarray  # N x 16 bool
    visible: np.ndarray | None = None  # N x 16 bool
    images: tuple[str, ...] | None = None
    centre: np.ndarray | None = None  # N x 2, objpos of the release
    scale: np.ndarray | None = None  # N, scale of the release: person height / 200
    head_size: np.ndarray | None = None  # N, pixels
    left_out: dict[str, int] = field(default_factory=dict)  # people by what they lack


def ground_truth_mat(path: Path) -> Annotation:
    """Read gt_valid.mat of HRNet: dataset_joints, jnt_missing 16xN, pos_gt_src 16x2xN, headboxes_src 2x2xN."""
    arrays = _required(path, "dataset_joints", "jnt_missing", "pos_gt_src", "headboxes_src")
    names, missing, positions, boxes = arrays
    people = positions.shape[-1:]
    _shape(path, "pos_gt_src", positions, (16, 2, *people))
    _shape(path, "jnt_missing", missing, (16, *people))
    _shape(path, "headboxes_src", boxes, (2, 2, *people))
    order = joint_columns(path, [str(name) for name in names.ravel()])
    return Annotation(
        file=path.name,
        keypoints=positions.astype(np.float64).transpose(2, 0, 1)[:, order],
        annotated=missing.T[:, order] == 0,
        head_size=np.linalg.norm(boxes[1] - boxes[0], axis=0) * HEAD_SCALE,
    )


def joint_columns(path: Path, names: list[str]) -> list[int]:
    """Return the column of each MPII joint in a file that names its columns; each of the 16 must occur once."""
    joints = [SHORT_NAMES.get(name.strip().lower(), name.strip()) for name in names]
    if sorted(joints) != sorted(MPII.joints):
        raise DataError(
            what=f"{path.name} names the joints {', '.join(names)}.",
            expected=f"each of {', '.join(MPII_COLUMNS)} once",
            cause="another skeleton, or a name that is missing or occurs twice",
        )
    return [joints.index(joint) for joint in MPII.joints]


def newell_h5(path: Path) -> Annotation:
    """Read valid.h5 or train.h5 of Newell et al.: part, visible, center, scale, normalize; names in it or beside it.

    The files of the demo store the centre 15 x scale lower and the scale times 1.25, those of the training
    repository as in the release. They are distinguished by y of the centres, whole pixels in the release.
    """
    part, visible, centre, scale, head_size = _required(path, "part", "visible", "center", "scale", "normalize")
    people = part.shape[:1]
    _shape(path, "part", part, (*people, 16, 2))
    _shape(path, "visible", visible, (*people, 16))
    _shape(path, "center", centre, (*people, 2))
    _shape(path, "scale", scale, people)
    _shape(path, "normalize", head_size, people)
    adjusted = bool((np.abs(centre[:, 1] - np.rint(centre[:, 1])) > 1e-6).any())
    if adjusted:
        scale = scale / 1.25
        # objpos is whole pixels in the release, so rounding undoes the addition exactly.
        centre = np.stack([centre[:, 0], np.rint(centre[:, 1] - 15 * scale)], axis=1)
    return Annotation(
        file=path.name,
        keypoints=part.astype(np.float64),
        annotated=(part != 0).any(axis=-1),
        visible=visible > 0,
        images=_image_names(path, len(part)),
        centre=centre,
        scale=scale,
        head_size=head_size.astype(np.float64),
    )


def _image_names(path: Path, people: int) -> tuple[str, ...]:
    """Read `imgname` as bytes or rows of character codes, or the text file beside it with a name a line."""
    names = load(path).get("imgname")
    with _readable(path):
        if names is None:
            beside = path.with_name(path.stem + "_images.txt")
            lines = beside.read_text(encoding="utf-8").split() if beside.is_file() else []
        elif names.ndim == 2:
            lines = ["".join(chr(int(code)) for code in row if code > 0) for row in names]
        else:
            lines = [name.decode() for name in names]
    if len(lines) not in (0, people):
        raise DataError(f"{path.name} has {people} people but {len(lines)} image names.")
    return tuple(lines) or ("",) * people


def json_records(path: Path, validation: bool) -> Annotation:
    """Read HRNet's {image, center, scale, joints, joints_vis} or pytorch-pose's {img_paths, joint_self, objpos, ...}.

    `joints_vis` means annotated, not visible. pytorch-pose has both splits in one file.
    """
    with _readable(path, MAX_JSON_BYTES):
        records = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(records, list) or not records or not all(isinstance(record, dict) for record in records):
        raise DataError(f"{path.name} is not a list of people.", expected="HRNet's or pytorch-pose's annotation")
    if "joint_self" in records[0]:
        records = [record for record in records if bool(record.get("isValidation")) == validation]
        joints = _column(path, records, "joint_self", (16, 3))
        annotated = (joints[..., :2] != 0).any(axis=-1)
        names, centre, scale = "img_paths", "objpos", "scale_provided"
    else:
        joints = _column(path, records, "joints", (16, 2))
        annotated = _column(path, records, "joints_vis", (16,)) > 0
        names, centre, scale = "image", "center", "scale"
    return Annotation(
        file=path.name,
        keypoints=joints[..., :2],
        annotated=annotated,
        visible=joints[..., 2] > 0 if joints.shape[-1] == 3 else None,
        images=tuple(str(record.get(names, "")) for record in records),
        centre=_column(path, records, centre, (2,)),
        scale=_column(path, records, scale, ()),
    )


def _column(path: Path, records: list[dict[str, object]], key: str, shape: tuple[int, ...]) -> np.ndarray:
    rows = []
    for row, record in enumerate(records):
        item = record.get(key)
        value = np.array(item, dtype=np.float64) if _numeric(item) else np.empty(0)
        if value.shape != shape:
            raise DataError(
                what=f"{path.name}: record {row} has no {key} of {' x '.join(map(str, shape)) or 'one'} numbers.",
                expected="the same keys and lengths in every record",
                cause="a test annotation without joints, another skeleton, or a damaged file",
            )
        rows.append(value)
    return np.stack(rows) if rows else np.empty((0, *shape))


def _numeric(value: object) -> TypeGuard[ArrayLike]:
    try:
        np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return False
    return value is not None


class _Person(NamedTuple):
    keypoints: np.ndarray
    annotated: np.ndarray
    visible: np.ndarray
    centre: tuple[float, float]
    scale: float
    head_size: float


def official_mat(path: Path) -> Annotation:
    """Read mpii_human_pose_v1_u12_1.mat: all people of training images with joints, scale and position.

    Points are in any order and found by id; `is_visible` may be a number, text or empty.
    """
    with _readable(path, LIMIT):
        mat_structure.check(path, LIMIT)
        release = scipy.io.loadmat(path, struct_as_record=False, squeeze_me=True)["RELEASE"]
        images = np.atleast_1d(release.annolist)  # a single image is no array
        training = np.atleast_1d(release.img_train)
        if not training.any():
            raise DataError(
                f"{path.name} has no training images: img_train is 0 for all {len(training):,}.",
                expected="the whole release; the annotation of its test images is withheld",
            )
        found = [
            (str(image.image.name), person)
            for image, is_training in zip(images, training, strict=True)
            if is_training
            for person in map(_official_person, np.atleast_1d(image.annorect))
        ]
    rows = [(name, person) for name, person in found if isinstance(person, _Person)]
    if not rows:
        raise DataError(
            f"{path.name} has nobody with joints, position, scale and head box on its training images.",
            cause="a part of the release, or fields under other names",
        )
    images, people = zip(*rows, strict=True)
    return Annotation(
        file=path.name,
        keypoints=np.array([person.keypoints for person in people]),
        annotated=np.array([person.annotated for person in people]),
        visible=np.array([person.visible for person in people]),
        images=images,
        centre=np.array([person.centre for person in people]),
        scale=np.array([person.scale for person in people]),
        head_size=np.array([person.head_size for person in people]),
        left_out=dict(Counter(why for _, why in found if isinstance(why, str) and why)),
    )


def _official_person(person: Any) -> _Person | str:  # an object of scipy.io.loadmat
    """Return a person of the release, or why the person is left out ("": not annotated at all)."""
    points = getattr(getattr(person, "annopoints", None), "point", None)
    position, scale = getattr(person, "objpos", None), getattr(person, "scale", None)
    if points is None:
        return ""
    if position is None or not hasattr(position, "x"):
        return "without position"
    if scale is None or np.size(scale) != 1:
        return "without scale"
    head_box = [getattr(person, corner, None) for corner in ("x1", "y1", "x2", "y2")]
    if not all(corner is not None and np.size(corner) == 1 for corner in head_box):
        return "without head box"
    keypoints, annotated, visible = np.zeros((16, 2)), np.zeros(16, bool), np.zeros(16, bool)
    for point in np.atleast_1d(points):
        keypoints[point.id] = point.x, point.y
        annotated[point.id] = True
        visible[point.id] = str(getattr(point, "is_visible", "")) != "0"  # empty on neck and head: visible
    corners = np.array([[person.x1, person.y1], [person.x2, person.y2]], dtype=np.float64)
    head_size = float(np.linalg.norm(corners[1] - corners[0])) * HEAD_SCALE
    centre = float(position.x), float(position.y)
    return _Person(keypoints, annotated, visible, centre, float(scale), head_size)


@contextmanager
def _readable(path: Path, largest: int = LIMIT) -> Iterator[None]:
    """Turn every error of a damaged file, or of one above `largest` bytes, into DataError."""
    try:
        if path.stat().st_size > largest:
            raise ValueError(f"{path.stat().st_size / 2**20:,.0f} MiB are too many")
        yield
    except DataError:
        raise
    except Exception as error:  # json, scipy and their nested objects raise some ten types
        raise DataError(
            what=f"{path.name} cannot be read: {type(error).__name__}: {str(error)[:200]}",
            expected="the annotation as its authors publish it",
            cause="a damaged or truncated file, or one of another layout under this name",
            next_step="download it again",
        ) from error


def _required(path: Path, *names: str) -> list[np.ndarray]:
    arrays = load(path)
    if absent := [name for name in names if name not in arrays]:
        raise DataError(
            what=f"{path.name} has no {' and no '.join(absent)}.",
            expected=f"the variables {', '.join(names)}; found {', '.join(arrays) or 'none'}",
            cause="a file of another format under this name",
        )
    return [arrays[name] for name in names]


def _shape(path: Path, name: str, array: np.ndarray, expected: tuple[int, ...]) -> None:
    if array.shape != expected or array.dtype.kind not in "fiub":
        raise DataError(
            what=f"{path.name}: {name} has the shape {'x'.join(map(str, array.shape))} ({array.dtype}).",
            expected=f"{'x'.join(map(str, expected))} numbers",
            cause="axes in another order, or arrays of different people",
        )
