"""Files of tables: CSV, JSON, Markdown and LaTeX.

CSV and JSON hold numbers in full, Markdown and LaTeX the digits that the page shows. Names may come from
strangers' files: whatever a spreadsheet, a browser or LaTeX would take for a command is made plain text.
"""

import csv
import io
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path

from reports.tables.sheets import Plain, Sheet


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[Plain]]) -> str:
    """Comma-separated values, numbers in full, no entry that a spreadsheet would run."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([_harmless(name) for name in columns])
    writer.writerows([_harmless(entry) for entry in row] for row in rows)
    return file.getvalue()


def _csv(sheet: Sheet) -> str:
    return csv_text(sheet.columns, sheet.values)


def json_text(sheet: Sheet) -> str:
    """One document: caption, columns, rows; what is not a finite number is null."""
    finite = [[None if isinstance(v, float) and not math.isfinite(v) else v for v in row] for row in sheet.values]
    lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in finite)
    head = json.dumps({"caption": sheet.caption, "columns": sheet.columns}, ensure_ascii=False)
    return f'{head[:-1]}, "rows": [\n{lines}\n]}}\n'


def _markdown(sheet: Sheet) -> str:
    """A table of GitHub's Markdown."""
    lines = [sheet.columns, ["---:" if is_right else "---" for is_right in sheet.right]]
    lines += [[_marked(text) for text in row] for row in sheet.texts]
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
    lines += [" & ".join(map(_set, row)) + r" \\" for row in sheet.texts]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


FORMATS = {"csv": ("CSV", _csv), "json": ("JSON", json_text), "md": ("Markdown", _markdown), "tex": ("LaTeX", _latex)}


def write(sheet: Sheet, folder: Path) -> None:
    """The four files of a table."""
    for ending, (_, text) in FORMATS.items():
        (folder / f"{sheet.name}.{ending}").write_text(text(sheet), encoding="utf-8")


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
