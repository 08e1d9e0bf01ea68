"""Receptive field: of the graph, of the gradient, and of the trained network.

Three answers, which need not agree: the pathways of the graph (path_distribution), the support of the
gradient with weights that cannot cancel (this module), and the empirical receptive field of a trained network
(effective_field). Parts are "network", in pixels of the image, and the types of blocks in the network, in pixels of
the block's input (the unit "cells").
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
from protocols.network.path_distribution import Pathways, first_call, in_call, in_graph, trace_steps

FIELDS = range(1, 14, 2)  # of the distribution function of a block: Liu et al. 2018, figure 4
ROWS, COLUMNS = 32, 192  # size of the block's input to measure the support; columns double while it is cut off
MAX_MACS = 6e10  # of a block on such an input; above, the support is left out: a network takes a minute at most


def measure(
    network: nn.Module,
    input_size: tuple[int, int],
    *,
    joints: tuple[str, ...] = (),
    images: CroppedPeople | None = None,
    occlusion: int = 0,
    seed: int = 0,
) -> Iterator[Value]:
    """Yield the receptive fields of a network that maps N x 3 x H x W to a tuple of N x J x h x w.

    Of the whole graph and of each type of block: paths; rf_max, rf_mean and rf_var of the field over
    pathways; entropy (bits). For blocks also P(r<=1), P(r<=3) ... P(r<=13), and rf_support, the extent of
    the gradient. With `images` (crops of people, normalized for the network) and a trained network also the
    empirical receptive field by joint: r50, r90, spread, area50; `joints` names the heatmaps. It is measured by the
    gradient, and for the first `occlusion` people also by covering patches, with some thousand forward passes each
    ("r50 occlusion"). Raises DataError for a graph whose pathways are not defined.
    """
    graph = trace_steps(network, (3, *input_size))
    if graph.outputs[-1] == 0:  # a constant, which no pixel of the image reaches
        yield Value("paths", "network", 0.0, "paths", 1)
        return
    whole = in_graph(graph, range(1, len(graph.operations)), {0}, graph.outputs[-1])
    yield from _path_values("network", whole, "px")
    for block in blocks(network, graph):
        yield from _path_values(block.kind, block.pathways, "cells")
        for field in FIELDS if block.pathways.counts else ():
            yield Value(f"P(r<={field})", block.kind, block.pathways.share(field), "share", 1)
        columns = 0 if block.fractional else MAX_MACS / (ROWS * max(1, block.macs_per_pixel))
        if (extent := gradient_support(block.module, block.channels, max_columns=columns, seed=seed)) is not None:
            yield Value("rf_support", block.kind, float(extent), "cells", 1)
    if images is not None:
        yield from field_values(network, images, joints, seed=seed)
        if occlusion:
            yield from field_values(network, images.first(occlusion), joints, occlusion=True, seed=seed)


@dataclass(frozen=True)
class Block:
    """Type of module with parallel pathways."""

    kind: str  # name of its class
    module: nn.Module  # the first of its type
    channels: int  # of its input
    pathways: Pathways
    macs_per_pixel: float  # of its input
    fractional: bool  # uses fractional max pooling


def blocks(network: nn.Module, graph: Graph) -> Iterator[Block]:
    """Yield the types of modules in the network with parallel pathways and one tensor as input."""
    yielded = set()
    for name, module in network.named_modules():
        kind = type(module)
        if not name or kind in yielded or kind.__module__.startswith("torch."):
            continue
        if (call := first_call(graph, name)) and (pathways := in_call(graph, call)) and pathways.paths > 1:
            operations = [graph.operations[index] for index in call]
            shape = graph.operations[min(operations[0].inputs)].shape
            if len(shape) != 4:  # not N x C x h x w
                continue
            yielded.add(kind)
            yield Block(
                kind=kind.__name__,
                module=module,
                channels=shape[1],
                pathways=pathways,
                macs_per_pixel=sum(operation.macs for operation in operations) / (shape[2] * shape[3]),
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


def gradient_support(block: nn.Module, channels: int, *, max_columns: float = 8 * COLUMNS, seed: int = 0) -> int | None:
    """Return the number of columns of the input that one pixel of the output depends on, gates included.

    A copy of the block in float64 gets weights that cannot cancel: positive ones, uniform in (0.5, 1.5)
    over the fan-in, no biases, and batch normalization that only scales to unit size, so that no sigmoid
    saturates. Max pooling becomes average pooling of the same windows. Then every pixel within the field
    has a non-zero gradient. With fractional pooling, which has no average counterpart, the
    result is a lower bound. None for a field that needs more than `max_columns` columns of input, and for a
    block that does not map one tensor to one tensor.
    """
    if not _takes_one_tensor(block):
        return None
    generator = torch.Generator().manual_seed(seed)
    clone = copy.deepcopy(block).cpu().double().eval()
    _make_positive(clone, generator)
    columns = COLUMNS
    while columns <= max_columns:
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


def _takes_one_tensor(block: nn.Module) -> bool:
    parameters = inspect.signature(block.forward).parameters.values()
    return sum(parameter.default is parameter.empty for parameter in parameters) == 1


def _make_positive(block: nn.Module, generator: torch.Generator) -> None:
    """Set weights, biases and normalization as described in `gradient_support`."""
    for name, parameter in block.named_parameters():
        if parameter.dim() > 1:
            fan_in = parameter[0].numel()
            values = 0.5 + torch.rand(parameter.shape, dtype=parameter.dtype, generator=generator)
            parameter.data = values / fan_in
        else:
            nn.init.constant_(parameter, 0.0 if name.endswith("bias") else 1.0)
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            nn.init.zeros_(module.running_mean)
            module.register_forward_pre_hook(_scale_to_one)


def _scale_to_one(norm: nn.BatchNorm2d, inputs: tuple[torch.Tensor]) -> None:
    norm.running_var = inputs[0].detach().square().mean(dim=(0, 2, 3))


class _AveragePools(TorchFunctionMode):
    """Mode in which max pooling is average pooling, which passes the gradient to all pixels of its window."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call the function, avg_pool2d for max_pool2d."""
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") != "max_pool2d":
            return func(*args, **kwargs)
        shared = {key: kwargs[key] for key in ("stride", "padding", "ceil_mode") if key in kwargs}
        return functional.avg_pool2d(*args, **shared)
