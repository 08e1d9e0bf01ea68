"""What each table of a page holds, as data."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.results.snapshot import Snapshot
from reports import formats
from reports.data.published import Table
from reports.ledger.claim import Claim, Verdict
from reports.tables.leaderboards import Leaderboard
from reports.tables.published_vs_measured import Comparison
from reports.tables.sheets import Entry, Number, Sheet, number

Cell = dict[str, Any]
Row = dict[str, Any]
_BOUNDS = ("value", "low", "high")
KINDS = ("published", "measured", "difference")


def matrix(snapshot: Snapshot) -> Sheet:
    """Every cell with the number that ranks it."""
    columns = ("architecture", "protocol", "dataset", "split", "seed", "budget", "state", "metric", "part", "value",
               "low", "high", "unit", "n")  # fmt: skip
    rows = []
    for cell in snapshot.sorted_cells:
        row = snapshot.headline(cell)
        what = (row["metric"], row["part"]) if row else ("", "")
        found = [*(number(row, bound) for bound in _BOUNDS), *((row["unit"], row["n"]) if row else ("", None))]
        rows.append((*place(cell, columns[:7]), *what, *found))
    return Sheet("matrix", "Every cell with the value that ranks its protocol, with the 95 % interval", columns, rows)


def place(cell: Cell, keys: Iterable[str]) -> list[Entry]:
    """Fields of a cell; drawn people are called so."""
    return [formats.dataset(cell[key]) if key == "dataset" else cell[key] for key in keys]


def leaderboard(board: Leaderboard) -> Sheet:
    """The entries of a leaderboard in its order; the headline with its interval."""
    first = " ".join(board.columns[0][:2]) if board.columns else ""
    names = [" ".join(part for part in (metric, part) if part != "all") for metric, part, _ in board.columns]
    units = [f" ({unit})" if unit and unit != metric else "" for metric, _, unit in board.columns]
    others = [f"{column.name} ({column.unit})" if column.unit else column.name for column in board.beside]
    columns = ("rank", "worst rank", "network", *map("".join, zip(names, units, strict=True)), "low", "high", *others,
               "n", "seed", "budget", "tags", "source", "state")  # fmt: skip
    rows = []
    for entry in board.entries:
        cell, head = entry.cell, entry.scores[0].row
        scores = [number(score.row) if score else None for score in entry.scores]
        other = [number(entry.beside.get(column.name)) for column in board.beside]
        ends = [number(head, "low"), number(head, "high"), *other]
        source = "predictions" if entry.external else "measured"
        rest = (head["n"], cell["seed"], cell["budget"], ", ".join(cell["tags"]), source, cell["state"])
        rows.append((*entry.rank, cell["architecture"], *scores, *ends, *rest))
    where = formats.place({"dataset": board.dataset, "split": board.split})
    return Sheet(
        board.name, f"{board.protocol['name']}{f' on {where}' if where else ''}, ranked by {first}", columns, rows
    )


def printed(table: Table, lines: Iterable[Any]) -> Sheet:
    """A table of a paper: printed values, and where we have them ours and the difference beside them."""
    lines = list(lines)
    names = [row.name for row in table.rows] if table.transposed else [column.name for column in table.columns]
    grid = [stacks(list(line.items)) for line in lines]
    kinds = [{kind for line in grid for kind in line[at]} for at in range(len(names))]
    shown = [(at, kind) for at in range(len(names)) for kind in KINDS
             if kind in kinds[at] or kind == "published"]  # fmt: skip
    several = any(kind != "published" for _, kind in shown)
    columns = [f"{names[at]} {kind}" if several else names[at] for at, kind in shown]
    rows = [
        (line.name, *line.labels, *(found[at].get(kind) for at, kind in shown), " ".join(filter(None, line.reasons)))
        for line, found in zip(lines, grid, strict=True)
    ]
    labels = () if table.transposed else table.labels
    return Sheet(formats.slug(table.name), table.caption, ("method", *labels, *columns, "comparison"), rows)


def stacks(items: list[Comparison | None]) -> list[dict[str, Number]]:
    """Of each value of a line: published, measured, difference, as far as they are there."""
    found = []
    for item in items:
        stack = {}
        if item:
            decimals = item.published.decimals
            stack["published"] = Number(item.published.value, formats.printed(item.published.value, decimals))
            if item.row:
                stack["measured"] = Number(item.measured, formats.printed(item.measured, decimals))
            if item.delta is not None:
                stack["difference"] = Number(item.delta, formats.signed(item.delta, decimals + 1))
        found.append(stack)
    return found


def conditions(table: Table, found: dict[str, Any]) -> Sheet:
    """What must be equal for a comparison: the paper's word, and that of each of our cells."""
    cells = found["cells"]
    columns = ("field", "paper", *(f"{cell['architecture']} ({key[:8]})" for key, cell in cells.items()))
    rows = [
        (field, " / ".join(wanted), *(found["ours"][key].get(field, "unknown") for key in cells))
        for field, wanted in found["paper"].items()
    ]
    return Sheet(f"{formats.slug(table.name)}-conditions", f"Conditions of {table.name}", columns, rows)


