"""The command line: an exit code for each meaning, one JSON document, errors as sentences, nothing made twice."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import small_bench
from small_bench import TINY, bench, ended, start
from typed import present

from bench.executors import run
from bench.store.store import CELLS, Store
from protocols.datasets.mannequin import people as mannequin


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in, with the tiny recipe; nothing is run by helpers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REPOSE_DATA", raising=False)
    small_bench.recipe(tmp_path)
    return tmp_path


def tiny(name: str, protocol: str, *more: str) -> small_bench.Outcome:
    return bench("run", name, protocol, "--recipe", "tiny.toml", *TINY, *more)


def sentence(outcome: small_bench.Outcome) -> str:
    """The error of a command, after making sure that it is one for people."""
    assert outcome.out == "" and outcome.err and "Traceback" not in outcome.err
    assert len(outcome.err.splitlines()) < 24  # one screen
    return outcome.err


# 0: fine


def test_list_imports_neither_torch_nor_numpy():
    code = """
import sys
from bench.cli.main import main
sys.argv = ["bench", "list"]
assert main() == 0
assert not {"torch", "numpy", "scipy", "cv2"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr
    for name in ("hourglass-8", "mpii-pckh", "mannequin"):
        assert name in done.stdout


def test_list_says_what_is_missing(here):
    found = bench("list", "--json", "--data", "nowhere").json
    assert set(found) == {"architectures", "protocols", "datasets"}
    lacking = {row["name"]: row["missing"] for row in found["datasets"]}
    assert not lacking["mannequin"] and "below nowhere" in lacking["mpii"]


def test_run_prints_rows_and_keeps_them(here):
    first = tiny("mean-pose", "mpii-pckh", "--json")
    assert first.code == 0
    (cell,) = first.json["cells"]
    rows = first.json["measurements"]
    assert {row["cell"] for row in rows} == {cell["cell"]} and {row["source"] for row in rows} == {"measured"}
    assert set(rows[0]) == {
        "architecture", "protocol", "protocol_version", "dataset", "split", "metric", "part", "value", "unit", "low",
        "high", "n", "seed", "cell", "source",
    }  # fmt: skip
    again = tiny("mean-pose", "mpii-pckh")
    assert again.code == 0 and "1 of 1 cells finished (1 were already)" in again.err
    (headline,) = [row for row in rows if (row["metric"], row["part"]) == ("PCKh@0.5", "mean")]
    assert f"{headline['value']:.2f} % [" in again.out and len(again.out.splitlines()) == 1


def test_an_undefined_number_is_null_and_not_nan(here):
    outcome = bench("run", "mean-pose", "*pck*", "--recipe", "tiny.toml", *TINY[:4], "--limit", "1", "--json")
    assert outcome.code == 0 and outcome.json["measurements"]  # NaN is no JSON: reading it would fail


def test_status_follows_a_run(here):
    matrix = small_bench.matrix(here)
    states = [cell["state"] for cell in bench("status", "--matrix", matrix, "--json").json["cells"]]
    assert states == ["missing"] * 5
    assert not (here / "runs").exists()
    tiny("mean-pose", "mpii-pckh")
    said = bench("status", "mean-*", "--matrix", matrix)
    assert said.code == 0 and "● fresh" in said.out and "1 fresh, 2 missing" in said.out
    assert "predictions are there" in said.out  # those of the first protocol serve the second


def test_train_leaves_weights(here):
    outcome = bench("train", "mean-pose", "--recipe", "tiny.toml", "--set", "input=64", "--json")
    assert outcome.code == 0
    assert (Path(outcome.json["weights"]) / "weights.safetensors").is_file()


@pytest.mark.parametrize("words", [("doctor",), ("data", "list"), ("data", "check", "mannequin/val"), ("list",)])
def test_json_is_one_document(here, words):
    outcome = bench(*words, "--json")
    assert outcome.code == 0 and isinstance(outcome.json, dict)
    assert bench(*words).code == 0


def test_the_built_in_people_are_written(here):
    outcome = bench("data", "mannequin", "--out", "people", "--count", "2", "--json")
    assert outcome.code == 0 and outcome.json == {"folder": "people", "people": 2}
    for place in ("mpii/val", "coco/val2017"):
        assert bench("data", "check", place, "--data", "people", "--json").json["people"] == 2
    assert bench("data", "mannequin", "--out", "people", "--count", "0").code == 5


def test_help_and_no_words():
    assert "Usage" in bench("--help").out
    for verb in ("list", "run", "train", "score", "report", "status", "doctor"):
        assert verb in bench("--help").out
        assert bench(verb, "--help").code == 0


# 2: usage or configuration


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "hourglas-1", "complexity"), "Did you mean hourglass-1"),
        (("run", "hourglass-1", "complexty"), "no protocol 'complexty'.*complexity"),
        (("run", "hourglass-1", "mpii-pckh", "--dataset", "mpi"), "no dataset 'mpi'.*mannequin"),
        (("run", "hourglass-1", "mpii-pckh", "--dataset", "mpii/vall"), "no split 'vall'.*val"),
        (("run", "hourglass-1", "complexity", "--set", "input=100"), "multiples of 64"),
        (("run", "hourglass-1", "complexity", "--set", "width"), "name=value"),
        (("run", "hourglass-1", "mpii-pckh", "--recipe", "nobody2020"), "no recipe 'nobody2020'.*newell2016"),
        (("run", "hourglass-1", "mpii-pckh", "--budget", "fast"), "no budget 'fast'"),
        (("run", "hourglass-1", "complexity", "--seed", "-1"), "--seed"),
        (("run", "hourglass-1", "complexity", "--limit", "-1"), "--limit"),
        (("run", "--set", "width=0.5"), "need a protocol"),
        (("run", "--matrix", "nowhere.toml"), "no such matrix.*--matrix"),
        (("status", "--matrix", "nowhere.toml"), "no such matrix"),
        (("train", "hourglass-1", "mannequi"), "no dataset 'mannequi'"),
        (("train", "hourglas-1"), "Did you mean"),
        (("score", "file.npz", "--protocol", "complexity"), "no protocol 'complexity' for prediction files"),
        (("data", "check", "mpi"), "no dataset 'mpi'"),
        (("lst",), "lst"),
        (("list", "--jsn"), "--jsn"),
        (("run", "net.py:tiny", "complexity"), "net.py.*no such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_usage_errors(here, words, said):
    outcome = bench(*words)
    assert outcome.code == 2
    assert re.search(said, sentence(outcome), re.DOTALL)
    assert not (here / "runs" / "cells").exists()


def test_an_accelerator_that_is_not_there(here, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    outcome = tiny("mean-pose", "mpii-pckh", "--device", "cuda")
    assert outcome.code == 2 and "torch sees no accelerator" in sentence(outcome)


def test_an_option_that_no_network_has(here):
    outcome = bench("run", "mean-pose", "mpii-pckh", "--recipe", "tiny.toml", "--set", "widht=1", "--jobs", "1")
    assert outcome.code == 2 and "no option 'widht'" in outcome.err and "Traceback" not in outcome.err


# 3: a cell failed


def test_a_cell_that_raises(here, monkeypatch):
    finish = run.finish

    def broken(task, place):
        if task.cell.protocol == "mpii-pckh":
            raise ZeroDivisionError("a defect")
        finish(task, place)

    monkeypatch.setattr(run, "finish", broken)
    outcome = tiny("mean-pose", "*pck*", "--jobs", "1", "--json")
    assert outcome.code == 3
    assert {row["protocol"] for row in outcome.json["measurements"]} == {"lsp-pck", "lsp-pckh"}
    assert any("failed: ZeroDivisionError: a defect" in text for text in outcome.json["warnings"])
    assert "Traceback" not in outcome.err
    debugged = tiny("mean-pose", "mpii-pckh", "--jobs", "1", "--debug")
    assert debugged.code == 3 and "Traceback" in debugged.err


# 4: nothing was run


@pytest.mark.parametrize("words", [("wrn-28-10", "mpii-pckh"), ("hourglass-1", "coco-ap", "--dataset", "lsp")])
def test_nothing_to_run(here, words):
    outcome = bench("run", *words)
    assert outcome.code == 4 and "Nothing to run" in sentence(outcome)


def test_a_matrix_without_the_architecture(here):
    outcome = bench("run", "prm*", "--matrix", small_bench.matrix(here))
    assert outcome.code == 4 and "Nothing to run" in sentence(outcome)


# 5: data or weights missing or wrong


def test_missing_data_blocks_its_cells_alone(here):
    matrix = here / "two.toml"
    matrix.write_text(
        '[[cells]]\narchitectures = ["mean-pose"]\nprotocols = ["mpii-pckh", "complexity"]\ndatasets = ["mpii"]'
    )
    outcome = bench("run", "--matrix", matrix, "--jobs", "1")
    assert outcome.code == 5
    assert "blocked: mpii: the annotation was not found" in outcome.err and "--data DIR" in outcome.err
    assert "1 of 2 cells finished" in outcome.err and "complexity" in outcome.out


def test_missing_weights(here):
    outcome = tiny("hourglass-1", "mpii-pckh", "--weights", "nowhere.safetensors")
    assert outcome.code == 5 and "nowhere.safetensors" in outcome.err


def predictions(here: Path, shape: tuple[int, ...], value: float = 100.0) -> Path:
    path = here / "predictions.npz"
    np.savez(path, keypoints=np.full(shape, value))
    return path


@pytest.mark.parametrize("shape", [(1024, 16), (1024, 14, 2), (1023, 16, 2), (2, 16, 1024), (0, 16, 2)])
def test_predictions_of_another_shape(here, shape):
    outcome = bench("score", predictions(here, shape), "--protocol", "mpii-pckh", "--dataset", "mannequin")
    assert outcome.code == 5 and "predictions.npz" in sentence(outcome)
    assert "expected" in outcome.err and "1024" in outcome.err
    assert not (here / "runs").exists()


def test_predictions_that_are_no_numbers(here):
    path = predictions(here, (1024, 16, 2), np.nan)
    outcome = bench("score", path, "--protocol", "mpii-pckh", "--dataset", "mannequin")
    assert outcome.code == 5 and "predictions.npz" in sentence(outcome)


@pytest.mark.parametrize("name", ["p.npz", "p.json", "p.h5", "p.mat", "p.npy", "p.txt", "nowhere.npz"])
def test_predictions_that_are_none(here, name):
    if name != "nowhere.npz":
        (here / name).write_bytes(b"\x00 not what the name says")
    outcome = bench("score", name, "--protocol", "mpii-pckh", "--dataset", "mannequin")
    assert outcome.code == 5 and name in sentence(outcome)


def test_a_good_file_is_scored_and_kept_under_a_name_of_its_own(here):
    people = mannequin.people("val")
    path = here / "predictions.npz"
    np.savez(path, keypoints=people.keypoints)
    name = "../../<script>alert(1)</script>"
    outcome = bench("score", path, "--protocol", "mpii-pckh", "--dataset", "mannequin", "--name", name, "--json")
    assert outcome.code == 0
    values = {(row["metric"], row["part"]): row for row in outcome.json["measurements"]}
    row = values["PCKh@0.5", "mean"]
    assert (row["value"], row["source"], row["architecture"]) == (100.0, "predictions", name)
    assert len(Store(here / "runs").keys(CELLS)) == 1  # by its key: the name makes no path
    assert {path.name for path in here.iterdir()} == {"predictions.npz", "runs", "tiny.toml"}


def test_the_authors_predictions_of_newell_2016(here, real_data):
    """The released predictions of the paper's network score near 88.04 on the validation people of MPII."""
    file = real_data / "mpii" / "newell2016_hourglass_valid_predictions.h5"
    if not file.exists():
        pytest.skip("the authors' predictions are not there")
    outcome = bench("score", file, "--protocol", "mpii-pckh", "--data", real_data, "--json")
    assert outcome.code == 0
    values = {(row["metric"], row["part"]): row for row in outcome.json["measurements"]}
    assert values["PCKh@0.5", "mean"]["value"] == pytest.approx(88.04, abs=0.01)


# 130: interrupted, and other processes


@pytest.mark.slow
def test_ctrl_c_in_the_middle_of_a_training(here):
    endless = (here / "tiny.toml").read_text().replace("steps = 4", "steps = 1000000")
    (here / "endless.toml").write_text(endless)
    words = ("--recipe", "endless.toml", *TINY, "--jobs", "2", "--json")
    process = start("run", "hourglass-*", "mpii-pckh", *words)  # two trainings at once
    for line in present(process.stderr):
        if "crops  done" in line:
            break
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    outcome = ended(process)
    assert outcome.code == outcome.json["exit_code"] == 130
    assert "Finished work is kept" in outcome.err and "Traceback" not in outcome.err
    assert Store(here / "runs").keys("prepared") and not Store(here / "runs").keys("weights")


@pytest.mark.slow
def test_two_runs_on_one_matrix_share_the_work(here):
    matrix = small_bench.matrix(here)
    first, second = (start("run", "--matrix", matrix, "--jobs", "1", "--json") for _ in range(2))
    outcomes = [ended(first), ended(second)]
    assert [outcome.code for outcome in outcomes] == [0, 0]
    assert outcomes[0].json["measurements"] and len(outcomes[0].json["cells"]) == len(outcomes[1].json["cells"]) == 5
    talk = outcomes[0].err + outcomes[1].err
    assert talk.count("hourglass-1@input=64,width=0.0625 on mannequin/train") == 1  # trained once
    for name in ("mean-pose", "hourglass-1"):
        assert talk.count(f"{name}@input=64,width=0.0625 predicts") == 1
    store = Store(here / "runs")
    assert [len(list((store.root / kind).iterdir())) for kind in ("weights", "predictions", CELLS)] == [2, 2, 5]


# what a run says while it works


WORK = "import time\nfrom bench.progress import step\nwith step('crops') as update:\n    "


def test_progress_without_a_terminal_is_plain_lines():
    code = f"from bench import progress; progress.LINE_EVERY = 0\n{WORK}update(1, 2, 'loss 0.5'); update(2, 2)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[:2] == ["crops  1/2  loss 0.5", "crops  2/2"] and lines[2].startswith("crops  done in")
    assert "\x1b" not in done.stderr


def on_a_terminal(**changes: str) -> str:
    """What a step writes to a terminal."""
    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **changes}
    if not changes:
        environment.pop("NO_COLOR", None)
    process = subprocess.Popen([sys.executable, "-c", f"{WORK}update(1, 2, 'loss 0.5')"], stderr=child, env=environment)
    os.close(child)
    written = b""
    while True:
        try:
            part = os.read(parent, 4096)
        except OSError:  # the terminal is closed
            break
        if not part:
            break
        written += part
    os.close(parent)
    assert process.wait() == 0
    return written.decode()


def test_progress_on_a_terminal_is_a_bar():
    written = on_a_terminal()
    assert "1/2" in written and "loss 0.5" in written and re.search(r"\x1b\[[0-9;]*3[0-9;]*m", written)


def test_no_color_is_respected():
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]*m|38;", on_a_terminal(NO_COLOR="1"))


@pytest.mark.parametrize("words", [("list",), ("status", "--json")], ids=["more than a pipe holds", "one line"])
def test_a_reader_that_goes_away_is_no_error(here, words):
    process = start(*words, "--data", "nowhere", *(("--matrix", small_bench.matrix(here)) if "status" in words else ()))
    present(process.stdout).close()
    process.stdout = None
    _, errors = process.communicate(timeout=300)
    assert errors == "" and process.returncode == 0
