"""`bench doctor`: versions, device, flags, data and store in one block for a bug report."""

from pathlib import Path

import torch

from bench.store import provenance
from bench.store.store import CELLS, PREDICTIONS, PREPARED, WEIGHTS, Store
from protocols.datasets import DATASETS, missing


def examine(data: Path, store: Path) -> dict[str, object]:
    """Collect what may explain why a number or an error differs from another machine's."""
    accelerators = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    kinds = (PREPARED, WEIGHTS, PREDICTIONS, CELLS)
    return {
        "commit": provenance.commit(),
        "versions": provenance.versions(),
        "processor": provenance.device_name("cpu"),
        "accelerators": accelerators,
        "flags": {
            "threads": torch.get_num_threads(),
            "tf32 convolutions": torch.backends.cudnn.allow_tf32,
            "tf32 products": torch.backends.cuda.matmul.allow_tf32,
            "deterministic": torch.are_deterministic_algorithms_enabled(),
        },
        "datasets": {name: missing(name, data) or "ready" for name in DATASETS},
        "store": {kind: len(Store(store).keys(kind)) for kind in kinds},
    }


def print_examination(found: dict[str, object]) -> None:
    """Print the result of `examine` as aligned lines."""
    for name, value in found.items():
        if isinstance(value, dict):
            print(name)
            for key, entry in value.items():
                print(f"  {key:<24} {entry}")
        else:
            print(f"{name:<26} {', '.join(value) if isinstance(value, list) else value or 'none'}")
