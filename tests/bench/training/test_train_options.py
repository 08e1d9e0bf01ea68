"""What a recipe can ask of the loop, and what happens when memory, numbers or images fail."""

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn
from typed import layer

import architectures
from bench.cells.recipe import Augmentation, Hyperparameters, Recipe, Targets
from bench.errors import CELL_FAILED, USAGE, Problem
from bench.training import checkpoint
from bench.training import train as loop
from bench.training.checkpoint import BEST, DIVERGED, State
from bench.training.examples import Training, people_examples
from bench.training.optimizers import optimizer_of, set_rate
from bench.training.prepare import MARGIN, Crops
from bench.training.recompute import recomputed_stages
from bench.training.train import fit, history_csv
from bench.training.validation import HeldOut, validate
from protocols.pose.people import VISIBLE
from protocols.pose.skeletons import MPII
from protocols.pose.targets import gaussians

SIZE = (64, 64)
PLAN = Hyperparameters(optimizer="sgd", learning_rate=0.05, batch=8, steps=6)
RULES = Augmentation(rotation=30.0, scale=(0.75, 1.25), flip=0.5, colour=0.4)


class Plain(nn.Module):
    """No batch normalization, no dropout: its batches can be cut anywhere."""

    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList([nn.Conv2d(3, 8, 7, 4, 3), nn.Conv2d(8, len(MPII), 1)])

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (self.stages[1](self.stages[0](images).relu()),)


def plain() -> Plain:
    torch.manual_seed(0)
    return Plain()


def hourglass(stacks: int = 2) -> nn.Module:
    torch.manual_seed(0)
    return architectures.create(f"hourglass-{stacks}", width=1 / 16)


@pytest.fixture(scope="module")
def crops() -> Crops:
    rng = np.random.default_rng(0)
    side = [round(length * MARGIN) for length in SIZE]
    pixels = rng.integers(0, 256, (16, *side, 3), np.uint8)
    points = rng.uniform(24, 72, (16, len(MPII), 2)).astype(np.float32)
    names = tuple(f"images/{row}.jpg" for row in range(16))
    return Crops(pixels, points, np.full((16, len(MPII)), VISIBLE, np.uint8), names=names)


def training_of(**changes) -> Training:
    plan = msgspec.structs.replace(PLAN, **changes)
    recipe = Recipe(paper="", training=plan, targets=Targets(), augmentation=RULES)
    return Training(recipe, "full", SIZE, MPII, 0, "cpu")


def train(crops: Crops, work: Path, network: nn.Module, check=None, **changes) -> State:
    work.mkdir(exist_ok=True)
    training = training_of(**changes)
    return fit(network, people_examples(crops, network, training, check), training, work, lambda *said: None)


def far(first: nn.Module, second: nn.Module) -> float:
    """The largest difference between two networks, buffers included."""
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return max((a.double() - b.double()).abs().max().item() for a, b in pairs)


def test_micro_batches_change_no_more_than_rounding(crops, tmp_path):
    whole, cut, uneven, other = plain(), plain(), plain(), plain()
    losses = [
        train(crops, tmp_path / str(index), network, **changes).history[-1][2]
        for index, (network, changes) in enumerate(
            [(whole, {}), (cut, {"micro_batch": 2}), (uneven, {"micro_batch": 3}), (other, {"batch": 4})]
        )
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5) and losses[2] == pytest.approx(losses[0], rel=1e-5)
    assert far(whole, plain()) > 1e-3  # it did learn
    assert far(whole, cut) < 1e-6 and far(whole, uneven) < 1e-6
    assert far(whole, other) > 1e-5


@pytest.mark.parametrize("name", ["hourglass-2", "mspn-hourglass-2", "mspn-2", "nie-4", "attention-2-crf"])
def test_recomputed_stages_change_no_more_than_rounding(crops, tmp_path, name):
    def network() -> nn.Module:
        torch.manual_seed(0)
        return architectures.create(name, width=1 / 16, joints=len(MPII))

    usual, saving = network(), network()
    train(crops, tmp_path / "a", usual, steps=2)
    train(crops, tmp_path / "b", saving, steps=2, checkpointing=True)
    assert far(usual, network()) > 0
    assert far(usual, saving) < 1e-5


def test_recomputing_keeps_fewer_activations():
    kept = []

    def count(tensor: torch.Tensor) -> torch.Tensor:
        kept[-1] += tensor.numel()
        return tensor

    for saving in (False, True):
        network = hourglass()
        kept.append(0)
        around = recomputed_stages(network) if saving else nullcontext()
        with around, torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            network(torch.rand(2, 3, 64, 64))
        assert "forward" not in vars(layer(network, "stacks.0"))  # as it was before
    assert kept[1] < kept[0] / 2


def test_a_network_without_stages_cannot_recompute_them():
    with pytest.raises(Problem, match="no stages") as caught, recomputed_stages(nn.Sequential(nn.Conv2d(3, 3, 1))):
        pass
    assert caught.value.code == USAGE


