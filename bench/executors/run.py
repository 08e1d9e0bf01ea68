"""Running: every cell brought to its end, one after the other; what fails does not stop the rest."""

from collections.abc import Iterable

from bench import progress
from bench.cells.plan import BLOCKED, FRESH, Task
from bench.context import RunContext
from bench.errors import CELL_FAILED, EXPECTED, exit_code, explain
from bench.steps.pipeline import finish
from bench.store import provenance
from bench.store.store import CELLS


def run(tasks: Iterable[Task], ctx: RunContext, wait: bool = True) -> tuple[list[Task], list[tuple[Task, str]]]:
    """Bring every task to its end; returns those that are done and those that failed, with the reason.

    A cell that another process works on is left for last, then waited for, unless `wait` is off. A cell that
    raises is noted in the store and the others go on. KeyboardInterrupt passes through; finished steps stay.
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
    """Try to finish a task; False if another process has it or it failed."""
    try:
        with ctx.store.lock(CELLS, task.key, wait) as mine:
            return mine and _finished(task, ctx, failed)
    except OSError as error:  # the store itself
        _fail(task, error, ctx, failed)
        return False


def _finished(task: Task, ctx: RunContext, failed: list[tuple[Task, str]]) -> bool:
    """Finish a task whose lock is held; False if that failed."""
    store = ctx.store
    if (failure := store.failure(task.key)) and failure.get("run") == ctx.run:
        failed.append((task, failure["why"]))  # another process of this run has tried it
        return False
    try:
        store.forget_failure(task.key)  # before the cell is there: a kill leaves no failure beside it
        if not store.has(CELLS, task.key):
            store.sweep(CELLS, task.key)
            finish(task, ctx)
        return True
    except Exception as error:
        if ctx.debug and not isinstance(error, EXPECTED):
            raise
        _fail(task, error, ctx, failed)
        return False


def _fail(task: Task, error: Exception, ctx: RunContext, failed: list[tuple[Task, str]]) -> None:
    why = explain(error)
    progress.say(f"✕ {task.cell.label}: {why}")
    failed.append((task, why))
    note_failure(task, why, ctx, exit_code(error))


def note_failure(task: Task, why: str, ctx: RunContext, code: int = CELL_FAILED) -> None:
    """Remember why, unless the store itself is what failed."""
    try:
        note = {"cell": task.cell.label, "why": why, "code": code, "run": ctx.run}
        note |= {"command": provenance.command(), "log": progress.tail()}
        ctx.store.note_failure(task.key, note)
    except OSError as error:
        progress.say(f"  the reason could not be stored: {error}")