def measurements(cell: Cell, rows: list[Row]) -> Sheet:
    """Every number of a cell."""
    columns = ("metric", "part", "value", "unit", "low", "high", "n")
    table = [(row["metric"], row["part"], number(row), row["unit"], number(row, "low"), number(row, "high"), row["n"])
             for row in rows]  # fmt: skip
    return Sheet("measurements", cell["label"], columns, table)


def extremes(file: Path) -> Sheet:
    """The people whom a cell's picture of its extremes shows, as it kept them."""
    with file.open(newline="", encoding="utf-8") as lines:
        columns, *rows = csv.reader(lines)
    return Sheet("extremes", "Best, median and worst people", tuple(columns), [tuple(row) for row in rows])


def other_conventions(file: Path) -> Sheet:
    """What other conventions make of the predictions of a cell, as it kept them."""
    with file.open(newline="", encoding="utf-8") as lines:
        columns, *rows = csv.reader(lines)
    values = [[Number(float(entry), f"{float(entry):.2f}") for entry in row[-2:]] for row in rows]  # some are alike
    table = [(*row[:-2], *pair) for row, pair in zip(rows, values, strict=True)]
    return Sheet("variants", "The same predictions under other conventions", (*columns[:-1], "ours"), table)


def runs(cells: Iterable[Cell]) -> Sheet:
    """When, where and how every cell was made."""
    columns = ("cell", "architecture", "protocol", "dataset", "split", "seed", "budget", "state", "date", "commit",
               "device", "seconds", "memory (MiB)", "command")  # fmt: skip
    rows = []
    for cell in cells:
        made = cell["provenance"]
        seconds = sum(spent for spent in made.get("seconds", {}).values() if spent) or None
        origin = [made.get(key, "") for key in ("date", "commit", "device")]
        rest = (*origin, seconds, made.get("peak_memory_mib"), made.get("command", ""))
        rows.append((*place(cell, columns[:8]), *rest))
    return Sheet("runs", "When, where and how every cell was made", columns, rows)


def ledger(entries: Iterable[tuple[Claim, Verdict]]) -> Sheet:
    """The claims with their verdicts."""
    columns = ("id", "paper", "kind", "place", "statement", "verdict", "sentence")
    rows: list[tuple[Entry, ...]] = [
        (claim.id, claim.paper, claim.kind, claim.place, claim.statement, verdict.verdict, verdict.sentence)
        for claim, verdict in entries
    ]
    return Sheet("claims", "What the papers say, and whether it holds", columns, rows)


def joints(skeleton: dict[str, Any]) -> Sheet:
    """The joints of a skeleton in their order, with their constants where there are any."""
    sigmas = skeleton.get("sigmas") or ()
    rows = [(at, name, *sigmas[at : at + 1]) for at, name in enumerate(skeleton["joints"])]
    columns = ("index", "joint", "sigma") if sigmas else ("index", "joint")
    return Sheet(f"joints-{skeleton['name']}", f"Joints of {skeleton['name']}", columns, rows)


def constants(rules: dict[str, Any]) -> Sheet:
    """The constants of a protocol and their sources."""
    rows = [(name, *known) for name, known in rules.get("constants", {}).items()]
    return Sheet("constants", f"Constants of {rules['name']}", ("constant", "value", "source"), rows)


def variants(rules: dict[str, Any], found: list[tuple[str, str, int]]) -> Sheet:
    """Other rules for the same thing."""
    columns = ("variant", "what it counts", "measurements")
    return Sheet("variants", f"Variants of {rules['name']}", columns, [tuple(line) for line in found])
