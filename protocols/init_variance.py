"""Initialization variance: how large the responses of a fresh network are, at every addition in it.

Probes are found in the traced graph: the result of every addition of two or more responses (residual unit,
hourglass merge, re-injection, pyramid). Input N(0, 1); batch normalisation by the batch; everything else as in
inference, so that random pooling windows and dropout stay out of it.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from protocols import Value
from protocols.counting import Graph, trace
from protocols.errors import DataError
from protocols.init_theory import expected
from protocols.intervals import student

Series = dict[tuple[str, str], list[float]]  # (metric, part) -> a number a seed


def measure(
    network: nn.Module,
    input_size: tuple[int, int] = (128, 128),
    *,
    initialize: Callable[[nn.Module, int], Any],
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    batch: int = 2,
) -> Iterator[Value]:
    """Yield response variances of `network` drawn anew by `initialize(network, seed)` for each seed.

    A probe is called after the module that adds, numbered in the order of execution where it adds more than once.
    `variance` of the sum, `variance_theory` beside it, `addend_variance` (part "probe / addend"), and
    `rho` = Var(sum) / sum of the addends' variances: 1 if they are uncorrelated. Parts "max" (variance) and "mean"
    (rho) are over all probes. Intervals are Student t over seeds, absent for one seed. The network is not changed.
    """
    if any(parameter.is_meta for parameter in network.parameters()):
        raise DataError(
            "The network has shapes but no weights.",
            "a network on a real device",
            "it was created on the meta device",
            "create it on the CPU",
        )
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.train()
    series: Series = {}
    for seed in seeds:
        initialize(network, seed)
        noise = torch.Generator().manual_seed(10**9 + seed)  # a stream of its own, not the one of the weights
        images = torch.randn(batch, 3, *input_size, generator=noise).to(next(network.parameters()).device)
        for key, value in _probe(trace(network, images, _observe)):
            series.setdefault(key, []).append(value)
    for (metric, part), numbers in series.items():
        yield Value(metric, part, float(np.mean(numbers)), "1", len(numbers), *student(numbers))


def _observe(name: str, args: tuple, run: Callable[[], Any]) -> tuple[Any, Any]:
    """Of an addition: Var(sum) and Var of the addends; of a convolution: fan-in x E[weight^2] and Var[bias]."""
    if name == "add":
        addends = [_variance(arg) for arg in args if isinstance(arg, torch.Tensor)]  # before it may write in place
        result = run()
        return result, (_variance(result), addends)
    if name == "convolution":
        weight, bias = args[1], args[2]
        gain = weight[0].numel() * weight.square().mean().item()
        return run(), (gain, 0.0 if bias is None else bias.var(correction=0).item())
    return run(), None


def _variance(tensor: torch.Tensor) -> float:
    return tensor.float().var(correction=0).item()


def _probe(graph: Graph) -> Iterator[tuple[tuple[str, str], float]]:
    """The numbers of one draw."""
    additions = list(graph.additions())
    if not additions:
        raise DataError(
            "The network adds no two responses.",
            "residual units, merges or other sums",
            "a plain chain of layers",
            "choose another network: variance by depth needs additions",
        )
    theory = expected(graph, additions)
    modules = [graph.operations[addition.operation].module or "top level" for addition in additions]
    often, seen = Counter(modules), Counter()
    variances, ratios = [], []
    for addition, module in zip(additions, modules, strict=True):
        seen[module] += 1
        part = f"{module} #{seen[module]}" if often[module] > 1 else module
        addends = [graph.operations[at].observed[1][place] for at, place in addition.addends]
        variances.append(graph.operations[addition.operation].observed[0])
        ratios.append(variances[-1] / sum(addends))
        yield ("variance", part), variances[-1]
        yield ("variance_theory", part), theory[addition.operation]
        yield ("rho", part), ratios[-1]
        for number, addend in enumerate(addends, start=1):
            yield ("addend_variance", f"{part} / {number}"), addend
    yield ("variance", "max"), max(variances)
    yield ("rho", "mean"), float(np.mean(ratios))
