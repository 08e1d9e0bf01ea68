"""`bench keep`: finished cells become lines that hold what the cells hold, and differences that scoring gives."""

import json

import numpy as np
import pytest
import small_bench
from small_bench import bench

from bench.cli.keep import CELL, kept
from bench.errors import NOTHING, USAGE
from bench.results.rows import measurements
from bench.store.store import CELLS, Store, archive
from reports.data import ablations

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


@pytest.mark.slow
def test_cells_means_and_differences(finished, monkeypatch):
    """Two seeds of two networks: four cells, two means, and the difference that is asked for."""
    asked = ablations.Comparison("hourglass-1", "mean-pose", "Does it learn?")
    ablation = ablations.Ablation("x", "newell2016", "", "", (), (asked,))
    monkeypatch.setattr(ablations, "ablations", lambda: (ablation,))
    store = Store(finished / "runs")
    lines = list(kept(store, keys(store)))
    kinds = [line["kind"] for line in lines]
    assert (kinds.count("cell"), kinds.count("mean"), kinds.count("difference")) == (4, 2, 1)
    collection = ablations._collection("made", lines)
    for cell in collection.cells:
        rows = measurements(store, cell["cell"])
        assert [row["value"] for row in ablations.values(cell)] == pytest.approx([row.value for row in rows], abs=6e-4)
        assert "command" not in cell["provenance"] and cell["provenance"]["versions"]["torch"]
    place = ("mannequin", "lsp-pck", "PCK@0.2", "mean")
    seeds = {name: [] for name in ("hourglass-1", "mean-pose")}
    for cell in collection.cells:
        seeds[ablations.network(cell["architecture"])] += [
            row["value"] for row in ablations.values(cell) if (row["metric"], row["part"]) == place[2:]
        ]
    means = {name: sum(found) / 2 for name, found in seeds.items()}
    assert collection.mean["hourglass-1", *place]["value"] == pytest.approx(means["hourglass-1"], abs=2e-3)
    difference = collection.difference["hourglass-1", "mean-pose", *place]
    assert difference["value"] == pytest.approx(means["hourglass-1"] - means["mean-pose"], abs=2e-3)
    assert difference["low"] <= difference["value"] <= difference["high"] and difference["seeds"] == 2


@pytest.mark.slow
def test_the_verb_writes_a_file_that_can_be_read(finished):
    out = finished / "kept" / "cpu.jsonl"
    outcome = bench("keep", "--matrix", finished / "matrix.toml", "--store", finished / "runs", "--out", out, "--json")
    assert outcome.code == 0, outcome.err
    assert (outcome.json["cells"], outcome.json["of"]) == (4, 4)
    assert len(ablations.collections(out.parent)[0].cells) == 4
    more = finished / "more.toml"
    more.write_text((finished / "matrix.toml").read_text().replace("seeds = [0, 1]", "seeds = [0, 1, 2]"))
    outcome = bench("keep", "--matrix", more, "--store", finished / "runs", "--out", finished / "more.jsonl", "--json")
    assert (outcome.json["cells"], outcome.json["of"]) == (4, 6)


def add(store: Store, number: int, name: str, hits: int, **changes) -> str:
    """A finished cell of ten people, so many of whom are hit at every joint; its key."""
    key = f"{number:02d}" * 16
    cell = dict.fromkeys(CELL, "") | {"cell": key, "architecture": name, "protocol": "mpii-pckh", "split": "val"}
    document = cell | {"inputs": {"version": 1}, "provenance": {"date": "", "command": "bench run"}} | changes
    with store.publish(CELLS, key) as folder:
        (folder / "cell.json").write_text(json.dumps(document))
        (folder / "measurements.jsonl").write_text("")
        distance = np.repeat(np.where(np.arange(10) < hits, 0.1, 2.0)[:, None], 16, axis=1)
        (folder / "samples.npz").write_bytes(archive(distance=distance))
    return key


def test_means_are_over_all_seeds_of_a_split_and_differences_told_with_the_fewer(tmp_path, monkeypatch):
    """Ours hits 9 and 6 of 10 people, theirs 3; on another split ours hits 1."""
    ablation = ablations.Ablation("x", "newell2016", "", "", (), (ablations.Comparison("a", "b", "?"),))
    monkeypatch.setattr(ablations, "ablations", lambda: (ablation,))
    store = Store(tmp_path)
    made = [add(store, 1, "a", 9), add(store, 2, "a", 6, seed=1), add(store, 3, "b", 3)]
    made.append(add(store, 4, "a", 1, split="test"))
    lines = [line for line in kept(store, made) if line["kind"] != "cell"]
    found = {
        (line["kind"], line.get("architecture"), line["split"]): (line["seeds"], value)
        for line in lines for metric, part, value, *_ in line["values"] if (metric, part) == ("PCKh@0.5", "mean")
    }  # fmt: skip
    assert found == {
        ("mean", "a", "val"): (2, 75), ("mean", "b", "val"): (1, 30), ("mean", "a", "test"): (1, 10),
        ("difference", None, "val"): (1, 45),
    }  # fmt: skip


def test_nothing_finished_is_an_error_with_the_next_step(tmp_path):
    outcome = bench("keep", "--matrix", small_bench.matrix(tmp_path), "--store", tmp_path / "runs")
    assert outcome.code == NOTHING
    assert "bench run --matrix" in outcome.err


@pytest.mark.slow
def test_a_network_that_was_run_in_two_ways_has_no_mean(finished):
    matrix = (finished / "matrix.toml").read_text()
    both = finished / "both.toml"
    both.write_text(matrix + matrix.replace("limit = 40", "limit = 30").replace('"hourglass-1"', ""))
    outcome = bench("run", "--matrix", both, "--store", finished / "runs", "--jobs", 1, "--json")
    assert outcome.code == 0, outcome.err
    outcome = bench("keep", "--matrix", both, "--store", finished / "runs", "--out", finished / "both.jsonl")
    assert outcome.code == USAGE
    assert "mean-pose@input=64,width=0.125 on mannequin was run with limit 40 and 30" in outcome.err
    assert not (finished / "both.jsonl").exists()
