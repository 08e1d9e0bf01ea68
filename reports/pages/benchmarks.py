"""The page of the benchmarks: what the suite itself costs, beside another way to the same result."""

from collections.abc import Sequence
from typing import Any

from reports.pages.page import Page
from reports.tables.sheets import Number, Sheet

COLUMNS = ("benchmark", "what", "ours (s)", "against", "peer (s)", "ratio", "target", "reached", "rounds", "note",
           "machine", "date")  # fmt: skip


def page(rows: Sequence[dict[str, Any]]) -> Page:
    """All rows of `python -m benchmarks` in the order of the file."""
    made = sorted({row["machine"] for row in rows})
    context = {"rows": rows, "machines": made, "short": short, "ratio": ratio, "target": target}
    return Page("benchmarks.html", "benchmarks.html", context, (sheet(rows),))


def sheet(rows: Sequence[dict[str, Any]]) -> Sheet:
    """The rows as data, times in seconds."""
    entries = [
        (
            row["benchmark"],
            row["what"],
            Number(row["ours"], short(row["ours"])),
            row["against"],
            row["peer"] and Number(row["peer"], short(row["peer"])),
            row["ratio"] and Number(row["ratio"], ratio(row)),
            target(row),
            {True: "yes", False: "no", None: ""}[row["reached"]],
            row["rounds"],
            row["note"],
            row["machine"],
            row["date"],
        )
        for row in rows
    ]
    return Sheet("benchmarks", "What the suite itself costs", COLUMNS, entries)


def short(seconds: float) -> str:
    """Seconds in the unit that fits, three digits."""
    if seconds < 1:
        return f"{1e3 * seconds:.3g}\u00a0ms"
    return f"{seconds:.3g}\u00a0s" if seconds < 1000 else f"{seconds:,.0f}\u00a0s"


def ratio(row: dict[str, Any]) -> str:
    """How many times faster ours is."""
    return f"{row['ratio']:,.3g}" if row["ratio"] < 1000 else f"{row['ratio']:,.0f}"


def target(row: dict[str, Any]) -> str:
    """The ratio to reach, or the time not to exceed; empty without a target."""
    if row["reach"] is None:
        return ""
    return f"≤\u00a0{short(row['reach'])}" if row["peer"] is None else f"≥\u00a0{row['reach']:g}\u00a0×"
