"""Kept rows: reading them, names without what a matrix shares, and the committed files themselves."""

import json
import re
import tomllib

import pytest

import architectures
from bench.cells.conditions import Conditions
from bench.cli.options import pairs
from reports.data import ablations
from reports.data.published import papers

VALUES = [["PCK@0.2", "mean", 12.5, "%", 11.0, 14.0, 900]]
WHERE = {"protocol": "lsp-pck", "dataset": "lspet", "split": "holdout"}
LINES = [
    {"kind": "cell", "cell": "k0", "architecture": "liu-ioi@input=64,width=0.25", "seed": 0, **WHERE, "values": VALUES,
     "conditions": {"protocol": "lsp-pck", "version": 1, "budget": "quick"}},
    {"kind": "mean", "architecture": "liu-ioi@input=64,width=0.25", **WHERE, "seeds": 2, "values": VALUES},
    {"kind": "difference", "ours": "liu-ioi@input=64,width=0.25", "theirs": "liu-res@input=64,width=0.25", **WHERE,
     "seeds": 2, "values": [["PCK@0.2", "mean", 1.5, "points", 0.5, 2.5, 900]]},
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("liu-ioi", "liu-ioi"),
        ("liu-ioi@input=64,width=0.25", "liu-ioi"),
        ("pyranet-bstar-2@initialization=msr,input=64,width=0.25", "pyranet-bstar-2@initialization=msr"),
        ("pyranet-b-2@scales=3", "pyranet-b-2@scales=3"),
    ],
)
def test_name_without_what_is_shared(name, short):
    assert ablations.network(name) == short


def test_a_file_is_a_collection(tmp_path):
    (tmp_path / "cpu.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    (collection,) = ablations.collections(tmp_path)
    made = {**LINES[0], "conditions": Conditions("lsp-pck", 1, budget="quick")}
    assert (collection.name, len(collection.cells), collection.lines) == ("cpu", 1, (made, *LINES[1:]))
    mean = collection.mean["liu-ioi", "lspet", "lsp-pck", "PCK@0.2", "mean"]
    assert (mean["value"], mean["low"], mean["high"], mean["n"]) == (12.5, 11.0, 14.0, 900)
    difference = collection.difference["liu-ioi", "liu-res", "lspet", "lsp-pck", "PCK@0.2", "mean"]
    assert (difference["value"], difference["unit"], difference["seeds"]) == (1.5, "points", 2)


def test_every_question_is_about_networks_of_its_table():
    for ablation in ablations.ablations():
        assert ablation.paper in {*papers(), ""}
        for name in ablation.networks:
            family, _, changes = name.partition("@")
            architectures.describe(family, **pairs(changes.split(",") if changes else []))
        for item in ablation.comparisons:
            assert {item.ours, item.theirs} <= {*ablation.networks, ablations.FLOOR} and item.ours != item.theirs
            assert item.asks.endswith("?")


@pytest.mark.parametrize("path", sorted(ablations.FOLDER.glob("*.jsonl")), ids=lambda path: path.name)
def test_committed_rows(path):
    """They come from the matrix of their name, from a commit without changes, name no folder, and stay small."""
    assert path.stat().st_size < 2**20
    assert not re.search(r"(?<![\w.])/(tmp|home|root|work|data|mnt)/", path.read_text())
    matrix = tomllib.loads((ablations.FOLDER.parents[1] / f"matrix.{path.stem}.toml").read_text())
    asked = {name for block in matrix["cells"] for name in block["architectures"]}
    (collection,) = (one for one in ablations.collections() if one.name == path.stem)
    for cell in collection.cells:
        assert cell["architecture"].partition("@")[0] in asked
        assert re.fullmatch(r"[0-9a-f]{12}", cell["provenance"]["commit"])
    for line in collection.lines:
        for row in ablations.values(line):
            assert row["low"] is None or row["low"] <= row["high"]


def test_means_and_differences_follow_from_the_cells():
    """A mean over seeds is the mean of the seeds' values; a difference is that of two means."""
    for collection in ablations.collections():
        seeds = {}
        for cell in collection.cells:
            for row in ablations.values(cell):
                place = (ablations.network(cell["architecture"]), cell["dataset"], cell["protocol"], row["metric"])
                seeds.setdefault((*place, row["part"]), []).append(row["value"])
        for place, row in collection.mean.items():
            assert row["value"] == pytest.approx(sum(seeds[place]) / len(seeds[place]), abs=2e-3), place
        for (ours, theirs, *place), row in collection.difference.items():
            expected = collection.mean[ours, *place]["value"] - collection.mean[theirs, *place]["value"]
            assert row["value"] == pytest.approx(expected, abs=2e-3), (ours, theirs, place)


def test_committed_differences_are_of_networks_trained_the_same_way():
    for collection in ablations.collections():
        for ours, theirs, dataset, *_ in collection.difference:
            if theirs != ablations.FLOOR:
                assert collection.ways[ours, dataset] == collection.ways[theirs, dataset], (ours, theirs)
