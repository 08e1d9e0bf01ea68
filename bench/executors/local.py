"""Local executor: several processes of this machine work on the cells of a run.

On a CPU, several processes with one thread each finish sooner than one process with several threads: the networks
that fit there are small. They need no scheduler: the locks of the store divide the work.
"""

import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice

import torch

from bench import progress
from bench.cells.plan import BLOCKED, FRESH, Task
from bench.context import RunContext
from bench.errors import Problem
from bench.executors.run import run
from bench.processes import block_interrupt, end_with_parent
from bench.store.provenance import chosen_device

Outcome = tuple[list[Task], list[tuple[Task, str]]]  # finished tasks, and failed ones with the reason


def execute(tasks: Sequence[Task], ctx: RunContext, executor: str, jobs: int = 0, address: str = "") -> Outcome:
    """Run tasks with an executor of EXECUTORS; returns finished tasks and failed ones with the reason."""
    if executor not in EXECUTORS:
        raise Problem(f"There is no executor {executor!r}.", expected=f"one of {', '.join(EXECUTORS)}")
    if ctx.processes > 1 and (jobs > 1 or ctx.tensorboard):
        raise Problem(
            "Processes that train one network together take all accelerators, and write no curves for TensorBoard.",
            next_step="--processes N with --jobs 1 and without --tensorboard",
        )
    return EXECUTORS[executor](tasks, ctx, jobs, address)


def _on_this_machine(tasks: Sequence[Task], ctx: RunContext, jobs: int, _address: str) -> Outcome:
    ctx = replace(ctx, device=chosen_device(ctx.device))
    return local(tasks, ctx, 1 if ctx.processes > 1 else jobs)


def _on_ray(tasks: Sequence[Task], ctx: RunContext, _jobs: int, address: str) -> Outcome:
    if ctx.tensorboard:
        raise Problem(
            "--tensorboard: curves stay on the nodes of a cluster.", next_step="leave it out, or use --executor local"
        )
    from bench.executors.ray_driver import on_ray

    return on_ray(tasks, ctx, address)  # nodes choose their own device


EXECUTORS = {"local": _on_this_machine, "ray": _on_ray}


def local(tasks: Sequence[Task], ctx: RunContext, jobs: int = 0) -> tuple[list[Task], list[tuple[Task, str]]]:
    """Run tasks with `jobs` processes; 0: one per core on a CPU, else one per accelerator.

    Returns finished tasks and failed ones with the reason.
    """
    gc.freeze()  # imported modules stay: collecting them again and again took 40 % of building and counting
    unfinished = sum(task.state not in (FRESH, BLOCKED) for task in tasks)
    each = devices(ctx.device, jobs, len(os.sched_getaffinity(0)), torch.cuda.device_count())
    first, *others = each[: max(1, unfinished)]
    ctx = replace(ctx, device=first)
    if not others:
        return run(tasks, ctx)
    torch.set_num_threads(1)
    progress.only_lines()
    context = multiprocessing.get_context("spawn")  # a fork would copy torch's threads in an unknown state
    workers = [
        context.Process(target=_work, args=(tasks, replace(ctx, device=device, debug=False))) for device in others
    ]
    with block_interrupt():
        for worker in workers:
            worker.start()
    try:
        return run(tasks, ctx)
    except BaseException:
        for worker in workers:
            worker.terminate()  # its interrupted step is continued by the next run
        raise
    finally:
        for worker in workers:
            worker.join()


def devices(device: str, jobs: int, cores: int, accelerators: int) -> list[str]:
    """Device of each process: "cuda" stands for all accelerators in turn, "cuda:1" for that one only."""
    if device == "cpu":
        return ["cpu"] * (jobs or cores)
    available = [f"cuda:{index}" for index in range(accelerators)] if device == "cuda" else [device]
    return list(islice(cycle(available), jobs or len(available)))


def _work(tasks: Sequence[Task], ctx: RunContext) -> None:
    """Run tasks in a worker process, until none is left or the parent is gone."""
    end_with_parent()
    gc.freeze()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())  # an exit also ends its own child processes
    torch.set_num_threads(1)
    progress.only_lines()
    run(tasks, ctx, wait=False)
