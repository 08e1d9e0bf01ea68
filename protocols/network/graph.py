"""The graph of one forward pass: which operators ran, in which module, on whose results, at what cost.

One pass under a dispatch mode sees every operator below the module level, functional calls included. On the
meta device the pass needs neither time nor memory, so that networks of any size are counted at once.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import conv_flop_count, flop_registry

from protocols.errors import DataError

# Operators that multiply no matrix, beside views and those that torch itself tags as pointwise or as reductions.
_WITHOUT_MACS = {
    "native_batch_norm", "cudnn_batch_norm", "native_layer_norm", "native_group_norm", "_softmax", "_log_softmax",
    "max_pool2d_with_indices", "avg_pool2d", "fractional_max_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d",
    "upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d", "pixel_shuffle", "grid_sampler_2d",
    "constant_pad_nd", "reflection_pad2d", "replication_pad2d", "cat", "stack", "roll", "flip", "repeat",
    "clone", "copy", "_to_copy", "_unsafe_view", "fill", "index", "index_select", "gather", "topk", "sort",
    "cumsum", "logsumexp", "native_dropout", "bernoulli", "zeros_like", "ones_like", "full_like", "empty_like",
    "rand_like", "randn_like", "new_zeros", "new_ones", "new_full", "new_empty",
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One call of one operator; indices are places in the graph's list."""

    operator: str  # torch's name without overload and without the mark of in-place: "convolution", "relu", "add"
    module: str  # qualified name of the module whose forward ran it, "" for the network itself
    call: int  # counts module calls, so that two runs of a shared module differ
    inputs: tuple[int, ...]  # the operations whose results it reads, in the order of its arguments
    shape: tuple[int, ...]  # of its (first) result
    bytes: int  # new memory; 0 in place
    macs: int = 0
    groups: int = 1  # convolutions
    bias: bool = False
    window: int = 0  # pixels under one window, pooling
    observed: Any = None  # what `watch` kept

    @property
    def elements(self) -> int:
        return torch.Size(self.shape).numel()


@dataclass(frozen=True)
class Addition:
    """A sum of two or more activations; `a + b + c` in one forward is one addition of three."""

    operation: int  # the last operator of the sum
    addends: tuple[tuple[int, int], ...]  # (operation, which of its arguments) that brings each addend in


@dataclass(frozen=True)
class Graph:
    """A traced forward pass, in the order of execution; operation 0 is the input."""

    operations: tuple[Operation, ...]
    outputs: tuple[int, ...]  # the operation behind each output of the network; 0 behind a constant
    groups: dict[str, None]  # outermost modules called, in order
    peak_bytes: int  # most activation memory alive at one time, beyond weights and input

    @cached_property
    def needed(self) -> frozenset[int]:
        """The operations on which the last output depends."""
        found, waiting = set(), [self.outputs[-1]]
        while waiting:
            if (index := waiting.pop()) not in found:
                found.add(index)
                waiting.extend(self.operations[index].inputs)
        return frozenset(found)

    def additions(self) -> Iterator[Addition]:
        """Every addition of two or more activations, chains inside one module call joined."""
        readers = Counter(producer for operation in self.operations for producer in operation.inputs)
        pending: dict[int, tuple[tuple[int, int], ...]] = {}  # partial sums that a later addition takes in
        sums = {index for index, operation in enumerate(self.operations) if _adds(operation)}
        joined = {
            producer
            for index in sums
            for producer in self.operations[index].inputs
            if producer in sums
            and readers[producer] == 1
            and self.operations[producer].call == self.operations[index].call
        }
        for index in sorted(sums):
            addends: tuple[tuple[int, int], ...] = ()
            for place, producer in enumerate(self.operations[index].inputs):
                addends += pending.pop(producer) if producer in joined else ((index, place),)
            if index in joined:
                pending[index] = addends
            else:
                yield Addition(index, addends)

    def group(self, operation: Operation) -> str:
        """The layer group of an operation: the outermost module that ran it, "" for the network's own forward."""
        parts = operation.module.split(".")
        return next((name for i in range(len(parts)) if (name := ".".join(parts[: i + 1])) in self.groups), "")


