"""Graph of the modules inside a network or one of its blocks: what a diagram of the architecture shows.

It is read from the traced forward pass, so that it shows what runs. Lists and sequences of modules are opened,
normalization and activations are left out, equal modules in a row or side by side are counted.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from torch import nn

from protocols.network.graph import Graph, Operation
from protocols.network.path_distribution import first_call

OPENED = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
UNSEEN = {
    "native_batch_norm", "relu", "leaky_relu", "clone", "copy", "_to_copy", "_unsafe_view", "slice", "index",
    "native_dropout", "constant_pad_nd", "hardtanh", "new_full", "new_zeros", "zeros_like", "ones_like", "fill", "div",
}  # fmt: skip
SIGNS = {
    "add": "+", "mul": "×", "cat": "concatenate", "stack": "stack", "sigmoid": "sigmoid", "_softmax": "softmax",
    "max_pool2d_with_indices": "max pool", "avg_pool2d": "mean pool", "_adaptive_avg_pool2d": "mean pool",
    "mean": "mean", "sum": "sum", "addmm": "linear", "fractional_max_pool2d": "fractional max pool",
    "upsample_nearest2d": "resize", "upsample_bilinear2d": "resize", "upsample_bicubic2d": "resize",
}  # fmt: skip
SIDE_BY_SIDE = 4  # equal branches, from which on one is shown with their number


@dataclass(frozen=True)
class Step:
    """A module, or an operator between modules."""

    label: str
    kind: str  # "input", "output", "module", "convolution", "operator"
    shape: tuple[int, ...]  # of its result: channels, height, width
    inputs: tuple[int, ...]  # places of the steps it reads
    parameters: int = 0  # of a module or convolution
    row: int = 1  # so many in a row
    beside: int = 1  # so many side by side


def module_graph(network: nn.Module, graph: Graph, block: str = "", opened: Collection[str] = ()) -> list[Step]:
    """Return the steps of a traced network, or of its first block of the class `block`, in the order of execution.

    Modules of the classes `opened` are shown as what is inside them. Raises LookupError for a block that the
    network does not have or never runs.
    """
    modules = dict(network.named_modules())
    root = next((name for name, module in modules.items() if type(module).__name__ == block), None) if block else ""
    call = range(1, len(graph.operations)) if root == "" else first_call(graph, root) if root else []
    if not call:
        raise LookupError(f"{type(network).__name__} runs no block of the class {block!r}")
    return _beside(_rows(_sums(_steps(graph, call, root or "", modules, opened))))


def _steps(
    graph: Graph, call: Sequence[int], root: str, modules: dict[str, nn.Module], opened: Collection[str]
) -> list[Step]:
    """Operations of a call as steps, those of one module together."""
    steps: list[Step] = []
    found: dict[int, int] = {}  # operation -> its step
    inside, running = set(call), ""
    for index in call:
        operation = graph.operations[index]
        for source in operation.inputs:
            if source not in inside and source not in found:
                found[source] = len(steps)
                steps.append(Step("input", "input", graph.operations[source].shape[1:], ()))
        reads = tuple(dict.fromkeys(found[source] for source in operation.inputs if source in found))
        child = _child(operation.module, root, modules, opened)
        label, kind = _label(operation, modules.get(child) if child else None)
        if not label or (label == "concatenate" and len(reads) == 1):
            found[index] = reads[0]
        elif child and child == running and kind == "module":  # one more operation of the same call
            found[index] = len(steps) - 1
            others = tuple(step for step in reads if step != found[index])
            inputs = tuple(dict.fromkeys((*steps[-1].inputs, *others)))
            steps[-1] = replace(steps[-1], shape=operation.shape[1:], inputs=inputs)
        else:
            found[index] = len(steps)
            parameters = sum(parameter.numel() for parameter in modules[child].parameters()) if child else 0
            steps.append(Step(label, kind, operation.shape[1:], reads, parameters))
        running = child
    ends = graph.outputs if root == "" else _read_outside(graph, inside)
    outputs = dict.fromkeys((found[end], graph.operations[end].shape[1:]) for end in ends if end in found)
    return [*steps, *(Step("output", "output", shape, (at,)) for at, shape in outputs)]


def _read_outside(graph: Graph, inside: set[int]) -> list[int]:
    """Return the operations of a call whose results others read."""
    later = range(max(inside) + 1, len(graph.operations))
    read = {source for index in later for source in graph.operations[index].inputs} | set(graph.outputs)
    return sorted(read & inside) or [max(inside)]


def _child(module: str, root: str, modules: dict[str, nn.Module], opened: Collection[str]) -> str:
    """Name of the module inside the root that ran an operation; "" for the root itself and for what is opened."""
    below = module.removeprefix(root).removeprefix(".") if root else module
    name = root
    for part in below.split(".") if below else ():
        name = f"{name}.{part}" if name else part
        if not isinstance(modules[name], OPENED) and type(modules[name]).__name__ not in opened:
            return name
    return ""


def _label(operation: Operation, module: nn.Module | None) -> tuple[str, str]:
    """Label and kind of the step of an operation in a module; "" for what is left out."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        return _convolution(module), "convolution"
    if module is not None and not type(module).__module__.startswith("torch."):
        return type(module).__name__, "module"
    if operation.operator in UNSEEN:
        return "", "operator"
    label = SIGNS.get(operation.operator, operation.operator)
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        label = f"{label} {_size(module.kernel_size)}"
    return label, "operator"


