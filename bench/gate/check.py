"""The regression gate: measures the cells of a matrix and compares them with the committed baseline."""

import fnmatch
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from bench import progress
from bench.cells import matrix
from bench.cells.cell import Cell
from bench.cells.plan import BLOCKED, Task, plan
from bench.cells.splits import parse_split
from bench.context import RunContext
from bench.errors import CELL_FAILED, DATA, FINE, NOTHING, Problem, exit_code, explain
from bench.errors import REGRESSED as EXIT_REGRESSED
from bench.executors.local import local
from bench.gate import baseline
from bench.gate.compare import MISSING, MOVED, NEW, REGRESSED, SAME, Comparison, compare
from bench.gate.rows import Key, Measured
from bench.results.rows import measurements
from bench.steps.score_file import file_cell, publish_file, score_file
from bench.store.store import CELLS, Store

FINISHED, FAILED = "finished", "failed"  # states of a cell, with BLOCKED of the plan
GONE = "gone"  # only in the baseline
FEW = 3  # new rows shown per cell
SHOWN = ("protocol", "architecture", "dataset", "split", "setting", "seed", "metric", "part", "unit", "n")  # of a row


@dataclass(frozen=True)
class Result:
    """Outcome of one cell of the matrix or of the baseline."""

    key: Key
    state: str
    why: str = ""
    code: int = FINE  # exit code for the state
    cell: Cell | None = None  # None if GONE
    source: str = "measured"  # or "predictions", of a prediction file
    now: Measured | None = None
    comparisons: tuple[Comparison, ...] = ()

    @property
    def label(self) -> str:
        protocol, name, dataset, split, setting, seed = self.key
        where = f" on {dataset}/{split}" if dataset else ""
        return f"{name} × {protocol}{where}" + (f" ({setting})" if setting else "") + f", seed {seed}"


@dataclass(frozen=True)
class Outcome:
    """Results of all cells, and the number of rows that the baseline has for them."""

    results: tuple[Result, ...]
    expected: int

    @property
    def comparisons(self) -> list[Comparison]:
        return [entry for result in self.results for entry in result.comparisons]

    @property
    def compared(self) -> int:
        return sum(entry.compared for entry in self.comparisons)

    def headline(self) -> str:
        """Format the number of compared rows and the counts of their states."""
        counts = Counter(entry.state for entry in self.comparisons)
        words = ", ".join(f"{counts[state]:,} {state}" for state in (SAME, MOVED, REGRESSED, MISSING, NEW))
        return f"{self.compared:,} of {self.expected:,} rows compared: {words}"

    @property
    def additions(self) -> list[str]:
        """Lines about cells with rows that the baseline lacks."""
        found = [(result, [entry for entry in result.comparisons if entry.state == NEW]) for result in self.results]
        return [
            f"{result.label}: {len(rows):,} new, compared with nothing: {'; '.join(map(str, rows[:FEW]))}"
            + (" …" if len(rows) > FEW else "")
            for result, rows in found
            if rows
        ]

    def exit_code(self, allow_missing: bool = False) -> int:
        """Exit code of the check: a regression first, then a failed cell, then missing comparisons.

        A missing row of the baseline fails, and so does a cell without measurements. A new row does not: it is only
        reported until a baseline contains it.
        """
        if any(entry.state == REGRESSED for entry in self.comparisons):
            return EXIT_REGRESSED
        if any(result.state == FAILED for result in self.results):
            return CELL_FAILED
        if not self.compared:
            return NOTHING
        blocked = [result for result in self.results if result.state == BLOCKED]
        if (self.compared != self.expected or blocked) and not allow_missing:
            return DATA if any(result.code == DATA for result in self.results) else NOTHING
        return FINE


def check(
    path: Path,
    earlier: dict[Key, Measured],
    ctx: RunContext,
    architectures: str = "",
    protocols: str = "",
    jobs: int = 0,
) -> tuple[Outcome, list[Task]]:
    """Measure the cells of the matrix at `path` that two globs select, and compare them with a baseline.

    Cells that `ctx.store` holds already are not measured again; `jobs` is that of `executors.local`. Returns the
    outcome and the tasks, for a report. Raises Problem for an unreadable matrix or an empty selection.
    """
    table = matrix.read(path)
    cells = [cell for cell in matrix.load(path) if _selected(architectures, protocols, cell.row.name, cell.protocol)]
    files = [(listed, name) for listed in table.predictions for name in listed.protocols]
    files = [pair for pair in files if _selected(architectures, protocols, Path(pair[0].file).stem, pair[1])]
    if not cells and not files:
        raise Problem(f"Nothing to check: no cell of {path} matches.", next_step="bench list", code=NOTHING)
    tasks = plan(cells, ctx.store, ctx.data, ctx.device)
    done, failed = local(tasks, ctx, jobs)
    found = [_result(task, ctx.store, {id(task) for task in done}, failed) for task in tasks]
    found += [_score_file(listed, name, ctx) for listed, name in files]
    expected = {key: cell for key, cell in earlier.items() if _selected(architectures, protocols, key[1], key[0])}
    results = [_compared(result, expected.get(result.key)) for result in found]
    measured = {result.key for result in results}
    results += [
        _compared(Result(key, GONE, "the matrix has no such cell any more", NOTHING), cell)
        for key, cell in expected.items()
        if key not in measured
    ]
    return Outcome(tuple(results), sum(len(cell.rows) for cell in expected.values())), tasks


