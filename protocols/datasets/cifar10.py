"""Reader of CIFAR-10 (Krizhevsky 2009), python version: 60,000 images of 32 x 32 pixels in ten classes."""

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from protocols.errors import DataError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SPLITS = {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)}
FOLDERS = ("cifar10", "cifar10/cifar-10-batches-py")
LIMIT = 64 * 2**20  # bytes of a file; an official batch has 30 MiB


@dataclass(frozen=True)
class LabelledImages:
    """Images and labels of one split, in the order of the files."""

    split: str
    images: np.ndarray  # N x 32 x 32 x 3 uint8, RGB
    labels: np.ndarray  # N int64, indices in CLASSES
    fingerprint: str  # changes when, and only when, images or labels change
    notes: dict[str, int | str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "LabelledImages":
        """Return the first `count` images; all of them for 0."""
        return replace(self, images=self.images[: count or None], labels=self.labels[: count or None])


def load(split: str, data: Path) -> LabelledImages:
    """Read "train" or "test" from data/cifar10 or from the archive's folder in it.

    Raises DataError for an absent file, one that is not a batch, and pickles of other objects than arrays.
    """
    if split not in SPLITS:
        raise DataError(f"cifar10 has no split {split!r}.", expected=f"one of {', '.join(SPLITS)}")
    folder = _folder(data, SPLITS[split][0])
    batches = [_batch(folder / name) for name in SPLITS[split]]
    images = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    counts = np.bincount(labels, minlength=len(CLASSES))
    notes: dict[str, int | str] = {
        "images": len(labels),
        **{name: int(count) for name, count in zip(CLASSES, counts, strict=True)},
    }
    return LabelledImages(split, images, labels, digest[:16], notes)


def _folder(data: Path, first: str) -> Path:
    for folder in FOLDERS:
        if (data / folder / first).is_file():
            return data / folder
    raise DataError(
        f"cifar10: {first} was not found.",
        f"the files of the python version, {first} among them, in {data / FOLDERS[1]}",
        "the archive was not unpacked there, or it is the binary or MATLAB version",
        "download cifar-10-python.tar.gz from the page of its authors, unpack it there, or give --data DIR",
    )


def _batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read images (N x 32 x 32 x 3 uint8) and labels (N int64) of one file."""
    if not path.is_file():
        raise DataError(f"cifar10: {path.name} was not found.", f"the file in {path.parent}", "an incomplete download")
    if path.stat().st_size > LIMIT:
        raise _refusal(path, f"it holds {path.stat().st_size / 2**20:.0f} MiB")
    try:
        with path.open("rb") as file:
            content = _ArraysOnly(file, encoding="bytes").load()
        pixels, labels = content.get(b"data"), content.get(b"labels")
    except Exception as error:  # a damaged pickle may raise anything
        raise _refusal(path, str(error)[:200] or type(error).__name__) from error
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3072,):
        raise _refusal(path, "its data are not an array of N x 3072 bytes")
    if not isinstance(labels, list) or len(labels) != len(pixels):
        raise _refusal(path, f"it has no list of {len(pixels)} labels")
    if not all(type(label) is int and 0 <= label < len(CLASSES) for label in labels):
        raise _refusal(path, "its labels are not all 0 to 9")
    return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), np.array(labels, np.int64)


def _refusal(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path.name} is not a CIFAR-10 batch: {reason}.",
        "a dictionary with data (N x 3072 bytes) and labels (N numbers 0 to 9), as in the python version",
        "a damaged download, CIFAR-100, or a file of another origin",
        "unpack cifar-10-python.tar.gz again",
    )


_ALLOWED: dict[str, Callable[..., object] | None] = {
    "numpy.core.multiarray._reconstruct": lambda *_: np.ndarray((0,), np.uint8),  # filled by its state
    "numpy._core.multiarray._reconstruct": lambda *_: np.ndarray((0,), np.uint8),
    "numpy.ndarray": None,  # an argument of _reconstruct; not to be called
    "numpy.dtype": np.dtype,
    "_codecs.encode": lambda text, _: text.encode("latin1"),  # how Python 3 writes bytes for Python 2
}


class _ArraysOnly(pickle.Unpickler):
    """Unpickler of dictionaries, lists, bytes, numbers and arrays; everything else is refused."""

    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed function; raise UnpicklingError for others."""
        if f"{module}.{name}" not in _ALLOWED:
            raise pickle.UnpicklingError(f"it contains {module}.{name}, which no array needs")
        return _ALLOWED[f"{module}.{name}"]
