"""Several processes that train one network, one a GPU, as `torchrun` starts them. One process alone is rank 0 of 1."""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import distributed


def start(device: str) -> str:
    """Join the processes of torchrun, if it started this one; returns the device of this process.

    Results are printed by the first process alone.
    """
    if "WORLD_SIZE" not in os.environ:
        return device
    if os.environ["RANK"] != "0":
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - for good
    if device.startswith("cuda"):
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return device


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


def wait() -> None:
    """Until all processes are here."""
    if size() > 1:
        distributed.barrier()