def test_the_average_of_the_weights(crops, tmp_path):
    """Two steps by hand: average = d (d w0 + (1 - d) w1) + (1 - d) w2; torch starts it with the first weights seen."""
    weights = []

    def check(network: nn.Module) -> float:
        return 0.0

    for steps in (1, 2):
        network = plain()
        train(crops, tmp_path / f"plain{steps}", network, check, steps=steps)
        weights.append(network.get_parameter("stages.1.weight").detach().clone())
    averaged = plain()
    train(crops, tmp_path / "average", averaged, steps=2, ema=0.75)
    expected = 0.75 * weights[0] + 0.25 * weights[1]
    assert torch.allclose(averaged.get_parameter("stages.1.weight"), expected, atol=1e-7)
    assert not torch.allclose(weights[1], expected, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [{"ema": 0.9, "checkpointing": True}, {"precision": "bfloat16"}, {"micro_batch": 3}, {"checkpointing": True}],
)
def test_every_form_resumes_to_the_bit(crops, tmp_path, monkeypatch, changes):
    whole = hourglass()
    train(crops, tmp_path / "whole", whole, steps=12, **changes)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", -1.0)

    class Stop(Exception):
        pass

    def stop(*said) -> None:
        raise Stop

    training, network = training_of(steps=12, **changes), hourglass()
    (tmp_path / "work").mkdir()
    with pytest.raises(Stop):
        fit(network, people_examples(crops, network, training), training, tmp_path / "work", stop)
    resumed = hourglass()
    train(crops, tmp_path / "work", resumed, steps=12, **changes)
    assert far(whole, resumed) == 0


def test_bfloat16_is_close_to_float32_and_not_the_same(crops, tmp_path):
    exact, rough = plain(), plain()
    train(crops, tmp_path / "a", exact)
    train(crops, tmp_path / "b", rough, precision="bfloat16")
    assert 0 < far(exact, rough) < 0.01
    assert rough.stages[0].weight.dtype == torch.float32


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a processor")
def test_a_compiled_network_learns_the_same(crops, tmp_path):
    usual, compiled = plain(), plain()
    first = train(crops, tmp_path / "a", usual, steps=3)
    second = train(crops, tmp_path / "b", compiled, steps=3, compile=True)
    assert second.history[-1][2] == pytest.approx(first.history[-1][2], rel=1e-5)
    assert far(usual, compiled) < 1e-5 and far(usual, plain()) > 1e-4
    assert set(compiled.state_dict()) == set(usual.state_dict())


def test_deterministic_algorithms_are_on_while_training_only(crops, tmp_path):
    seen = []

    class Watching(Plain):
        def forward(self, images):
            seen.append(torch.are_deterministic_algorithms_enabled())
            return super().forward(images)

    train(crops, tmp_path / "a", Watching(), steps=1, deterministic=True)
    train(crops, tmp_path / "b", Watching(), steps=1)
    assert seen == [True, False] and not torch.are_deterministic_algorithms_enabled()


def test_an_operation_that_never_repeats_is_named(crops, tmp_path):
    class Drifting(Plain):
        def forward(self, images):
            torch.zeros(4).put_(torch.tensor([0, 0]), torch.tensor([1.0, 2.0]))  # torch: not deterministic anywhere
            return super().forward(images)

    train(crops, tmp_path / "a", Drifting(), steps=1)
    with pytest.raises(Problem, match="put_ does not have a deterministic implementation") as caught:
        train(crops, tmp_path / "b", Drifting(), steps=1, deterministic=True)
    assert "deterministic = false" in caught.value.next_step and caught.value.code == CELL_FAILED
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_stop_changes_no_layout_in_memory(tmp_path):
    """An accelerator updates many weights at once only if they lie in memory as their moments do."""
    optimizers = []
    for _ in range(2):
        network = plain().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - not in the stubs
        optimizers.append(optimizer_of(network, msgspec.structs.replace(PLAN, optimizer="adam")))
        network(torch.rand(1, 3, 64, 64))[0].sum().backward()
    optimizers[0].step()
    checkpoint.save(tmp_path / "last", network, optimizers[0], None, State())
    checkpoint.load(tmp_path / "last", network, optimizers[1], None)
    layouts = [[(key, value.stride()) for entry in optimizer.state.values() for key, value in sorted(entry.items())]
               for optimizer in optimizers]  # fmt: skip
    assert layouts[0] == layouts[1] and ("exp_avg", (147, 1, 21, 3)) in layouts[0]


class Small(Plain):
    """A device that holds so many images at once."""

    holds = 5

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if len(images) > self.holds:
            raise torch.OutOfMemoryError("no memory left")
        return super().forward(images)


def test_out_of_memory_halves_the_micro_batch_once_and_says_so(crops, tmp_path, capsys):
    torch.manual_seed(0)
    network, whole = Small(), plain()
    state = train(crops, tmp_path / "small", network)
    assert state.micro_batch == 4
    assert state.notes == ["out of memory at step 1: micro-batches of 4 from there on"]
    assert state.notes[0] in capsys.readouterr().err
    train(crops, tmp_path / "whole", whole)
    assert far(network, whole) < 1e-6


