"""Training: it learns, its rates follow the recipe, and a kill -9 in the middle changes no bit of the weights."""

import json
import multiprocessing
import pickle
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

import architectures
from bench.cells.recipe import Augmentation, Hyperparameters, Recipe, Targets, Testing
from bench.errors import CELL_FAILED, Problem
from bench.steps import predict as prediction
from bench.training import train as loop
from bench.training.checkpoint import History
from bench.training.examples import Training, people_examples
from bench.training.losses import heatmap_loss
from bench.training.optimizers import learning_rate
from bench.training.prepare import MARGIN, Crops
from bench.training.train import fit, history_csv
from protocols.datasets.mannequin import people as mannequin
from protocols.joints import mpii_pckh
from protocols.pose.crops import crop, to_crop, windows
from protocols.pose.skeletons import MPII

SIZE = (64, 64)
PLAN = Hyperparameters(optimizer="rmsprop", learning_rate=2.5e-3, batch=4, steps=12)
ALL_KINDS = Augmentation(rotation=30.0, scale=(0.75, 1.25), flip=0.5, colour=0.4)
RECIPE = Recipe(
    paper="", training=PLAN, targets=Targets(sigma=1.0), augmentation=ALL_KINDS, testing=Testing(flip=False)
)


def crops_of(people) -> Crops:
    side = round(SIZE[0] * MARGIN), round(SIZE[1] * MARGIN)
    centre, height = windows(people)
    pixels = [crop(people.read_image(row), centre[row], height[row] * MARGIN, side) for row in range(len(people))]
    points = to_crop(people.keypoints, centre, height * MARGIN, side)
    return Crops(np.stack(pixels), points.astype(np.float32), people.visibility)


@pytest.fixture(scope="module")
def people():
    return mannequin.people("train", count=8)


@pytest.fixture(scope="module")
def crops(people) -> Crops:
    return crops_of(people)


def small(width: float = 1 / 16) -> nn.Module:
    torch.manual_seed(0)
    return architectures.create("hourglass-1", width=width)


def quiet(*said) -> None:
    pass


def train(crops: Crops, work: Path, network: nn.Module | None = None, progress=quiet, seed: int = 0, **changes):
    """Train the small network for the steps of PLAN with `changes`; returns it and the history."""
    work.mkdir(exist_ok=True)
    network = network or small()
    recipe = msgspec.structs.replace(RECIPE, training=msgspec.structs.replace(PLAN, **changes))
    training = Training(recipe, "full", SIZE, MPII, seed, "cpu")
    return network, fit(network, people_examples(crops, network, training), training, work, progress).history


def same(first: nn.Module, second: nn.Module) -> bool:
    """Whether two networks are equal to the last bit."""
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.slow
def test_it_learns_eight_people_by_heart(people, crops, tmp_path):
    recipe = msgspec.structs.replace(RECIPE, augmentation=Augmentation())

    def pckh(network: nn.Module, name: str) -> float:
        (tmp_path / name).mkdir()
        found = prediction.predict(network, people, recipe, SIZE, tmp_path / name, "cpu", quiet)
        return next(value.value for value in mpii_pckh.score(found, people).values if value.part == "mean")

    plan = msgspec.structs.replace(PLAN, batch=8, steps=250, schedule="linear")
    training = Training(msgspec.structs.replace(recipe, training=plan), "full", SIZE, MPII, 0, "cpu")
    network = small(width=0.25)
    before = pckh(network, "before")
    history = fit(network, people_examples(crops, network, training), training, tmp_path, quiet).history
    assert history[-1][2] < history[0][2] / 4
    assert before < 15 and pckh(network, "after") > 60


def test_the_same_seed_gives_the_same_weights(crops, tmp_path):
    first, _ = train(crops, tmp_path / "a")
    assert same(first, train(crops, tmp_path / "b")[0])
    assert not same(first, train(crops, tmp_path / "c", seed=1)[0])


