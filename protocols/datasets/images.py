"""The image files of a dataset: their sizes without decoding, their pixels on demand, and a fingerprint."""

import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from protocols.errors import DataError


def find(folder: Path, stems: list[str], suffixes: tuple[str, ...] = (".jpg", ".webp", ".png")) -> tuple[str, ...]:
    """The file name of every stem; the one with the first suffix where the folder has none."""
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return tuple(
        next((stem + suffix for suffix in suffixes if stem + suffix in present), stem + suffixes[0]) for stem in stems
    )


def sizes(folder: Path, names: tuple[str, ...]) -> np.ndarray:
    """N x 2 float64: width and height in pixels, from the headers; NaN where a file is absent."""
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return np.array([_size(folder / name) if name in present else (math.nan, math.nan) for name in names])


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def reader(folder: Path, names: tuple[str, ...]) -> Callable[[int], np.ndarray]:
    """Row -> H x W x 3 uint8 RGB, as stored (no EXIF rotation: the annotation knows none).

    Raises DataError for a file that is absent, damaged, or outside the folder.
    """

    def read(row: int) -> np.ndarray:
        path = folder / names[row]
        if not names[row] or not path.resolve().is_relative_to(folder.resolve()):
            raise DataError(f"Person {row} has no image below {folder}: its name is {names[row]!r}.")
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION) if path.is_file() else None
        if pixels is None:
            raise DataError(
                what=f"{path}: the image is {'damaged' if path.is_file() else 'not there'}.",
                expected=f"An image file for each of the {len(set(names))} names of the annotation.",
                cause="Only the annotation was copied, or the download is incomplete.",
                next_step=f"Put the dataset's images into {folder}.",
            )
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)

    return read


def fingerprint(names: tuple[str, ...], *arrays: np.ndarray | None) -> str:
    """16 hex digits that change when, and only when, a name or a number of the annotation does."""
    digest = hashlib.sha256("\n".join(names).encode())
    for array in arrays:
        digest.update(b"none" if array is None else str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
