"""`bench check`: runs the gate, prints and writes the outcome, returns the exit code."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.cells.plan import Task
from bench.context import RunContext
from bench.errors import FINE
from bench.gate import baseline
from bench.gate.annotations import annotations, problems, summary
from bench.gate.check import accept, check
from bench.gate.junit import junit
from bench.gate.outcome import Outcome, as_document
from bench.store.store import Store

SHOWN = 20  # failing rows on the terminal


def gate(
    matrix: Path,
    against: Path,
    store: Path | None,
    data: Path,
    device: str,
    out: Path,
    *,
    architectures: str = "",
    protocols: str = "",
    accepted: str = "",
    allow_missing: bool = False,
    as_json: bool = False,
    debug: bool = False,
) -> int:
    """Compare a matrix with the baseline `against`; returns the exit code.

    store: None for an empty temporary one, so that the current code makes every number.
    accepted: reason for accepting the new numbers as the baseline; "" only compares.
    """
    earlier = {} if accepted and not against.is_file() else baseline.read(against)
    with _folder(store) as folder:
        ctx = RunContext(Store(folder), data, device, debug)
        outcome, tasks = check(matrix, earlier, ctx, architectures, protocols)
        code = outcome.exit_code(allow_missing)
        _print_outcome(outcome, code, allow_missing, as_json)
        written = _write_files(outcome, tasks, ctx, out, allow_missing)
    print(f"written: {', '.join(map(str, written))}", file=sys.stderr)
    if not accepted:
        return code
    changed = accept(against, outcome, earlier, accepted, allow_missing)
    print(f"{against}: {changed:,} rows changed.", file=sys.stderr)
    return FINE


@contextmanager
def _folder(store: Path | None) -> Iterator[Path]:
    """The folder of the store, or a temporary one."""
    if store:
        yield store
    else:
        with tempfile.TemporaryDirectory(prefix="bench-check-") as folder:
            yield Path(folder)


def _print_outcome(outcome: Outcome, code: int, allow_missing: bool, as_json: bool) -> None:
    """Print the count of compared rows, then the failing ones, worst first."""
    if as_json:
        print(json.dumps(as_document(outcome, code)))
        return
    print(outcome.headline())
    failing = problems(outcome, allow_missing)
    lines = [f"  {result.label}: {row}" for result, rows in failing for row in rows]
    for line in lines[:SHOWN]:
        print(line)
    if len(lines) > SHOWN:
        print(f"  … and {len(lines) - SHOWN:,} more")
    for result in outcome.results:
        if result.why:
            print(f"{result.state}: {result.label}: {result.why}")
    for line in outcome.additions[:SHOWN]:
        print(f"new: {line}")
    if outcome.additions:
        print("New rows are no failure; --accept --reason TEXT adds them to the baseline.")


def _write_files(outcome: Outcome, tasks: list[Task], ctx: RunContext, out: Path, allow_missing: bool) -> list[Path]:
    """Write the JUnit file, the summary and the site; on GitHub also annotations and the step's summary."""
    out.mkdir(parents=True, exist_ok=True)
    page = summary(outcome, allow_missing)
    (out / "junit.xml").write_text(junit(outcome, allow_missing), encoding="utf-8")
    (out / "summary.md").write_text(page, encoding="utf-8")
    if os.environ.get("GITHUB_ACTIONS"):
        for line in annotations(outcome, allow_missing):
            print(line, file=sys.stderr)
    if step := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(step).open("a", encoding="utf-8") as file:
            file.write(page)
    written = [out / "junit.xml", out / "summary.md"]
    if any(result.source != "fixed" for result in outcome.results):  # fixed inputs leave nothing to show
        from bench.cli.site import write_site  # its plots take seconds to import

        write_site(tasks, ctx.store, out / "site")
        written.append(out / "site" / "index.html")
    return written