def accept(path: Path, outcome: Outcome, earlier: dict[Key, Measured], reason: str, allow_missing: bool) -> int:
    """Write the new numbers as the baseline; returns the number of changed rows.

    Rows of cells that were not selected stay. Raises Problem if a cell failed or is blocked; with `allow_missing` its
    old rows stay instead.
    """
    unmeasured = [result for result in outcome.results if result.state in (FAILED, BLOCKED)]
    if unmeasured and not allow_missing:
        raise Problem(
            f"The baseline stays as it is: {len(unmeasured)} cells could not be measured, first {unmeasured[0].label}.",
            next_step="fix them, or keep their old rows with --allow-missing",
            code=max(result.code for result in unmeasured),
        )
    chosen = {result.key: result for result in outcome.results}
    kept = [cell for key, cell in earlier.items() if key not in chosen or chosen[key] in unmeasured]
    cells = kept + [result.now for result in outcome.results if result.now]
    if not cells:
        raise Problem("The baseline stays as it is: nothing was measured.", code=NOTHING)
    return baseline.write(path, cells, earlier, reason)


def _selected(architectures: str, protocols: str, name: str, protocol: str) -> bool:
    """Return whether two globs select a cell; the one for architectures also matches a name without its options."""
    names = (name, name.partition("@")[0])
    return (not architectures or any(fnmatch.fnmatch(word, architectures) for word in names)) and (
        not protocols or fnmatch.fnmatch(protocol, protocols)
    )


def _result(task: Task, store: Store, done: set[int], failed: Iterable[tuple[Task, str]]) -> Result:
    """Result of a planned cell after the run; `done`: identities of the finished tasks."""
    key = baseline.cell_key(task.cell)
    if task.problem is not None:
        return Result(key, BLOCKED, task.why, exit_code(task.problem), task.cell)
    if id(task) in done:
        return Result(key, FINISHED, cell=task.cell, now=_measured(key, store, task.key))
    why = next((why for other, why in failed if other is task), "the run ended before this cell")
    return Result(key, FAILED, why, CELL_FAILED, task.cell)


def _score_file(listed: matrix.PredictionFile, protocol: str, ctx: RunContext) -> Result:
    """Score a prediction file; an error makes the result blocked if data are missing, else failed."""
    file = Path(listed.file)
    cell = Cell(file.stem, protocol, *parse_split(listed.dataset))
    key = baseline.cell_key(cell, "predictions")
    with progress.step(f"{file.name} × {protocol}"):
        try:
            scored = score_file(file, file_cell(file.stem, protocol, listed.dataset, {}), ctx.data)
            rows, _ = publish_file(scored, ctx.store)
        except Exception as error:
            code = exit_code(error)
            return Result(key, BLOCKED if code == DATA else FAILED, explain(error), code, cell, "predictions")
    now = baseline.measured(key, rows, scored.scores.samples)
    return Result(key, FINISHED, cell=cell, source="predictions", now=now)


def _measured(key: Key, store: Store, content: str) -> Measured:
    samples = store.read_arrays(CELLS, content, "samples.npz")
    return baseline.measured(key, measurements(store, content), samples)


def _compared(result: Result, then: Measured | None) -> Result:
    """Return the result with its rows compared; without a baseline they are new."""
    then = then or Measured(result.key, [])
    comparisons = tuple(compare(then, result.now))
    return replace(result, comparisons=comparisons)


def as_document(outcome: Outcome, code: int) -> dict[str, object]:
    """Convert the outcome to plain data for --json."""
    rows = [
        {
            **{name: getattr(entry.row, name) for name in SHOWN},
            "state": entry.state,
            "baseline": entry.old if entry.state != NEW else None,
            "value": entry.new if entry.state != NEW else entry.old,
            "low": entry.low,
            "high": entry.high,
            "why": entry.why,
        }
        for entry in outcome.comparisons
    ]
    cells = [{"label": result.label, "state": result.state, "why": result.why} for result in outcome.results]
    return {
        "compared": outcome.compared,
        "expected": outcome.expected,
        "exit_code": code,
        "cells": cells,
        "rows": rows,
    }
