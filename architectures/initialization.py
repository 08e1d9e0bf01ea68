"""Initializations of convolutions and linear layers, for any network (Yang 2017, section 4.1 and figure 9).

n_i = k^2 C_in / groups and n_o = k^2 C_out / groups are fan-in and fan-out; the variances are those of ReLU networks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from math import prod, sqrt

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from architectures.errors import ArchitectureError

VARIANCES: dict[str, Callable[[float, float, int, int], float]] = {
    "xavier": lambda n_i, n_o, c_i, c_o: 2 / (n_i + n_o),
    "msr": lambda n_i, n_o, c_i, c_o: 2 / n_i,  # He 2015, forward
    "msr-avg": lambda n_i, n_o, c_i, c_o: 4 / (n_i + n_o),  # "kaiming" of the toolbox that the authors used
    "branch-aware": lambda n_i, n_o, c_i, c_o: 4 / (c_i * n_i + c_o * n_o),  # equation 15
}
NAMES = ("torch", *VARIANCES)
MODES = ("code-tag", "graph")


def initialize(
    network: nn.Module, name: str, *, seed: int = 0, mode: str = "code-tag", example_input: Tensor | None = None
) -> None:
    """Draw all weights of convolutions and linear layers anew, and reset batch norms to weight 1, bias 0.

    "torch" is uniform within 1/sqrt(n_i), biases too; the others are normal with zero biases. "branch-aware" needs
    the number of summed inputs C_i and of branches C_o of each layer: the mode "code-tag" takes C_i from
    `branches_in`, which the authors' code sets on one layer of each pyramid, and 1 elsewhere; "graph" finds both by
    running the network on the shape of `example_input`, N x 3 x h x w. A network on the meta device is left as it is.
    """
    if name not in NAMES:
        raise ArchitectureError(f"There is no initialization {name!r}; allowed are {', '.join(NAMES)}.")
    if mode not in MODES:
        raise ArchitectureError(f"There is no mode {mode!r} of counting branches; allowed are {', '.join(MODES)}.")
    layers = {place: module for place, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)}
    if any(module.weight.is_meta for module in layers.values()):
        return
    if name == "branch-aware" and mode == "graph":
        counts = count_branches(network, example_input)
    else:
        counts = {place: (getattr(module, "branches_in", 1), 1) for place, module in layers.items()}
    generator = torch.Generator(device=next(network.parameters()).device).manual_seed(seed) if layers else None
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_parameters()
    for place, module in layers.items():
        n_i = prod(module.weight.shape[1:])
        n_o = prod(module.weight.shape[2:]) * module.weight.shape[0] / getattr(module, "groups", 1)
        with torch.no_grad():
            if name == "torch":
                module.weight.uniform_(-1 / sqrt(n_i), 1 / sqrt(n_i), generator=generator)
            else:
                deviation = sqrt(VARIANCES[name](n_i, n_o, *counts.get(place, (1, 1))))
                module.weight.normal_(0, deviation, generator=generator)
            if module.bias is not None:
                bound = 1 / sqrt(n_i) if name == "torch" else 0
                module.bias.uniform_(-bound, bound, generator=generator)


def count_branches(network: nn.Module, example_input: Tensor | None = None) -> dict[str, tuple[int, int]]:
    """Count C_i and C_o of every convolution and linear layer that runs, by the layer's name.

    The input of a layer is traced back through normalization, ReLU, pooling and resizing to its source tensor:
    C_i is the number of addends of the source (a concatenation counts 1), C_o the number of layers that read it.
    A layer that runs several times gets the largest of its numbers.
    """
    images = torch.empty((2, 3, 128, 128) if example_input is None else example_input.shape, device="meta")
    network = copy.deepcopy(network).to("meta")  # shapes only: nothing is computed, no statistics move
    trace = _Trace(network)
    with torch.no_grad(), trace:
        network(images)
    counts: dict[str, tuple[int, int]] = {}
    for name, source in trace.reads:
        c_i, c_o = counts.get(name, (1, 1))
        counts[name] = max(c_i, source.addends), max(c_o, source.readers)
    return counts


@dataclass
class _Source:
    """Tensor that layers read, directly or through normalization, ReLU, pooling and resizing."""

    addends: int = 1
    readers: int = 0
    total: Tensor | None = None  # the result of the addition
    call: int = 0  # number of the module call that added it up


class _Trace(TorchFunctionMode):
    """Trace of every tensor of a run to its source; functions are identified by name in torch.nn.functional."""

    LAYERS = ("conv2d", "linear")
    SUMS = ("add", "add_")
    THROUGH = (
        "batch_norm",
        "relu",
        "max_pool2d",
        "avg_pool2d",
        "adaptive_avg_pool2d",
        "fractional_max_pool2d",
        "interpolate",
        "dropout",
        "mean",
        "flatten",
    )

    def __init__(self, network: nn.Module):
        super().__init__()
        self.names = {
            id(module.weight): name
            for name, module in network.named_modules()
            if isinstance(module, nn.Conv2d | nn.Linear)
        }
        self.tensors: dict[int, tuple[Tensor, _Source]] = {}  # keeps the tensors alive, so that no id is used twice
        self.reads: list[tuple[str, _Source]] = []
        self.calls = [0]  # numbers of the running module calls, innermost last
        self.count = 0
        for module in network.modules():
            module.register_forward_pre_hook(self._enter)
            module.register_forward_hook(self._leave)

    def _enter(self, *_) -> None:
        self.count += 1
        self.calls.append(self.count)

    def _leave(self, *_) -> None:
        self.calls.pop()

    def _source(self, tensor: Tensor) -> _Source:
        return self.tensors.setdefault(id(tensor), (tensor, _Source()))[1]

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call the function, and note the source of its result."""
        result = func(*args, **(kwargs or {}))
        if not isinstance(result, Tensor):
            return result
        name = func.__name__
        operands = [value for value in args if isinstance(value, Tensor)]
        source = _Source()
        if name in self.LAYERS:
            read = self._source(operands[0])
            read.readers += 1
            if id(operands[1]) in self.names:
                self.reads.append((self.names[id(operands[1])], read))
        elif name in self.SUMS and len(operands) == 2:
            source = _Source(sum(map(self._addends, operands)), total=result, call=self.calls[-1])
        elif name in (*self.THROUGH, *self.SUMS) and operands:
            source = self._source(operands[0])
        self.tensors[id(result)] = (result, source)
        return result

    def _addends(self, tensor: Tensor) -> int:
        """Count addends of a sum of the running module, 1 for other tensors: (a + b) + c and a + (b + c) have three."""
        source = self._source(tensor)
        partial_sum = source.total is tensor and source.call == self.calls[-1] and not source.readers
        return source.addends if partial_sum else 1
