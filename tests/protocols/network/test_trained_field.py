"""The receptive field of a trained network through bench: whose weights, whose people, and which pixels."""

from dataclasses import replace
from pathlib import Path

import pytest
import small_bench
import torch

import architectures
from architectures import weights as weight_files
from bench.cells.cell import Cell
from bench.cells.keys import cell_inputs
from bench.cells.matrix import splits_for
from bench.errors import Problem
from bench.store.digests import content_key
from bench.store.store import CELLS, WEIGHTS, Store
from protocols.datasets import open_people
from protocols.network.effective_field import crop_people, field_sizes, field_values, occlusion_maps

TINY = {"input": 64, "width": 0.0625}
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)


@pytest.fixture
def recipe(tmp_path) -> str:
    """The tiny recipe, with pixels that are normalised."""
    path = Path(small_bench.recipe(tmp_path))
    path.write_text(path.read_text() + f"[pixels]\nmean = {list(MEAN)}\nstd = {list(STD)}\n")
    return str(path)


def key(cell: Cell, train: str = "train", people: str = "val") -> str:
    return content_key(cell_inputs(cell, {"annotation": train}, {"annotation": people}))


def test_weights_and_people_decide_the_key(recipe):
    cell = Cell("hourglass-1", "receptive-field", "mannequin", "val", TINY, recipe)
    changes = ({"seed": 1}, {"budget": "quick"}, {"recipe": "newell2016"}, {"dataset": ""})
    changes += tuple({"options": {option: 2}} for option in ("people", "occlusion"))
    keys = [key(cell), key(cell, train="other"), key(cell, people="other")]
    keys += [key(replace(cell, **change)) for change in changes]
    assert len(set(keys)) == len(keys)


def test_a_network_alone_needs_neither(recipe):
    cell = Cell("hourglass-1", "receptive-field")
    assert key(cell) == key(replace(cell, recipe=recipe, budget="quick"), "other", "other")
    for option in ("people", "occlusion"):
        with pytest.raises(Problem, match=f"{option} needs a trained network"):
            key(replace(cell, options={option: 2}))


def test_only_a_dataset_that_is_asked_for_and_has_heads_is_taken():
    assert splits_for("receptive-field", []) == [("", "")]
    assert splits_for("receptive-field", ["lsp"]) == [("", "")]
    assert splits_for("receptive-field", ["mannequin", "lsp", "mpii"]) == [("mannequin", "val"), ("mpii", "val")]
    assert splits_for("complexity", ["mannequin"]) == [("", "")]
    assert splits_for("mpii-pckh", []) == [("mannequin", "val")]


def test_from_training_to_the_field(tmp_path, recipe):
    words = f"run hourglass-1 receptive-field --store {tmp_path / 'runs'} --recipe {recipe} --device cpu --json".split()
    words += ["--set", "input=64", "--set", "width=0.0625"]
    store = Store(tmp_path / "runs")
    alone = small_bench.bench(*words)
    assert alone.code == 0, alone.err
    assert not store.keys(WEIGHTS) and "dataset" not in alone.json["cells"][0]["conditions"]
    trained = small_bench.bench(*words, "--dataset", "mannequin", "--option", "people=2")
    assert trained.code == 0, trained.err
    (weights,) = store.keys(WEIGHTS)
    (document,) = trained.json["cells"]
    conditions = document["conditions"]
    assert (conditions["dataset"], conditions["split"]) == ("mannequin", "val")
    assert (store.folder(CELLS, document["cell"]) / "history.csv").is_file()

    found = {(row["metric"], row["part"]): row for row in trained.json["measurements"]}
    graph = {(row["metric"], row["part"]): row["value"] for row in alone.json["measurements"]}
    assert {place: found[place]["value"] for place in graph} == graph

    network = architectures.create(architectures.describe("hourglass-1", **TINY))
    weight_files.load(network, store.folder(WEIGHTS, weights) / "weights.safetensors")
    people = open_people("mannequin", "val", Path("nowhere"), "mpii", 2)
    taken = crop_people(people, range(2), (64, 64))
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    taken = replace(taken, images=(taken.images - mean) / std)
    expected = {(value.metric, value.part): value for value in field_values(network, taken, people.skeleton.joints)}
    assert expected and set(found) == set(graph) | set(expected)
    for place, value in expected.items():
        assert found[place]["value"] == pytest.approx(value.value, rel=1e-6), place
        assert found[place]["n"] == value.n

    covered = small_bench.bench(*words, "--dataset", "mannequin", "--option", "people=2", "--option", "occlusion=1")
    assert covered.code == 0, covered.err
    more = {(row["metric"], row["part"]): row for row in covered.json["measurements"]}
    assert {place: more[place]["value"] for place in found} == {place: row["value"] for place, row in found.items()}
    patched = occlusion_maps(network, taken.images[:1], 16)[0]
    visible = [joint for joint in range(16) if taken.visibility[0, joint] and patched[joint].any()]
    assert more["r50 occlusion", "ankle"]["n"] == sum(people.skeleton.joints[j].endswith("ankle") for j in visible)
    for metric in ("r50", "r90", "spread", "area50"):
        ankles = [
            field_sizes(patched[j], taken.keypoints[0, j], taken.head_size[0], taken.body_area[0])[metric]
            for j in visible
            if people.skeleton.joints[j].endswith("ankle")
        ]
        row = more[f"{metric} occlusion", "ankle"]
        assert row["value"] == pytest.approx(sum(ankles) / len(ankles), rel=1e-5)
        assert row["unit"] == ("body boxes" if metric == "area50" else "head sizes")
