"""Collecting a snapshot: the finished cells of a store, and the state of those of a matrix."""

from collections.abc import Iterable

import architectures
from bench.cells.conditions import table_key, without_recipe
from bench.cells.plan import FAILED, FRESH, STALE, Task
from bench.cells.record import CellRecord, read_all, record
from bench.results import benchmarks
from bench.results.headline_tally import headline_tallies
from bench.results.paired import paired
from bench.results.rows import measurements
from bench.results.snapshot import ReportCell, Snapshot, report_cell
from bench.store.provenance import Provenance
from bench.store.store import CELLS, Store
from protocols import PROTOCOLS
from protocols.pose.skeletons import SKELETONS


def snapshot(tasks: Iterable[Task], store: Store) -> Snapshot:
    """Collect the data of all pages: the cells of the matrix in their state, and all other measured cells.

    Of revisions of a cell outside the matrix the newest counts. Damaged cells have no numbers: see bench.cli.damage.
    """
    tasks = list(tasks)
    records, _ = read_all(store, store.keys(CELLS))
    planned = {table_key(task.cell.row.name, task.cell.seed, without_recipe(task.cell)) for task in tasks}
    fresh = {task.key: records[task.key] for task in tasks if task.state == FRESH and task.key in records}  # each once
    newest = (record for record in _newest(records) if record.table_key not in planned)
    others = [record for record in newest if record.cell not in fresh]
    cells = [_finished(record, store) for record in [*fresh.values(), *others]]
    cells += [_unfinished(task, store) for task in tasks if task.state != FRESH]
    ranked = [cell for cell in cells if cell.state == FRESH]
    return Snapshot(
        measurements=[row for cell in ranked for row in measurements(store, cell.cell)],
        cells=cells,
        architectures=list(architectures.catalogue().values()),
        protocols=list(PROTOCOLS.values()),
        paired=paired(store),
        tally=headline_tallies(store),
        skeletons=tuple(SKELETONS.values()),
        benchmarks=benchmarks.read(store.root / benchmarks.FILE),
    )


def _newest(records: dict[str, CellRecord]) -> list[CellRecord]:
    """Newest record of each table entry; every prediction file is an entry of its own."""
    ordered = sorted(records.values(), key=lambda record: record.provenance.date)
    last = {record.table_key: record for record in ordered}
    return sorted(last.values(), key=lambda record: record.cell)


def _finished(record: CellRecord, store: Store) -> ReportCell:
    """A finished cell; stale if its protocol has a newer version."""
    current, measured = PROTOCOLS[record.protocol].version, record.conditions.version
    why = "" if measured == current else f"protocol version {measured} -> {current}"
    folder = store.folder(CELLS, record.cell)
    log = folder / "log.txt"
    return report_cell(
        record,
        state=STALE if why else FRESH,
        why=why,
        step="score" if why else "",
        folder=str(folder),
        log=log.read_text(encoding="utf-8", errors="replace") if log.is_file() else "",
    )


def _unfinished(task: Task, store: Store) -> ReportCell:
    """An unfinished cell of the matrix, with the reason and the log of a failure."""
    tried = store.failure(task.key) if task.state == FAILED else None
    made = Provenance(tried.command) if tried else None
    found = record(task.cell, task.key, task.inputs or None, "measured", provenance=made)
    return report_cell(found, state=task.state, why=task.why, step=task.step, log=tried.log if tried else "")
