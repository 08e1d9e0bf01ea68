"""Curves for TensorBoard: a sentence where its package is absent; where it is there, its own reader finds them."""

from pathlib import Path

import pandas as pd
import pytest
import small_bench

from bench.context import RunContext
from bench.errors import USAGE, Problem
from bench.executors.local import execute
from bench.store.store import Store
from bench.training import curves as drawing


def test_an_absent_package_is_said_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "find_spec", lambda name: None)
    outcome = small_bench.bench("train", "hourglass-1", "--tensorboard", tmp_path / "tb", "--store", tmp_path / "runs")
    assert outcome.code == USAGE
    assert "package tensorboard is not installed" in outcome.err and "pip install tensorboard" in outcome.err
    assert not (tmp_path / "runs").exists()


def test_nothing_is_looked_for_unless_asked(monkeypatch):
    monkeypatch.setattr(drawing, "find_spec", lambda name: pytest.fail("looked for it"))
    assert drawing.require_tensorboard(None) is None


def test_nodes_of_a_cluster_draw_nothing(tmp_path):
    with pytest.raises(Problem, match="curves stay on the nodes"):
        execute([], RunContext(Store(tmp_path), Path("data"), "cpu", tensorboard=tmp_path), "ray")


@pytest.fixture
def scalars():
    """A reader of a folder of events: tag -> [(step, value)]."""
    reason = "the package tensorboard is not installed (extra tensorboard)"
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason=reason)

    def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
        events = accumulator.EventAccumulator(str(folder)).Reload()
        return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}

    return read


def test_curves_are_the_history(tmp_path, monkeypatch, scalars):
    monkeypatch.chdir(tmp_path)
    options = ("--set", "input=64", "--set", "width=0.0625", "--recipe", small_bench.recipe(tmp_path))
    outcome = small_bench.bench("train", "hourglass-1", *options, "--tensorboard", "tb", "--store", "runs")
    assert outcome.code == 0, outcome.err
    (folder,) = Path("tb").iterdir()
    assert folder.name.startswith("hourglass-1@input=64,width=0.0625_on_mannequin_train,_full_budget,_seed_0_")
    (row,) = pd.read_csv(Path(outcome.out.strip(), "history.csv")).to_dict("records")
    found = scalars(folder)
    assert found["loss"] == [(4, pytest.approx(row["loss"], rel=1e-5))]
    assert found["held-out"] == [(4, pytest.approx(row["metric"], abs=1e-3))]
    assert found["learning rate"] == [(4, pytest.approx(1e-3))]


def test_what_a_killed_try_drew_beyond_its_checkpoint_is_hidden(tmp_path, scalars):
    for steps, value in (((10, 20, 30), 1.0), ((20, 30, 40), 2.0)):
        with drawing.curves(tmp_path, "net.py:mine on a/b") as draw:
            for step in steps:
                draw(step, {"loss": value})
    assert scalars(tmp_path / "net.py_mine_on_a_b") == {"loss": [(10, 1.0), (20, 2.0), (30, 2.0), (40, 2.0)]}
