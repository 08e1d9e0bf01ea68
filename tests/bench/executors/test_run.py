"""Runs: what fails does not stop the rest, what is there is not made again, and two runs share the work."""

import errno
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_bench
from typed import present

from bench.cells.cell import Cell
from bench.cells.plan import FRESH, plan
from bench.cells.record import read
from bench.context import RunContext
from bench.errors import EXPECTED
from bench.executors import run
from bench.steps import pipeline as steps
from bench.steps import predict
from bench.store.store import CELLS, PREDICTIONS, PREPARED, WEIGHTS, Store
from bench.training import prepare, train

NOWHERE = Path("nowhere")
KINDS = (PREPARED, WEIGHTS, PREDICTIONS, CELLS)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Path:
    """A store with nothing but the crops of the training people."""
    root = tmp_path_factory.mktemp("prepared") / "runs"
    source = prepare.Source("mannequin", "train", NOWHERE, "mpii", small_bench.PEOPLE)
    prepare.prepare(Store(root), source, (64, 64), lambda done, total: None)
    return root


@pytest.fixture
def store(prepared, tmp_path) -> Store:
    return Store(Path(shutil.copytree(prepared, tmp_path / "runs")))


@pytest.fixture
def cells(tmp_path) -> list[Cell]:
    """The mean pose and a tiny hourglass under two protocols, and the mean pose again, counted."""
    tiny = {"overrides": {"input": 64, "width": 0.0625}, "recipe": small_bench.recipe(tmp_path), "limit": 8}
    pose = [
        Cell(name, protocol, "mannequin", "val", **tiny)
        for protocol in ("mpii-pckh", "lsp-pck")
        for name in ("mean-pose", "hourglass-1")
    ]
    return [*pose, Cell("mean-pose", "complexity")]


def attempt(cells: list[Cell], store: Store, debug: bool = False) -> tuple[list, list]:
    return run.run(plan(cells, store, NOWHERE), RunContext(store, NOWHERE, "cpu", debug))


def counts(store: Store) -> list[int]:
    """How many folders of each kind are there, hidden ones included."""
    return [len(list((store.root / kind).glob("*"))) for kind in KINDS]


def test_a_run_makes_every_step_once(store, cells, capsys):
    done, failed = attempt(cells, store)
    assert [task.cell for task in done] == cells and not failed
    assert counts(store) == [2, 2, 2, 5]  # crops to train and to validate on; protocols share trainings and predictions
    assert not list((store.root / "work").iterdir()) and not (store.root / "failed").exists()
    assert capsys.readouterr().out == ""  # talk goes to stderr


def test_the_second_run_makes_nothing(store, cells, monkeypatch):
    attempt(cells, store)
    files = {path: path.stat().st_mtime_ns for path in store.root.rglob("*") if path.is_file()}
    monkeypatch.setattr(run, "finish", None)
    done, failed = attempt(cells, store)
    assert [task.state for task in done] == [FRESH] * 5 and not failed
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*") if path.is_file()} == files


def test_what_a_cell_keeps(store, cells):
    (task,), _ = attempt(cells[1:2], store)
    record = read(store, task.key)
    assert record.inputs == task.inputs and record.conditions.people == "first 8"
    assert set(record.provenance.seconds) >= {"prepare", "train", "predict", "score"}
    folder = store.folder(CELLS, task.key)
    assert {path.name for path in folder.iterdir()} == {
        "cell.json", "measurements.jsonl", "curve.csv", "samples.npz", "gallery.webp", "history.csv", "log.txt",
        "digests",
    }  # fmt: skip
    (trained, predicted) = (folder / "log.txt").read_text().splitlines()[-2:]
    assert "on mannequin/train" in trained and "predicts mannequin/val  done in" in predicted


def test_numbers_do_not_depend_on_the_run(store, cells, tmp_path, prepared):
    other = Store(Path(shutil.copytree(prepared, tmp_path / "other")))
    (first,), _ = attempt(cells[1:2], store)
    (second,), _ = attempt(cells[1:2], other)
    assert first.key == second.key
    for name in ("measurements.jsonl", "samples.npz"):
        contents = [(place.folder(CELLS, first.key) / name).read_bytes() for place in (store, other)]
        assert contents[0] == contents[1], name


