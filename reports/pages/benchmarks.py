"""The page of the benchmarks: what the suite itself costs, beside another way to the same result."""

from collections.abc import Sequence

from bench.results.benchmarks import Benchmark
from reports.pages.page import Page
from reports.tables.sheets import Entry, Heading, Piece, Sheet

COLUMNS = ("benchmark", "what", "ours (s)", "against", "peer (s)", "ratio", "target", "reached", "rounds", "note",
           "machine", "date")  # fmt: skip
PAGE = (
    Heading("what", names=True), Heading("ours (s)", "ours"), Heading("against"), Heading("peer (s)", "peer"),
    Heading("ratio", "times faster"), Heading("target"), Heading("reached"), Heading("rounds"), Heading("note"),
)  # fmt: skip


def page(rows: Sequence[Benchmark]) -> Page:
    """All rows of `python -m benchmarks` in the order of the file."""
    context = {"machines": sorted({row.machine for row in rows})}
    return Page("benchmarks.html", "benchmarks.html", context, (sheet(rows),))


def sheet(rows: Sequence[Benchmark]) -> Sheet:
    """The rows as data, times in seconds."""
    return Sheet("benchmarks", "What the suite itself costs", COLUMNS, [_line(row) for row in rows], PAGE)


def _line(row: Benchmark) -> tuple:
    peer, ratio = row.peer, row.ratio
    reached = {True: "yes", False: "no", None: ""}[row.reached]
    words = [Entry(text, page=(Piece(text or "–"),)) for text in (row.against, _target(row), reached, row.note)]
    return (
        row.benchmark,
        row.what,
        Entry(row.ours, short(row.ours)),
        words[0],
        peer and Entry(peer, short(peer)),
        ratio and Entry(ratio, f"{ratio:,.3g}" if ratio < 1000 else f"{ratio:,.0f}"),
        *words[1:3],
        row.rounds,
        words[3],
        row.machine,
        row.date,
    )


def short(seconds: float) -> str:
    """Seconds in the unit that fits, three digits."""
    if seconds < 1:
        return f"{1e3 * seconds:.3g}\u00a0ms"
    return f"{seconds:.3g}\u00a0s" if seconds < 1000 else f"{seconds:,.0f}\u00a0s"


def _target(row: Benchmark) -> str:
    """The ratio to reach, or the time not to exceed; empty without a target."""
    if row.reach is None:
        return ""
    return f"≤\u00a0{short(row.reach)}" if row.peer is None else f"≥\u00a0{row.reach:g}\u00a0×"