def _adds(operation: Operation) -> bool:
    return operation.operator == "add" and len(operation.inputs) == 2


Watch = Callable[[str, tuple, Callable[[], Any]], tuple[Any, Any]]


def _keep_nothing(name: str, args: tuple, run: Callable[[], Any]) -> tuple[Any, None]:
    return run(), None


def trace(network: nn.Module, images: torch.Tensor, watch: Watch = _keep_nothing) -> Graph:
    """Run `network` on `images` (N x 3 x H x W) without gradients, in its present mode, and return the graph.

    With images on the meta device the weights are replaced by their shapes for the call, wherever they lie.
    `watch(name, args, run)` may look at values: it runs the operator by `run()` and returns (result, observed).
    DataError if an operator is met whose cost is not known.
    """
    tracer = _Tracer(images, watch)
    state = {}
    if images.is_meta:
        tensors = [*network.named_parameters(), *network.named_buffers()]
        state = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors if not tensor.is_meta}
    with torch.no_grad(), tracer.inside(network), tracer:
        outputs = torch.func.functional_call(network, state, (images,)) if state else network(images)
    outputs = outputs if isinstance(outputs, tuple | list) else (outputs,)
    return Graph(
        operations=tuple(tracer.operations),
        outputs=tuple(tracer.producers.get(_storage(output), 0) for output in outputs),
        groups=tracer.groups,
        peak_bytes=tracer.peak_bytes,
    )


def inference(network: nn.Module, shape: Sequence[int], watch: Watch = _keep_nothing) -> Graph:
    """The graph of inference on one image of `shape` (channels, height, width), by shape alone.

    The network's mode is put back. `watch` and errors as of `trace`.
    """
    training = [module for module in network.modules() if module.training]
    try:
        return trace(network.eval(), torch.empty(1, *shape, device="meta"), watch)
    finally:
        for module in training:
            module.training = True


class _Tracer(TorchDispatchMode):
    """Sees every operator. Results are known by their storage, so views and in-place writes need no rules."""

    def __init__(self, images: torch.Tensor, watch: Watch):
        super().__init__()
        self.watch = watch
        self.operations = [Operation("input", "", 0, (), tuple(images.shape), 0)]
        self.producers = {_storage(images): 0}  # storage -> the operation that wrote it last
        self.alive: dict[StorageWeakRef, int] = {}
        self.peak_bytes = 0
        self.groups: dict[str, None] = {}
        self.modules: list[tuple[str, int]] = []  # the stack of module calls
        self.calls = 0

    @contextmanager
    def inside(self, network: nn.Module) -> Iterator[None]:
        """Keep the stack of module calls while the network runs."""
        names = {module: name for name, module in network.named_modules()}

        def enter(module: nn.Module, _: Any) -> None:
            self.calls += 1
            self.modules.append((names.get(module, ""), self.calls))
            if len(self.modules) == 2:
                self.groups.setdefault(self.modules[-1][0])

        handles = (
            register_module_forward_pre_hook(enter),
            register_module_forward_hook(lambda *_: self.modules.pop() and None),
        )
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if func.is_view:
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__
        name = name.rstrip("_") if torch.Tag.inplace in func.tags else name
        result, observed = self.watch(name, args, lambda: _run(func, name, args, kwargs))
        self._record(func, name, args, kwargs, result, observed)
        return result

    def _record(self, func: Any, name: str, args: tuple, kwargs: dict, result: Any, observed: Any) -> None:
        made = [_storage(tensor) for tensor in _tensors(result)]
        if not made:
            return
        read = (self.producers.get(_storage(tensor)) for tensor in _tensors((args, list(kwargs.values()))))
        inputs = tuple(producer for producer in read if producer is not None)
        if not inputs and func.overloadpacket not in flop_registry:  # weights and constants
            return
        fresh = {ref: tensor.untyped_storage().nbytes() for ref, tensor in zip(made, _tensors(result), strict=True)}
        fresh = {ref: size for ref, size in fresh.items() if ref not in self.producers}
        module, call = self.modules[-1] if self.modules else ("", 0)
        self.operations.append(
            Operation(
                operator=name,
                module=module,
                call=call,
                inputs=inputs,
                shape=tuple(_tensors(result)[0].shape),
                bytes=sum(fresh.values()),
                observed=observed,
                **_cost(func, name, args, kwargs, result),
            )
        )
        self.producers.update(dict.fromkeys(made, len(self.operations) - 1))
        self.alive = {ref: size for ref, size in self.alive.items() if not ref.expired()} | fresh
        self.peak_bytes = max(self.peak_bytes, sum(self.alive.values()))


