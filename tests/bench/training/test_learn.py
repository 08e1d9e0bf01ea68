"""Training of a cell: networks, recipes and mixes of the user, without touching the repository."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typed import present

from bench.cells.cell import Cell
from bench.cells.conditions import conditions, difference
from bench.cells.keys import cell_inputs
from bench.cells.plan import plan
from bench.cells.record import CellRecord, read, record
from bench.context import RunContext
from bench.executors.run import run
from bench.store.digests import content_key
from bench.store.store import CELLS, WEIGHTS, Store
from bench.training import validation
from protocols.errors import DataError

NOWHERE = Path("nowhere")
NETWORK = """
from torch import nn

class Mine(nn.Module):
    def __init__(self, joints):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 7, 4, 3), nn.ReLU(), nn.Conv2d(8, joints, 3, 1, 1))

    def forward(self, images):
        return (self.body(images),)

def mine(*, joints=16):
    return Mine(joints)
"""
RECIPE = """
paper = "mine"
[training]
optimizer = "adam"
learning_rate = 1e-2
batch = 8
steps = 20
people = 24
[targets]
[testing]
scales = [0.9, 1.0]
[quick]
steps = 10
"""


@pytest.fixture
def cell(tmp_path) -> Cell:
    (tmp_path / "net.py").write_text(NETWORK)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    place = f"{tmp_path / 'net.py'}:mine"
    return Cell(place, "mpii-pckh", "mannequin", "val", {"input": 32}, str(tmp_path / "recipe.toml"), limit=12)


@pytest.fixture
def few(monkeypatch):
    """Few people to validate on."""
    monkeypatch.setattr(validation, "PEOPLE", {"full": 8, "quick": 4})


def finish(cell: Cell, store: Store) -> CellRecord:
    """Run a cell; returns its record."""
    tasks = plan([cell], store, NOWHERE)
    done, failed = run(tasks, RunContext(store, NOWHERE, "cpu"))
    assert done and not failed
    return read(store, tasks[0].key)


def test_a_network_and_a_recipe_of_the_users_own(cell, tmp_path, few):
    store = Store(tmp_path / "runs")
    found = finish(cell, store)
    assert found.conditions.tested == {
        "flip": "yes", "scales": "2", "boxes": "ground truth", "training data": "mannequin/train, first 24",
    }  # fmt: skip
    history = pd.read_csv(store.folder(CELLS, found.cell) / "history.csv")
    assert history.step.tolist() == [10, 20] and history.metric.notna().all()
    (weights,) = store.keys(WEIGHTS)
    assert {path.name for path in store.folder(WEIGHTS, weights).iterdir()} >= {
        "weights.safetensors",
        "best.safetensors",
    }


def test_a_budget_is_said_everywhere(cell, tmp_path, few, capsys):
    found = finish(replace(cell, budget="quick"), Store(tmp_path / "runs"))
    assert found.conditions.budget == "quick" and "quick budget" in found.tags
    assert "quick budget" in capsys.readouterr().err
    assert present(found.inputs)["predictions"]["weights"]["recipe"]["training"]["steps"] == 10


def test_another_training_set_is_another_training(cell, tmp_path, few):
    store = Store(tmp_path / "runs")
    mixed = replace(cell, trained_on="mannequin/train+mannequin/test")
    assert difference(conditions(mixed), conditions(cell)) == (
        "training data mannequin/train+mannequin/test / mannequin/train",
    )
    first, second = (plan([each], store, NOWHERE)[0] for each in (cell, mixed))
    assert first.key != second.key
    assert set(second.inputs["predictions"]["weights"]["trained on"]) == {"part 1", "part 2"}
    found = finish(mixed, store)
    assert found.conditions.tested["training data"] == "mannequin/train+mannequin/test, first 24"


def test_the_dataset_s_own_training_set_by_name_is_no_other(cell):
    named = replace(cell, trained_on="mannequin/train")
    assert plan([named], Store(Path("none")), NOWHERE)[0].key == plan([cell], Store(Path("none")), NOWHERE)[0].key


def test_training_without_broken_images_is_another_training(cell):
    keys = {content_key(cell_inputs(each)) for each in (cell, replace(cell, drop_invalid=True))}
    assert len(keys) == 2


def test_unknown_datasets_of_a_mix_block_the_cell(cell):
    (task,) = plan([replace(cell, trained_on="mannequin/train+nobody")], Store(Path("none")), NOWHERE)
    assert task.state == "blocked" and "no dataset 'nobody'" in task.why


def test_without_images_to_validate_on_training_goes_on(cell, tmp_path, few, monkeypatch, capsys):
    def missing(*asked):
        raise DataError("images/1.jpg: the image is not there.")

    monkeypatch.setattr("bench.training.learn.hold_out", missing)
    store = Store(tmp_path / "runs")
    found = finish(cell, store)
    assert "no validation during this training: images/1.jpg" in capsys.readouterr().err
    history = pd.read_csv(store.folder(CELLS, found.cell) / "history.csv")
    assert history.metric.isna().all() and len(history) == 2


def test_the_record_of_a_cell_needs_no_training(cell):
    (task,) = plan([cell], Store(Path("none")), NOWHERE)
    assert record(cell, task.key, task.inputs, "measured").conditions.recipe == cell.recipe
