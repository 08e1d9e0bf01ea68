"""Weights in files: ours as safetensors, the authors' checkpoints by renamed keys; loaded entirely or not at all."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from architectures.errors import ArchitectureError

SHOWN = 3  # keys named in a message


def save(network: nn.Module, path: Path | str) -> None:
    """Write the state of the network as safetensors; the file is complete or absent, also after a crash."""
    path = Path(path)
    state = {key: tensor.detach().contiguous().cpu().clone() for key, tensor in network.state_dict().items()}
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            file.write(safetensors.torch.save(state))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load(network: nn.Module, path: Path | str, rename: Callable[[str], str] | None = None) -> None:
    """Load the weights of a file into the network: safetensors, or a PyTorch file, read for tensors only.

    Keys may carry the prefix `module.` of DataParallel, and `rename` may turn the authors' keys into ours.
    `num_batches_tracked` may be absent, as in files before PyTorch 0.4. Any other key that is missing, unexpected or
    of another shape raises ArchitectureError, and the network stays unchanged.
    """
    expected = network.state_dict()
    state = {}
    for key, tensor in _read(Path(path)).items():
        key = key.removeprefix("module.")
        state[rename(key) if rename and key not in expected else key] = tensor
    counters = {key for key in expected if key.endswith("num_batches_tracked")}
    missing = [key for key in expected if key not in state and key not in counters]
    unexpected = [key for key in state if key not in expected]
    shapes = [
        f"{key} ({_shape(state[key])} instead of {_shape(tensor)})"
        for key, tensor in expected.items()
        if key in state and state[key].shape != tensor.shape
    ]
    unusable = [f"{key} ({why})" for key in expected if key in state and (why := _unusable(state[key], expected[key]))]
    if unusable and not shapes:
        raise ArchitectureError(
            f"{Path(path).name} cannot be used, nothing was loaded: {len(unusable)} tensors are no weights: "
            f"{_first(unusable)}. Save the state of a network as finite floating-point numbers."
        )
    if missing or unexpected or shapes:
        faults = [("missing", missing), ("unexpected", unexpected), ("of another shape", shapes)]
        found = "; ".join(f"{len(keys)} {what}: {_first(keys)}" for what, keys in faults if keys)
        raise ArchitectureError(
            f"{Path(path).name} does not fit, nothing was loaded. {found}. {_cause(missing, unexpected, shapes)}"
        )
    network.load_state_dict({**{key: expected[key] for key in counters}, **state})


def _read(path: Path) -> Mapping[str, Tensor]:
    """Read the tensors of a file, on the CPU."""
    if not path.is_file():
        raise ArchitectureError(f"{path}: there is no such file of weights.")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle may raise anything
        raise ArchitectureError(
            f"{path.name} cannot be read as weights: it is damaged, or it holds objects that could run code; "
            "allowed are safetensors, and PyTorch files of tensors and plain values."
        ) from error
    for wrapper in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise ArchitectureError(
            f"{path.name} holds no state of a network; allowed are files that map names to tensors."
        )
    return content


def _unusable(tensor: Tensor, wanted: Tensor) -> str:
    """Return why a tensor cannot stand for a weight or a counter of a network; "" if it can."""
    if tensor.is_meta:
        return "without values"
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return "sparse or quantized"
    if tensor.is_floating_point() != wanted.is_floating_point() or tensor.is_complex() or tensor.dtype is torch.bool:
        return f"{tensor.dtype} instead of {wanted.dtype}".replace("torch.", "")
    return "" if tensor.isfinite().all() else "values that are not finite"


def _cause(missing: list[str], unexpected: list[str], shapes: list[str]) -> str:
    """Return the most common cause of such faults."""
    if missing and not unexpected and not shapes:
        return "The file is of a smaller network, for instance one with fewer stacks or stages, or it is incomplete."
    if unexpected and not missing and not shapes:
        return "The file is of a larger network, for instance one with more stacks or stages."
    if shapes and not missing and not unexpected:
        return "The file is of the same network with another width, another stem or other joints."
    return "The file is of another architecture; `bench list` names those whose released checkpoints load."


def _first(keys: list[str]) -> str:
    return ", ".join(keys[:SHOWN]) + (" and more" if len(keys) > SHOWN else "")


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"
