"""`bench keep`: finished cells become lines that hold what the cells hold, and differences that scoring gives."""

import msgspec
import numpy as np
import pytest
import small_bench
from small_bench import bench
from typed import interval, present

from bench.cells.conditions import Conditions
from bench.cells.record import CellRecord
from bench.cli.keep import lines
from bench.errors import NOTHING, USAGE
from bench.results import fragment
from bench.results.fragment import CellLine, Fragment, PairLine
from bench.results.rows import measurements
from bench.store.provenance import Provenance
from bench.store.store import CELLS, Store, archive
from reports.data import ablations
from reports.data.ablations import Committed

MATRIX = """
[[cells]]
architectures = ["mean-pose", "hourglass-1"]
protocols = ["lsp-pck"]
seeds = [0, 1]
limit = 40
set = { width = 0.125, input = 64 }
recipe = "RECIPE"
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a matrix of four cells, all finished."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "matrix.toml").write_text(MATRIX.replace("RECIPE", small_bench.recipe(folder)))
    outcome = bench("run", "--matrix", folder / "matrix.toml", "--store", folder / "runs", "--jobs", 1, "--json")
    assert outcome.code == 0, outcome.err
    return folder


def keys(store: Store) -> list[str]:
    return sorted(store.keys("cells"))


def test_cells_means_and_differences(finished, monkeypatch):
    """Two seeds of two networks: four cells, two means, and the difference that is asked for."""
    asks(monkeypatch, "hourglass-1", "mean-pose")
    store = Store(finished / "runs")
    found = Committed(Fragment("made", tuple(lines(store, keys(store)))))
    assert [type(line) for line in found.fragment.lines] == [CellLine] * 6 + [PairLine]
    cells = [line for line in found.fragment.lines if isinstance(line, CellLine) and not line.seeds]
    for cell in cells:
        rows = measurements(store, cell.cell)
        assert [row.value for row in cell.values] == pytest.approx([row.value for row in rows], abs=6e-4)
        assert not cell.provenance.command and cell.provenance.versions["torch"]
    place, metric = "mannequin", ("lsp-pck", "PCK@0.2", "mean")
    means = {}
    for name in ("hourglass-1", "mean-pose"):
        seeds = [present(row.value) for row in found.seeds(name, place, metric)]
        means[name] = sum(seeds) / 2
        assert len(seeds) == 2 and present(found.row(name, place, metric)).value == pytest.approx(means[name], abs=2e-3)
    low, difference, high = interval(found.difference("hourglass-1", "mean-pose", place, metric))
    assert difference == pytest.approx(means["hourglass-1"] - means["mean-pose"], abs=2e-3)
    assert low <= difference <= high


def test_the_verb_writes_a_file_that_can_be_read(finished):
    out = finished / "kept" / "cpu.jsonl"
    outcome = bench("keep", "--matrix", finished / "matrix.toml", "--store", finished / "runs", "--out", out, "--json")
    assert outcome.code == 0, outcome.err
    assert (outcome.json["cells"], outcome.json["of"]) == (4, 4)
    assert sum(not cell.seeds for cell in fragment.read(out).snapshot.cells) == 4
    more = finished / "more.toml"
    more.write_text((finished / "matrix.toml").read_text().replace("seeds = [0, 1]", "seeds = [0, 1, 2]"))
    outcome = bench("keep", "--matrix", more, "--store", finished / "runs", "--out", finished / "more.jsonl", "--json")
    assert (outcome.json["cells"], outcome.json["of"]) == (4, 6)


def asks(monkeypatch, ours: str, theirs: str) -> None:
    """Let the ablations ask for a single difference."""
    ablation = ablations.Ablation("", (ours, theirs), (ablations.Comparison(ours, theirs, "?"),))
    monkeypatch.setattr(ablations, "ablations", lambda: {"x": ablation})


def add(store: Store, number: int, name: str, hits: int, seed: int = 0, split: str = "val") -> str:
    """A finished cell of ten people, so many of whom are hit at every joint; its key."""
    key = f"{number:02d}" * 16
    about = Conditions("mpii-pckh", 1, "mpii", split)
    record = CellRecord(key, key, name, seed, "measured", about, (), {}, {}, (), Provenance("bench run"))
    with store.publish(CELLS, key) as folder:
        (folder / "cell.json").write_bytes(msgspec.json.encode(record))
        (folder / "measurements.jsonl").write_text("")
        distance = np.repeat(np.where(np.arange(10) < hits, 0.1, 2.0)[:, None], 16, axis=1)
        (folder / "samples.npz").write_bytes(archive(distance=distance))
    return key


def mean(line: CellLine | PairLine) -> float | None:
    return next(value.value for value in line.values if (value.metric, value.part) == ("PCKh@0.5", "mean"))


def test_means_are_over_all_seeds_of_a_split_and_differences_are_those_asked_for(tmp_path, monkeypatch):
    """Ours hits 9 and 6 of 10 people, theirs 3; on another split ours hits 1."""
    asks(monkeypatch, "a", "b")
    store = Store(tmp_path)
    made = [
        add(store, 1, "a", 9),
        add(store, 2, "a", 6, seed=1),
        add(store, 3, "b", 3),
        add(store, 4, "a", 1, split="x"),
    ]
    found = list(lines(store, made))[4:]
    means = {line.cell: line for line in found if isinstance(line, CellLine)}
    assert {(line.architecture, line.conditions.split, line.seeds): mean(line) for line in means.values()} == {
        ("a", "val", tuple(made[:2])): 75, ("b", "val", (made[2],)): 30, ("a", "x", (made[3],)): 10,
    }  # fmt: skip
    (pair,) = [line for line in found if isinstance(line, PairLine)]
    assert (means[pair.ours].architecture, means[pair.theirs].architecture) == ("a", "b") and mean(pair) == 45


def test_nothing_finished_is_an_error_with_the_next_step(tmp_path):
    outcome = bench("keep", "--matrix", small_bench.matrix(tmp_path), "--store", tmp_path / "runs")
    assert outcome.code == NOTHING
    assert "bench run --matrix" in outcome.err


def test_a_network_that_was_run_in_two_ways_has_no_mean(finished):
    matrix = (finished / "matrix.toml").read_text()
    both = finished / "both.toml"
    both.write_text(matrix + matrix.replace("limit = 40", "limit = 30").replace('"hourglass-1"', ""))
    outcome = bench("run", "--matrix", both, "--store", finished / "runs", "--jobs", 1, "--json")
    assert outcome.code == 0, outcome.err
    outcome = bench("keep", "--matrix", both, "--store", finished / "runs", "--out", finished / "both.jsonl")
    assert outcome.code == USAGE
    assert "mean-pose@input=64,width=0.125 on mannequin was run in two ways: people first 40 / first 30" in outcome.err
    assert not (finished / "both.jsonl").exists()