def _run(func: Any, name: str, args: tuple, kwargs: dict) -> Any:
    """The result of an operator; where only shapes count and torch derives them slowly, in Python, at once."""
    x = args[0] if args else None
    if not isinstance(x, torch.Tensor) or not x.is_meta or torch.Tag.inplace in func.tags:
        return func(*args, **kwargs)
    if name == "convolution" and not args[6]:  # not transposed
        return x.new_empty(_convolved(x.shape, args[1].shape, *args[3:6]))
    if name == "relu" or (name == "add" and _alike(x, args[1])):
        return x.new_empty(x.shape)
    if name == "native_batch_norm" and not args[5]:  # inference
        return x.new_empty(x.shape), x.new_empty(0), x.new_empty(0)
    if name == "upsample_bilinear2d":
        return x.new_empty((*x.shape[:2], *args[1]))
    return func(*args, **kwargs)


def _convolved(
    shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """The shape that a convolution makes of N x C x H x W."""
    sides = zip(shape[2:], kernel[2:], stride, padding, dilation, strict=True)
    return [
        shape[0],
        kernel[0],
        *((side + 2 * pad - gap * (taps - 1) - 1) // step + 1 for side, taps, step, pad, gap in sides),
    ]


def _alike(x: torch.Tensor, y: Any) -> bool:
    return isinstance(y, torch.Tensor) and (x.shape, x.dtype) == (y.shape, y.dtype)


def _cost(func: Any, name: str, args: tuple, kwargs: dict, result: Any) -> dict[str, int | bool]:
    """MACs by torch's own rules, and what other counting conventions charge for."""
    if name == "convolution":  # by the same rule as in torch's registry, without its slow search for tensors
        macs = conv_flop_count(args[0].shape, args[1].shape, result.shape, transposed=args[6]) // 2
        return {"macs": macs, "groups": args[8], "bias": args[2] is not None}
    if func.overloadpacket in flop_registry:  # two operations a MAC
        macs = flop_registry[func.overloadpacket](*args, **kwargs, out_val=result) // 2
        return {"macs": macs, "bias": name == "addmm"}
    if name in ("max_pool2d_with_indices", "avg_pool2d"):
        height, width = args[1] if len(args[1]) == 2 else args[1] * 2
        return {"window": height * width}
    if name not in _WITHOUT_MACS and not {torch.Tag.pointwise, torch.Tag.reduction} & set(func.tags):
        raise DataError(
            f"The cost of the operator {func} is not known.",
            "an operator that torch.utils.flop_counter counts, or one listed as free of multiply-accumulates",
            "the network uses an operator that no other network here uses",
            "if it multiplies no matrix, add it to _WITHOUT_MACS in protocols/network/graph.py",
        )
    return {}


def _storage(tensor: torch.Tensor) -> StorageWeakRef:
    """A key that stays unique: while it exists the address is not used again, yet the memory may go."""
    return StorageWeakRef(tensor.untyped_storage())


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    found = []
    for item in value if isinstance(value, tuple | list) else ():
        if isinstance(item, torch.Tensor):
            found.append(item)
        elif isinstance(item, tuple | list):
            found += _tensors(item)
    return found
