"""`bench score`: what it says it read, parts of a split, variants that a cell keeps, and two of anything compared."""

import csv
import re
import subprocess
import sys

import numpy as np
import pytest
import scipy.io
from small_bench import TINY, bench, recipe

from bench.store.store import CELLS, Store
from protocols.datasets import lspet
from protocols.datasets.mannequin import people as mannequin
from protocols.datasets.mannequin.export import export
from protocols.joints import occluded_limb
from protocols.statistics.bootstrap import paired_difference

FEW = 12


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def noisy(path, pixels, count=FEW, skeleton="mpii", seed=0):
    people = mannequin.people("val", skeleton=skeleton, count=count)
    noise = np.random.default_rng(seed).normal(0, pixels, people.keypoints.shape)
    np.savez(path, keypoints=people.keypoints + noise, origin=0)
    return path


def score(path, *words):
    return bench("score", path, "--protocol", "mpii-pckh", "--dataset", "mannequin", *words)


def test_what_was_read_is_said(here):
    outcome = score(noisy(here / "a.npz", 3), "--limit", FEW, "--json")
    assert outcome.code == 0, outcome.err
    truth = mannequin.people("val", count=FEW)
    read = outcome.json["read"]
    assert read["predictions"] == {"people": FEW, "array": "keypoints", "frame": "counted from 0"}
    assert read["annotation"]["fingerprint"] == truth.fingerprint
    assert outcome.json["cells"][0]["conditions"]["people"] == f"first {FEW}"
    assert outcome.json["measurements"][0]["dataset"] == "mannequin"
    said = score(here / "a.npz", "--limit", FEW)
    assert f"predictions: people {FEW}, array keypoints, frame counted from 0" in said.err


def test_a_folder_in_place_of_a_file_is_called_one(here):
    (here / "out").mkdir()
    (here / "out" / "a_keypoints.json").write_text("{}")
    outcome = score(here / "out", "--limit", FEW)
    assert outcome.code == 5 and "is a folder" in outcome.err
    assert "OpenPose" in outcome.err and "numpy.savez" in outcome.err


def test_a_file_scored_again_shows_what_was_found_now(here):
    """Rows that another reader of the file has stored, or somebody's editor, are replaced."""
    first = score(noisy(here / "a.npz", 3), "--limit", FEW, "--json")
    (rows,) = here.glob("runs/cells/*/measurements.jsonl")
    rows.write_text(re.sub(r'"value":[0-9.]+', '"value":1.0', rows.read_text()))
    again = score(here / "a.npz", "--limit", FEW, "--json")
    assert again.json["measurements"] == first.json["measurements"]
    assert '"value":1.0,' not in rows.read_text().replace('"value":100.0', "")


def test_scoring_a_file_imports_no_heavy_library(here):
    """Torch takes a second to import, scipy.stats most of one; neither scores keypoints."""
    noisy(here / "a.npz", 3)
    heavy = ("torch", "scipy.stats", "pandas", "matplotlib")
    code = f"""
import sys
from bench.cli.main import main
sys.argv = "bench score a.npz --protocol mpii-pckh --dataset mannequin --limit {FEW}".split()
assert main() == 0
print("imported:", [name for name in {heavy} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "imported: []" in done.stdout, done.stdout + done.stderr


def test_a_part_of_a_split_needs_its_limit(here):
    outcome = score(noisy(here / "a.npz", 3))
    assert outcome.code == 5 and "there are 1024 people" in outcome.err
    assert score(here / "a.npz", "--limit", FEW + 1).code == 5


def test_a_thousand_of_lspet(here, real_data):
    """The hold-out are the rows 9000 to 9999 (from 0) of the file; all 10,000 are refused with that sentence."""
    whole = np.concatenate([lspet.people(split, real_data).keypoints for split in ("train", "holdout")])
    scipy.io.savemat("held.mat", {"pred": whole[9000:].transpose(1, 2, 0)})
    scipy.io.savemat("all.mat", {"pred": whole.transpose(1, 2, 0)})
    words = ("--protocol", "lsp-pck", "--dataset", "lspet", "--data", real_data)
    good = bench("score", "held.mat", *words, "--json")
    assert good.code == 0, good.err
    headline = next(r for r in good.json["measurements"] if (r["metric"], r["part"]) == ("PCK@0.2", "mean"))
    assert headline["value"] == 100 and headline["split"] == "holdout"
    refused = bench("score", "all.mat", *words)
    assert refused.code == 5 and "rows 9000 to 9999" in refused.err


def test_exported_people_are_scored_under_every_protocol(here):
    export(here / "data", FEW)
    for protocol, skeleton in (("mpii-pckh", "mpii"), ("lsp-pck", "lsp"), ("lsp-pcp", "lsp")):
        path = noisy(here / f"{skeleton}.npz", 0, skeleton=skeleton)
        outcome = bench("score", path, "--protocol", protocol, "--data", here / "data", "--json")
        assert outcome.code == 0, outcome.err
        assert outcome.json["read"]["annotation"]["people"] == FEW
        means = {row["metric"]: row["value"] for row in outcome.json["measurements"] if row["part"] == "mean"}
        assert all(value > 99 for metric, value in means.items() if metric != "AUC"), means


def test_a_file_scored_again_keeps_its_first_record(here):
    """One cell: its date stays, and so do the bytes."""
    first, again = (score(noisy(here / "a.npz", 3), "--limit", FEW, "--json").json for _ in range(2))
    assert first["measurements"] == again["measurements"] and first["cells"] == again["cells"]
    (key,) = Store(here / "runs").keys(CELLS)
    assert Store(here / "runs").read(CELLS, key, "cell.json", dict) == first["cells"][0]


def test_variants_are_kept_with_the_cell(here):
    outcome = score(noisy(here / "a.npz", 3), "--limit", FEW, "--json")
    (key,) = (cell["cell"] for cell in outcome.json["cells"])
    with (Store(here / "runs").folder(CELLS, key) / "variants.csv").open() as file:
        kept = list(csv.DictReader(file))
    asked = score(here / "a.npz", "--limit", FEW, "--variants", "--json").json["variants"]
    assert [{name: str(value) for name, value in row.items()} for row in asked] == kept
    assert "variants" not in outcome.json
    assert bench("report", "--matrix", "none.toml", "--out", here / "site").code == 0
    page = here / f"site/cells/{key}.html"
    eleven = next(row for row in asked if row["convention"] == "threshold 0.11")
    assert re.search(rf">{eleven['value']:.2f}</td>\s*<td[^>]*>{eleven['standard']:.2f}</td>", page.read_text())


def test_a_file_minus_another_and_minus_itself(here):
    ours, theirs = noisy(here / "a.npz", 3), noisy(here / "b.npz", 9)
    outcome = score(ours, "--against", theirs, "--limit", FEW, "--json").json
    means = [
        next(r["value"] for r in score(path, "--limit", FEW, "--json").json["measurements"] if r["part"] == "mean")
        for path in (ours, theirs)
    ]
    found = next(row for row in outcome["difference"] if (row["metric"], row["part"]) == ("PCKh@0.5", "mean"))
    assert found["value"] == pytest.approx(means[0] - means[1])
    assert found["low"] < found["value"] < found["high"]
    same = score(ours, "--against", ours, "--limit", FEW, "--json").json["difference"]
    assert all(row["value"] == row["low"] == row["high"] == 0 for row in same)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two tiny networks under occluded-limb, two seeds each; one of them also under mpii-pckh."""
    folder = tmp_path_factory.mktemp("two")
    words = (*TINY, "--recipe", recipe(folder), "--device", "cpu", "--jobs", "1", "--store", folder / "runs")
    for cells in (
        ("hourglass-1", "occluded-limb", "--seed", "0", "--seed", "1"),
        ("mean-pose", "occluded-limb", "--seed", "0", "--seed", "1"),
        ("hourglass-1", "mpii-pckh"),
    ):
        outcome = bench("run", *cells, *words)
        assert outcome.code == 0, outcome.err
    return Store(folder / "runs")


