"""Reader of classifications: an array of class scores or of class numbers, one row an image."""

from pathlib import Path

import numpy as np

from protocols.errors import DataError
from protocols.readers import arrays


def read(path: Path, images: int) -> np.ndarray:
    """Read scores, N x 10, or class numbers, N, of so many images; the protocol checks the shape.

    The array is called "scores" or "classes", or is the only one of the file. Raises DataError.
    """
    found = {name: array for name, array in arrays.load(path).items() if array.dtype.kind in "fiu"}
    name = next((name for name in ("scores", "classes") if name in found), "")
    if not name and len(found) != 1:
        raise DataError(
            f"{path.name} holds {len(found)} arrays of numbers: {', '.join(found)}.",
            expected=f"one array, or one called scores ({images} x 10) or classes ({images})",
            next_step="numpy.savez(path, scores=array)",
        )
    return found[name] if name else next(iter(found.values()))