def _convolution(module: nn.Conv2d | nn.ConvTranspose2d) -> str:
    words = [_size(module.kernel_size), "deconv" if isinstance(module, nn.ConvTranspose2d) else "conv"]
    words += [f"/{module.stride[0]}"] if module.stride[0] != 1 else []
    words += [f"dilated {module.dilation[0]}"] if module.dilation[0] != 1 else []
    words += [f"{module.groups} groups"] if module.groups != 1 else []
    return " ".join(words)


def _size(kernel: int | tuple[int, ...]) -> str:
    high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
    return f"{high}×{wide}"


# ------------------------------------------------------------------------------------ fewer steps


def _readers(steps: list[Step]) -> dict[int, list[int]]:
    readers = defaultdict(list)
    for at, step in enumerate(steps):
        for source in step.inputs:
            readers[source].append(at)
    return readers


def _sums(steps: list[Step]) -> list[Step]:
    """Join additions of which one reads only the other: a + b + c is one."""
    readers = _readers(steps)
    into = {at: readers[at][0] for at, step in enumerate(steps)
            if step.label == "+" and len(readers[at]) == 1 and steps[readers[at][0]].label == "+"}  # fmt: skip
    for at, sum_ in into.items():  # in order, so that the last one reads all addends
        others = tuple(source for source in steps[sum_].inputs if source != at)
        steps[sum_] = replace(steps[sum_], inputs=(*steps[at].inputs, *others))
    return _without(steps, {at: at for at in into})


def _rows(steps: list[Step]) -> list[Step]:
    """Count equal modules in a row as one step, and their outputs as one."""
    readers, into = _readers(steps), {}
    for at, step in enumerate(steps):
        before = step.inputs[0] if len(step.inputs) == 1 else -1
        first = into.get(before, before)
        inner = [reader for reader in readers[before] if steps[reader].kind != "output"]
        if before >= 0 and len(inner) == 1 and _equal(steps[first], step):
            into[at] = first
            steps[first] = replace(steps[first], row=steps[first].row + 1)
    kept = _without(steps, into)
    outputs = Counter(step for step in kept if step.kind == "output")
    return [step if step.kind != "output" else replace(step, beside=outputs[step])
            for at, step in enumerate(kept) if step.kind != "output" or kept.index(step) == at]  # fmt: skip


def _equal(one: Step, two: Step) -> bool:
    alike = (one.label, one.shape, one.parameters) == (two.label, two.shape, two.parameters)
    return alike and one.kind in ("module", "convolution")


def _beside(steps: list[Step]) -> list[Step]:
    """Count equal branches side by side as one, from SIDE_BY_SIDE on: equal in what they read and in what follows."""
    before, after = _names(steps, [step.inputs for step in steps]), _names(steps, _following(steps), backwards=True)
    groups = defaultdict(list)
    for at in range(len(steps)):
        groups[before[at], after[at]].append(at)
    into = {}
    for first, *others in groups.values():
        if len(others) >= SIDE_BY_SIDE - 1:
            steps[first] = replace(steps[first], beside=len(others) + 1)
            into |= dict.fromkeys(others, first)
    return _without(steps, into)


def _following(steps: list[Step]) -> list[tuple[int, ...]]:
    readers = _readers(steps)
    return [tuple(readers[at]) for at in range(len(steps))]


def _names(steps: list[Step], near: list[tuple[int, ...]], backwards: bool = False) -> dict[int, int]:
    """A number for each step that equal steps share: the same label, and neighbours of the same numbers."""
    numbers: dict[tuple, int] = {}
    found: dict[int, int] = {}
    places = range(len(steps))
    for at in reversed(places) if backwards else places:
        step = steps[at]
        key = (
            step.label,
            step.shape,
            step.parameters,
            step.row,
            tuple(sorted(Counter(found[other] for other in near[at]).items())),
        )
        if step.kind in ("input", "output"):
            key = (*key, at)
        found[at] = numbers.setdefault(key, len(numbers))
    return found


def _without(steps: list[Step], into: dict[int, int]) -> list[Step]:
    """Leave out the keys of `into`; who reads one of them reads its value instead, unless that is itself."""
    kept = [at for at in range(len(steps)) if at not in into]
    place = {at: new for new, at in enumerate(kept)}
    place |= {at: place[other] for at, other in into.items() if other in place}

    def inputs(at: int) -> Iterator[int]:
        yield from (place[source] for source in steps[at].inputs if source in place)

    return [replace(steps[at], inputs=tuple(dict.fromkeys(inputs(at)))) for at in kept]
