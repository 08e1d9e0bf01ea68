"""Graph of one forward pass: its operators, the modules that ran them, their inputs and their cost.

A pass under a dispatch mode records every operator below the module level, functional calls included. On the
meta device it takes neither time nor memory, so that networks of any size can be counted.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypedDict

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import conv_flop_count, flop_registry

# Operators without MACs, in addition to views and those that torch tags as pointwise or as reductions.
_WITHOUT_MACS = {
    "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "_fused_rms_norm", "_log_softmax", "_prelu_kernel", "_safe_softmax",
    "_softmax", "_to_copy", "_unsafe_view", "_upsample_bicubic2d_aa", "_upsample_bilinear2d_aa",
    "_upsample_nearest_exact2d", "adaptive_max_pool2d", "affine_grid_generator", "arange", "argsort", "avg_pool2d",
    "avg_pool3d", "bernoulli", "block_diag", "bucketize", "cat", "channel_shuffle", "clone", "col2im",
    "constant_pad_nd", "copy", "copysign", "cudnn_batch_norm", "cummax", "cummin", "cumprod", "cumsum", "detach",
    "diag_embed", "embedding", "empty_like", "exponential", "eye", "fill", "flip", "fractional_max_pool2d", "full",
    "full_like", "gather", "glu", "grid_sampler_2d", "hardswish", "im2col", "index", "index_add", "index_fill",
    "index_put", "index_select", "kthvalue", "lift_fresh_copy", "linspace", "log_sigmoid_forward", "logsumexp",
    "masked_fill", "masked_scatter", "masked_select", "max_pool2d_with_indices", "max_unpool2d", "median", "mode",
    "multinomial", "native_batch_norm", "native_channel_shuffle", "native_dropout", "native_group_norm",
    "native_layer_norm", "new_empty", "new_full", "new_ones", "new_zeros", "nonzero", "normal", "one_hot", "ones",
    "ones_like", "pixel_shuffle", "pixel_unshuffle", "put", "rand", "rand_like", "randn", "randn_like", "random",
    "reflection_pad2d", "renorm", "repeat", "repeat_interleave", "replication_pad2d", "roll", "rot90",
    "rrelu_with_noise", "scalar_tensor", "scatter", "scatter_add", "searchsorted", "sort", "split", "split_with_sizes",
    "stack", "take", "topk", "transpose", "tril", "tril_indices", "triu", "triu_indices", "unfold_copy", "uniform",
    "unique", "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes", "upsample_bicubic2d", "upsample_bilinear2d",
    "upsample_nearest2d", "zeros", "zeros_like",
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One call of an operator."""

    operator: str  # torch's name without overload and the underscore of in-place: "convolution", "relu", "add"
    module: str  # qualified name of the module whose forward ran it, "" for the network itself
    call: int  # number of the module call, so that two runs of a shared module differ
    inputs: tuple[int, ...]  # indices of the operations whose results it reads, in the order of its arguments
    shape: tuple[int, ...]  # of its (first) result
    bytes: int  # new memory; 0 in place
    macs: int = 0
    groups: int = 1  # of a convolution
    bias: bool = False
    window: int = 0  # pixels of a pooling window
    unknown: bool = False  # nobody knows its MACs: it has 0 here, and the sum is a lower bound
    observed: Any = None  # second result of `observe`

    @property
    def elements(self) -> int:
        """Number of elements of the result."""
        return torch.Size(self.shape).numel()


@dataclass(frozen=True)
class Addition:
    """Sum of two or more activations; `a + b + c` in one forward is one addition of three."""

    operation: int  # index of the last operator of the sum
    addends: tuple[tuple[int, int], ...]  # (operation, index of its argument) of each addend


@dataclass(frozen=True)
class Graph:
    """Traced forward pass in the order of execution; operation 0 is the input."""

    operations: tuple[Operation, ...]
    outputs: tuple[int, ...]  # index of the operation that computed each output of the network; 0 for a constant
    groups: dict[str, None]  # outermost modules called, in order
    peak_bytes: int  # most activation memory in use at one time, without weights and input

    @cached_property
    def needed(self) -> frozenset[int]:
        """Indices of the operations that the last output depends on."""
        needed, waiting = set(), [self.outputs[-1]]
        while waiting:
            if (index := waiting.pop()) not in needed:
                needed.add(index)
                waiting.extend(self.operations[index].inputs)
        return frozenset(needed)

    def additions(self) -> Iterator[Addition]:
        """Yield every addition of two or more activations; chains within one module call are joined."""
        readers = Counter(producer for operation in self.operations for producer in operation.inputs)
        pending: dict[int, tuple[tuple[int, int], ...]] = {}  # partial sums, part of a later addition
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
            for argument, producer in enumerate(self.operations[index].inputs):
                addends += pending.pop(producer) if producer in joined else ((index, argument),)
            if index in joined:
                pending[index] = addends
            else:
                yield Addition(index, addends)

    def group(self, operation: Operation) -> str:
        """Return the layer group of an operation: the outermost module that ran it, "" for the network itself."""
        parts = operation.module.split(".")
        return next((name for i in range(len(parts)) if (name := ".".join(parts[: i + 1])) in self.groups), "")


def _adds(operation: Operation) -> bool:
    return operation.operator == "add" and len(operation.inputs) == 2


Arguments = tuple[Any, ...]  # positional, of an operator of torch
Keywords = dict[str, Any]  # the others: torch does not type them
Observe = Callable[[str, Arguments, Callable[[], Any]], tuple[Any, Any]]


class Cost(TypedDict, total=False):
    """Cost of an operation, as fields of `Operation`."""

    macs: int
    groups: int
    bias: bool
    window: int
    unknown: bool


def _observe_nothing(name: str, args: Arguments, run: Callable[[], Any]) -> tuple[Any, None]:
    return run(), None