def test_a_cell_that_raises_does_not_stop_the_others(store, cells, monkeypatch, capsys):
    score = steps.score.score_predictions

    def broken(protocol, predictions, people, options):
        if protocol.name == "mpii-pckh":
            raise ZeroDivisionError("a defect of ours")
        return score(protocol, predictions, people, options)

    monkeypatch.setattr(steps.score, "score_predictions", broken)
    done, failed = attempt(cells, store)
    assert [task.cell for task in done] == cells[2:]
    assert [task.cell for task, _ in failed] == cells[:2]
    assert all(why == "ZeroDivisionError: a defect of ours" for _, why in failed)
    assert "Traceback" not in capsys.readouterr().err
    assert "done in" in store.failure(failed[0][0].key).log, "what was done until then"
    states = [task.state for task in plan(cells, store, NOWHERE)]
    assert states == ["failed", "failed", "fresh", "fresh", "fresh"]
    monkeypatch.undo()
    done, failed = attempt(cells, store)
    assert len(done) == 5 and not failed
    assert not list((store.root / "failed").iterdir())


def test_debug_lets_defects_through(store, cells, monkeypatch):
    monkeypatch.setattr(run, "finish", lambda task, bench: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        attempt(cells, store, debug=True)


def test_blocked_cells_are_left_out(store, cells):
    done, failed = attempt([replace(cells[0], dataset="mpii"), cells[4]], store)
    assert [task.cell for task in done] == cells[4:] and not failed


def test_a_full_disk_fails_the_cells_and_keeps_the_store_whole(store, cells, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    done, failed = attempt(cells, store)
    assert not done and len(failed) == 5
    assert all("No space left" in why and "finished work is kept" in why for _, why in failed)
    assert counts(store) == [1, 0, 0, 0]
    monkeypatch.undo()
    done, failed = attempt(cells, store)
    assert len(done) == 5 and not failed


def test_a_store_that_cannot_be_written(store, cells, monkeypatch, capsys):
    attempt(cells[:1], store)
    mkdir, opened = Path.mkdir, Path.open

    def refuse(original):
        def refused(path, mode="r", *arguments, **options):
            if path.is_relative_to(store.root) and (original is mkdir or "r" not in str(mode)):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            return original(path, mode, *arguments, **options)

        return refused

    monkeypatch.setattr(Path, "mkdir", refuse(mkdir))
    monkeypatch.setattr(Path, "open", refuse(opened))
    done, failed = attempt(cells, store)
    assert [task.cell for task in done] == cells[:1]  # what is finished can still be read
    assert len(failed) == 4 and all("read-only" in why for _, why in failed)
    assert "the reason could not be stored" in capsys.readouterr().err


def test_a_store_that_vanishes(store, cells, monkeypatch):
    predicted = steps.predict

    def vanish(*arguments):
        predictions = predicted(*arguments)
        shutil.rmtree(store.root)
        return predictions

    monkeypatch.setattr(steps, "predict", vanish)
    done, failed = attempt(cells, store)
    assert len(done) + len(failed) == 5 and cells[4] in [task.cell for task in done]
    assert all("No such file" in why for _, why in failed)


def test_an_interrupt_passes_through_and_finished_steps_stay(store, cells, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "predict", interrupted)
    with pytest.raises(KeyboardInterrupt):
        attempt(cells, store)
    assert counts(store) == [1, 1, 0, 0]
    assert plan(cells, store, NOWHERE)[0].step == "predict"


def test_an_interrupted_training_is_continued(store, cells, monkeypatch):
    monkeypatch.setattr(train, "CHECKPOINT_SECONDS", -1.0)
    step, calls = train._step, []

    def interrupted(*arguments):
        if len(calls) == 3:
            calls.append("interrupt")
            raise KeyboardInterrupt
        calls.append("step")
        return step(*arguments)

    monkeypatch.setattr(train, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        attempt(cells[1:2], store)
    done, failed = attempt(cells[1:2], store)
    assert len(done) == 1 and not failed
    assert calls == ["step"] * 3 + ["interrupt"] + ["step"]  # four steps in all, none twice


def test_a_cell_that_another_process_works_on_is_left_for_last(store, cells, monkeypatch):
    key = plan(cells[:1], store, NOWHERE)[0].key
    code = f"""
import sys
from pathlib import Path
from bench.store.store import CELLS, Store
with Store(Path({str(store.root)!r})).lock(CELLS, {key!r}, wait=True):
    print("mine", flush=True)
    sys.stdin.read()
"""
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert present(other.stdout).readline() == "mine\n"
    finish, order = run.finish, []

    def noted(task, bench):
        order.append(task.cell)
        finish(task, bench)
        if task.cell == cells[4]:
            other.communicate()  # it ends, and lets go

    monkeypatch.setattr(run, "finish", noted)
    done, _ = attempt(cells, store)
    assert order == [*cells[1:], cells[0]] and len(done) == 5


def test_what_another_process_finished_meanwhile_is_not_made_again(store, cells, monkeypatch):
    tasks = plan(cells[4:], store, NOWHERE)  # planned before, run after the other one finished
    attempt(cells[4:], store)
    monkeypatch.setattr(run, "finish", None)
    done, failed = run.run(tasks, RunContext(store, NOWHERE, "cpu"))
    assert len(done) == 1 and not failed


def test_released_weights_are_used_as_they_are(store, cells, tmp_path):
    (trained,), _ = attempt(cells[1:2], store)
    file = next((store.root / WEIGHTS).glob("*/weights.safetensors"))
    weights = shutil.copy(file, tmp_path / "released.safetensors")
    released = replace(cells[1], weights=str(weights))
    (task,), failed = attempt([released], store)
    assert not failed and task.key != trained.key
    samples = [np.load(store.folder(CELLS, key) / "samples.npz") for key in (trained.key, task.key)]
    assert all(np.array_equal(samples[0][name], samples[1][name], equal_nan=True) for name in samples[0].files)


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 a zip that is none"])
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_weights_that_are_none_fail_with_a_sentence(store, cells, tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    done, failed = attempt([replace(cells[1], weights=str(tmp_path / name))], store)
    assert not done
    assert "cannot be read as weights" in failed[0][1]


def test_expected_errors_are_those_that_explain_themselves():
    assert OSError in EXPECTED and KeyboardInterrupt not in EXPECTED


def test_train_only_shares_its_weights_with_runs(store, cells):
    here = RunContext(store, NOWHERE, "cpu")
    document = steps.train_only(here, "hourglass-1", cells[1].overrides, "mannequin", 0, recipe=cells[1].recipe)
    assert plan(cells[1:2], store, NOWHERE)[0].step == "predict"
    assert Path(document["weights"]).parent.name == WEIGHTS and document["architecture"] == cells[1].row.name


def test_shards_left_by_a_killed_prediction_are_used(store, cells, monkeypatch):
    monkeypatch.setattr(predict, "SHARD", 4)
    rows = predict._predict_rows
    seen = []

    def interrupted(network, people, chosen, *rest):
        seen.append(chosen.start)
        if seen == [0, 4]:
            raise KeyboardInterrupt
        return rows(network, people, chosen, *rest)

    monkeypatch.setattr(predict, "_predict_rows", interrupted)
    with pytest.raises(KeyboardInterrupt):
        attempt(cells[1:2], store)
    attempt(cells[1:2], store)
    assert seen == [0, 4, 4]


def test_seeds_give_other_weights(store, cells):
    attempt([cells[1], replace(cells[1], seed=1)], store)
    files = sorted((store.root / WEIGHTS).glob("*/weights.safetensors"))
    assert len(files) == 2 and files[0].read_bytes() != files[1].read_bytes()
