"""The page of a cell: every number, its people, and how it was made."""

import csv
from pathlib import Path

from bench.results.rows import Measurement
from bench.results.snapshot import ReportCell, Snapshot
from reports.data.cell_files import PICTURES, picture, saved
from reports.pages.page import Page, cell_path
from reports.tables.sheets import Entry, Piece, Sheet, count, number


def cell_page(snapshot: Snapshot, cell: ReportCell) -> Page:
    """The numbers of a cell, the files that it saved, and its provenance."""
    rows = snapshot.rows.get(cell.cell, [])
    sheets = [_measurements(cell, rows)] if rows else []
    if named := saved(cell, "extremes.csv"):
        sheets.append(Sheet("extremes", "Best, median and worst people", *_read(named)))
    if elsewhere := saved(cell, "variants.csv"):
        sheets.append(_other_conventions(elsewhere))
    context = {"cell": cell, "rows": rows, "pictures": [name for name in PICTURES if picture(cell, name)]}
    return Page(cell_path(cell), "cell.html", context, tuple(sheets), embed=True)


def _measurements(cell: ReportCell, rows: list[Measurement]) -> Sheet:
    columns = ("metric", "part", "value", "unit", "low", "high", "n")
    undefined = Entry(None, page=(Piece("not defined"),))
    table = [
        (row.metric, row.part, number(row) or undefined, row.unit, number(row, "low"), number(row, "high"),
         count(row.n))
        for row in rows
    ]  # fmt: skip
    return Sheet("measurements", cell.label, columns, table)


def _other_conventions(file: Path) -> Sheet:
    """Scores of the same predictions under other conventions."""
    columns, rows = _read(file)
    table = [(*row[:-2], *(Entry(float(value), f"{float(value):.2f}") for value in row[-2:])) for row in rows]
    return Sheet("variants", "The same predictions under other conventions", (*columns[:-1], "ours"), table)


def _read(file: Path) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    with file.open(newline="", encoding="utf-8") as lines:
        columns, *rows = map(tuple, csv.reader(lines))
    return columns, rows