def trace(network: nn.Module, images: torch.Tensor, observe: Observe = _observe_nothing) -> Graph:
    """Run `network` on `images` (N x 3 x H x W) without gradients, in its current mode, and return the graph.

    With images on the meta device the weights are replaced by their shapes during the call, on any device.
    `observe(name, args, run)` may read values: it runs the operator by `run()` and returns (result, observed).
    """
    tracer = _Tracer(images, observe)
    state = {}
    if images.is_meta:
        tensors = [*network.named_parameters(), *network.named_buffers()]
        state = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors if not tensor.is_meta}
    # Attention in its parts: a fused kernel would hide the products of queries, keys and values.
    attention = sdpa_kernel(SDPBackend.MATH)
    with torch.no_grad(), attention, _without_fast_path(), tracer.inside(network), tracer:
        outputs = torch.func.functional_call(network, state, (images,)) if state else network(images)
    outputs = outputs if isinstance(outputs, tuple | list) else (outputs,)
    return Graph(
        operations=tuple(tracer.operations),
        outputs=tuple(tracer.producers.get(_storage(output), 0) for output in outputs),
        groups=tracer.groups,
        peak_bytes=tracer.peak_bytes,
    )


@contextmanager
def _without_fast_path() -> Iterator[None]:
    """Run transformers of torch.nn by their parts."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def trace_inference(network: nn.Module, shape: Sequence[int], observe: Observe = _observe_nothing) -> Graph:
    """Return the graph of inference on one image of `shape` (channels, height, width), on the meta device.

    The network's mode is restored. `observe` as of `trace`.
    """
    training = [module for module in network.modules() if module.training]
    try:
        return trace(network.eval(), torch.empty(1, *shape, device="meta"), observe)
    finally:
        for module in training:
            module.training = True


class _Tracer(TorchDispatchMode):
    """Dispatch mode that records every operator. Results are identified by storage, which covers views and in-place."""

    def __init__(self, images: torch.Tensor, observe: Observe):
        super().__init__()
        self.observe = observe
        self.operations = [Operation("input", "", 0, (), tuple(images.shape), 0)]
        self.producers = {_storage(images): 0}  # storage -> the last operation that wrote to it
        self.alive: dict[StorageWeakRef, int] = {}
        self.peak_bytes = 0
        self.groups: dict[str, None] = {}
        self.modules: list[tuple[str, int]] = []  # the stack of module calls
        self.calls = 0

    @contextmanager
    def inside(self, network: nn.Module) -> Iterator[None]:
        """Record the stack of module calls while the network runs."""
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

    def __torch_dispatch__(self, func: Any, types: Any, args: Arguments = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.is_view:
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__
        name = name.rstrip("_") if torch.Tag.inplace in func.tags else name
        result, observed = self.observe(name, args, lambda: _run(func, name, args, kwargs))
        self._record(func, name, args, kwargs, result, observed)
        return result

    def _record(self, func: Any, name: str, args: Arguments, kwargs: Keywords, result: Any, observed: Any) -> None:
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


def _run(func: Any, name: str, args: Arguments, kwargs: Keywords) -> Any:
    """Run an operator; on the meta device, compute the shape directly where torch is slow."""
    x = args[0] if args else None
    if not isinstance(x, torch.Tensor) or not x.is_meta or torch.Tag.inplace in func.tags:
        return func(*args, **kwargs)
    if name == "convolution" and not args[6]:  # not transposed
        return x.new_empty(_convolved(x.shape, args[1].shape, *args[3:6]))
    if name == "relu" or (name == "add" and _same_shape(x, args[1])):
        return x.new_empty(x.shape)
    if name == "native_batch_norm" and not args[5]:  # inference
        return x.new_empty(x.shape), x.new_empty(0), x.new_empty(0)
    if name == "upsample_bilinear2d":
        return x.new_empty((*x.shape[:2], *args[1]))
    return func(*args, **kwargs)


def _convolved(
    shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """Return the shape of the result of a convolution of N x C x H x W."""
    sides = zip(shape[2:], kernel[2:], stride, padding, dilation, strict=True)
    return [
        shape[0],
        kernel[0],
        *((side + 2 * pad - gap * (taps - 1) - 1) // step + 1 for side, taps, step, pad, gap in sides),
    ]


def _same_shape(x: torch.Tensor, y: Any) -> bool:
    return isinstance(y, torch.Tensor) and (x.shape, x.dtype) == (y.shape, y.dtype)


def _cost(func: Any, name: str, args: Arguments, kwargs: Keywords, result: Any) -> Cost:
    """Count MACs by torch's own rules, and what other counting conventions charge for."""
    if name == "convolution":  # the rule of torch's registry, without its slow search for tensors
        macs = conv_flop_count(args[0].shape, args[1].shape, result.shape, transposed=args[6]) // 2
        return {"macs": macs, "groups": args[8], "bias": args[2] is not None}
    if name in ("mv", "dot", "vdot"):  # an addend of the sum for each element of the first
        return {"macs": args[0].numel()}
    if func.overloadpacket in flop_registry:  # two operations a MAC
        macs = flop_registry[func.overloadpacket](*args, **kwargs, out_val=result) // 2
        return {"macs": macs, "bias": name == "addmm"}
    if name in ("max_pool2d_with_indices", "avg_pool2d"):
        height, width = args[1] if len(args[1]) == 2 else args[1] * 2
        return {"window": height * width}
    return {"unknown": name not in _WITHOUT_MACS and not {torch.Tag.pointwise, torch.Tag.reduction} & set(func.tags)}


def _storage(tensor: torch.Tensor) -> StorageWeakRef:
    """Return a key of the tensor's memory that stays unique and does not keep the memory alive."""
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
