"""The plan of a matrix: every cell with its state, the reason, and the next step."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from bench.cells.cell import Cell, box_options
from bench.cells.conditions import table_key, without_recipe
from bench.cells.fingerprints import Fingerprint, Images, images_in, of_split, of_training_set
from bench.cells.keys import CLEAN, COVERED, cell_inputs, depends_on_device, differences, weights_in
from bench.cells.record import CellRecord, read_all
from bench.errors import EXPECTED, explain
from bench.store.digests import Inputs, content_key
from bench.store.store import CELLS, PREDICTIONS, WEIGHTS, Store

Look = Callable[..., Fingerprint]
FRESH, STALE, MISSING, FAILED, BLOCKED = "fresh", "stale", "missing", "failed", "blocked"
DAMAGED = "damaged"


@dataclass(frozen=True)
class Task:
    """A cell with its state in a store."""

    cell: Cell
    state: str
    why: str
    step: str = ""  # the next one: train, predict, score or measure
    key: str = ""
    inputs: Inputs = field(default_factory=dict)  # empty if it is blocked
    problem: Exception | None = None  # why it is blocked


def plan(cells: Iterable[Cell], store: Store, data: Path, device: str = "") -> list[Task]:
    """The state of every cell, in order.

    `device`: of the run that is planned. Where it decides the number and is "", a cell counts as finished if the
    accelerator or the processor of this machine has measured it.
    """
    finished = store.keys(CELLS)
    earlier = cache(lambda: _finished_cells(store, finished))  # read only if a cell is missing
    known = cache(lambda: _images_seen(earlier().values()))  # read only if images are absent
    # Cells share datasets: each is inspected once.
    trained_on = cache(lambda text, skeleton: of_training_set(text, data, skeleton, store, known))
    people = cache(lambda name, split, skeleton, **boxes: of_split(name, split, data, skeleton, store, known, **boxes))
    tasks = []
    for cell in cells:
        devices = ("auto", "cpu") if depends_on_device(cell) and not device else (device or "auto",)
        try:
            found = {content_key(inputs := _inputs(cell, trained_on, people, each)): inputs for each in devices}
            key = next((key for key in found if key in finished), next(iter(found)))
            state = _finished if key in finished else _unfinished
            tasks.append(Task(cell, *state(cell, key, found[key], store, earlier), key, found[key]))
        except EXPECTED as error:
            tasks.append(Task(cell, BLOCKED, explain(error), problem=error))
    return tasks


def _inputs(cell: Cell, trained_on: Look, people: Look, device: str) -> Inputs:
    """Inputs that decide the numbers of a cell. Raises an error of EXPECTED for missing data or weights."""
    if not cell.dataset:
        return cell_inputs(cell, device=device)
    train = {} if cell.weights else trained_on(cell.training_data, cell.skeleton)
    return cell_inputs(cell, train, people(cell.dataset, cell.split, cell.skeleton, **box_options(cell)), device)


def _finished(cell: Cell, key: str, inputs: Inputs, store: Store, _earlier: object) -> tuple[str, str, str]:
    """State, reason and next step of a finished cell: fresh, or damaged."""
    if found := store.fault(CELLS, key, whole=True):
        return DAMAGED, explain(store.damage(CELLS, key, found)), _next_step(cell, inputs, store)[1]
    return FRESH, "", ""


def _unfinished(
    cell: Cell, key: str, inputs: Inputs, store: Store, earlier: Callable[[], dict[tuple, CellRecord]]
) -> tuple[str, str, str]:
    """State, reason and next step of an unfinished cell."""
    why, step = _next_step(cell, inputs, store)
    if failure := store.failure(key):
        return FAILED, failure.why, step
    if older := earlier().get(table_key(cell.row.name, cell.seed, without_recipe(cell))):
        changed = differences(older.inputs or {}, inputs)
        return STALE, "; ".join(changed[:3]) + (" …" if len(changed) > 3 else ""), step
    return MISSING, why, step


def _next_step(cell: Cell, inputs: Inputs, store: Store) -> tuple[str, str]:
    """Progress of an unfinished cell in words, and its next step."""
    if not cell.dataset:
        return "not measured yet", "measure"
    needed = [inputs[name] for name in (CLEAN, COVERED) if name in inputs]
    if needed and all(store.usable(PREDICTIONS, content_key(predictions)) for predictions in needed):
        return "predictions are there", "score"
    weights = weights_in(inputs)
    if cell.weights or (weights and store.usable(WEIGHTS, content_key(weights))):
        return "weights are there", "predict" if needed else "measure"
    return "not trained yet", "train"


def _images_seen(records: Iterable[CellRecord]) -> Images:
    """Images of every annotation that finished cells saw; of several, the newest."""
    found: Images = {}
    for record in sorted(records, key=lambda record: record.provenance.date):
        found |= images_in(record.inputs or {})
    return found


def _finished_cells(store: Store, keys: set[str]) -> dict[tuple, CellRecord]:
    """Records of finished cells by table key; of several, the newest."""
    found, _ = read_all(store, keys)
    ordered = sorted(found.values(), key=lambda record: record.provenance.date)
    return {record.table_key: record for record in ordered}