def test_out_of_memory_twice_is_an_error(crops, tmp_path):
    network = Small()
    network.holds = 3
    with pytest.raises(Problem, match="Out of memory at step 1, with 4 images at once") as caught:
        train(crops, tmp_path, network)
    assert "micro_batch" in caught.value.next_step and caught.value.code == CELL_FAILED


def test_a_loss_that_is_no_number_names_its_people_and_leaves_a_state(crops, tmp_path):
    broken = Crops(crops.pixels, crops.keypoints.copy(), crops.visibility, names=crops.names)

    class Fragile(Plain):
        steps = 0

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
            self.steps += 1
            outputs = super().forward(images)
            return outputs if self.steps != 3 else (outputs[0] * torch.nan,)

    with pytest.raises(Problem, match="nan at step 3, on ") as caught:
        train(broken, tmp_path, Fragile())
    named = caught.value.what.split(" on ")[1].rstrip(".").split(", ")
    expected = loop.rows_of_step(2, 16, 8, 0)
    assert named == [f"images/{row}.jpg" for row in expected]
    assert str(tmp_path / DIVERGED) in caught.value.next_step and caught.value.code == CELL_FAILED
    with safe_open(tmp_path / DIVERGED, framework="pt") as file:
        assert json.loads(file.metadata()["state"])["step"] >= 3


def test_the_held_out_score_is_in_the_history_and_chooses_the_best(crops, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "VALIDATIONS", {"full": 3})
    scores, seen = iter([10.0, 30.0, 20.0]), []

    def check(network: nn.Module) -> float:
        assert not network.training
        seen.append(network.get_parameter("stages.0.weight").detach().clone())
        return next(scores)

    network = plain()
    state = train(crops, tmp_path, network, check, steps=30)
    assert [(step, metric) for step, *_, metric in state.history] == [(10, 10.0), (20, 30.0), (30, 20.0)]
    assert network.training
    with safe_open(tmp_path / BEST, framework="pt") as file:
        assert torch.equal(file.get_tensor("stages.0.weight"), seen[1])
    assert [line.split(",")[3] for line in history_csv(state.history).splitlines()] == [
        "metric", "10.0000", "30.0000", "20.0000",
    ]  # fmt: skip


def test_validation_changes_no_weight(crops, tmp_path):
    first, second = hourglass(), hourglass()
    held_out = HeldOut(crops, np.full(16, 8.0))
    train(crops, tmp_path / "a", first)
    train(crops, tmp_path / "b", second, lambda network: validate(network, held_out, training_of()))
    assert far(first, second) == 0


class Oracle(nn.Module):
    """Draws maps of known cells, batch after batch."""

    def __init__(self, cells: np.ndarray):
        super().__init__()
        self.cells, self.at = torch.from_numpy(cells), 0

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.at += len(images)
        return (gaussians(self.cells[self.at - len(images) : self.at], (16, 16), 1.0)[0],)


def test_the_held_out_score_by_hand(crops):
    """16 people with 14 joints that count: half of them are predicted one cell away, one joint is not annotated."""
    points = 4 * np.round(crops.keypoints / 4)  # the window is the middle 64 of 96 pixels: 16 lie on each side
    cells = (points - 16) / 4
    cells[8:, :, 0] += 1
    seen = crops.visibility.copy()
    seen[0, MPII.index("left_wrist")] = 0
    exact = Crops(crops.pixels, points, seen)
    assert validate(Oracle(cells), HeldOut(exact, np.full(16, 4.5)), training_of()) == 100
    found = validate(Oracle(cells), HeldOut(exact, np.full(16, 3.5)), training_of())
    assert found == pytest.approx(100 * (8 * 14 - 1) / (16 * 14 - 1))
    sizes = np.where(np.arange(16) < 4, np.nan, 3.5)  # people of unknown size do not count
    found = validate(Oracle(cells), HeldOut(exact, sizes), training_of())
    assert found == pytest.approx(100 * 4 / 12)


def test_rates_and_decays_of_groups():
    network = plain()
    plan = msgspec.structs.replace(
        PLAN, rates={"stages.0": 5.0}, bias_rate=2.0, bias_decay=False, weight_decay=0.1, learning_rate=1.0
    )
    optimizer = optimizer_of(network, plan)
    set_rate(optimizer, msgspec.structs.replace(plan, schedule="linear"), 5, 10)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    found = {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert found == {
        "stages.0.weight": (2.5, 0.1), "stages.0.bias": (5.0, 0.0),
        "stages.1.weight": (0.5, 0.1), "stages.1.bias": (1.0, 0.0),
    }  # fmt: skip


def test_nesterov_is_passed_on():
    plan = msgspec.structs.replace(PLAN, momentum=0.9, nesterov=True)
    assert optimizer_of(plain(), plan).defaults["nesterov"]
