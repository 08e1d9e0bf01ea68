"""Receptive field: what a network can see by its graph, what its gradient says, and what it uses once trained.

Three answers, which need not agree: the pathways of the graph (path_distribution), the support of the
gradient with weights that cannot cancel (here), and the empirical field of a trained network
(effective_field). Parts are "network", in pixels of the image, and the kinds of blocks that the network is
made of, in cells of their own input.
"""

import copy
import inspect
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from protocols import Value
from protocols.network.effective_field import CroppedPeople, field_values
from protocols.network.graph import Graph
from protocols.network.path_distribution import Pathways, first_run, in_graph, in_run, traced

FIELDS = range(1, 14, 2)  # of the distribution function of a block: Liu et al. 2018, figure 4
MOST_MACS = 6e10  # of a block on that grid; beyond it the support is left out, so that a network takes a minute at most
ROWS, COLUMNS = 32, 192  # the grid on which the support is measured; columns double where it is cut off


def measure(
    network: nn.Module,
    input_size: tuple[int, int],
    *,
    joints: tuple[str, ...] = (),
    images: CroppedPeople | None = None,
    occlusion: int = 0,
    seed: int = 0,
) -> Iterator[Value]:
    """The values of this protocol for a network that maps N x 3 x H x W to a tuple of N x J x h x w.

    Of the whole graph and of each kind of block: paths; rf_max, rf_mean and rf_var of the field over
    pathways; entropy (bits). For blocks also P(r<=1), P(r<=3) ... P(r<=13), and rf_support, the extent of
    the gradient. With `images` (crops of people, as the network takes them) and a trained network the
    empirical field by joint: r50, r90, spread, area50; `joints` names its maps. By the gradient; on the first
    `occlusion` people also by covering patches, with some thousand forward passes each ("r50 occlusion"). Raises
    DataError for a graph whose pathways are not defined.
    """
    graph = traced(network, (3, *input_size))
    if graph.outputs[-1] == 0:  # a constant: nothing of the image reaches it
        yield Value("paths", "network", 0.0, "paths", 1)
        return
    whole = in_graph(graph, range(1, len(graph.operations)), {0}, graph.outputs[-1])
    yield from _path_values("network", whole, "px")
    for block in blocks(network, graph):
        yield from _path_values(block.kind, block.pathways, "cells")
        for field in FIELDS if block.pathways.counts else ():
            yield Value(f"P(r<={field})", block.kind, block.pathways.share(field), "share", 1)
        widest = 0 if block.fractional else MOST_MACS / (ROWS * max(1, block.macs_per_cell))
        if (extent := gradient_support(block.module, block.channels, widest=widest, seed=seed)) is not None:
            yield Value("rf_support", block.kind, float(extent), "cells", 1)
    if images is not None:
        yield from field_values(network, images, joints, seed=seed)
        if occlusion:
            yield from field_values(network, images.first(occlusion), joints, occlusion=True, seed=seed)


@dataclass(frozen=True)
class Block:
    """A kind of module with parallel pathways."""

    kind: str  # its class
    module: nn.Module  # the first of its kind
    channels: int  # of its input
    pathways: Pathways
    macs_per_cell: float  # of its input
    fractional: bool  # it pools fractionally


def blocks(network: nn.Module, graph: Graph) -> Iterator[Block]:
    """Every kind of module in the network that has parallel pathways, and one tensor as its input."""
    found = set()
    for name, module in network.named_modules():
        kind = type(module)
        if not name or kind in found or kind.__module__.startswith("torch."):
            continue
        if (run := first_run(graph, name)) and (pathways := in_run(graph, run)) and pathways.paths > 1:
            operations = [graph.operations[index] for index in run]
            entering = graph.operations[min(operations[0].inputs)].shape
            if len(entering) != 4:  # no maps
                continue
            found.add(kind)
            yield Block(
                kind=kind.__name__,
                module=module,
                channels=entering[1],
                pathways=pathways,
                macs_per_cell=sum(operation.macs for operation in operations) / (entering[2] * entering[3]),
                fractional=any(operation.operator == "fractional_max_pool2d" for operation in operations),
            )


def _path_values(part: str, pathways: Pathways, unit: str) -> Iterator[Value]:
    yield Value("paths", part, float(pathways.paths), "paths", 1)
    yield Value("rf_max", part, float(pathways.largest), unit, 1)
    yield Value("rf_mean", part, pathways.mean, unit, 1)
    yield Value("rf_var", part, pathways.variance, f"{unit}^2", 1)
    if pathways.counts is not None:
        yield Value("entropy", part, pathways.entropy, "bits", 1)


# ------------------------------------------------------------------------------------ gradient


def gradient_support(block: nn.Module, channels: int, *, widest: float = 8 * COLUMNS, seed: int = 0) -> int | None:
    """Columns of the input on which one cell of the output depends, gates included.

    A copy of the block in float64 gets weights that cannot cancel: positive ones, uniform in (0.5, 1.5)
    over the fan-in, no biases, and batch normalization that only scales to unit size, so that no sigmoid
    saturates. Maximum pools become average pools of the same windows. Then every cell within the field
    has a gradient other than zero. With fractional pooling, whose windows no average pool has, the
    result is a lower bound. None for a field that needs more than `widest` columns of input, and for a
    block that takes more than a tensor or returns something else.
    """
    if not _maps_tensors(block):
        return None
    generator = torch.Generator().manual_seed(seed)
    clone = copy.deepcopy(block).cpu().double().eval()
    _make_positive(clone, generator)
    columns = COLUMNS
    while columns <= widest:
        x = torch.rand(1, channels, ROWS, columns, dtype=torch.float64, generator=generator).requires_grad_()
        with _AveragePools():
            output = clone(x)
        output = output[-1] if isinstance(output, tuple) else output
        if not isinstance(output, torch.Tensor):
            return None
        (gradient,) = torch.autograd.grad(output[..., output.shape[-2] // 2, output.shape[-1] // 2].sum(), x)
        touched = gradient.abs().amax(dim=(0, 1, 2)).nonzero().flatten().tolist()
        if touched[0] > 0 and touched[-1] < columns - 1:
            return touched[-1] - touched[0] + 1
        columns *= 2
    return None


def _maps_tensors(block: nn.Module) -> bool:
    parameters = inspect.signature(block.forward).parameters.values()
    return sum(parameter.default is parameter.empty for parameter in parameters) == 1


def _make_positive(block: nn.Module, generator: torch.Generator) -> None:
    """Weights, biases and normalization as `gradient_support` says."""
    for name, parameter in block.named_parameters():
        if parameter.dim() > 1:
            fan_in = parameter[0].numel()
            values = 0.5 + torch.rand(parameter.shape, dtype=parameter.dtype, generator=generator)
            parameter.data = values / fan_in
        else:
            nn.init.constant_(parameter, 0.0 if name.endswith("bias") else 1.0)
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.zeros_(module.running_mean)
            module.register_forward_pre_hook(_scale_to_one)


def _scale_to_one(norm: nn.BatchNorm2d, inputs: tuple[torch.Tensor]) -> None:
    norm.running_var = inputs[0].detach().square().mean(dim=(0, 2, 3))


class _AveragePools(TorchFunctionMode):
    """A maximum passes gradient to one cell of its window, an average to all."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") != "max_pool2d":
            return func(*args, **kwargs)
        kept = {key: kwargs[key] for key in ("stride", "padding", "ceil_mode") if key in kwargs}
        return functional.avg_pool2d(*args, **kept)
