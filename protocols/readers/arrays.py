"""Reader of named arrays from h5, mat, npz, npy and json files; sizes are checked before loading, pickles refused."""

import json
import math
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np
import scipy.io

from protocols.errors import DataError
from protocols.readers import mat_structure

LIMIT = 512 * 2**20  # bytes of all arrays of a file together; a million people with 16 joints take 256 MiB
MAX_MATRICES = 100_000  # in cells and structures of a mat file; predictions have thousands, the MPII release millions
MAX_CHARACTERS = 1024  # of a name
SUFFIXES = (".h5", ".hdf5", ".mat", ".npz", ".npy", ".json")


def load(path: Path) -> dict[str, np.ndarray]:
    """Read a file as name -> array of numbers or text; an array without a name (npy, a json list) is called "".

    Variables of a mat file keep their axes, also in version 7.3, and integer-valued doubles stay doubles
    (mat_dtype). A cell array of arrays of one shape becomes one array with the cells as its first axis; so does a
    field of a structure array, as "variable.field", and a key of a json list of objects. Everything else that is not
    an array of numbers or text is left out. Raises DataError for a file that is absent, damaged, too large, or of
    another format.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file.", next_step="check the path")
    if path.suffix not in SUFFIXES:
        raise DataError(
            what=f"{path.name}: files ending in {path.suffix or 'nothing'} are not supported.",
            expected=_FORMATS,
            next_step="write the coordinates with numpy.savez(path, keypoints=array), people x joints x 2",
        )
    _limit(path, [path.stat().st_size])
    readers = {".mat": _mat, ".npz": _npz, ".npy": _npy, ".json": _json}
    try:
        return _checked(path, readers.get(path.suffix, _h5)(path))
    except DataError:
        raise
    except Exception as error:  # the libraries below raise some ten types of errors on damaged input
        raise DataError(
            what=f"{path.name} cannot be read as {path.suffix.removeprefix('.')}: {str(error)[:200]}",
            expected=_FORMATS,
            cause="a damaged or truncated file, or one whose ending does not match its format",
            next_step="write it again, for instance with numpy.savez(path, keypoints=array)",
        ) from error


def _checked(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays if all are real numbers or text. Raises DataError for complex numbers, times and others."""
    for name, array in arrays.items():
        if array.dtype.kind not in "fiubUS":
            raise DataError(
                what=f"{path.name}: {repr(name) if name else 'its array'} holds {array.dtype}.",
                expected="real numbers, or text for names",
                next_step="store the real part, or leave the array out",
            )
    return arrays


_FORMATS = "h5, mat, npz, npy or json with plain arrays of numbers"


def _limit(path: Path, sizes: Iterable[int]) -> None:
    total = sum(sizes)
    if total > LIMIT:
        raise DataError(
            what=f"{path.name} holds {total / 2**20:,.0f} MiB.",
            expected=f"at most {LIMIT // 2**20} MiB",
            cause="heatmaps instead of coordinates, or a malicious file",
            next_step="store the coordinates only: people x joints x 2",
        )


def _h5(path: Path, reverse: bool = False) -> dict[str, np.ndarray]:
    datasets: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:  # hard links only: others can leave the file
        if isinstance(item, h5py.Dataset) and not item.is_virtual and not item.external and name[0] != "#":
            datasets[name] = item

    with h5py.File(path, "r") as file:
        file.visititems(visit)
        plain = {name: data for name, data in datasets.items() if data.dtype.kind in "fiuS"}
        _limit(path, (data.size * data.dtype.itemsize for data in plain.values()))
        arrays = {name: data[()] for name, data in plain.items()}
        strings = {name: data for name, data in datasets.items() if data.dtype.kind == "O"}
        texts = {name: _words(data) for name, data in strings.items() if h5py.check_string_dtype(data.dtype)}
    return {name: array.T if reverse else array for name, array in arrays.items()} | texts


def _words(data: h5py.Dataset) -> np.ndarray:
    """Read strings one by one, since a small file can claim many long ones; none if they are too many or too long."""
    words = []
    for index in np.ndindex(data.shape if data.size is not None and data.size <= MAX_MATRICES else (0,)):
        word = data[index]
        if len(word) > MAX_CHARACTERS:
            return np.array([], str)
        words.append(word.decode(errors="replace"))
    return np.array(words, str)


def _mat(path: Path) -> dict[str, np.ndarray]:
    if h5py.is_hdf5(path):  # MATLAB 7.3
        return _h5(path, reverse=True)  # MATLAB is column-major: h5 lists the axes in reverse
    matrices = mat_structure.check(path, LIMIT)
    variables = {name: (shape, kind) for name, shape, kind in scipy.io.whosmat(path)}
    left_out = ("object", "function", "opaque", "sparse") + (("struct", "cell") if matrices > MAX_MATRICES else ())
    wanted = [name for name, (_, kind) in variables.items() if kind not in left_out]
    _limit(path, (8 * math.prod(variables[name][0]) for name in wanted))
    loaded = scipy.io.loadmat(path, mat_dtype=True, variable_names=wanted)
    members = (member for name in wanted if name in loaded for member in _members(name, loaded[name]))
    return {name: array for name, array in members if array.dtype.kind in "fiubU"}