def compare(store, *words):
    return bench("score", *words, "--protocol", "occluded-limb", "--store", store.root)


def test_two_networks_under_occluded_limb(two):
    """The interval is that of both sides' seeds: people are drawn together, seeds of each side apart."""
    words = ("hourglass-1@*", "--against", "mean-pose@*")
    outcome = compare(two, *words, "--json")
    assert outcome.code == 0, outcome.err
    documents = [two.read(CELLS, key, "cell.json", dict) for key in two.keys(CELLS)]
    documents = [document for document in documents if document["conditions"]["protocol"] == "occluded-limb"]
    sides = []
    for name in ("hourglass-1", "mean-pose"):
        mine = sorted((d for d in documents if d["architecture"].startswith(name)), key=lambda d: d["seed"])
        files = [np.load(two.folder(CELLS, d["cell"]) / "samples.npz") for d in mine]
        sides.append([occluded_limb.tally(dict(file)) for file in files])
    assert [len(side) for side in sides] == [2, 2]
    expected = {(v.metric, v.part): v for v in paired_difference(*sides)}
    found = {(row["metric"], row["part"]): row for row in outcome.json["difference"]}
    assert set(found) == set(expected) and ("drop", "ankle covered") in found
    for place, row in found.items():
        value = expected[place]
        assert (row["value"], row["low"], row["high"]) == (value.value, value.low, value.high)
    assert [cell["seed"] for cell in outcome.json["cells"]] == [0, 1]
    assert len(outcome.json["against"]) == 2
    text = compare(two, *words)
    assert "difference drop         ankle covered" in text.out and "minus mean-pose" in text.err


def test_cells_are_named_without_doubt(two, tmp_path):
    outcome = compare(two, "hourglass-1@*", "--against", "mean-pose@*", "--json")
    key = outcome.json["cells"][0]["cell"]
    one = compare(two, key[:8], "--against", key[:8], "--json")
    assert one.code == 0 and {row["value"] for row in one.json["difference"]} == {0}
    several = compare(two, "*", "--against", "mean-pose@*")
    assert several.code == 4 and "2 kinds of finished cells" in several.err and "hourglass-1@" in several.err
    nobody = compare(two, "mspn-1", "--against", "mean-pose@*")
    assert nobody.code == 4 and "no kinds of finished cells" in nobody.err
    alone = compare(two, "hourglass-1@*")
    assert alone.code == 5 and "--against" in alone.err
    file = compare(two, noisy(tmp_path / "a.npz", 3))
    assert file.code == 2 and "needs a network" in file.err


def test_a_file_against_a_measured_network(two, tmp_path):
    file = noisy(tmp_path / "a.npz", 3, count=8)
    outcome = score(file, "--limit", "8", "--against", "hourglass-1@*", "--store", two.root, "--json")
    assert outcome.code == 0, outcome.err
    found = next(row for row in outcome.json["difference"] if (row["metric"], row["part"]) == ("PCKh@0.5", "mean"))
    assert found["low"] > 0
