"""Named arrays out of h5, mat, npz, npy and json files: sizes are checked before anything is loaded, no pickles."""

import json
import math
import zipfile
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np
import scipy.io

from protocols import mat_structure
from protocols.errors import DataError

LIMIT = 512 * 2**20  # bytes of all arrays of a file together; a million people with 16 joints take 256 MiB
SUFFIXES = (".h5", ".hdf5", ".mat", ".npz", ".npy", ".json")


def load(path: Path) -> dict[str, np.ndarray]:
    """Name -> array, numbers or text; an array without a name (npy, a json list) is called "".

    A mat file's variables keep their axes, version 7.3 included, and integer-valued doubles stay
    doubles (mat_dtype). Structures and whatever else is no array of numbers or text is left out.
    Raises DataError for a file that is absent, damaged, too large, or of another kind.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file.", next_step="Check the path.")
    if path.suffix not in SUFFIXES:
        raise DataError(f"{path.name}: files ending in {path.suffix or 'nothing'} are not read.", _FORMATS)
    _limit(path, [path.stat().st_size])
    readers = {".mat": _mat, ".npz": _npz, ".npy": _npy, ".json": _json}
    try:
        return readers.get(path.suffix, _h5)(path)
    except DataError:
        raise
    except Exception as error:  # the readers below raise some ten kinds of their own on damaged input
        raise DataError(
            what=f"{path.name} cannot be read as {path.suffix.removeprefix('.')}: {str(error)[:200]}",
            expected=_FORMATS,
            cause="A damaged or truncated file, or one whose ending does not tell its format.",
            next_step="Write it again, for instance with numpy.savez(path, keypoints=array).",
        ) from error


_FORMATS = "h5, mat, npz, npy or json with plain arrays of numbers."


def _limit(path: Path, sizes: Iterable[int]) -> None:
    total = sum(sizes)
    if total > LIMIT:
        raise DataError(
            what=f"{path.name} holds {total / 2**20:,.0f} MiB.",
            expected=f"At most {LIMIT // 2**20} MiB.",
            cause="Heatmaps instead of coordinates, or a file made to fill the memory.",
            next_step="Store the coordinates only: people x joints x 2.",
        )


def _h5(path: Path, reverse: bool = False) -> dict[str, np.ndarray]:
    with h5py.File(path, "r") as file:
        # Hard links only: soft and external ones, and virtual or external storage, can point elsewhere.
        names = [name for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)]
        found = {name: file[name] for name in names if isinstance(file[name], h5py.Dataset)}
        plain = {name: data for name, data in found.items() if not data.is_virtual and not data.external}
        plain = {name: data for name, data in plain.items() if data.dtype.kind in "fiuS"}
        _limit(path, (data.size * data.dtype.itemsize for data in plain.values()))
        arrays = {name: data[()] for name, data in plain.items()}
    return {name: array.T if reverse else array for name, array in arrays.items()}


def _mat(path: Path) -> dict[str, np.ndarray]:
    if h5py.is_hdf5(path):  # MATLAB 7.3
        return _h5(path, reverse=True)  # h5 lists the axes of MATLAB's column-major arrays backwards
    mat_structure.check(path, LIMIT)
    kinds = {name: (shape, kind) for name, shape, kind in scipy.io.whosmat(path)}
    wanted = [
        name for name, (_, kind) in kinds.items() if kind not in ("struct", "object", "function", "opaque", "sparse")
    ]
    _limit(path, (8 * math.prod(kinds[name][0]) for name in wanted))
    loaded = scipy.io.loadmat(path, mat_dtype=True, variable_names=wanted)
    arrays = {name: _text(loaded[name]) for name in wanted if name in loaded}
    return {name: array for name, array in arrays.items() if array.dtype.kind in "fiubU"}


def _text(array: np.ndarray) -> np.ndarray:
    """A cell array of strings as an array of strings; everything else as it is."""
    if array.dtype.kind != "O":
        return array
    cells = [np.asarray(cell) for cell in array.ravel()]
    if all(cell.dtype.kind == "U" and cell.size == 1 for cell in cells):
        return np.array([cell.item() for cell in cells])
    return array


def _npz(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        _limit(path, (member.file_size for member in archive.infolist()))
        for member in archive.infolist():
            with archive.open(member) as stream:
                _limit(path, [_declared(stream)])
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _npy(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as stream:
        _limit(path, [_declared(stream)])
    return {"": np.load(path, allow_pickle=False)}


def _declared(stream) -> int:
    """Bytes that the header of an npy stream asks for, whatever follows it."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    return math.prod(shape) * dtype.itemsize


def _json(path: Path) -> dict[str, np.ndarray]:
    _limit(path, [16 * path.stat().st_size])  # a number of four characters takes some 64 bytes once parsed
    document = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(document, list) and document and isinstance(document[0], dict):
        raise DataError(
            what=f"{path.name} is a list of objects, not of coordinates.",
            expected='A list of people x joints x 2 numbers, or {"keypoints": [...], "ids": [...]}.',
            cause="COCO keypoint results, or an annotation file.",
            next_step="Score COCO results with --protocol coco-ap; store other predictions as nested lists.",
        )
    named = document if isinstance(document, dict) else {"": document}
    known = {name: value for name, value in named.items() if isinstance(value, list | int | float | str)}
    for value in known.values():  # in an array, every text takes as much memory as the longest
        cells = np.array(value, dtype=object)
        _limit(path, [4 * cells.size * max((len(cell) for cell in cells.flat if isinstance(cell, str)), default=0)])
    return {name: np.array(value) for name, value in known.items()}
