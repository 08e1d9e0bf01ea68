"""Running: every cell brought to its end, one after the other; what fails does not stop the rest."""

from collections.abc import Iterable

from bench import progress, provenance
from bench.errors import EXPECTED, explain
from bench.plan import BLOCKED, FRESH, Task
from bench.steps import Bench, finish
from bench.store import CELLS, Store


def run(tasks: Iterable[Task], bench: Bench) -> tuple[list[Task], list[tuple[Task, str]]]:
    """Bring every task to its end; returns those that are done and those that failed, with the reason.

    A cell that another process works on is left for last, then waited for. A cell that raises is noted in the
    store and the others go on. KeyboardInterrupt passes through; finished steps stay.
    """
    done, failed, busy = [], [], []
    queue = [task for task in tasks if task.state != BLOCKED]
    for task in queue:
        (done if task.state == FRESH or _attempt(task, bench, failed, wait=False) else busy).append(task)
    tried = [task for task, _ in failed]
    for task in busy:
        if task not in tried and _attempt(task, bench, failed, wait=True):
            done.append(task)
    return done, failed


def _attempt(task: Task, bench: Bench, failed: list[tuple[Task, str]], wait: bool) -> bool:
    """Try to finish a task; False if another process has it or it failed."""
    store = bench.store
    try:
        with store.lock(CELLS, task.key, wait) as mine:
            if not mine:
                return False
            if not store.has(CELLS, task.key):
                store.sweep(CELLS, task.key)
                finish(task, bench)
                store.forget_failure(task.key)
            return True
    except Exception as error:
        if bench.debug and not isinstance(error, EXPECTED):
            raise
        why = explain(error)
        progress.say(f"✕ {task.cell.label}: {why}")
        failed.append((task, why))
        _note_failure(task, why, store)
        return False


def _note_failure(task: Task, why: str, store: Store) -> None:
    """Remember why, unless the store itself is what failed."""
    try:
        store.note_failure(task.key, {"cell": task.cell.label, "why": why, "command": provenance.command()})
    except OSError as error:
        progress.say(f"  the reason could not be stored: {error}")
