"""Executors: which processes work on the cells of a run.

On a processor, several processes with one thread each finish sooner than one process with several threads: the
networks that fit there are small. They need no scheduler, since the locks of the store share the work.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace

import torch

from bench import progress
from bench.plan import BLOCKED, FRESH, Task
from bench.processes import deaf_children, end_with_parent
from bench.run import run
from bench.steps import Bench


def local(tasks: Sequence[Task], bench: Bench, jobs: int = 0) -> tuple[list[Task], list[tuple[Task, str]]]:
    """Run tasks with `jobs` processes, 0 for one a core on a processor and one on an accelerator.

    Returns what `run` returns.
    """
    waiting = sum(task.state not in (FRESH, BLOCKED) for task in tasks)
    jobs = min(jobs or (len(os.sched_getaffinity(0)) if bench.device == "cpu" else 1), max(1, waiting))
    if jobs == 1:
        return run(tasks, bench)
    torch.set_num_threads(1)
    progress.only_lines()
    context = multiprocessing.get_context("spawn")  # a fork would copy torch's threads in an unknown state
    helpers = [context.Process(target=_help, args=(tasks, replace(bench, debug=False))) for _ in range(jobs - 1)]
    with deaf_children():
        for helper in helpers:
            helper.start()
    try:
        return run(tasks, bench)
    except BaseException:
        for helper in helpers:
            helper.terminate()  # what it was at is continued the next time
        raise
    finally:
        for helper in helpers:
            helper.join()


def _help(tasks: Sequence[Task], bench: Bench) -> None:
    """What the other processes do: the same, until nothing is left or their parent is gone."""
    end_with_parent()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())  # so that it ends processes of its own, too
    torch.set_num_threads(1)
    progress.only_lines()
    run(tasks, bench, wait=False)
