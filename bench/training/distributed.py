"""Several processes that train one network, one a GPU, as `torchrun` starts them. One process alone is rank 0 of 1."""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import distributed, nn

from bench.errors import Problem


def start(device: str) -> str:
    """Join the processes of torchrun, if it started this one; returns the device of this process.

    Results are printed by the first process alone.
    """
    if "WORLD_SIZE" not in os.environ:
        return device
    if os.environ["RANK"] != "0":
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - for good
    if not device.startswith("cuda"):
        distributed.init_process_group("gloo")
        return device
    index, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if index >= there:
        raise Problem(
            f"torchrun started more processes on this machine than the {there} accelerators that torch sees.",
            next_step=f"--nproc-per-node {there}, or --device cpu",
        )
    own = torch.device("cuda", index)
    torch.cuda.set_device(own)
    distributed.init_process_group("nccl", device_id=own)
    return str(own)


def stop() -> None:
    """Leave the other processes."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0


def size() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def share(count: int) -> slice:
    """The part of `count` things that is this process's; all parts together are everything, once."""
    bounds = np.linspace(0, count, size() + 1).round().astype(int)
    return slice(int(bounds[rank()]), int(bounds[rank() + 1]))


def total(values: torch.Tensor) -> torch.Tensor:
    """The sum of a tensor over all processes."""
    if size() > 1:
        values = values.clone()
        distributed.all_reduce(values)
    return values


def same(network: nn.Module) -> None:
    """Give all processes the running statistics of the first one, whose network is kept."""
    if size() > 1:
        for buffer in network.buffers():
            distributed.broadcast(buffer, 0)


def wait() -> None:
    """Until all processes are here."""
    if size() > 1:
        distributed.barrier()
