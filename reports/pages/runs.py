"""The page of the runs: when, where and how every cell was made."""

from typing import Any

from bench.results.snapshot import Snapshot
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
    """All cells, those that are not measured yet as well."""
    rows = [_run(cell) for cell in snapshot.sorted_cells]
    return Page(
        "runs.html", "runs.html", {}, (Sheet("runs", "When, where and how every cell was made", COLUMNS, rows, PAGE),)
    )


def _run(cell: dict[str, Any]) -> tuple:
    made = cell["provenance"]
    seconds = sum(spent for spent in made.get("seconds", {}).values() if spent) or None
    date, commit, memory = made.get("date", ""), made.get("commit", ""), made.get("peak_memory_mib")
    return (
        cell["cell"],
        link(cell["architecture"], cell_path(cell), *tags(cell)),
        cell["protocol"],
        *place(cell),
        cell["seed"],
        cell["budget"],
        Entry(cell["state"], page=(Piece(cell["state"], "state"),)),
        Entry(date, page=(Piece(formats.moment(date) or "–"),)),
        Entry(commit, page=(Piece(commit or "–", "code"),)),
        Entry(made.get("device", ""), page=(Piece(made.get("device") or "–"),)),
        seconds and Entry(seconds, page=(Piece(formats.duration(seconds)),)),
        memory and Entry(memory, page=(Piece(f"{memory:,.0f}"),)),
        made.get("command", ""),
    )
