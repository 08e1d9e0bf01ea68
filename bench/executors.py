"""Executors: which processes work on the cells of a run.

On a processor, several processes with one thread each finish sooner than one process with several threads: the
networks that fit there are small. They need no scheduler, since the locks of the store share the work.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from bench import progress
from bench.plan import BLOCKED, FRESH, Task
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
    for helper in helpers:
        helper.start()
    try:
        return run(tasks, bench)
    finally:
        for helper in helpers:
            helper.join()


def _help(tasks: Sequence[Task], bench: Bench) -> None:
    """What the other processes do: the same, until nothing is left or their parent is gone."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    torch.set_num_threads(1)
    progress.only_lines()
    try:
        run(tasks, bench, wait=False)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says what there is to say


def _end_with(parent: int) -> None:
    """End this process soon after its parent, even if that was killed."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
