"""Reading of class scores and class numbers."""

import numpy as np
import pytest

from protocols.errors import DataError
from protocols.readers.classes import read

SCORES, CLASSES = np.eye(10)[[3, 8]], np.array([3, 8])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"scores": SCORES, "classes": CLASSES}, SCORES),
        ({"classes": CLASSES, "probabilities": SCORES}, CLASSES),
        ({"anything": SCORES}, SCORES),
    ],
)
def test_the_array_is_found_by_name_or_is_the_only_one(tmp_path, content, expected):
    np.savez(tmp_path / "mine.npz", **content)
    assert np.array_equal(read(tmp_path / "mine.npz", 2), expected)


def test_two_arrays_without_known_names_are_refused(tmp_path):
    np.savez(tmp_path / "mine.npz", first=SCORES, second=CLASSES)
    with pytest.raises(DataError, match="holds 2 arrays of numbers: first, second") as caught:
        read(tmp_path / "mine.npz", 2)
    assert "scores (2 x 10) or classes (2)" in caught.value.expected
