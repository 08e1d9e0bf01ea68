"""What a matrix needs: every cell with its state, the reason, and the step that comes next."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.cells.cell import Cell, box_options
from bench.cells.conditions import table_key, without_recipe
from bench.cells.keys import CLEAN, COVERED, cell_inputs, differences, weights_in
from bench.cells.record import CellRecord, read_all
from bench.cells.training_sets import fingerprint_of
from bench.errors import EXPECTED, explain
from bench.store.digests import content_key
from bench.store.store import CELLS, PREDICTIONS, WEIGHTS, Store
from protocols.datasets import fingerprint

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
    earlier = cache(lambda: _finished_cells(store, finished))  # read if some cell is not there
    tasks = []
    for cell in cells:
        try:
            inputs = _inputs(cell, data)
        except EXPECTED as error:
            tasks.append(Task(cell, BLOCKED, explain(error), problem=error))
            continue
        key = content_key(inputs)
        state, why, step = (FRESH, "", "") if key in finished else _unfinished(cell, key, inputs, store, earlier)
        tasks.append(Task(cell, state, why, step, key, inputs))
    return tasks


def _inputs(cell: Cell, data: Path) -> dict[str, Any]:
    """What decides the numbers of a cell. Raises what blocks it: something it needs is not there."""
    if not cell.dataset:
        return cell_inputs(cell)
    train = "" if cell.weights else fingerprint_of(cell.training_data, data, cell.skeleton)
    people = fingerprint(cell.dataset, cell.split, data, cell.skeleton, **box_options(cell))
    return cell_inputs(cell, train, people)


def _unfinished(
    cell: Cell, key: str, inputs: dict[str, Any], store: Store, earlier: Callable[[], dict[tuple, CellRecord]]
) -> tuple[str, str, str]:
    """State, reason and next step of a cell that is not there."""
    why, step = _next_step(cell, inputs, store)
    if failure := store.failure(key):
        return FAILED, failure.why, step
    if older := earlier().get(table_key(cell.row.name, cell.seed, without_recipe(cell))):
        changed = differences(older.inputs or {}, inputs)
        return STALE, "; ".join(changed[:3]) + (" …" if len(changed) > 3 else ""), step
    return MISSING, why, step


def _next_step(cell: Cell, inputs: dict[str, Any], store: Store) -> tuple[str, str]:
    """How far the steps of a cell have come, and which is next."""
    if not cell.dataset:
        return "not measured yet", "measure"
    needed = [inputs[name] for name in (CLEAN, COVERED) if name in inputs]
    if needed and all(store.has(PREDICTIONS, content_key(predictions)) for predictions in needed):
        return "predictions are there", "score"
    if cell.weights or store.has(WEIGHTS, content_key(weights_in(inputs))):
        return "weights are there", "predict" if needed else "measure"
    return "not trained yet", "train"


def _finished_cells(store: Store, keys: set[str]) -> dict[tuple, CellRecord]:
    """Records of all finished cells by their place in the tables; of several, the newest."""
    found, _ = read_all(store, keys)
    ordered = sorted(found.values(), key=lambda record: record.provenance.date)
    return {record.table_key: record for record in ordered}
