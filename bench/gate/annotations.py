"""Outcome of a check for readers on GitHub: annotations of source lines, and a summary in Markdown."""

import re
from pathlib import Path

import protocols
from bench.cells.plan import BLOCKED
from bench.gate.compare import Comparison, number, worst_first
from bench.gate.outcome import FAILED, FINISHED, Outcome, Result
from protocols import PROTOCOLS

ROOT = Path(protocols.__file__).resolve().parent.parent
MOST = 10  # GitHub shows at most this many errors per step
SUMMARY_ROWS = 200  # keeps the summary far below GitHub's limit of 1 MiB
LONG = 300  # characters of one message


def problems(outcome: Outcome, allow_missing: bool = False) -> list[tuple[Result, list[Comparison]]]:
    """Cells that fail the check, with their failing rows; failed cells first, then by severity."""
    found = [(result, worst_first(result.comparisons, allow_missing)) for result in outcome.results]
    found = [(result, rows) for result, rows in found if rows or result.state == FAILED]
    return sorted(found, key=lambda pair: (pair[0].state != FAILED, -(pair[1][0].severity if pair[1] else 0)))


def annotations(outcome: Outcome, allow_missing: bool = False) -> list[str]:
    """At most ten GitHub workflow commands, one per cell, worst first."""
    lines = []
    for result, rows in problems(outcome, allow_missing)[:MOST]:
        file, line = location(result)
        title = f"{result.label}: {_title(result, rows)}"
        message = result.why if result.state != FINISHED else "; ".join(map(str, rows[:5]))
        where = f"file={_property(file)},line={line},title={_property(title)}"
        lines.append(f"::error {where}::{_message(message)}")
    return lines


def _title(result: Result, rows: list[Comparison]) -> str:
    worst = rows[0] if rows else None
    if result.state != FINISHED or worst is None or worst.new is None:
        return f"{result.state}, {len(rows)} rows are missing" if rows else result.state
    change = f"{worst.new - worst.old:+,.10g}" if worst.old is not None else "changed"
    return f"{worst.row.metric} {worst.row.part} {change}"


def location(result: Result) -> tuple[str, int]:
    """Source file and line to annotate: a network's builder, a prediction file's protocol, a fixed input's kind."""
    if result.cell is not None and result.source == "measured":
        module, _, function = result.cell.row.builder.rpartition(":")
        if module.endswith(".py"):
            return module, _line(Path(module), function)
        path = f"architectures/{module}.py"
    elif result.source == "fixed":
        path, function = f"bench/gate/fixed/{result.key[0]}.py", "cases"
    else:
        path, function = PROTOCOLS[result.key[0]].module.replace(".", "/") + ".py", "(score|measure)"
    return path, _line(ROOT / path, function)


def _line(path: Path, function: str) -> int:
    """Line of a function's definition; 1 if it is not found."""
    if not path.is_file():
        return 1
    for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if re.match(rf"def {function}\b", text):
            return line
    return 1


def _message(text: str) -> str:
    return text[:LONG].replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def summary(outcome: Outcome, allow_missing: bool = False) -> str:
    """Format a Markdown page: count of compared rows, failing rows worst first, cells that could not be measured."""
    lines = ["## bench check", "", f"**{outcome.headline()}.**", ""]
    failing = [(result, row) for result, rows in problems(outcome, allow_missing) for row in rows]
    if failing:
        lines += ["| cell | row | baseline | now | why |", "|---|---|---:|---:|---|"]
        for result, row in failing[:SUMMARY_ROWS]:
            name = f"{row.row.metric} {row.row.part}"
            cells = (result.label, name, number(row.old), _now(row), row.why or result.why)
            lines.append(f"| {' | '.join(map(_cell, cells))} |")
        if len(failing) > SUMMARY_ROWS:
            lines.append(f"\n{len(failing) - SUMMARY_ROWS:,} more rows are in the JUnit file.")
        lines.append("")
    for state in (FAILED, BLOCKED):
        for result in [result for result in outcome.results if result.state == state][:SUMMARY_ROWS]:
            lines.append(f"- {state}: {_cell(result.label)}: {_cell(result.why)}")
    lines += [f"- new: {_cell(line)}" for line in outcome.additions[:SUMMARY_ROWS]]
    return "\n".join(lines).rstrip() + "\n"


def _now(row: Comparison) -> str:
    if not row.compared:
        return "missing"
    return number(row.new) + (f" [{row.low:+.2f}, {row.high:+.2f}]" if row.low is not None else "")


def _cell(text: str) -> str:
    return " ".join(text[:LONG].split()).replace("|", "\\|").replace("<", "&lt;")
