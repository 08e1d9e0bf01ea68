"""Complexity: parameters, multiply-accumulates and activation memory of a network, from shapes only.

MACs are those of every convolution and linear layer of the whole graph: output elements x kernel area x input
channels / groups; no bias, normalization, activation, pooling or resizing. Papers print other numbers under the
name of FLOPs; CONVENTIONS has the rules that they followed.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from fvcore.nn import parameter_count
from torch import nn

from protocols import Value
from protocols.errors import DataError
from protocols.network.graph import Graph, Operation, trace_inference

POOLING = ("max_pool2d_with_indices", "avg_pool2d")


def _macs(graph: Graph) -> int:
    return sum(operation.macs for operation in graph.operations)


def _needed_macs(graph: Graph) -> int:
    return sum(graph.operations[index].macs for index in graph.needed)


def _dense_macs(graph: Graph) -> int:
    """Count MACs as if grouped convolutions were dense."""
    return sum(operation.macs * operation.groups for operation in graph.operations)


def _elements(graph: Graph, charged: Callable[[Operation], bool]) -> int:
    return sum(operation.elements for operation in graph.operations if charged(operation))


def _bias(graph: Graph) -> int:
    return _elements(graph, lambda operation: operation.bias)


def _normalized(graph: Graph) -> int:
    return _elements(graph, lambda operation: operation.operator.endswith("batch_norm"))


def _torch_op_counter(graph: Graph) -> int:
    """Count operations by the rules of the Lua tool torch-opCounter, which reproduce the tables of Yang et al. 2017.

    Two per dense MAC; one per output element of a convolution, with bias or not; one per ReLU element; the window per
    pooled pixel of one channel; the number of addends per element of a sum. It has no rule for batch normalization,
    fractional pooling and resizing.
    """
    pooled = (operation for operation in graph.operations if operation.operator in POOLING)
    return (
        2 * _dense_macs(graph)
        + _elements(graph, lambda operation: operation.operator in ("convolution", "relu"))
        + sum(operation.window * operation.shape[-2] * operation.shape[-1] for operation in pooled)
        + sum(len(addition.addends) * graph.operations[addition.operation].elements for addition in graph.additions())
    )


CONVENTIONS: dict[str, Callable[[Graph], float]] = {  # what each counts: variants in protocols/catalogue.toml
    "macs": lambda graph: _macs(graph) / 1e9,
    "macs-inference": lambda graph: _needed_macs(graph) / 1e9,
    "flops": lambda graph: 2 * _macs(graph) / 1e9,
    "flops-inference": lambda graph: 2 * _needed_macs(graph) / 1e9,
    "gibi-macs": lambda graph: _macs(graph) / 2**30,
    "gibi-macs-inference": lambda graph: _needed_macs(graph) / 2**30,
    "gibi-flops": lambda graph: 2 * _macs(graph) / 2**30,
    "gibi-flops-inference": lambda graph: 2 * _needed_macs(graph) / 2**30,
    "macs-dense": lambda graph: _dense_macs(graph) / 1e9,
    "flops-dense": lambda graph: 2 * _dense_macs(graph) / 1e9,
    "macs-bias": lambda graph: (_macs(graph) + _bias(graph)) / 1e9,
    "macs-bias-bn": lambda graph: (_macs(graph) + _bias(graph) + 2 * _normalized(graph)) / 1e9,
    "flops-bias": lambda graph: (2 * _macs(graph) + _bias(graph)) / 1e9,
    "opc": lambda graph: _torch_op_counter(graph) / 1e9,
    "opc-bn": lambda graph: (_torch_op_counter(graph) + 2 * _normalized(graph)) / 1e9,
}


def measure(
    network: nn.Module, input_size: tuple[int, int], *, convention: str | None = None, free: str = ""
) -> Iterator[Value]:
    """Yield the counts of `network` for one image of height x width `input_size`.

    `parameters` and `macs` of the network (part "all") and per layer group (the outermost module that owns or runs
    them); `macs_inference`; `giga_published` by the rule CONVENTIONS[convention], if one is given; `giga` by every
    rule (its part), to see which one a paper followed;
    `activation_bytes` at batch 1 in float32: part "sum", the results of all operators, which training may keep,
    and part "peak", the most in memory at one time during inference; `uncharged_calls`, the calls of each
    operator that is not part of `macs`; `not_counted`, the calls of each whose cost nobody knows, with a warning that
    `macs` are a lower bound. free: operators that have no cost, in spite of that ("aten.x" or "x", joined by commas).
    Works for modules on any device, meta included; weights are not read.
    """
    if convention is not None and convention not in CONVENTIONS:
        raise DataError(
            f"There is no counting convention {convention!r}.",
            f"one of {', '.join(CONVENTIONS)}",
            "a misspelled name in the row of a paper",
            "correct the name, or leave it out",
        )
    graph = trace_inference(network, (3, *input_size))
    counts = parameter_count(network)
    yield _count("parameters", "all", counts[""], "parameters")
    for group in _groups(graph, counts):
        yield _count("parameters", group, counts[group], "parameters")
    yield _count("macs", "all", _macs(graph), "MACs")
    for group, macs in _sums((graph.group(operation), operation.macs) for operation in graph.operations).items():
        if macs:
            yield _count("macs", group or "top level", macs, "MACs")
    yield _count("macs_inference", "all", _needed_macs(graph), "MACs")
    if convention is not None:
        yield Value("giga_published", "all", CONVENTIONS[convention](graph), f"G ({convention})", 1)
    for name, giga in CONVENTIONS.items():
        yield Value("giga", name, giga(graph), "G", 1)
    yield _count("activation_bytes", "sum", sum(operation.bytes for operation in graph.operations), "bytes")
    yield _count("activation_bytes", "peak", graph.peak_bytes, "bytes")
    declared = {name.strip().removeprefix("aten.").partition(".")[0] for name in free.split(",")}
    uncharged = [operation for operation in graph.operations[1:] if not operation.macs]
    unknown = [operation for operation in uncharged if operation.unknown and operation.operator not in declared]
    for metric, operations in (("uncharged_calls", uncharged), ("not_counted", unknown)):
        for operator, calls in _sums((operation.operator, 1) for operation in operations).items():
            yield _count(metric, operator, calls, "calls")
    if unknown:
        names = ", ".join(dict.fromkeys(operation.operator for operation in unknown))
        warnings.warn(
            f"The MACs are a lower bound: the cost of {names} is not known. If an operator has none, say so: "
            "--option free=NAME",
            stacklevel=2,
        )


def _groups(graph: Graph, counts: dict[str, int]) -> list[str]:
    """Return layer groups with parameters in the order of execution, then children that never run as a module."""
    called = [group for group in graph.groups if counts.get(group)]
    idle = [
        name
        for name, count in counts.items()
        if count and name and "." not in name and not any((group + ".").startswith(name + ".") for group in called)
    ]
    return called + idle


def _sums(items: Iterable[tuple[str, int]]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for name, amount in items:
        sums[name] += amount
    return sums


def _count(metric: str, part: str, value: int, unit: str) -> Value:
    return Value(metric, part, float(value), unit, 1)
