"""Several processes: the same curve as one, shares without padding. Two processes on this machine, with gloo."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from bench.errors import Problem
from bench.results.step_records import read_training
from bench.store.store import Store
from bench.training import distributed
from bench.training.train import _learner
from bench.training.validation import HeldOut, validate

NETWORK = """
from torch import nn

class Net(nn.Module):
    def __init__(self, joints, norm):
        super().__init__()
        between = nn.BatchNorm2d(8) if norm else nn.Identity()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 7, 4, 3), between, nn.ReLU(), nn.Conv2d(8, joints, 3, 1, 1))

    def forward(self, images):
        return (self.body(images),)

def mine(*, joints=16, norm=False):
    return Net(joints, norm)
"""
RECIPE = """
paper = "mine"
[training]
optimizer = "sgd"
learning_rate = 0.5
batch = {batch}
steps = 30
people = 64
micro_batch = {micro}
[augmentation]
rotation = 30.0
flip = 0.5
[targets]
"""


def train(folder: Path, processes: int, store: str, batch: int = 8, micro: int = 0, *words: str) -> Path:
    """Train a network and a recipe that are no part of the repository; returns the folder of the weights."""
    (folder / "net.py").write_text(NETWORK)
    (folder / "recipe.toml").write_text(RECIPE.format(batch=batch, micro=micro))
    alone = ["--standalone", "--local-addr", "127.0.0.1"]  # a free port, so that several tests may do this at once
    launcher = ["-m", "torch.distributed.run", *alone, "--nproc-per-node", str(processes)] if processes > 1 else []
    command = [sys.executable, *launcher, "-m", "bench", "train", "net.py:mine", "mannequin", "--recipe", "recipe.toml"]
    root = Path(distributed.__file__).resolve().parents[2]
    done = subprocess.run(
        [*command, "--set", "input=32", "--store", store, "--device", "cpu", *words],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 1  # one process prints the result
    return folder / done.stdout.strip()


def curve(weights: Path) -> pd.DataFrame:
    return pd.read_csv(weights / "history.csv")


def notes(weights: Path) -> tuple[str, ...]:
    """What a training did otherwise than its recipe says."""
    return read_training(Store(weights.parents[1]), weights.name).notes


@pytest.mark.slow
def test_two_processes_draw_the_same_curve_as_one(tmp_path):
    """Nine people a step: shares of four and five."""
    one, two = train(tmp_path, 1, "one", 9), train(tmp_path, 2, "two", 9)
    assert curve(two).loss.tolist() == pytest.approx(curve(one).loss.tolist(), rel=1e-4)
    assert curve(two).metric.tolist() == pytest.approx(curve(one).metric.tolist(), abs=0.2)
    first, second = (load_file(folder / "weights.safetensors") for folder in (one, two))
    assert all(torch.allclose(first[name], second[name], atol=1e-5) for name in first)
    assert one.name == two.name  # the number of processes is no part of the key, but it is said
    assert notes(one) == ()
    assert "2 processes" in notes(two)[0]


@pytest.mark.slow
def test_with_batch_normalization_processes_are_micro_batches(tmp_path):
    one = train(tmp_path, 1, "one", 8, 4, "--set", "norm=true")
    two = train(tmp_path, 2, "two", 8, 0, "--set", "norm=true")
    assert curve(two).loss.tolist() == pytest.approx(curve(one).loss.tolist(), rel=1e-4)


AGREEMENT = """
import os, torch
from bench.training import distributed
distributed.start("cpu")
norm = torch.nn.BatchNorm2d(2)
norm.running_mean.fill_(5 + distributed.rank())
distributed.sync_statistics(norm)
assert norm.running_mean.tolist() == [5, 5]
distributed.stop()  # else a thread of gloo may still be at work when the process ends, which aborts
"""


@pytest.mark.slow
def test_the_statistics_of_the_first_process_are_everyones(tmp_path):
    (tmp_path / "agree.py").write_text(AGREEMENT)
    root = Path(distributed.__file__).resolve().parents[2]
    command = ["-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, *command, tmp_path / "agree.py"], env=environment, check=True, timeout=600)


def test_more_processes_than_accelerators_are_an_error(monkeypatch):
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "0"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(Problem, match="more processes on this machine than the 1 accelerators") as caught:
        distributed.start("cuda")
    assert "--nproc-per-node 1" in caught.value.next_step


def test_one_process_is_all(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert distributed.start("cpu") == "cpu"
    assert (distributed.rank(), distributed.size(), distributed.share(7)) == (0, 1, slice(0, 7))


@pytest.mark.parametrize("count", [0, 1, 7, 8, 256])
@pytest.mark.parametrize("processes", [1, 2, 3, 8])
def test_shares_are_everything_once(monkeypatch, count, processes):
    monkeypatch.setattr(distributed, "size", lambda: processes)
    rows = []
    for rank in range(processes):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        rows += range(count)[distributed.share(count)]
    assert rows == list(range(count))


def test_fewer_people_than_processes_are_an_error(monkeypatch, crops_of_noise):
    _, task, network = crops_of_noise  # with a batch of 4
    monkeypatch.setattr(distributed, "size", lambda: 5)
    with pytest.raises(Problem, match="batch of 4 cannot be shared by 5 processes"):
        _learner(network, task)


def test_a_count_that_is_off_is_an_error(monkeypatch, crops_of_noise):
    """A process that lost a person must not make the score look right."""
    crops, task, network = crops_of_noise
    monkeypatch.setattr(distributed, "share", lambda count: slice(0, count - 1))
    with pytest.raises(Problem, match="15 people were validated instead of 16"):
        validate(network, HeldOut(crops, torch.full((16,), 8.0).numpy()), task)


@pytest.fixture
def crops_of_noise():
    import numpy as np
    from torch import nn

    from bench.cells.recipe import Hyperparameters, Recipe, Targets
    from bench.training.examples import Training
    from bench.training.prepare import Crops
    from protocols.pose.skeletons import MPII

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Conv2d(3, len(MPII), 4, 4)

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (self.body(images),)

    recipe = Recipe(
        paper="", training=Hyperparameters(optimizer="adam", learning_rate=0.1, batch=4, steps=1), targets=Targets()
    )
    crops = Crops(
        np.zeros((16, 48, 48, 3), np.uint8), np.full((16, 16, 2), 24, np.float32), np.ones((16, 16), np.uint8)
    )
    return crops, Training(recipe, "full", (32, 32), MPII, 0, "cpu"), Net()
