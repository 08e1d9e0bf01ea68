"""Initialization variance: variance of the responses of an untrained network, at every addition in it.

Probes are found in the traced graph: the result of every addition of two or more responses (residual unit,
hourglass merge, re-injection, pyramid); in a network without additions (CPM), of every convolution. Input N(0, 1);
batch normalization by the batch; everything else as in inference, without random pooling windows and dropout.
"""

import copy
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from protocols import Value
from protocols.errors import DataError
from protocols.network.graph import Addition, Arguments, Graph, trace
from protocols.network.init_theory import (
    AdditionStatistics,
    ConvolutionStatistics,
    addition_variances,
    convolution_variances,
)
from protocols.statistics.intervals import student

Found = tuple[tuple[str, str], float]  # (metric, part), number
Series = dict[tuple[str, str], list[float]]  # (metric, part) -> numbers of all seeds


def measure(
    network: nn.Module,
    input_size: tuple[int, int] = (128, 128),
    *,
    initialize: Callable[[nn.Module, int], Any],
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    batch: int = 2,
) -> Iterator[Value]:
    """Yield response variances of `network`, initialized by `initialize(network, seed)` for each seed.

    A probe is named after the module that adds, numbered in the order of execution if it adds more than once.
    Metrics: `variance` of the sum, `variance_theory`, `addend_variance` (part "probe / addend"), and
    `rho` = Var(sum) / sum of the addends' variances: 1 if they are uncorrelated. Parts "max" (variance) and "mean"
    (rho) are over all probes. Intervals are Student t over seeds, absent for one seed. The network is not changed.

    A network without additions is probed behind each convolution, with a warning; `rho` and `addend_variance`
    then do not apply. One without convolutions has no probes: only their number is yielded, 0.
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
        noise = torch.Generator().manual_seed(10**9 + seed)  # not the seed of the weights
        images = torch.randn(batch, 3, *input_size, generator=noise)
        images = images.to(next((parameter.device for parameter in network.parameters()), "cpu"))
        for key, value in _probe(trace(network, images, _observe)):
            series.setdefault(key, []).append(value)
    if not series:
        yield Value("probes", "network", 0.0, "probes", 1)
    for (metric, part), numbers in series.items():
        yield Value(metric, part, float(np.mean(numbers)), "1", len(numbers), *student(numbers))


def _observe(name: str, args: Arguments, run: Callable[[], Any]) -> tuple[Any, Any]:
    """Run an operator and return its result and, for an addition and a convolution, its statistics."""
    if name == "add":
        addends = [_variance(arg) for arg in args if isinstance(arg, torch.Tensor)]  # before it may write in place
        result = run()
        return result, AdditionStatistics(_variance(result), addends)
    if name == "convolution":
        result = run()
        return result, _convolution_statistics(result, *args)
    return run(), None


def _convolution_statistics(
    result: torch.Tensor,
    images: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    *_: Any,
) -> ConvolutionStatistics:
    """Compute the statistics from the arguments of torch's operator."""
    axes = zip(images.shape[2:], result.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    return ConvolutionStatistics(
        gain=weight[0].numel() * weight.square().mean().item(),
        bias=0.0 if bias is None else bias.var(correction=0).item(),
        on_map=float(np.prod([_share_on_map(*axis) for axis in axes])),
        input_square=images.float().square().mean().item(),
        variance=_variance(result),
    )


def _share_on_map(inputs: int, outputs: int, kernel: int, stride: int, padding: int, dilation: int) -> float:
    """Return the share of a kernel's taps along one axis that are not on zero padding."""
    taps = np.arange(outputs)[:, None] * stride - padding + np.arange(kernel) * dilation
    return float(((taps >= 0) & (taps < inputs)).mean())


def _variance(tensor: torch.Tensor) -> float:
    return tensor.float().var(correction=0).item()


def _probe(graph: Graph) -> Iterator[Found]:
    """Yield the numbers of one seed."""
    additions = list(graph.additions())
    yield from _at_additions(graph, additions) if additions else _at_convolutions(graph)


def _at_additions(graph: Graph, additions: list[Addition]) -> Iterator[Found]:
    theory = addition_variances(graph, additions)
    variances, ratios = [], []
    for addition, part in zip(additions, _parts(graph, [addition.operation for addition in additions]), strict=True):
        addends = [graph.operations[index].observed.addends[argument] for index, argument in addition.addends]
        variances.append(graph.operations[addition.operation].observed.variance)
        ratios.append(variances[-1] / sum(addends))
        yield ("variance", part), variances[-1]
        yield ("variance_theory", part), theory[addition.operation]
        yield ("rho", part), ratios[-1]
        for number, addend in enumerate(addends, start=1):
            yield ("addend_variance", f"{part} / {number}"), addend
    yield ("variance", "max"), max(variances)
    yield ("rho", "mean"), float(np.mean(ratios))


def _at_convolutions(graph: Graph) -> Iterator[Found]:
    theory = convolution_variances(graph)
    probed = f"its {len(theory)} convolutions are probed" if theory else "nor has it convolutions to probe"
    warnings.warn(f"The network adds no two responses: {probed}.", stacklevel=2)
    for index, part in zip(theory, _parts(graph, list(theory)), strict=True):
        yield ("variance", part), graph.operations[index].observed.variance
        yield ("variance_theory", part), theory[index]
    if theory:
        yield ("variance", "max"), max(graph.operations[index].observed.variance for index in theory)


def _parts(graph: Graph, probes: list[int]) -> list[str]:
    """Return the module of each probe, numbered if it has several."""
    modules = [graph.operations[index].module or "top level" for index in probes]
    total, seen = Counter(modules), Counter[str]()
    parts = []
    for module in modules:
        seen[module] += 1
        parts.append(f"{module} #{seen[module]}" if total[module] > 1 else module)
    return parts
