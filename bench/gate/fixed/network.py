"""Forward passes of every family: small networks whose weights come from a seed, in evaluation mode."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

import architectures
from architectures import Architecture
from bench.gate.fixed import Case, Row
from bench.gate.fixed.rows import of_array, of_text
from bench.training.losses import supervision

DEPTH = ("stacks", "stages")  # options that say how often a network repeats itself
SMALL = {"width": 0.125, "input": 64}
SMALL_CLASSIFIER = {"width": 0.25, "input": 32}


def cases(folder: Path) -> dict[str, Case]:
    """One network for each builder and set of its options: the shallowest one that repeats itself."""
    chosen: dict[str, Architecture] = {}
    for row in architectures.catalogue().values():
        options = {name: value for name, value in row.options.items() if name not in DEPTH}
        key = f"{row.builder} {sorted(options.items())}"
        if key not in chosen or _order(row) < _order(chosen[key]):
            chosen[key] = row
    return {row.name: partial(_rows, row) for row in chosen.values()}


def _order(row: Architecture) -> tuple[bool, int]:
    depth = max((value for name in DEPTH if isinstance(value := row.options.get(name), int)), default=0)
    return depth == 1, depth


def _rows(row: Architecture) -> Iterator[Row]:
    """Rows of the weights as built, of what supervises the outputs, and of each output."""
    small = architectures.describe(row.name, **(SMALL_CLASSIFIER if row.skeleton == "cifar10" else SMALL))
    torch.manual_seed(0)
    network = architectures.create(small).eval()
    squares = [float(parameter.detach().double().square().sum()) for parameter in network.parameters()]
    yield Row("initial weights", "sum of squares", sum(squares), len(squares))
    supervised = supervision(network)
    yield of_text("supervision", f"{supervised.kernels} {supervised.joints} {supervised.heads}")
    with torch.inference_mode():
        fill(network)
        images = torch.from_numpy(np.random.RandomState(1).rand(2, 3, *small.input)).float()
        for number, output in enumerate(network(images), start=1):
            yield from of_array(f"output {number}", output)


def fill(network: nn.Module) -> None:
    """Give every weight, bias and statistic a number that depends on nothing but its place in the network."""
    tensors = {name: tensor for name, tensor in network.state_dict().items() if tensor.is_floating_point()}
    # Variances that keep signals between 1e-3 and 1e6: those of He et al. 2015, less where residual sums add up.
    gain = 2 if any(isinstance(module, nn.BatchNorm2d) for module in network.modules()) else 6
    numbers = np.random.RandomState(2).rand(sum(tensor.numel() for tensor in tensors.values())).astype(np.float32)
    start = 0
    for name, tensor in tensors.items():
        drawn = torch.from_numpy(numbers[start : start + tensor.numel()]).view(tensor.shape)  # 0 to 1
        start += tensor.numel()
        if tensor.ndim > 1:
            drawn = (2 * drawn - 1) * (gain / tensor[0].numel()) ** 0.5
        elif name.endswith(("weight", "running_var")):
            drawn = 0.5 + drawn
        else:
            drawn = 0.2 * drawn - 0.1
        tensor.copy_(drawn)
