"""CIFAR-10 from training to error: pictures written as the official batches are, and classes that can be learnt."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typed import present

from bench.cells import recipe
from bench.cells.matrix import splits_for
from bench.cells.plan import plan
from bench.cells.recipe import Augmentation, Hyperparameters, Recipe, Targets, Testing
from bench.context import RunContext
from bench.executors.run import run
from bench.store.store import CELLS, Store
from bench.training.examples import Training
from bench.training.pictures import classify, image_examples, shifted
from protocols.datasets.cifar10 import LabelledImages, load

RECIPE = """
paper = "mine"
[training]
optimizer = "sgd"
learning_rate = 0.05
momentum = 0.9
nesterov = true
batch = 20
steps = 80
schedule = "linear"
[augmentation]
shift = 4
flip = 0.5
[targets]
kind = "classes"
[testing]
flip = false
"""


def pictures_of(count: int, seed: int) -> tuple[np.ndarray, list[int]]:
    """Plain colours, one a class, with noise: N x 32 x 32 x 3 uint8."""
    rng = np.random.default_rng(seed)
    labels = [int(label) for label in np.arange(count) % 10]
    corners = [(red, green, blue) for red in (40, 215) for green in (40, 215) for blue in (40, 215)]
    colours = np.array([*corners, (128, 128, 40), (128, 40, 128)])
    return (colours[labels][:, None, None] + rng.integers(-20, 20, (count, 32, 32, 3))).astype(np.uint8), labels


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A data folder with 100 and 40 pictures."""
    folder = tmp_path_factory.mktemp("data") / "cifar10/cifar-10-batches-py"
    folder.mkdir(parents=True)
    for index, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        images, labels = pictures_of(40 if name == "test_batch" else 20, index)
        content = {b"data": images.transpose(0, 3, 1, 2).reshape(len(images), 3072), b"labels": labels}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    return folder.parent.parent


@pytest.mark.slow
def test_from_training_to_error(data, tmp_path):
    """Every step once, through the command that users give; a second time nothing is left to do."""
    from bench.cells.matrix import Block, expand

    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    settings: Any = {"recipe": str(path)}  # fields of Cell
    block = Block(architectures=("wrn-28-10",), protocols=("cifar10-error",), set={"width": 1 / 16}, **settings)
    cells = expand(block)
    assert [(cell.dataset, cell.split) for cell in cells] == [("cifar10", "test")]
    store = Store(tmp_path / "runs")
    (task,) = plan(cells, store, data)
    assert (task.state, task.step) == ("missing", "train")
    done, failed = run([task], RunContext(store, data, "cpu"))
    assert not failed and done
    lines = (store.folder(CELLS, task.key) / "measurements.jsonl").read_text().splitlines()
    rows = {(row["metric"], row["part"]): row for row in map(json.loads, lines)}
    assert rows["error", "all"]["n"] == 40
    assert rows["error", "all"]["value"] < 50  # guessing: 90
    history = (store.folder(CELLS, task.key) / "history.csv").read_text().splitlines()
    assert history[0] == "step,seconds,loss,metric"
    assert float(history[-1].split(",")[3]) == pytest.approx(100 - rows["error", "all"]["value"])
    assert plan(cells, store, data)[0].state == "fresh"


def test_one_dataset_needs_no_choice():
    assert splits_for("cifar10-error", ["mannequin"]) == [("cifar10", "test")]
    assert splits_for("cifar10-error", ["cifar10/train"]) == [("cifar10", "train")]
    assert splits_for("lsp-pck", ["coco"]) == []


def test_without_the_files_the_cell_is_blocked(tmp_path):
    from bench.cells.matrix import Block, expand

    cells = expand(Block(architectures=("wrn-28-10",), protocols=("cifar10-error",)))
    (task,) = plan(cells, Store(tmp_path / "runs"), tmp_path)
    assert task.state == "blocked" and "data_batch_1" in task.why


def test_shifts_show_the_border_reflected():
    images = torch.arange(36.0).reshape(1, 1, 6, 6).repeat(2, 3, 1, 1)
    moved = shifted(images, torch.tensor([[2, 0], [0, -1]]), 4)
    row = images[0, 0, 0]
    assert moved[0, 0, 0].tolist() == [row[i] for i in (2, 3, 4, 5, 4, 3)]
    assert moved[1, 0, :, 0].tolist() == [images[0, 0, i, 0] for i in (1, 0, 1, 2, 3, 4)]


def test_every_shift_and_both_sides_come_up(data):
    pictures = load("train", data)
    plan_of = Hyperparameters(optimizer="sgd", learning_rate=0.1, batch=100, steps=1)
    rules = Recipe(
        paper="", training=plan_of, targets=Targets(kind="classes"), augmentation=Augmentation(shift=4, flip=0.5)
    )
    training = Training(rules, "full", (32, 32), None, 0, "cpu")
    ramp = np.broadcast_to(np.arange(32, dtype=np.uint8)[None, None, :, None] * 8, (100, 32, 32, 3))
    examples = image_examples(LabelledImages("train", ramp, pictures.labels, ""), pictures, training)
    rows = np.arange(100)
    images, labels = examples.batch(rows, slice(0, 100), examples.load(rows), torch.Generator().manual_seed(0))
    assert labels.tolist() == pictures.labels.tolist()
    slopes = images[:, 0, 16, 20] - images[:, 0, 16, 10]
    assert 25 < (slopes > 0).sum() < 75  # about half are mirrored
    assert len({round(value.item(), 4) for value in images[:, 0, 16, 10]}) >= 9
    part, _ = examples.batch(rows, slice(30, 40), examples.load(rows[30:40]), torch.Generator().manual_seed(0))
    assert torch.equal(part, images[30:40])


def test_scores_are_averaged_with_the_mirror_image_if_so_wanted(data):
    class Left(nn.Module):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
            return (images[:, 0, 0, :10],)

    pictures = load("test", data)
    usual = recipe.load("zagoruyko2016")
    plain = Recipe(paper="", training=usual.training, targets=usual.targets, testing=Testing(flip=False))
    both = Recipe(paper="", training=usual.training, targets=usual.targets, testing=Testing(flip=True))
    expected = pictures.images[:, 0, :10, 0] / 255
    mirrored = pictures.images[:, 0, ::-1, 0][:, :10] / 255
    assert np.allclose(present(classify(Left(), pictures, plain, "cpu").scores), expected)
    assert np.allclose(present(classify(Left(), pictures, both, "cpu").scores), (expected + mirrored) / 2)


def test_only_the_first_pictures(data):
    pictures = load("test", data)
    assert len(pictures.first(0)) == 40 and pictures.first(7).labels.tolist() == pictures.labels[:7].tolist()
