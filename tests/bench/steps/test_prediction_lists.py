"""Lists of prediction files: who made them, what is skipped, and that no other file passes under a method's name."""

import json
import shutil
import tomllib

import numpy as np
import pytest
from small_bench import bench

from bench.cells.record import read_all
from bench.store.digests import file_digest
from bench.store.store import CELLS, Store
from protocols.datasets.mannequin import people as mannequin
from reports.data.methods import FILE as METHODS
from reports.data.methods import methods

PIXELS = {"bulat2016": 1, "wei2016": 4}


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Predictions of two methods on mannequins, and a list of them."""
    monkeypatch.chdir(tmp_path)
    people = mannequin.people("val")
    for at, (method, pixels) in enumerate(PIXELS.items()):
        noise = np.random.default_rng(at).normal(0, pixels, people.keypoints.shape)
        np.savez(tmp_path / f"{method}.npz", keypoints=people.keypoints + noise, origin=0)
    write(tmp_path)
    return tmp_path


def write(folder, **changes):
    rows = [
        {"file": f"{method}.npz", "sha256": file_digest(folder / f"{method}.npz"), "method": method,
         "protocols": ["lsp-pck", "lsp-pcp"], "dataset": "mannequin/val", "origin": "a test"} | changes
        for method in PIXELS
    ]  # fmt: skip
    lines = [["[[predictions]]", *(f"{name} = {json.dumps(value)}" for name, value in row.items())] for row in rows]
    (folder / "mine.toml").write_text("\n".join(line for row in lines for line in row))


def score(*words):
    return bench("score", "--list", "mine.toml", "--data", ".", *words)


def test_every_file_is_scored_under_its_protocols(data):
    outcome = score("--json")
    assert outcome.code == 0, outcome.err
    headlines = {(row["architecture"], row["metric"]): row["value"] for row in outcome.json["measurements"]
                 if row["part"] == "mean" and row["metric"] in ("PCK@0.2", "PCP")}  # fmt: skip
    alone = bench("score", "wei2016.npz", "--protocol", "lsp-pck", "--dataset", "mannequin", "--json").json
    (mean,) = (row for row in alone["measurements"] if (row["metric"], row["part"]) == ("PCK@0.2", "mean"))
    assert len(headlines) == 4 and headlines["wei2016", "PCK@0.2"] == mean["value"]
    records = read_all(Store(data / "runs"), Store(data / "runs").keys(CELLS))[0].values()
    assert sorted(record.method for record in records) == ["", *sorted(2 * [*PIXELS])]
    assert alone["cells"][0]["method"] == "", "nobody said who made it"


def test_what_is_not_there_is_skipped_with_a_reason(data):
    (data / "wei2016.npz").unlink()
    outcome = score("--json")
    assert outcome.code == 0
    assert [item["file"] for item in outcome.json["skipped"]] == ["wei2016.npz"]
    (data / "bulat2016.npz").unlink()
    outcome = score()
    assert outcome.code == 4 and "bulat2016.npz is not there" in outcome.err


def test_another_file_under_a_name_is_refused_by_its_digest(data):
    shutil.copy(data / "wei2016.npz", data / "other.npz")
    shutil.move(data / "bulat2016.npz", data / "wei2016.npz")
    shutil.move(data / "other.npz", data / "bulat2016.npz")
    outcome = score("--json")
    assert outcome.code == 5 and not outcome.json["measurements"]
    assert all("is not the file that the list means" in item["why"] for item in outcome.json["refused"])


def test_a_file_that_cannot_be_scored_stops_no_other(data):
    np.savez(data / "bulat2016.npz", keypoints=np.zeros((3, 14, 2)))
    write(data)
    outcome = score("--json")
    assert outcome.code == 5 and {row["architecture"] for row in outcome.json["measurements"]} == {"wei2016"}
    assert "3x14x2" in outcome.json["refused"][0]["why"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file": "../a.npz"}, "leads out of the folder"),
        ({"file": "/a.npz"}, "leads out of the folder"),
        ({"sha": "a"}, "unknown field"),
        ({"method": 3}, r"Expected `str`"),
    ],
)
def test_wrong_lists_are_sentences(data, changes, message):
    write(data, **changes)
    outcome = score()
    assert outcome.code == 2 and message in outcome.err


def test_a_list_stands_alone_and_may_be_that_of_the_papers(data):
    assert bench("score", "wei2016.npz", "--list", "mine.toml").code == 2
    assert bench("score", "wei2016.npz").code == 2
    outcome = bench("score", "--list", "predictions.toml", "--data", ".")
    assert outcome.code == 4 and outcome.err.count("is not there") == 16
    assert bench("score", "--list", "no.toml").code == 5


def test_an_unknown_method_is_said_with_the_nearest(data):
    outcome = bench("score", "wei2016.npz", "--protocol", "lsp-pck", "--dataset", "mannequin", "--method", "wei2061")
    assert outcome.code == 0 and "'wei2061' is no method of methods.toml" in outcome.err
    assert "Is wei2016 meant?" in outcome.err


def test_methods_have_keys_of_their_own():
    found = methods()
    assert found["liu2018-ioi"].architecture == "liu-ioi" and found["bulat2016"].architecture == ""
    assert found["bulat2016"].short == "Bulat & Tzimiropoulos 2016" and found["wei2016"].short == "Wei et al. 2016"
    assert len(found) == sum(1 + len(item.get("variants", {})) for item in tomllib.loads(METHODS.read_text()).values())


def test_a_published_file_under_another_method_is_refused(data, real_data):
    file = real_data / "lsp/wei2016_cpm_lsp_test_predictions.mat"
    outcome = bench("score", file, "--protocol", "lsp-pck", "--data", real_data, "--method", "bulat2016")
    assert outcome.code == 5 and "by its SHA-256 it is what wei2016 predicted" in outcome.err
