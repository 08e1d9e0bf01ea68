"""Reader of prediction files: h5, mat, npz, npy and json, with rows, joints and pixels as in the annotation.

Nothing is guessed: a file whose axes, joints or rows can be read in two ways is refused.
COCO keypoint results are read by coco.results.
"""

import math
from collections import Counter
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path, PurePosixPath

import numpy as np

from protocols.errors import DataError
from protocols.pose.people import People, Predictions
from protocols.readers import joint_names
from protocols.readers.arrays import load

# Names of the coordinates in files of this suite; of hourglass, HRNet and MSPN; of CPM; of Tompson et al.
NAMES = ("keypoints", "preds", "prediction_all", "pos_pred_src", "predictions", "pred", "")
# Names of the columns: of HRNet, MMPose, SLEAP, DeepLabCut and others; also as a member ("meta.joint_names").
JOINT_NAMES = (
    "joints", "joint_names", "dataset_joints", "output_joints", "keypoint_names", "keypoints_names", "keypoint_labels",
    "node_names", "bodyparts",
)  # fmt: skip
# Names of the rows; `ids` may also hold numbers from 0. The others are lists of images of HRNet, Newell et al. ...
ROW_NAMES = ("ids", "image", "images", "imgname", "image_name", "file_name", "filename", "img_paths")
WIDTHS = (2, 3)  # x and y, with or without a score
NO_COUNTS: Mapping[int, str] = {}
NEWELL_WIDTH = 5  # Newell's training code: x and y in the image, x and y in the heatmap, score


def read(path: Path, people: People, row_counts: Mapping[int, str] = NO_COUNTS) -> Predictions:
    """Read predicted keypoints of these people, N x J x 2 float64, counted from their origin.

    An array `keypoints` (npz, json, npy) is N x J x 2, or x 3 with a score. An array of any other name may have any
    order of axes that fits in one way only. A file may name its joints (`dataset_joints`, `joints`), its rows (`ids`:
    numbers from 0, or image names if these are unique; `image` and the like: names) and the origin of its pixels
    (`origin`: 0 or 1); by default all three are those of the annotation. Rows of other images are left out.
    Raises DataError, with file and array, for everything that cannot be read in exactly one way; `row_counts` are
    numbers of rows by which it recognizes other people.
    """
    arrays = {name: _without_ones(array) for name, array in load(path).items()}
    key, ids = _row_names(arrays, len(people))
    rows = len(people) if ids is None else ids.size
    name, array = _coordinates(path, arrays, rows, people)
    joints = _joint_names(arrays, array)
    if joints is None:
        _refuse_other_names(path, arrays, name, array)
    fixed = name in ("keypoints", "") and path.suffix != ".mat"
    array = _axes(path, name, array, rows, len(joints or people.skeleton.joints), fixed, row_counts)
    array = _numbers(path, name, array, people)
    array = _columns(path, array, joints, people)
    array = _order(path, array, ids, people, named=key == "ids")
    keypoints, notes = _frame(path, array[..., :2], arrays.get("origin"), people)
    scores = array[..., 2] if array.shape[-1] == 3 else None
    notes |= {"left out": f"{rows - len(people)} rows of other images"} if rows > len(people) else {}
    return Predictions(keypoints, scores, source=path.name, notes={"people": len(array), "array": name} | notes)


def _without_ones(array: np.ndarray) -> np.ndarray:
    """Remove an axis of length 1 from an array of four axes."""
    return array.squeeze(array.shape.index(1)) if array.ndim == 4 and 1 in array.shape else array


def _coordinates(path: Path, arrays: dict[str, np.ndarray], rows: int, people: People) -> tuple[str, np.ndarray]:
    """Find the array of coordinates: of those that fit, the one with a known name, or the only one."""
    numeric = {name: array for name, array in arrays.items() if array.ndim == 3 and array.dtype.kind in "fiu"}
    joints = {name: len(_joint_names(arrays, array) or people.skeleton.joints) for name, array in numeric.items()}
    fitting = [name for name, array in numeric.items() if _orders(name, array.shape, rows, joints[name])]
    known = [name for name in fitting or arrays if name.lower() in NAMES]
    candidates = known or fitting or list(numeric)
    if len(candidates) != 1:
        raise DataError(
            what=f"{path.name}: {'no array' if not candidates else 'more than one array'} could be the predictions.",
            expected=f"one array called {', '.join(filter(None, NAMES))}; found {', '.join(arrays) or 'none'}",
            cause="an annotation file, several sets of predictions in one file, people with different joints, "
            "or cells and structures of MATLAB 7.3, which are not supported",
            next_step="store nothing else: numpy.savez(path, keypoints=array), people x joints x 2",
        )
    return candidates[0], arrays[candidates[0]]