def _members(name: str, array: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the plain arrays in a variable: itself, its cells joined into one, or the fields of a structure."""
    if array.dtype.names:
        for field in array.dtype.names:
            yield from _members(f"{name}.{field}", array[field])
        return
    if array.dtype.kind != "O":
        yield name, array
        return
    cells = [np.asarray(cell) for cell in array.ravel()]
    if len(cells) == 1 and cells[0].dtype.kind in "OV":  # a structure, or cells, in a field
        yield from _members(name, cells[0])
    elif len(cells) == 1:
        yield name, cells[0]
    elif all(cell.dtype.kind == "U" and cell.size == 1 for cell in cells):
        yield name, np.array([cell.item() for cell in cells])
    elif cells and all(cell.dtype.kind in "fiu" and cell.shape == cells[0].shape for cell in cells):
        yield name, np.stack(cells)


def _npz(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        _limit(path, (member.file_size for member in archive.infolist()))
        _refuse_doubled(path, [member.filename for member in archive.infolist()])
        for member in archive.infolist():
            with archive.open(member) as stream:
                _limit(path, [_declared(stream)])
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _refuse_doubled(path: Path, names: Iterable[str]) -> None:
    """Raise DataError for a name that stands twice: readers take one or the other."""
    if doubled := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(
            what=f"{path.name}: {doubled[0]!r} stands in it more than once.",
            expected="every name once",
            cause="two files joined",
            next_step="write it again with the right one",
        )


def _npy(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as stream:
        _limit(path, [_declared(stream)])
    return {"": np.load(path, allow_pickle=False)}


def _declared(stream: IO[bytes]) -> int:
    """Return the number of bytes that the header of an npy stream declares."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    return math.prod(shape) * dtype.itemsize


def _json(path: Path) -> dict[str, np.ndarray]:
    _limit(path, [16 * path.stat().st_size])  # a number of four characters takes some 64 bytes once parsed
    named = _named(path, json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=partial(_members_once, path)))
    values = {name: value for name, value in named.items() if isinstance(value, list | int | float | str)}
    for value in values.values():  # in an array, every text takes as much memory as the longest
        items = _as_objects(value)
        _limit(path, [4 * items.size * max((len(item) for item in items.flat if isinstance(item, str)), default=0)])
    arrays = {name: _nulls_as_nan(np.array(value)) for name, value in values.items() if _as_objects(value).size}
    return {name: array for name, array in arrays.items() if array.dtype.kind != "O"}


def _members_once(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of a JSON object. Raises DataError for a doubled one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        _refuse_doubled(path, (name for name, _ in pairs))
    return found


def _nulls_as_nan(array: np.ndarray) -> np.ndarray:
    """Replace null by NaN in an array of numbers; others stay as they are."""
    if array.dtype.kind != "O" or not all(item is None or type(item) in (int, float) for item in array.flat):
        return array
    return array.astype(np.float64)


def _named(path: Path, document: Any) -> dict[str, object]:
    """Return columns by name: the members of an object, or the keys of a list of objects or an object of people."""
    if isinstance(document, list) and document and isinstance(document[0], dict):
        if not all(isinstance(entry, dict) for entry in document):
            raise DataError(
                what=f"{path.name} is a list of objects mixed with other values.",
                expected='[{"image": name, "keypoints": [...]}, ...], one object a person',
                cause="several lists joined",
                next_step="store the coordinates as nested lists, people x joints x 2",
            )
        shared = [key for key in document[0] if all(key in entry for entry in document)]
        columns = {key: [entry[key] for entry in document] for key in shared}
        return {key: _triplets(column) if key == "keypoints" else column for key, column in columns.items()}
    if not isinstance(document, dict):
        return {"": document}
    shapes = {_as_objects(value).shape for value in document.values()} if len(document) > 1 else set()
    if len(shapes) == 1 and len(shape := shapes.pop()) == 2 and shape[1] in (2, 3):
        return {"keypoints": list(document.values()), "ids": list(document)}
    members = {
        f"{key}.{name}": value
        for key, inner in document.items()
        if isinstance(inner, dict)
        for name, value in inner.items()
    }
    return document | members


def _triplets(column: list[Any]) -> list[Any]:
    """Split flat keypoints as COCO has them into x, y, score of each joint."""
    flat = _as_objects(column)
    return flat.reshape(len(flat), -1, 3).tolist() if flat.ndim == 2 and flat.shape[1] % 3 == 0 else column


def _as_objects(value: Any) -> np.ndarray:
    """Return nested lists as an array of objects, which takes little memory; empty if rows differ in length."""
    try:
        items = np.array(value, dtype=object)
    except ValueError:
        return np.array([], dtype=object)
    return items if not any(isinstance(item, list) for item in items.flat) else np.array([], dtype=object)
