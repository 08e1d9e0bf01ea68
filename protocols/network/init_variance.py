"""Initialization variance: how large the responses of a fresh network are, at every addition in it.

Probes are found in the traced graph: the result of every addition of two or more responses (residual unit,
hourglass merge, re-injection, pyramid); in a network that adds nothing (CPM), of every convolution. Input N(0, 1);
batch normalisation by the batch; everything else as in inference, so that random pooling windows and dropout stay
out of it.
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
from protocols.network.graph import Addition, Graph, trace
from protocols.network.init_theory import Layer, expected, layer_by_layer
from protocols.statistics.intervals import student

Found = tuple[tuple[str, str], float]  # (metric, part), number
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

    A network without additions is probed behind each convolution, which a warning says; `rho` and `addend_variance`
    then do not apply. One without convolutions has no probes at all: only their number is yielded, 0.
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
        images = torch.randn(batch, 3, *input_size, generator=noise)
        images = images.to(next((parameter.device for parameter in network.parameters()), "cpu"))
        for key, value in _probe(trace(network, images, _observe)):
            series.setdefault(key, []).append(value)
    if not series:
        yield Value("probes", "network", 0.0, "probes", 1)
    for (metric, part), numbers in series.items():
        yield Value(metric, part, float(np.mean(numbers)), "1", len(numbers), *student(numbers))


def _observe(name: str, args: tuple, run: Callable[[], Any]) -> tuple[Any, Any]:
    """Of an addition: Var(sum) and Var of the addends; of a convolution: what its response follows from, and Var."""
    if name == "add":
        addends = [_variance(arg) for arg in args if isinstance(arg, torch.Tensor)]  # before it may write in place
        result = run()
        return result, (_variance(result), addends)
    if name == "convolution":
        result = run()
        return result, _layer(result, *args)
    return run(), None


def _layer(
    result: torch.Tensor,
    images: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    *_: Any,
) -> Layer:
    """The arguments of torch's operator as what theory needs of them."""
    axes = zip(images.shape[2:], result.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    return Layer(
        gain=weight[0].numel() * weight.square().mean().item(),
        bias=0.0 if bias is None else bias.var(correction=0).item(),
        inside=float(np.prod([_inside(*axis) for axis in axes])),
        entering=images.float().square().mean().item(),
        variance=_variance(result),
    )


def _inside(entering: int, leaving: int, kernel: int, stride: int, padding: int, dilation: int) -> float:
    """The share of a kernel's places along one axis that lie on the map and not on its zero padding."""
    places = np.arange(leaving)[:, None] * stride - padding + np.arange(kernel) * dilation
    return float(((places >= 0) & (places < entering)).mean())


def _variance(tensor: torch.Tensor) -> float:
    return tensor.float().var(correction=0).item()


def _probe(graph: Graph) -> Iterator[Found]:
    """The numbers of one draw."""
    additions = list(graph.additions())
    yield from _at_additions(graph, additions) if additions else _at_convolutions(graph)


def _at_additions(graph: Graph, additions: list[Addition]) -> Iterator[Found]:
    theory = expected(graph, additions)
    variances, ratios = [], []
    for addition, part in zip(additions, _parts(graph, [addition.operation for addition in additions]), strict=True):
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


def _at_convolutions(graph: Graph) -> Iterator[Found]:
    theory = layer_by_layer(graph)
    probed = f"its {len(theory)} convolutions are probed" if theory else "nor has it convolutions to probe"
    warnings.warn(f"The network adds no two responses: {probed}.", stacklevel=2)
    for index, part in zip(theory, _parts(graph, list(theory)), strict=True):
        yield ("variance", part), graph.operations[index].observed.variance
        yield ("variance_theory", part), theory[index]
    if theory:
        yield ("variance", "max"), max(graph.operations[index].observed.variance for index in theory)


def _parts(graph: Graph, probes: list[int]) -> list[str]:
    """The modules that the probes lie in, numbered where one has several."""
    modules = [graph.operations[index].module or "top level" for index in probes]
    often, seen = Counter(modules), Counter()
    parts = []
    for module in modules:
        seen[module] += 1
        parts.append(f"{module} #{seen[module]}" if often[module] > 1 else module)
    return parts
