"""What a matrix needs: every cell with its state, the reason, and the step that comes next."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from architectures import ArchitectureError
from bench.cell import CLEAN, COVERED, Cell, cell_inputs, differences
from bench.errors import Problem, explain
from bench.sources import fingerprint_of
from bench.store import CELLS, PREDICTIONS, WEIGHTS, Store, content_key
from protocols.datasets import fingerprint
from protocols.errors import DataError

FRESH, STALE, MISSING, FAILED, BLOCKED = "fresh", "stale", "missing", "failed", "blocked"


@dataclass(frozen=True)
class Task:
    """A cell and where it stands."""

    cell: Cell
    state: str
    why: str
    step: str = ""  # what comes next: train, predict, score, measure
    key: str = ""
    inputs: dict[str, Any] | None = None
    problem: Exception | None = None  # why it is blocked


def plan(cells: Iterable[Cell], store: Store, data: Path) -> list[Task]:
    """The state of every cell, in order; reads no image and imports no torch."""
    finished = store.keys(CELLS)
    earlier: dict[tuple, dict[str, Any]] | None = None
    tasks = []
    for task in (_locate(cell, store, data) for cell in cells):
        if task.key in finished:
            task = replace(task, state=FRESH, why="", step="")
        elif task.key and (failure := store.failure(task.key)):
            task = replace(task, state=FAILED, why=failure["why"])
        elif task.key:
            earlier = _finished_cells(store, finished) if earlier is None else earlier
            if older := earlier.get(task.cell.identity):
                changed = differences(older["inputs"], task.inputs)
                task = replace(task, state=STALE, why="; ".join(changed[:3]) + (" …" if len(changed) > 3 else ""))
        tasks.append(task)
    return tasks


def _locate(cell: Cell, store: Store, data: Path) -> Task:
    """The keys of a cell, as if nothing of it were finished; blocked if something it needs is not there."""
    try:
        if cell.rules.needs == "network":
            inputs = cell_inputs(cell)
            return Task(cell, MISSING, "not measured yet", "measure", content_key(inputs), inputs)
        train = "" if cell.weights else fingerprint_of(cell.training_data, data, cell.skeleton)
        inputs = cell_inputs(cell, train, fingerprint(cell.dataset, cell.split, data, cell.skeleton))
    except (Problem, DataError, ArchitectureError, OSError) as error:
        return Task(cell, BLOCKED, explain(error), problem=error)
    needed = [inputs[name] for name in (CLEAN, COVERED) if name in inputs]
    if all(store.has(PREDICTIONS, content_key(predictions)) for predictions in needed):
        step, why = "score", "predictions are there"
    elif cell.weights or store.has(WEIGHTS, content_key(inputs[CLEAN]["weights"])):
        step, why = "predict", "weights are there"
    else:
        step, why = "train", "not trained yet"
    return Task(cell, MISSING, why, step, content_key(inputs), inputs)


def _finished_cells(store: Store, keys: set[str]) -> dict[tuple, dict[str, Any]]:
    """The documents of all finished cells by identity; of several, the newest."""
    documents = (store.read(CELLS, key, "cell.json") for key in keys)
    ordered = sorted(documents, key=lambda document: document["provenance"]["date"])
    return {tuple(document["identity"]): document for document in ordered}


def states(tasks: Iterable[Task]) -> dict[str, int]:
    """How many cells are in each state; only states that occur."""
    counts: dict[str, int] = {}
    for task in tasks:
        counts[task.state] = counts.get(task.state, 0) + 1
    return counts
