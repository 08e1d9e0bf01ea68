"""Processes that train one network together, one per GPU, started by `torchrun`; a single process is rank 0 of 1."""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import distributed, nn

from bench.errors import Problem


def start(device: str) -> str:
    """Join the processes of torchrun, if it started this one; returns the device of this process.

    Only the first process prints results. Raises Problem if the machine has too few accelerators.
    """
    if "WORLD_SIZE" not in os.environ:
        return device
    if os.environ["RANK"] != "0":
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - for the rest of the process
    if not device.startswith("cuda"):
        distributed.init_process_group("gloo")
        return device
    index, available = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if index >= available:
        raise Problem(
            f"torchrun started more processes on this machine than the {available} accelerators that torch sees.",
            next_step=f"--nproc-per-node {available}, or --device cpu",
        )
    own = torch.device("cuda", index)
    torch.cuda.set_device(own)
    distributed.init_process_group("nccl", device_id=own)
    return str(own)


def stop() -> None:
    """Leave the group of processes."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def size() -> int:
    """Number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def share(count: int) -> slice:
    """This process's share of `count` items; the shares of all processes cover each item once."""
    bounds = np.linspace(0, count, size() + 1).round().astype(int)
    return slice(int(bounds[rank()]), int(bounds[rank() + 1]))


def total(values: torch.Tensor) -> torch.Tensor:
    """Sum of a tensor over all processes."""
    if size() > 1:
        values = values.clone()
        distributed.all_reduce(values)
    return values


def sync_statistics(network: nn.Module) -> None:
    """Give all processes the running statistics of the first one, whose network is saved."""
    if size() > 1:
        for buffer in network.buffers():
            distributed.broadcast(buffer, 0)


def wait() -> None:
    """Wait until all processes have called this."""
    if size() > 1:
        distributed.barrier()
