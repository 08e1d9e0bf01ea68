"""Pathways of a network and their receptive fields: exact counts from the traced graph.

A pathway is one way from the input to the output; its field is 1 + the sum of (kernel - 1) x dilation x
jump over its layers, in pixels of the input, along x (Liu et al. 2018, "scale distribution"). Parallel
branches are different pathways even if their fields are equal: a shortcut and a 1x1 branch both
count. 1x1 convolutions, normalization, activations and resizing add nothing. Gates are not pathways, since they
multiply: a product with a tensor behind a sigmoid or a softmax has the pathways of its other factor.
A slice of a tensor counts as the whole tensor. Where pooling and resizing alternate the formula is an
upper bound: the pixels that an output pixel sees then depend on its position.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from torch import nn

from protocols.errors import DataError
from protocols.network.graph import Arguments, Graph, trace_inference

MAX_FIELDS = 20_000  # different fields that are counted; fractional pooling in many units could make millions
Size = Fraction | int  # whole sizes are ints, whose sums are many times faster

_POINTWISE = {
    "native_batch_norm", "cudnn_batch_norm", "native_group_norm", "relu", "leaky_relu", "hardtanh", "elu", "gelu",
    "silu", "hardswish", "clamp", "clamp_min", "neg", "mul", "div", "clone", "copy", "_to_copy", "_unsafe_view",
    "constant_pad_nd", "reflection_pad2d", "replication_pad2d", "index", "index_select", "native_dropout",
}  # fmt: skip
_CONSTANTS = {
    "new_full", "new_zeros", "new_ones", "new_empty", "full_like", "zeros_like", "ones_like", "empty_like",
    "rand_like", "randn_like", "bernoulli",
}  # fmt: skip
_GATES = {"sigmoid", "_softmax", "hardsigmoid", "tanh"}
_SUMS = {"add", "sub", "cat", "stack", "maximum"}
_LAYERS = {"convolution", "addmm", "mm"}
_POOLS = {"max_pool2d_with_indices", "avg_pool2d", "fractional_max_pool2d", "_adaptive_avg_pool2d", "mean", "sum"}
_RESIZES = {"upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d", "pixel_shuffle"}


@dataclass(frozen=True)
class Pathways:
    """Number of pathways by field, with sums for networks that have too many different fields to count."""

    paths: int
    total: Size  # sum over pathways of (field - 1)
    squares: Size  # sum over pathways of (field - 1)^2
    largest: Size  # field, pixels
    counts: Mapping[Size, int] | None  # field - 1 -> pathways; None above MAX_FIELDS different fields

    @property
    def mean(self) -> float:
        """Mean field over pathways."""
        return float(1 + Fraction(self.total, self.paths))

    @property
    def variance(self) -> float:
        """Variance of the field over pathways."""
        return float(Fraction(self.squares, self.paths) - Fraction(self.total, self.paths) ** 2)

    @property
    def table(self) -> dict[Size, int] | None:
        """Field -> pathways, in ascending order."""
        return None if self.counts is None else {1 + size: n for size, n in sorted(self.counts.items())}

    @property
    def entropy(self) -> float:
        """Entropy of the distribution of fields in bits; NaN without counts."""
        shares = [float(Fraction(n, self.paths)) for n in (self.counts or {}).values()]
        return -sum(share * math.log2(share) for share in shares if share > 0) if shares else math.nan

    def share(self, field: int) -> float:
        """Return the share of pathways whose field is at most `field` pixels; NaN without counts."""
        if self.counts is None:
            return math.nan
        return float(Fraction(sum(n for size, n in self.counts.items() if size < field), self.paths))

    def widened(self, by: Size) -> "Pathways":
        """Return the pathways after a layer that adds `by` pixels."""
        if not by:
            return self
        return Pathways(
            paths=self.paths,
            total=self.total + by * self.paths,
            squares=self.squares + 2 * by * self.total + by * by * self.paths,
            largest=self.largest + by,
            counts=None if self.counts is None else {size + by: n for size, n in self.counts.items()},
        )


SINGLE = Pathways(paths=1, total=0, squares=0, largest=1, counts={0: 1})


def union(parts: Sequence[Pathways]) -> Pathways:
    """Return the pathways of parallel branches together."""
    if len(parts) == 1:
        return parts[0]
    counts: Counter[Size] | None = Counter()
    for part in parts:
        if counts is None or part.counts is None:
            counts = None
        else:
            counts.update(part.counts)
    return Pathways(
        paths=sum(part.paths for part in parts),
        total=sum(part.total for part in parts),
        squares=sum(part.squares for part in parts),
        largest=max(part.largest for part in parts),
        counts=counts if counts is None or len(counts) <= MAX_FIELDS else None,
    )


# ------------------------------------------------------------------------------------- graph


def pathways(network: nn.Module, shape: Sequence[int]) -> Pathways:
    """Return the pathways from an input of `shape` (channels, height, width) to the last output; see `in_graph`."""
    graph = trace_steps(network, shape)
    return in_graph(graph, range(1, len(graph.operations)), {0}, graph.outputs[-1])


def trace_steps(network: nn.Module, shape: Sequence[int]) -> Graph:
    """Trace inference on the meta device; `observed` of an operation is its `_Step`."""
    return trace_inference(network, shape, _observe)


def first_call(graph: Graph, name: str) -> list[int]:
    """Return the operations of a module's first call; empty if it never ran."""
    inside = [
        index for index, operation in enumerate(graph.operations) if f"{operation.module}.".startswith(f"{name}.")
    ]
    return [index for i, index in enumerate(inside) if index == inside[0] + i]