def _joint_names(arrays: dict[str, np.ndarray], array: np.ndarray) -> list[str] | None:
    """Return the file's joint names, translated into ours; None if it has none that fit an axis."""
    for names in _named_columns(arrays).values():
        if names.size in array.shape:
            return [joint_names.translate(text) for text in _texts(names)]
    return None


def _named_columns(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of texts that name joints, by key."""
    ends = {key: key.replace("/", ".").rpartition(".")[2].lower() for key in arrays}
    return {key: arrays[key] for key, end in ends.items()
            if end in JOINT_NAMES and arrays[key].dtype.kind in "US" and arrays[key].size > 1}  # fmt: skip


def _refuse_other_names(path: Path, arrays: dict[str, np.ndarray], name: str, array: np.ndarray) -> None:
    """Raise DataError for names of joints of which there are more or fewer than columns: they are never passed over."""
    for key, names in _named_columns(arrays).items():
        shape = "x".join(map(str, array.shape))
        raise DataError(
            what=f"{path.name}: {key} names {names.size} joints, but {name or 'the array'} of shape {shape} has "
            "another number of columns.",
            expected="a name for each column",
            cause="a name of the background or of a centre without a column, or names of another skeleton",
            next_step=f"store as many names as columns; without {key} they are read in the annotation's order",
        )


def _row_names(arrays: dict[str, np.ndarray], people: int) -> tuple[str, np.ndarray | None]:
    """Return the key and the array that name the rows; except for `ids`, one text for each row of an axis."""
    sides = {side for array in arrays.values() if array.ndim == 3 for side in array.shape if side >= people}
    for key in ROW_NAMES:
        names = arrays.get(key)
        if names is not None and (key == "ids" or (names.dtype.kind in "US" and names.size in sides)):
            return key, names
    return "", None


def _texts(names: np.ndarray) -> list[str]:
    """Return names of dtype U or S as strings; bytes that are not UTF-8 become a name that matches nothing."""
    return [n.decode(errors="replace") if isinstance(n, bytes) else n for n in names.ravel().tolist()]


def _orders(name: str, shape: tuple[int, ...], rows: int, joints: int) -> set[tuple[int, ...]]:
    """Return the orders in which three axes are people, joints and coordinates."""
    widths = (*WIDTHS, NEWELL_WIDTH) if name == "preds" else WIDTHS
    expected = {(rows, joints, width) for width in widths}
    orders = permutations(range(3)) if len(shape) == 3 else ()  # twelve axes have half a billion orders
    return {order for order in orders if tuple(shape[i] for i in order) in expected}


def _axes(
    path: Path, name: str, array: np.ndarray, rows: int, joints: int, fixed: bool, row_counts: Mapping[int, str]
) -> np.ndarray:
    """Transpose to people x joints x 2 or 3, if the axes fit in exactly one way."""
    fits = _orders(name, array.shape, rows, joints)
    if fixed:
        fits &= {tuple(range(array.ndim))}
    if len(fits) == 1:
        array = array.transpose(fits.pop())
        return array[..., [0, 1, 4]] if array.shape[2] == NEWELL_WIDTH else array
    shape = "x".join(map(str, array.shape)) or "of a single number"
    if fits:
        raise DataError(
            what=f"{path.name}: {name or 'the array'} has the shape {shape}, which fits in {len(fits)} ways.",
            expected=f"axes that fit {rows} people x {joints} joints x 2 in one order only",
            cause="as many people as joints or coordinates",
            next_step="store it by numpy.savez(path, keypoints=array), in the order people, joints, x and y",
        )
    raise DataError(
        what=f"{path.name}: {name or 'the array'} has the shape {shape}.",
        expected=f"{rows}x{joints}x2 (people, joints, x and y), or x3 with a score",
        cause=_why_shape(array.shape, rows, joints, fixed, row_counts),
        next_step="choose the dataset and split the file was made for, or add ids for its rows",
    )


def _why_shape(shape: tuple[int, ...], rows: int, joints: int, fixed: bool, row_counts: Mapping[int, str]) -> str:
    if len(shape) == 4:
        return "heatmaps instead of coordinates"
    if len(shape) != 3:
        return "coordinates of a person in one row, or a single person"
    if fixed and sorted(shape) in (sorted((rows, joints, 2)), sorted((rows, joints, 3))):
        return "axes in another order than people, joints, x and y"
    if 17 in shape and joints != 17:
        return "COCO's 17 joints; its keypoint results are scored with --protocol coco-ap"
    if rows in shape:
        return f"another set of joints: the people have {joints}; joints are found by name if the file names them"
    recognized = next((f"; it has as many rows as {row_counts[side]}" for side in shape if side in row_counts), "")
    return f"predictions for another split, or a part of it: there are {rows} people{recognized}"


def _numbers(path: Path, name: str, array: np.ndarray, people: People) -> np.ndarray:
    """Convert to float64, NaN where there is no answer; refuse infinity, and integers too short for coordinates."""
    if array.dtype.kind not in "fiu":
        raise DataError(f"{path.name}: {name or 'the array'} holds {array.dtype}.", expected="real numbers")
    far = people.keypoints[people.annotated].max(initial=0)
    if array.dtype.kind in "iu" and np.iinfo(array.dtype).max < far:
        raise DataError(
            what=f"{path.name}: {name} is stored as {array.dtype}, which ends at {np.iinfo(array.dtype).max}.",
            expected=f"numbers up to {far:.0f}, as in the annotation",
            cause="coordinates that were clipped or wrapped around when they were saved",
            next_step="save them as float32 or float64",
        )
    array = array.astype(np.float64)
    if np.isinf(array).any():
        row, joint, axis = map(int, np.argwhere(np.isinf(array))[0])
        raise DataError(
            what=f"{path.name}: {int(np.isinf(array).sum())} numbers are infinite, the first at person {row}, "
            f"joint {joint}, {('x', 'y', 'score')[axis]} (all counted from 0).",
            expected="a finite position for every joint, or NaN where there is no answer",
            cause="a division by zero, or a network that diverged",
            next_step="predict every joint; a position far away counts as a miss, and so does NaN",
        )
    return array


def _columns(path: Path, array: np.ndarray, joints: list[str] | None, people: People) -> np.ndarray:
    """Order columns as the skeleton. Only pelvis and thorax, which no protocol counts, may be absent: NaN."""
    if joints is None or joints == list(people.skeleton.joints):
        return array
    doubled = {joint for joint in joints if joints.count(joint) > 1}
    absent = set(people.skeleton.joints) - set(joints) - {"pelvis", "thorax"}
    if doubled or absent:
        raise DataError(
            what=f"{path.name}: joint names are {'doubled' if doubled else 'missing'}: "
            f"{', '.join(sorted(doubled or absent))}.",
            expected=f"each of {', '.join(people.skeleton.joints)} once; found {', '.join(joints)}",
            cause="another skeleton, or names in another spelling",
            next_step="rename the joints in the file",
        )
    columns = np.full((len(array), len(people.skeleton), array.shape[2]), np.nan)
    for column, joint in enumerate(people.skeleton.joints):
        if joint in joints:
            columns[:, column] = array[:, joints.index(joint)]
    return columns


def _order(path: Path, array: np.ndarray, ids: np.ndarray | None, people: People, named: bool) -> np.ndarray:
    """Order rows as the people, by number or by image name; rows of other images are left out.

    `named`: the array is called ids. Other lists of image names are ignored if the people have no image names, and
    must be in the order of the people if an image has several.
    """
    if ids is None:
        return array
    if ids.dtype.kind in "US":
        names = [PurePosixPath(name).stem for name in people.images]
        texts = [PurePosixPath(text.replace("\\", "/")).stem for text in _texts(ids)]
        if texts == names or not (named or any(names)):
            return array
        rows = _found_once(names, texts)
    else:
        rows = _numbered(ids, len(people))
    if rows is None:
        raise DataError(
            what=f"{path.name}: its {ids.size} ids are not those of the {len(people)} people, each once.",
            expected="row numbers from 0, or image names where every image has one person",
            cause="predictions for another split or a part of it, ids from 1, or an id twice",
            next_step="write ids = 0, 1, 2, ... in the order of the annotation",
        )
    return array[rows]


def _found_once(names: list[str], texts: list[str]) -> list[int] | None:
    """Return the index of each name among the texts; None unless names are unique and each occurs there once."""
    occurrences = Counter(texts)
    if len(set(names)) < len(names) or any(occurrences[name] != 1 for name in names):
        return None
    indices = {text: index for index, text in enumerate(texts)}
    return [indices[name] for name in names]


def _numbered(ids: np.ndarray, people: int) -> np.ndarray | None:
    """Return the row of each person; None unless the numbers are 0, 1, 2, ... in any order."""
    if ids.size != people or ids.dtype.kind not in "fiu":
        return None
    numbers = [int(i) if math.isfinite(i) and i == int(i) else -1 for i in ids.ravel().tolist()]
    return np.argsort(numbers) if sorted(numbers) == list(range(people)) else None


def _frame(
    path: Path, keypoints: np.ndarray, origin: np.ndarray | None, people: People
) -> tuple[np.ndarray, dict[str, str]]:
    """Return coordinates counted from the people's origin, and a note; the origin in the file is trusted."""
    if origin is None:
        return keypoints, {"frame": f"not stated, assumed to be counted from {people.origin} like the annotation"}
    if np.size(origin) != 1 or np.ravel(origin)[0] not in (0, 1):
        raise DataError(f"{path.name}: origin is {origin}.", expected="0 or 1: the centre of the first pixel")
    given = int(np.ravel(origin)[0])
    return keypoints + (people.origin - given), {"frame": f"counted from {given}"}
