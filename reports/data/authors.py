"""Predictions of the authors of published methods: committed rows of their files, so that every site shows them."""

from dataclasses import replace
from pathlib import Path

from bench.results import fragment
from bench.results.snapshot import ReportCell, Snapshot
from protocols.statistics.tally import Tally
from reports.data.ablations import AUTHORS, FOLDER

FILE = FOLDER / f"{AUTHORS}.jsonl"  # written by `bench keep --list`


def with_authors(snapshot: Snapshot, file: Path = FILE) -> Snapshot:
    """Add the committed cells of the authors' files to a snapshot.

    A file that the snapshot has itself under a protocol, as that of a method, is left as it was scored there.
    """
    if not file.is_file():
        return snapshot
    kept = fragment.read(file).snapshot
    own = {_file(cell) for cell in snapshot.cells if cell.method}
    added = {cell.cell: cell for cell in kept.cells if _file(cell) not in own}
    fresh = [row for row in kept.measurements if row.cell in added and added[row.cell].state == "fresh"]

    def tally(key: str) -> Tally | None:
        return kept.tally(key) if key in added else snapshot.tally(key)

    return replace(
        snapshot,
        measurements=[*snapshot.measurements, *fresh],
        cells=[*snapshot.cells, *added.values()],
        tally=tally,
    )


def _file(cell: ReportCell) -> tuple[str, str]:
    """Digest of a scored prediction file, "" for another cell, and its protocol."""
    return (cell.inputs or {}).get("predictions", {}).get("file", ""), cell.protocol
