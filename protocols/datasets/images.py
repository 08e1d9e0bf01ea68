"""Image files of a dataset: sizes from headers, pixels on demand, and the fingerprint of an annotation."""

import hashlib
import math
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from PIL import Image

from protocols.errors import DataError

MAX_PIXELS = 100_000_000  # of an image, 300 MB decoded; MPII's and COCO's have at most 2 million


def find(folder: Path, stems: list[str], suffixes: tuple[str, ...] = (".jpg", ".webp", ".png")) -> tuple[str, ...]:
    """Return the file name of every stem; with the first suffix if the folder has none of them."""
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return tuple(
        next((stem + suffix for suffix in suffixes if stem + suffix in present), stem + suffixes[0]) for stem in stems
    )


def sizes(folder: Path, names: tuple[str, ...]) -> np.ndarray:
    """Read width and height from the headers, N x 2 float64 pixels; NaN if a file is absent or not an image."""
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return np.array([_size(folder / name) if name in present else (math.nan, math.nan) for name in names])


def _size(path: Path) -> tuple[float, float]:
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # reading the image raises an error
        return math.nan, math.nan


def check_names(names: tuple[str, ...], source: str) -> None:
    """Raise DataError for a name in an annotation that is not a path below the folder of the images."""
    for name in names:
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or len(name) > 255:
            raise DataError(f"{source}: the image {name[:255]!r} leaves its folder.", expected="a plain file name")


def decode(path: Path) -> np.ndarray | None:
    """Decode to H x W x 3 uint8 RGB as stored; None for a file that is absent, damaged, cut off or too large."""
    width, height = _size(path) if path.is_file() else (math.nan, math.nan)
    if not width * height <= MAX_PIXELS:
        return None
    content = path.read_bytes()
    if content.startswith(b"\xff\xd8") and b"\xff\xd9" not in content[-4096:]:
        return None  # a JPEG without its end, which the decoder would fill with grey
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def reader(folder: Path, names: tuple[str, ...]) -> Callable[[int], np.ndarray]:
    """Return a function from row to H x W x 3 uint8 RGB as stored (the annotation ignores EXIF rotation).

    It raises DataError for a file that is absent, damaged, or outside the folder.
    """

    def read(row: int) -> np.ndarray:
        check_names((names[row],), f"person {row}")
        path = folder / names[row]
        if not names[row] or not path.resolve().is_relative_to(folder.resolve()):
            raise DataError(f"Person {row} has no image below {folder}: its name is {names[row]!r}.")
        pixels = decode(path)
        if pixels is None:
            raise DataError(
                what=f"{path}: the image is {'damaged' if path.is_file() else 'missing'}.",
                expected=f"an image file for each of the {len(set(names))} names in the annotation",
                cause="only the annotation was copied, or the download is incomplete",
                next_step=f"put the dataset's images into {folder}",
            )
        return pixels

    return read


def fingerprint(names: tuple[str, ...], *arrays: np.ndarray | None) -> str:
    """16 hex digits that change when, and only when, a name or a number of the annotation does."""
    digest = hashlib.sha256("\n".join(names).encode())
    for array in arrays:
        digest.update(b"none" if array is None else str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
