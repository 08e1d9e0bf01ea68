"""Tables as data: CSV, JSON, Markdown and LaTeX beside the page that shows them.

CSV and JSON hold numbers in full, Markdown and LaTeX the digits that the page shows. Names may come from
strangers' files: whatever a spreadsheet, a browser or LaTeX would take for a command is made plain text.
"""

import csv
import io
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from reports import formats


class Number(NamedTuple):
    """A number in full, and as the page shows it."""

    value: float
    text: str


Entry: TypeAlias = "Number | str | int | float | None"  # None: nothing there


@dataclass(frozen=True)
class Sheet:
    """A table of a page; `name` identifies it there and is the stem of its files."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: list[tuple[Entry, ...]]

    @cached_property
    def shown(self) -> list[list[str]]:
        """The entries as the page shows them."""
        return [[shown(entry) for entry in row] for row in self.rows]

    @cached_property
    def right(self) -> list[bool]:
        """Which columns hold nothing but numbers."""
        return [all(numeric(row[at]) for row in self.rows) for at in range(len(self.columns))]


def number(row: dict[str, Any] | None, key: str = "value") -> Number | None:
    """The value, or a bound, of a measurement row; None where there is none."""
    if row is None or row[key] is None:
        return None
    return Number(row[key], formats.number(row[key], row["unit"]))


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[Entry]]) -> str:
    """Comma-separated values, numbers in full, no entry that a spreadsheet would run."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([_harmless(name) for name in columns])
    writer.writerows([_harmless(_full(entry)) for entry in row] for row in rows)
    return file.getvalue()


def _csv(sheet: Sheet) -> str:
    return csv_text(sheet.columns, sheet.rows)


def _json(sheet: Sheet) -> str:
    """One document: caption, columns, rows; what is not a finite number is null."""
    rows = [[_full(entry) for entry in row] for row in sheet.rows]
    finite = [[None if isinstance(v, float) and not math.isfinite(v) else v for v in row] for row in rows]
    lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in finite)
    head = json.dumps({"caption": sheet.caption, "columns": sheet.columns}, ensure_ascii=False)
    return f'{head[:-1]}, "rows": [\n{lines}\n]}}\n'


def _markdown(sheet: Sheet) -> str:
    """A table of GitHub's Markdown."""
    lines = [sheet.columns, ["---:" if is_right else "---" for is_right in sheet.right]]
    lines += [[_marked(text) for text in row] for row in sheet.shown]
    lines[0] = [_marked(name) for name in sheet.columns]
    return f"{_marked(sheet.caption)}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _latex(sheet: Sheet) -> str:
    """A tabular of the package booktabs."""
    lines = [
        f"% {_one_line(sheet.caption)}",
        f"\\begin{{tabular}}{{{''.join('r' if is_right else 'l' for is_right in sheet.right)}}}",
        "\\toprule",
    ]
    lines += [" & ".join(_set(name) for name in sheet.columns) + r" \\", "\\midrule"]
    lines += [" & ".join(map(_set, row)) + r" \\" for row in sheet.shown]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


FORMATS = {"csv": ("CSV", _csv), "json": ("JSON", _json), "md": ("Markdown", _markdown), "tex": ("LaTeX", _latex)}


def write(sheet: Sheet, folder: Path) -> None:
    """The four files of a table."""
    for ending, (_, text) in FORMATS.items():
        (folder / f"{sheet.name}.{ending}").write_text(text(sheet), encoding="utf-8")


def _full(entry: Entry) -> str | int | float | None:
    return entry.value if isinstance(entry, Number) else entry


def shown(entry: Entry) -> str:
    """An entry as the page shows it."""
    if isinstance(entry, Number):
        return entry.text
    if isinstance(entry, float):
        return f"{entry:.4g}"
    return "–" if entry is None else str(entry)


def numeric(entry: Entry) -> bool:
    """Whether an entry belongs to the right of its column: a number, or nothing where one would be."""
    if isinstance(entry, str):
        return bool(re.fullmatch(r"[-+−±]?[\d.,–]+", entry))
    return True


def _harmless(entry: str | float | None) -> str | float | None:
    """Text that a spreadsheet would take for a formula gets an apostrophe in front, numbers stay numbers."""
    if isinstance(entry, str) and entry[:1] in ("=", "+", "-", "@", "\t", "\r") and not _is_number(entry):
        return "'" + entry
    return entry


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[-+]?\d+(\.\d*)?(e[-+]?\d+)?", text))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _marked(text: str) -> str:
    """Text that neither ends its cell nor becomes HTML, a link or an emphasis."""
    return _one_line(text).translate(_MARKDOWN)


_MARKDOWN = str.maketrans({sign: "\\" + sign for sign in "\\`*_[]|"} | {"&": "&amp;", "<": "&lt;"})
_LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "−": "$-$", "–": "--", "×": r"$\times$", "±": r"$\pm$", "≤": r"$\leq$",
} | {sign: "\\" + sign for sign in "&%$#_{}"})  # fmt: skip


def _set(text: str) -> str:
    return _one_line(text).translate(_LATEX)
