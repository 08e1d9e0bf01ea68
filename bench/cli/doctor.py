"""`bench doctor`: versions, device, flags, data and store in one block for a bug report."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch

import architectures
from bench.cells import matrix
from bench.cells.cost import Estimate, hours
from bench.store import provenance
from bench.store.store import CELLS, PREDICTIONS, PREPARED, WEIGHTS, Store
from protocols.datasets import DATASETS, missing

if TYPE_CHECKING:
    from bench.training.throughput import Throughput


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


def measure_throughput(
    store: Path, data: Path, device: str, name: str, overrides: architectures.Options
) -> "Throughput":
    """Measure the step rate from the prepared cache against that of a batch in memory; takes minutes on a CPU."""
    from bench.progress import step
    from bench.training.throughput import throughput

    with step(f"throughput of {name}") as update:
        return throughput(Store(store), data, device, name, overrides, update)


def estimate(path: Path, name: str, overrides: architectures.Options, rate: float) -> Estimate:
    """Estimate the hours of a matrix's trainings, where the network `name` trains on `rate` images a second."""
    return hours(matrix.load(path), architectures.describe(name, **overrides), rate)


def print_examination(found: dict[str, object]) -> None:
    """Print the result of `examine` as aligned lines."""
    for name, value in found.items():
        if isinstance(value, dict):
            print(name)
            for key, entry in value.items():
                print(f"  {key:<24} {entry}")
        else:
            print(f"{name:<26} {', '.join(value) if isinstance(value, list) else value or 'none'}")
