"""The page of the runs: when, where and how every cell was made."""

from bench.results.snapshot import ReportCell, Snapshot
from reports import formats
from reports.pages.page import Page, cell_path, place, tags
from reports.tables.sheets import Entry, Heading, Piece, Sheet, link

COLUMNS = ("cell", "architecture", "protocol", "dataset", "split", "seed", "budget", "state", "date", "commit",
           "device", "seconds", "memory (MiB)", "command")  # fmt: skip
PAGE = (
    Heading("architecture", "cell", names=True), Heading("protocol", filter="protocol"),
    Heading("dataset", "data", filter="data"), Heading("seed"), Heading("state", filter="state"),
    Heading("date", "date (UTC)", meaning="coordinated universal time"), Heading("commit"),
    Heading("device", filter="device"), Heading("seconds", "time"), Heading("memory (MiB)", "memory", "MiB"),
)  # fmt: skip


def runs_page(snapshot: Snapshot) -> Page:
    """A row for every cell, also for those that are not measured yet."""
    rows = [_run(cell) for cell in snapshot.sorted_cells]
    return Page(
        "runs.html", "runs.html", {}, (Sheet("runs", "When, where and how every cell was made", COLUMNS, rows, PAGE),)
    )


def _run(cell: ReportCell) -> tuple:
    made = cell.provenance
    seconds = sum(made.seconds.values()) or None
    return (
        cell.cell,
        link(cell.architecture, cell_path(cell), *tags(cell)),
        cell.protocol,
        *place(cell),
        cell.seed,
        cell.budget,
        Entry(cell.state, page=(Piece(cell.state, "state"),)),
        Entry(made.date, page=(Piece(formats.moment(made.date) or "–"),)),
        Entry(made.commit, page=(Piece(made.commit or "–", "code"),)),
        Entry(made.device, page=(Piece(made.device or "–"),)),
        seconds and Entry(seconds, page=(Piece(formats.duration(seconds)),)),
        Entry(made.peak_memory_mib, page=(Piece(f"{made.peak_memory_mib:,}"),)) if made.peak_memory_mib else None,
        made.command,
    )
