"""Run cells one after the other; a cell that fails does not stop the others."""

import sys
from collections.abc import Iterable
from contextlib import redirect_stdout

from bench import progress
from bench.cells.plan import BLOCKED, FRESH, Task
from bench.context import RunContext
from bench.errors import CELL_FAILED, EXPECTED, exit_code, explain
from bench.steps.contract import network_line, own_error
from bench.steps.pipeline import finish
from bench.store import provenance
from bench.store.store import CELLS, Failure


def run(tasks: Iterable[Task], ctx: RunContext, wait: bool = True) -> tuple[list[Task], list[tuple[Task, str]]]:
    """Finish every task; returns the finished ones and the failed ones with the reason.

    A cell that another process works on comes last and is waited for, unless `wait` is off. The failure of a cell is
    recorded in the store, and the others go on. KeyboardInterrupt passes through; finished steps stay.
    """
    done, failed, busy = [], [], []
    queue = [task for task in tasks if task.state != BLOCKED]
    for task in queue:
        (done if task.state == FRESH or _attempt(task, ctx, failed, wait=False) else busy).append(task)
    tried = {task.key for task, _ in failed}
    for task in busy if wait else ():
        if task.key not in tried and _attempt(task, ctx, failed, wait=True):
            done.append(task)
    return done, failed


def _attempt(task: Task, ctx: RunContext, failed: list[tuple[Task, str]], wait: bool) -> bool:
    """Try to finish a task; False if another process works on it or it failed."""
    try:
        with ctx.store.lock(CELLS, task.key, wait) as acquired:
            return acquired and _finish_locked(task, ctx, failed)
    except OSError as error:  # the store itself
        _fail(task, error, ctx, failed)
        return False


def _finish_locked(task: Task, ctx: RunContext, failed: list[tuple[Task, str]]) -> bool:
    """Finish a task whose lock is held; False if it fails."""
    store = ctx.store
    if (failure := store.failure(task.key)) and failure.run == ctx.run:
        failed.append((task, failure.why))  # another process of this run has tried it
        return False
    try:
        store.forget_failure(task.key)  # before the cell is published: after a kill, no finished cell has a failure
        if not store.usable(CELLS, task.key, whole=True):
            store.set_aside(CELLS, task.key)
            store.sweep(CELLS, task.key)
            with redirect_stdout(sys.stderr):  # what a network prints is talk, and no part of a document
                finish(task, ctx)
        return True
    except (Exception, SystemExit) as error:
        place = network_line(error, task.cell.architecture)
        if (isinstance(error, SystemExit) and not place) or (ctx.debug and not isinstance(error, EXPECTED)):
            raise
        _fail(task, error if isinstance(error, EXPECTED) or not place else own_error(error, place), ctx, failed)
        return False


def _fail(task: Task, error: BaseException, ctx: RunContext, failed: list[tuple[Task, str]]) -> None:
    """Report a failure, append it to `failed` and record it in the store."""
    why = explain(error)
    progress.say(f"✕ {task.cell.label}: {why}")
    failed.append((task, why))
    note_failure(task, why, ctx, exit_code(error))


def note_failure(task: Task, why: str, ctx: RunContext, code: int = CELL_FAILED) -> None:
    """Record in the store why a cell failed, unless the store itself failed."""
    try:
        failure = Failure(task.cell.label, why, code, ctx.run, provenance.command(), progress.log())
        ctx.store.note_failure(task.key, failure)
    except OSError as error:
        progress.say(f"  the reason could not be stored: {error}")
