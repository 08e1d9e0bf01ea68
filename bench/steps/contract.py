"""Contract of a network from a file, tried on a tiny batch before any data are drawn; errors of its own code."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from architectures import Architecture
from bench.errors import CELL_FAILED, Problem
from bench.training.losses import supervision
from protocols.pose.skeletons import SKELETONS

CONTRACT: dict[str, Any] = {
    "expected": "a tuple of heatmaps, each batch x joints x height/stride x width/stride for a whole stride",
    "next_step": "correct the builder; --debug shows tracebacks, docs/add-a-network.md has an example",
    "code": CELL_FAILED,
}


def contract_fault(network: nn.Module, row: Architecture) -> str:
    """Try a network from a file on two random images; return what is wrong with its outputs, "" if nothing is.

    Networks of the catalogue have tests of their own. The network and the random numbers stay as they are. What its
    code raises passes through.
    """
    if row.kind != "external" or hasattr(network, "fit"):
        return ""
    device = next((tensor.device for tensor in network.parameters()), torch.device("cpu"))
    training = network.training
    with torch.random.fork_rng(devices=[]):
        images = torch.rand(2, 3, *row.input, device=device)
        try:
            outputs = network.eval()(images)
        finally:
            network.train(training)
    joints = row.options.get("joints") or len(SKELETONS[row.skeleton])
    return _fault(outputs, network, int(joints) if isinstance(joints, int | float) else 0, row.input)


def _fault(outputs: object, network: nn.Module, joints: int, size: tuple[int, int]) -> str:
    """Return which output does not fit the contract, and how."""
    if not isinstance(outputs, tuple | list) or not outputs:
        shown = "an empty tuple" if isinstance(outputs, tuple | list) else type(outputs).__name__
        return f"it returns {shown}, not a tuple of its supervised outputs"
    maps = supervision(network).joints
    for index, output in enumerate(outputs):
        wanted = len(maps[index]) if index < len(maps) else joints
        if wrong := next(filter(None, (check(output, wanted, size) for check in _CHECKS)), ""):
            return f"output {index + 1} of {len(outputs)} {wrong}"
    learns = any(parameter.requires_grad for parameter in network.parameters())
    if learns and not all(output.requires_grad for output in outputs):
        return "an output is detached from the weights, so that nothing can be learnt"
    return ""


def _shape(output: Any, joints: int, size: tuple[int, int]) -> str:
    if not isinstance(output, torch.Tensor):
        return f"is {type(output).__name__}, not a tensor"
    background = joints + 1  # one map more, at the end
    if output.dim() != 4 or output.shape[0] != 2 or output.shape[1] not in (joints, background):
        shape = "x".join(map(str, output.shape))
        return f"has the shape {shape} for 2 images, not 2x{joints}xHxW: one heatmap for each of {joints} joints"
    return ""


def _grid(output: torch.Tensor, joints: int, size: tuple[int, int]) -> str:
    height, width = output.shape[-2:]
    if height and width and size[0] % height == 0 and size[1] % width == 0 and size[0] * width == size[1] * height:
        return ""
    return f"is {height}x{width} for an input of {size[0]}x{size[1]}, which is no whole stride: joints would be shifted"


def _values(output: torch.Tensor, joints: int, size: tuple[int, int]) -> str:
    if not output.is_floating_point():
        return f"holds {output.dtype}, not floating-point numbers".replace("torch.", "")
    return "" if output.is_meta or output.isfinite().all() else "holds values that are not finite before any training"


_CHECKS: tuple[Callable[[Any, int, tuple[int, int]], str], ...] = (_shape, _grid, _values)


def network_line(error: BaseException, architecture: str) -> str:
    """Return the file and line of a user's network that raised an error, "" if another code did."""
    path = architecture.rpartition(":")[0]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if path and frame.filename == path]
    return f"{Path(path).name}, line {frames[-1].lineno}" if frames else ""


def own_error(error: BaseException, place: str) -> Problem:
    """Make the problem of an error that a user's network raised at `place`."""
    what = f"sys.exit({error.code!r})" if isinstance(error, SystemExit) else f"{type(error).__name__}: {error}"
    return Problem(
        f"{place}: {what}",
        cause="the network's own code raised it",
        next_step="correct it; --debug shows the whole traceback",
        code=CELL_FAILED,
    )