@pytest.mark.parametrize(
    "changes", [{}, {"momentum": 0.9}, {"optimizer": "adam"}, {"optimizer": "sgd", "momentum": 0.9}]
)
def test_a_resumed_training_gives_the_weights_of_a_whole_one(crops, tmp_path, monkeypatch, changes):
    whole, history = train(crops, tmp_path / "whole", schedule="linear", warmup=3, **changes)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", -1.0)  # after every step

    def stop(step: int, total: int, text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(crops, tmp_path / "work", progress=stop, schedule="linear", warmup=3, **changes)
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["checkpoint.safetensors"]
    torch.manual_seed(99)  # nothing may depend on what was drawn before
    resumed, continued = train(crops, tmp_path / "work", small(), schedule="linear", warmup=3, **changes)
    assert same(resumed, whole)
    assert [(step, loss) for step, _, loss, _ in continued] == [(step, loss) for step, _, loss, _ in history]


BEFORE = 5  # steps that the killed process finishes


def endless(work: Path) -> None:
    """What the process that is killed does: a checkpoint after every step, until one step never ends."""
    torch.set_num_threads(1)
    loop.CHECKPOINT_SECONDS = -1.0
    step, calls = loop._step, []

    def stuck(*arguments):
        calls.append(step(*arguments))
        while len(calls) > BEFORE:  # the weights have changed already
            (work / "stuck").touch()
            time.sleep(0.01)
        return calls[-1]

    loop._step = stuck
    train(crops_of(mannequin.people("train", count=8)), work)


@pytest.mark.slow
def test_kill_9_changes_no_bit(crops, tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole, _ = train(crops, tmp_path / "whole")
        (tmp_path / "work").mkdir()
        process = multiprocessing.get_context("spawn").Process(target=endless, args=(tmp_path / "work",))
        process.start()
        while not (tmp_path / "work" / "stuck").exists() and process.is_alive():
            time.sleep(0.01)
        process.kill()
        process.join()
        assert process.exitcode == -9
        with safe_open(tmp_path / "work" / "checkpoint.safetensors", framework="pt") as file:
            assert json.loads(file.metadata()["state"])["step"] == BEFORE
        assert same(train(crops, tmp_path / "work")[0], whole)
    finally:
        torch.set_num_threads(threads)


def test_an_interrupt_within_a_step_keeps_the_last_whole_one(crops, tmp_path, monkeypatch):
    """Half an update must never be saved."""
    whole, _ = train(crops, tmp_path / "whole")
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", -1.0)
    step = torch.optim.RMSprop.step
    calls = []

    def interrupted(optimizer, *arguments):
        step(optimizer, *arguments)
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(torch.optim.RMSprop, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(crops, tmp_path / "work")
    assert same(train(crops, tmp_path / "work")[0], whole)
    assert len(calls) == 7 + 12 - 6


def pickled(path: Path) -> bytes:
    """A pickle that would create a file if it were opened."""

    class Trap:
        def __reduce__(self):
            return Path.touch, (path,)

    return pickle.dumps(Trap())


@pytest.mark.parametrize("damage", ["truncated", "text", "empty", "pickle", "another network", "another file"])
def test_a_damaged_checkpoint_is_said_to_be_one(crops, tmp_path, monkeypatch, damage):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", -1.0)
    network = small(width=1 / 8) if damage == "another network" else small()
    train(crops, tmp_path, network, steps=1)
    path = tmp_path / "checkpoint.safetensors"
    content = {
        "truncated": path.read_bytes()[:-100],
        "text": b"hello, world",
        "empty": b"",
        "pickle": pickled(tmp_path / "ran"),
        "another network": path.read_bytes(),
        "another file": b"\x02\0\0\0\0\0\0\0{}",  # safetensors without any tensor
    }
    path.write_bytes(content[damage])
    with pytest.raises(Problem, match="cannot be continued") as caught:
        train(crops, tmp_path)
    assert str(path) in caught.value.what and "\n" not in caught.value.what
    assert caught.value.code == CELL_FAILED
    assert not (tmp_path / "ran").exists()


def test_a_loss_that_is_no_number_is_an_error(crops, tmp_path):
    with pytest.raises(Problem, match=r"loss became .*step 2, on ") as caught:
        train(crops, tmp_path, optimizer="sgd", learning_rate=1e30)
    assert caught.value.code == CELL_FAILED and "learning_rate" in caught.value.next_step


def test_progress_and_history(crops, tmp_path):
    said = []
    _, history = train(crops, tmp_path, progress=lambda *values: said.append(values))
    assert [step for step, *_ in history] == [10, 12]
    assert [(step, total) for step, total, _ in said] == [(10, 12), (12, 12)]
    assert said[-1][2] == f"loss {history[-1][2]:.5f}"
    lines = history_csv(history).splitlines()
    assert lines[0] == "step,seconds,loss,metric" and len(lines) == 3
    assert float(lines[2].split(",")[2]) == pytest.approx(history[-1][2], rel=1e-5)


def test_joints_that_are_not_annotated_teach_nothing(crops, tmp_path):
    hidden = crops.annotated.copy()
    hidden[:, MPII.index("left_wrist")] = False
    elsewhere = crops.keypoints.copy()
    elsewhere[:, MPII.index("left_wrist")] = np.nan
    first, _ = train(Crops(crops.pixels, crops.keypoints, hidden), tmp_path / "a")
    second, _ = train(Crops(crops.pixels, elsewhere, hidden), tmp_path / "b")
    # A mirrored crop swaps the wrists, so the mask has to swap with them.
    assert same(first, second)


def test_constant_rate():
    assert learning_rate(PLAN, 0, 12) == learning_rate(PLAN, 11, 12) == 2.5e-3


def test_linear_rate_ends_at_zero():
    plan = msgspec.structs.replace(PLAN, schedule="linear")
    assert [learning_rate(plan, step, 10) / 2.5e-3 for step in (0, 5, 9)] == pytest.approx([1, 0.5, 0.1])


def test_drops_multiply():
    plan = msgspec.structs.replace(PLAN, schedule="drops", drops=((0.5, 0.1), (0.75, 0.5)))
    rates = [learning_rate(plan, step, 100) / 2.5e-3 for step in (0, 49, 50, 74, 75, 99)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.05, 0.05])


def test_warmup_rises_from_a_tenth():
    plan = msgspec.structs.replace(PLAN, warmup=10)
    assert [learning_rate(plan, step, 100) / 2.5e-3 for step in (0, 5, 10, 50)] == pytest.approx([0.1, 0.55, 1, 1])


@pytest.mark.parametrize("extra", [0, 1], ids=["joints", "joints and background"])
def test_the_loss_written_out(extra):
    """Mean squares against exp(-r^2 / 2), for each output; an unannotated joint counts as zero error."""
    rng = np.random.default_rng(0)
    outputs = [rng.random((2, 3 + extra, 8, 8)), rng.random((2, 3 + extra, 4, 4))]
    points, mask = rng.integers(0, 32, (2, 3, 2)), rng.random((2, 3)) > 0.3
    expected = 0.0
    for maps in outputs:
        side = maps.shape[-1]
        squares = []
        for person in range(2):
            drawn = np.zeros((3, side, side))
            for joint in range(3):
                x, y = (int(value * side / 32 + 0.5) for value in points[person, joint])
                for row in range(side):
                    for column in range(side):
                        dx, dy = column - x, row - y
                        if max(abs(dx), abs(dy)) <= 3 and mask[person, joint]:
                            drawn[joint, row, column] = np.exp(-(dx**2 + dy**2) / 2)
                squares.append((maps[person, joint] - drawn[joint]) ** 2 * mask[person, joint])
            if extra:
                squares.append((maps[person, 3] - (1 - drawn.max(0))) ** 2)
        expected += np.mean(squares)
    tensors = tuple(torch.from_numpy(maps).float() for maps in outputs)
    loss = heatmap_loss(tensors, torch.from_numpy(points).float(), torch.from_numpy(mask), (32, 32), Targets())
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_what_is_shown_keeps_the_last_held_out_score():
    history: History = [(10, 0.1, 0.5, None)]
    assert loop._progress_text(history) == "loss 0.50000"
    history += [(20, 0.2, 0.25, 12.34), (30, 0.3, 0.125, None)]
    assert loop._progress_text(history) == "loss 0.12500, held-out 12.3 %"
