"""Executors: which processes work on the cells of a run.

On a processor, several processes with one thread each finish sooner than one process with several threads: the
networks that fit there are small. They need no scheduler, since the locks of the store share the work.
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


def execute(
    tasks: Sequence[Task], ctx: RunContext, executor: str, jobs: int = 0, address: str = ""
) -> tuple[list[Task], list[tuple[Task, str]]]:
    """Run tasks with the executor of that name; returns what `run` returns."""
    if ctx.processes > 1 and (jobs > 1 or ctx.tensorboard):
        raise Problem(
            "Processes that train a network together take all accelerators, and keep no curves for TensorBoard.",
            next_step="--processes N with --jobs 1 and without --tensorboard",
        )
    if executor == "local":
        return local(tasks, ctx, 1 if ctx.processes > 1 else jobs)
    if executor != "ray":
        raise Problem(f"There is no executor {executor!r}.", expected="local or ray")
    if ctx.tensorboard:
        raise Problem("--tensorboard: curves stay on the nodes of a cluster.", next_step="leave it out, or train here")
    from bench.executors.ray_driver import on_ray

    return on_ray(tasks, ctx, address)


def local(tasks: Sequence[Task], ctx: RunContext, jobs: int = 0) -> tuple[list[Task], list[tuple[Task, str]]]:
    """Run tasks with `jobs` processes, 0 for one a core on processors and one an accelerator on those.

    Returns what `run` returns.
    """
    gc.freeze()  # what is imported stays: looked at again and again, it costs two fifths of building and counting
    waiting = sum(task.state not in (FRESH, BLOCKED) for task in tasks)
    each = devices(ctx.device, jobs, len(os.sched_getaffinity(0)), torch.cuda.device_count())
    first, *others = each[: max(1, waiting)]
    ctx = replace(ctx, device=first)
    if not others:
        return run(tasks, ctx)
    torch.set_num_threads(1)
    progress.only_lines()
    context = multiprocessing.get_context("spawn")  # a fork would copy torch's threads in an unknown state
    helpers = [
        context.Process(target=_help, args=(tasks, replace(ctx, device=device, debug=False))) for device in others
    ]
    with block_interrupt():
        for helper in helpers:
            helper.start()
    try:
        return run(tasks, ctx)
    except BaseException:
        for helper in helpers:
            helper.terminate()  # what it was at is continued the next time
        raise
    finally:
        for helper in helpers:
            helper.join()


def devices(device: str, jobs: int, cores: int, accelerators: int) -> list[str]:
    """The device of each process: "cuda" stands for all accelerators in turn, "cuda:1" for that one alone."""
    if device == "cpu":
        return ["cpu"] * (jobs or cores)
    those = [f"cuda:{index}" for index in range(accelerators)] if device == "cuda" else [device]
    return list(islice(cycle(those), jobs or len(those)))


def _help(tasks: Sequence[Task], ctx: RunContext) -> None:
    """What the other processes do: the same, until nothing is left or their parent is gone."""
    end_with_parent()
    gc.freeze()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())  # so that it ends processes of its own, too
    torch.set_num_threads(1)
    progress.only_lines()
    run(tasks, ctx, wait=False)
