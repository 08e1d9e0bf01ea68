"""Checkpoints: the complete state of a training as one file, written atomically. No pickle."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import nn

from bench.errors import CELL_FAILED, Problem
from bench.store.store import write_atomically

History = list[tuple[int, float, float, float | None]]  # step, seconds, loss, held-out score in per cent

LAST, BEST, DIVERGED = "checkpoint.safetensors", "best.safetensors", "diverged.safetensors"


@dataclass
class State:
    """Progress of a training: steps, time, history, and what deviated from the recipe."""

    step: int = 0
    seconds: float = 0.0
    history: History = field(default_factory=list)
    micro_batch: int = 0  # as in the recipe, or half of it after memory ran out
    notes: list[str] = field(default_factory=list)  # what deviates from the recipe

    @property
    def best(self) -> float:
        """The highest held-out score so far."""
        return max((metric for *_, metric in self.history if metric is not None), default=-1.0)


def save(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: nn.Module | None,
    state: State,
) -> None:
    """Write network, optimizer, averaged weights if there are any, and the progress."""
    tensors = {f"network.{name}": value.contiguous() for name, value in network.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{name}": value.contiguous() for name, value in average.state_dict().items()}
    for index, entry in optimizer.state_dict()["state"].items():
        tensors |= {
            f"optimizer.{index}.{name}": value.contiguous()
            for name, value in entry.items()
            if isinstance(value, torch.Tensor)
        }
    write_atomically(path, to_bytes(tensors, metadata={"state": json.dumps(asdict(state))}))


def load(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, average: nn.Module | None) -> State:
    """Load a checkpoint into network, optimizer and average. Raises Problem for a damaged or foreign file."""
    tensors: dict[str, dict[str, torch.Tensor]] = {"network": {}, "average": {}}
    moments: dict[int, dict[str, torch.Tensor]] = {}
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no dict
                part, _, rest = name.partition(".")
                if part in tensors:
                    tensors[part][rest] = file.get_tensor(name)
                else:
                    index, _, field_name = rest.partition(".")
                    moments.setdefault(int(index), {})[field_name] = file.get_tensor(name)
            state = json.loads(file.metadata()["state"])
        network.load_state_dict(tensors["network"], strict=True)
        if average is not None:
            average.load_state_dict(tensors["average"], strict=True)
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        _match_layout(optimizer)
        return msgspec.convert(state, State)
    except (SafetensorError, msgspec.ValidationError, RuntimeError, ValueError, TypeError, KeyError) as error:
        raise Problem(
            f"{path}: the checkpoint cannot be continued: {str(error).partition(chr(10))[0]}",
            cause="the file is damaged, or the network's code changed since it was written",
            next_step="delete it and repeat the command: this training starts anew",
            code=CELL_FAILED,
        ) from error


def _match_layout(optimizer: torch.optim.Optimizer) -> None:
    """Give the optimizer's moments the memory layout of their parameters: with another one a step is slower."""
    for parameter, entry in optimizer.state.items():
        for name, value in entry.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                entry[name] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
