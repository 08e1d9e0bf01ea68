"""Paired differences of two cells of a store, from their samples."""

import json

import numpy as np
import pytest

from bench.paired import paired
from bench.store import CELLS, Store, archive


def keep(store, key, distances):
    """A cell of mpii-pckh whose people have these distances, in head sizes; None: without samples."""
    with store.publish(CELLS, key) as folder:
        (folder / "cell.json").write_text(json.dumps({"protocol": "mpii-pckh"}))
        if distances is not None:
            (folder / "samples.npz").write_bytes(archive(distance=distances))


def test_the_difference_of_two_cells(tmp_path):
    """Ours hits every joint of 100 people, theirs misses all joints of 30 of them."""
    store = Store(tmp_path)
    ours = np.full((100, 16), 0.1)
    theirs = ours.copy()
    theirs[:30] = 2.0
    keep(store, "a" * 32, ours)
    keep(store, "b" * 32, theirs)
    rows = paired(store)("a" * 32, "b" * 32)
    [found] = [row for row in rows if (row["metric"], row["part"]) == ("PCKh@0.5", "mean")]
    assert found["value"] == pytest.approx(30.0)
    spread = 100 * np.sqrt(0.3 * 0.7 / 100)  # of a share of 100 people
    assert found["low"] == pytest.approx(30 - 1.96 * spread, abs=2.5)
    assert found["high"] == pytest.approx(30 + 1.96 * spread, abs=2.5)


def test_other_people_or_no_samples_give_nothing(tmp_path):
    store = Store(tmp_path)
    keep(store, "a" * 32, np.full((10, 16), 0.1))
    keep(store, "b" * 32, np.full((11, 16), 0.1))
    keep(store, "c" * 32, None)
    assert paired(store)("a" * 32, "b" * 32) == []
    assert paired(store)("a" * 32, "c" * 32) == []