def in_call(graph: Graph, call: list[int]) -> Pathways | None:
    """Return the pathways through a module call; None if it reads several tensors, or is a gate."""
    sources = {source for index in call for source in graph.operations[index].inputs} - set(call)
    if len(sources) != 1 or graph.operations[call[-1]].operator in _GATES:
        return None
    return in_graph(graph, call, sources, call[-1])


def in_graph(graph: Graph, inside: Sequence[int], sources: set[int], end: int) -> Pathways:
    """Return the pathways from `sources` through the operations `inside` to `end`, in one pass over the graph.

    Raises DataError for an operator that is neither a layer, nor a sum, nor a gate, and for sums of
    tensors of different resolution.
    """
    flows = {source: _Flow(SINGLE, Fraction(1), gate=False) for source in sources}
    for index in inside:
        operation = graph.operations[index]
        arriving = [flows[source] for source in operation.inputs if source in flows]
        if arriving and operation.operator not in _CONSTANTS:
            flows[index] = _leaving(operation.operator, arriving, operation.observed)
    return flows[end].pathways


@dataclass(frozen=True)
class _Flow:
    """State of a tensor in the pass over the graph."""

    pathways: Pathways
    jump: Fraction  # pixels of the input from one pixel of the tensor to the next
    gate: bool  # behind a sigmoid or a softmax, without a layer since


@dataclass(frozen=True)
class _Step:
    """Geometry of an operation along x."""

    reach: int = 0  # pixels of its input beyond the first: (kernel - 1) x dilation
    stride: Fraction = Fraction(1)  # pixels of its input from one pixel of its result to the next


def _leaving(operator: str, arriving: list[_Flow], step: _Step) -> _Flow:
    """Return the state of an operator's result from the states of its inputs."""
    first = arriving[0]
    if operator in _SUMS:
        if len({flow.jump for flow in arriving}) > 1:
            raise DataError(
                what=f"The operator {operator} joins tensors whose pixels are {_jumps(arriving)} pixels apart.",
                expected="branches of equal resolution",
                cause="an input that a stride does not divide, or a branch that is pooled to a point",
                next_step="choose an input size that is a multiple of all strides",
            )
        return _Flow(union([flow.pathways for flow in arriving]), first.jump, all(flow.gate for flow in arriving))
    if operator == "mul" and len(arriving) > 1:
        values = [flow for flow in arriving if not flow.gate]
        if len(values) > 1:
            raise DataError(
                what="The network multiplies two tensors, neither of which is behind a sigmoid or a softmax.",
                expected="a gate: values between 0 and 1 that weight the other factor",
                cause="a network whose pathways are not defined by sums of branches",
                next_step="measure its empirical receptive field instead",
            )
        return (values or arriving)[0]
    if operator in _GATES:
        return _Flow(first.pathways, first.jump, gate=True)
    if operator in _LAYERS | _POOLS | _RESIZES:
        widened = first.pathways.widened(_whole(step.reach * first.jump))
        return _Flow(widened, first.jump * step.stride, first.gate and operator not in _LAYERS)
    if operator in _POINTWISE and len(arriving) == 1:
        return first
    raise DataError(
        what=f"The pathways through the operator {operator} with {len(arriving)} input(s) are not defined.",
        expected="convolutions, pools, resizing, sums, concatenations, gates and functions of one tensor",
        cause="attention between positions, or an operator that no network of the catalogue uses",
        next_step="measure the empirical receptive field, or add it to protocols/network/path_distribution.py",
    )


def _observe(name: str, args: Arguments, run: Callable[[], Any]) -> tuple[Any, _Step]:
    result = run()
    return result, _step(name, args, result)


def _step(name: str, args: Arguments, result: Any) -> _Step:
    """Return reach and stride along x from the arguments of torch's operator."""
    if name == "convolution":  # input, weight, bias, stride, padding, dilation, transposed, ...
        kernel, stride, dilation = args[1].shape[-1], args[3][-1], args[5][-1]
        if args[6]:
            return _Step(math.ceil(kernel / stride) - 1, Fraction(1, stride))
        return _Step((kernel - 1) * dilation, Fraction(stride))
    if name not in _POOLS | _RESIZES:
        return _Step()
    result = result[0] if isinstance(result, tuple) else result
    inputs, outputs = args[0].shape[-1], result.shape[-1] if result.dim() > 2 else 1
    if name in _RESIZES:
        return _Step(0, Fraction(inputs, outputs))
    if name == "fractional_max_pool2d":
        return _Step(args[1][-1] - 1, Fraction(inputs, outputs))
    if name in ("max_pool2d_with_indices", "avg_pool2d"):
        kernel = args[1][-1]
        return _Step(kernel - 1, Fraction(args[2][-1] if len(args) > 2 and args[2] else kernel))
    return _Step(inputs // outputs - 1, Fraction(inputs, outputs))  # global, adaptive


def _whole(size: Fraction) -> Size:
    return size.numerator if size.denominator == 1 else size


def _jumps(flows: list[_Flow]) -> str:
    return " and ".join(f"{float(flow.jump):g}" for flow in flows)
