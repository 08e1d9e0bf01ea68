"""Paired differences of two cells of a store, from their samples."""

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from bench.cells.cell import Cell
from bench.cells.conditions import Conditions, of_file
from bench.cells.record import CellRecord
from bench.errors import NOTHING, Problem
from bench.results.paired import difference, finished, paired
from bench.store.provenance import Provenance
from bench.store.store import CELLS, Store, archive
from protocols import PROTOCOLS
from protocols.coco import ap as coco_ap
from protocols.errors import DataError
from protocols.statistics.scores import Scores

PCKH = PROTOCOLS["mpii-pckh"]
UNDER = Conditions("mpii-pckh", PCKH.version, "mpii", "val", recipe="newell2016", budget="full")


def keep(store, key, distances, seed=0, day=1, about=UNDER):
    """A cell of mpii-pckh whose people have these distances, in head sizes; None: without samples."""
    made = CellRecord(
        key, f"net, seed {seed}", "net", seed, "measured", about, (), {}, {},
        provenance=Provenance(date=f"2026-01-{day:02d}T00:00:00"),
    )  # fmt: skip
    with store.publish(CELLS, key) as folder:
        (folder / "cell.json").write_bytes(msgspec.json.encode(made))
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
    [found] = [row for row in rows if (row.metric, row.part) == ("PCKh@0.5", "mean")]
    assert found.value == pytest.approx(30.0)
    spread = 100 * np.sqrt(0.3 * 0.7 / 100)  # of a share of 100 people
    assert found.low == pytest.approx(30 - 1.96 * spread, abs=2.5)
    assert found.high == pytest.approx(30 + 1.96 * spread, abs=2.5)


def test_other_people_or_no_samples_give_nothing(tmp_path):
    store = Store(tmp_path)
    keep(store, "a" * 32, np.full((10, 16), 0.1))
    keep(store, "b" * 32, np.full((11, 16), 0.1))
    keep(store, "c" * 32, None)
    assert paired(store)("a" * 32, "b" * 32) == ()
    assert paired(store)("a" * 32, "c" * 32) == ()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def add(store, number, day, seed=0, split="val", version=PCKH.version, options=None, limit=0):
    """A finished cell of one network; it has as many people as its number, so that samples tell which was read."""
    people = f"first {limit}" if limit else "all"
    about = replace(UNDER, version=version, split=split, people=people, options=options or {})
    keep(store, f"{number:02d}" * 16, np.full((number, 16), 0.1), seed, day, about)


def read(store, name="net", options=None):
    """(seed, people) of the cells that `finished` reads."""
    documents, samples = finished(store, name, of_file(Cell(name, PCKH.name, "mpii", "val", options=options or {})))
    return [(d.seed, len(s.samples["distance"])) for d, s in zip(documents, samples, strict=True)]


def test_cells_of_a_network_are_read_by_seed_in_their_place(store):
    add(store, 11, 1, seed=1)
    add(store, 12, 1, seed=0)
    add(store, 13, 1, split="test")
    add(store, 14, 1, version=PCKH.version + 1)
    assert read(store) == read(store, "n*t") == [(0, 12), (1, 11)]
    assert read(store, "121212") == [(0, 12)]
    with pytest.raises(Problem, match="no kinds of finished cells") as caught:
        read(store, "12121")  # a start of a key has six characters
    assert caught.value.code == NOTHING


def test_of_cells_that_differ_in_a_version_or_recipe_alone_the_newest_counts(store):
    """A recipe was changed and its network trained again: the earlier cell is no second seed."""
    add(store, 11, 2)
    add(store, 12, 3)
    add(store, 13, 1)
    add(store, 14, 1, seed=1)
    assert read(store) == [(0, 12), (1, 14)]
    assert read(store, "111111") == [(0, 11)]  # by its key every cell can be asked for


def test_cells_of_two_kinds_are_not_mixed(store):
    add(store, 11, 1)
    add(store, 12, 1, seed=1, limit=100)
    with pytest.raises(Problem, match="2 kinds of finished cells"):
        read(store)


def test_cells_of_other_options_are_not_read(store):
    add(store, 11, 1, options={"kind": "a", "more": 1})
    add(store, 12, 1, seed=1, options={"kind": "b"})
    assert read(store, options={"kind": "a"}) == [(0, 11)]


def test_a_protocol_without_a_tally_compares_one_seed_with_one(monkeypatch):
    one, other = Scores((), samples={}), Scores((), samples={"other": np.zeros(1)})
    monkeypatch.setattr(coco_ap, "difference", lambda ours, theirs: (ours, theirs))
    assert difference(PROTOCOLS["coco-ap"], [one], [other]) == (one, other)
    for sides in (([one, one], [one]), ([one], [one, one])):
        with pytest.raises(DataError, match="one seed with one"):
            difference(PROTOCOLS["coco-ap"], *sides)
