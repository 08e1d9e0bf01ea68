"""`bench score`: scores a prediction file and publishes its cell, or compares two files or networks."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.cells.cell import Cell
from bench.cells.conditions import of_file
from bench.cells.plan import MISSING, Task
from bench.cells.record import CellRecord
from bench.cells.record import read as read_record
from bench.errors import DATA, Problem
from bench.results.paired import check_comparable, difference, finished
from bench.results.publish import publish_cell
from bench.results.rows import Measurement, measurements
from bench.steps.prediction_files import Notes, ScoredFile, score_file, with_variants
from bench.store.digests import content_key, file_digest, unusual
from bench.store.store import CELLS, Store
from protocols import Value
from protocols.joints.pck import Variant
from protocols.readers.arrays import SUFFIXES
from protocols.statistics.scores import Scores


class Outcome(msgspec.Struct, frozen=True):
    """Outcome of `bench score`; None for what was not asked for."""

    measurements: list[Measurement]
    cells: list[CellRecord]
    warnings: list[str]
    read: Notes | None = None  # of a file
    variants: Sequence[Variant] | None = None  # the same predictions under other conventions
    against: list[str] | None = None  # the file, or the labels of the cells, that were subtracted
    difference: Sequence[Value] | None = None  # ours minus theirs on the same people, with intervals


def score(subject: str, cell: Cell, data: Path, store: Store, *, against: str = "", variants: bool = False) -> Outcome:
    """Score a file and publish its cell, or look up the finished cells of a network; compare either with `against`.

    cell: of the file, with the protocol, people and options that also select the cells of a network. A cell stores
    its variants in any case. Raises Problem or DataError if a file, the data or the cells cannot be used.
    """
    if _is_file(subject):
        scored = score_file(Path(subject), cell, data)
        if variants and not scored.variants:
            raise Problem(f"{cell.protocol} has no variants.", expected=f"one of {', '.join(with_variants())}")
        rows, record = publish_file(scored, store)
        shown = scored.variants if variants else None
        outcome = Outcome(rows, [record], list(scored.scores.warnings), scored.notes, shown)
        name, ours = str(scored.file), [scored.scores]
    else:
        if not against:
            raise Problem(
                f"{subject}: there is no such file.",
                next_step="check the path; to compare a measured network with another, add --against",
                code=DATA,
            )
        records, ours = finished(store, subject, of_file(cell))
        outcome = Outcome([row for record in records for row in measurements(store, record.cell)], records, [])
        name = records[0].label
    if not against:
        return outcome
    labels, theirs = _other_side(against, cell, data, store, outcome.cells[0], name)
    found = difference(cell.rules, ours, theirs)
    return msgspec.structs.replace(outcome, against=labels, difference=found)


def publish_file(scored: ScoredFile, store: Store) -> tuple[list[Measurement], CellRecord]:
    """Publish the cell of a scored file; return its rows and record, those of the store if it was scored before."""
    cell = scored.cell
    inputs = {
        "protocol": cell.protocol,
        "version": cell.rules.version,
        "options": unusual(cell.options, cell.rules.options),
        "name": cell.architecture,
        "predictions": {"file": file_digest(scored.file), "people": scored.fingerprint},
    }
    task = Task(cell, MISSING, "", key=content_key(inputs), inputs=inputs)
    with store.lock(CELLS, task.key, wait=True):
        if store.has(CELLS, task.key):
            return measurements(store, task.key), read_record(store, task.key)
        store.sweep(CELLS, task.key)
        seconds = {"score": scored.seconds}
        return publish_cell(task, store, "cpu", scored.scores, seconds, scored.files, source="predictions")


def _is_file(text: str) -> bool:
    """Tell a prediction file, existing or not, from the name of a network, which has no such suffix."""
    return Path(text).is_file() or Path(text).suffix in SUFFIXES


def _other_side(
    against: str, cell: Cell, data: Path, store: Store, ours: CellRecord, name: str
) -> tuple[list[str], list[Scores]]:
    """Score a second file, or look up the finished cells of a network under the conditions of ours."""
    if _is_file(against):
        return [against], [score_file(Path(against), cell, data).scores]
    records, theirs = finished(store, against, of_file(cell))
    check_comparable((name, against), ours.conditions, records[0].conditions)
    return [record.label for record in records], theirs
