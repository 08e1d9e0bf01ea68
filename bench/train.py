"""Training: heatmap regression on every supervised output, resumable at any moment.

Everything random in a step follows from (seed, step), so that a training that was killed and continued
gives the same weights as one that was not.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from bench.batches import augmented, rows_of_step
from bench.errors import CELL_FAILED, Problem
from bench.prepare import Crops
from bench.recipe import Plan, Recipe
from bench.store import write_whole
from protocols.keypoints import Skeleton
from protocols.targets import background, gaussians

History = list[tuple[int, float, float]]  # step, seconds, loss

CHECKPOINT_SECONDS = 10.0  # what a kill costs at most
HISTORY_EVERY = 10  # steps


@dataclass(frozen=True)
class Training:
    """What is trained how, apart from the network and the people."""

    recipe: Recipe
    budget: str
    size: tuple[int, int]  # of the input
    skeleton: Skeleton
    seed: int
    device: str

    @property
    def plan(self) -> Plan:
        return self.recipe.budgeted(self.budget)


@dataclass
class _State:
    """Where a training stands."""

    step: int
    seconds: float
    history: History


def fit(
    network: nn.Module, crops: Crops, task: Training, work: Path, progress: Callable[[int, int, str], None]
) -> History:
    """Train `network` in place on crops; returns the history (step, seconds, loss).

    `work` keeps the checkpoint; what it holds of an earlier try is continued. `progress(step, total, text)`
    is called every few steps. Raises Problem when the loss is not finite.
    """
    total = task.plan.total_steps(len(crops))
    network.to(task.device, memory_format=torch.channels_last).train()  # convolutions run up to twice as fast so
    optimizer = _optimizer(network, task.plan)
    path = work / "checkpoint.safetensors"
    state = _load(path, network, optimizer) if path.exists() else _State(0, 0.0, [])
    started, saved = time.perf_counter() - state.seconds, time.perf_counter()
    while state.step < total:
        rows = rows_of_step(state.step, len(crops), task.plan.batch, task.seed)
        _set_rate(optimizer, task.plan, state.step, total)
        loss = _step(network, optimizer, crops, rows, task, state.step)
        state.step += 1
        state.seconds = time.perf_counter() - started
        if state.step % HISTORY_EVERY == 0 or state.step == total:
            value = _finite(loss, state.step, rows)
            state.history.append((state.step, round(state.seconds, 2), value))
            progress(state.step, total, f"loss {value:.5f}")
        if time.perf_counter() - saved > CHECKPOINT_SECONDS:
            _save(path, network, optimizer, state)
            saved = time.perf_counter()
    return state.history


def _step(
    network: nn.Module, optimizer: torch.optim.Optimizer, crops: Crops, rows: np.ndarray, task: Training, step: int
) -> torch.Tensor:
    """One update; returns the loss."""
    seed = (task.seed * 1_000_003 + step) % 2**63
    torch.manual_seed(seed)  # for dropout and fractional pooling
    generator = torch.Generator().manual_seed(seed)
    images, points, mask = augmented(
        crops,
        rows,
        task.size,
        task.recipe.augmentation,
        task.recipe.pixels,
        task.skeleton.mirror,
        generator,
        task.device,
    )
    outputs = network(images.contiguous(memory_format=torch.channels_last))
    loss = heatmap_loss(outputs, points, mask, task.size, task.recipe.targets.sigma)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()


def heatmap_loss(
    outputs: tuple[torch.Tensor, ...], points: torch.Tensor, mask: torch.Tensor, size: tuple[int, int], sigma: float
) -> torch.Tensor:
    """Mean squared error against Gaussians, summed over the supervised outputs (Newell 2016, section 3.3).

    `outputs`: each B x J x h x w, or J + 1 maps where the last is the background; `points`: B x J x 2 in
    pixels of the input of `size`; `mask`: B x J. Joints that are not annotated teach nothing.
    """
    total = torch.zeros((), device=points.device)
    for maps in outputs:
        height, width = maps.shape[-2:]
        cells = points * torch.tensor([width / size[1], height / size[0]], device=points.device)
        targets, inside = gaussians(cells, (height, width), sigma)
        weights = (mask & (inside > 0)).to(maps.dtype)[..., None, None]
        targets = targets * weights
        if maps.shape[1] == targets.shape[1] + 1:
            targets = background(targets)
            weights = torch.cat([weights, torch.ones_like(weights[:, :1])], dim=1)
        total = total + ((maps.float() - targets) ** 2 * weights).mean()
    return total


def history_csv(history: History) -> str:
    """The course of a training as CSV: step, seconds, loss."""
    lines = [f"{step},{seconds},{loss:.6g}" for step, seconds, loss in history]
    return "\n".join(["step,seconds,loss", *lines]) + "\n"


def _optimizer(network: nn.Module, training: Plan) -> torch.optim.Optimizer:
    settings = {"lr": training.learning_rate, "weight_decay": training.weight_decay}
    if training.optimizer == "adam":
        return torch.optim.Adam(network.parameters(), **settings)
    if training.optimizer == "sgd":
        return torch.optim.SGD(network.parameters(), momentum=training.momentum, **settings)
    # alpha as in Lua Torch's optim.rmsprop, which the hourglass papers used.
    return torch.optim.RMSprop(network.parameters(), alpha=0.99, eps=1e-8, momentum=training.momentum, **settings)


def learning_rate(training: Plan, step: int, total: int) -> float:
    """The rate of a step (counted from 0)."""
    rate = training.learning_rate
    if training.schedule == "linear":
        rate *= 1 - step / total
    elif training.schedule == "drops":
        for share, factor in training.drops:
            rate *= factor if step >= share * total else 1
    return rate * min(1.0, 0.1 + 0.9 * step / training.warmup) if training.warmup else rate


def _set_rate(optimizer: torch.optim.Optimizer, training: Plan, step: int, total: int) -> None:
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(training, step, total)


def _finite(loss: torch.Tensor, step: int, rows: np.ndarray) -> float:
    value = loss.item()
    if value != value or value in (float("inf"), float("-inf")):
        raise Problem(
            f"The loss became {value} at or shortly before step {step} (people {rows.min()} to {rows.max()}).",
            cause="the learning rate is too high for this network and batch",
            next_step="lower learning_rate or raise warmup in the recipe",
            code=CELL_FAILED,
        )
    return value


def _save(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, state: _State) -> None:
    """Write network, optimizer and position as one file that appears whole."""
    tensors = {f"network.{name}": value.contiguous() for name, value in network.state_dict().items()}
    for index, entry in optimizer.state_dict()["state"].items():
        tensors |= {
            f"optimizer.{index}.{name}": value.contiguous()
            for name, value in entry.items()
            if isinstance(value, torch.Tensor)
        }
    place = {"step": state.step, "seconds": state.seconds, "history": state.history}
    write_whole(path, save(tensors, metadata={"state": json.dumps(place)}))


def _load(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> _State:
    """Put network and optimizer back where `_save` found them. Raises Problem when the file is not such a one."""
    weights, moments = {}, {}
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no dict
                part, _, rest = name.partition(".")
                if part == "network":
                    weights[rest] = file.get_tensor(name)
                else:
                    index, _, field = rest.partition(".")
                    moments.setdefault(int(index), {})[field] = file.get_tensor(name)
            place = json.loads(file.metadata()["state"])
        network.load_state_dict(weights, strict=True)
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        return _State(place["step"], place["seconds"], [tuple(entry) for entry in place["history"]])
    except (SafetensorError, RuntimeError, ValueError, TypeError, KeyError) as error:
        raise Problem(
            f"{path}: the checkpoint cannot be continued: {str(error).splitlines()[0]}",
            cause="the file is damaged, or the network's code changed since it was written",
            next_step="delete it and repeat the command: this training starts anew",
            code=CELL_FAILED,
        ) from error
