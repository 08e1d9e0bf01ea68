"""The regression gate: measure the cells of a matrix anew and compare them with the committed baseline."""

import fnmatch
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
from bench.steps.prediction_files import terms
from bench.steps.score_file import score_file
from bench.store.store import CELLS, Store

FINISHED, FAILED = "finished", "failed"  # beside BLOCKED, and GONE for a cell that only the baseline has
GONE = "gone"
FEW = 3  # new rows of a cell that are named
SHOWN = ("protocol", "architecture", "dataset", "split", "setting", "seed", "metric", "part", "unit", "n")  # of a row


@dataclass(frozen=True)
class Result:
    """What became of one cell of the matrix or of the baseline."""

    key: Key
    state: str
    why: str = ""
    code: int = FINE  # the exit code that the state asks for
    cell: Cell | None = None  # None if GONE
    source: str = "measured"  # or "predictions": a fixed file
    now: Measured | None = None
    comparisons: tuple[Comparison, ...] = ()

    @property
    def label(self) -> str:
        protocol, name, dataset, split, setting, seed = self.key
        where = f" on {dataset}/{split}" if dataset else ""
        return f"{name} × {protocol}{where}" + (f" ({setting})" if setting else "") + f", seed {seed}"


@dataclass(frozen=True)
class Outcome:
    """All cells, and how many rows the baseline has for them."""

    results: tuple[Result, ...]
    expected: int

    @property
    def comparisons(self) -> list[Comparison]:
        return [entry for result in self.results for entry in result.comparisons]

    @property
    def compared(self) -> int:
        return sum(entry.compared for entry in self.comparisons)

    def headline(self) -> str:
        """The count of compared rows, then what became of them."""
        counts = Counter(entry.state for entry in self.comparisons)
        words = ", ".join(f"{counts[state]:,} {state}" for state in (SAME, MOVED, REGRESSED, MISSING, NEW))
        return f"{self.compared:,} of {self.expected:,} rows compared: {words}"

    @property
    def additions(self) -> list[str]:
        """A line for each cell with rows that the baseline does not have."""
        found = [(result, [entry for entry in result.comparisons if entry.state == NEW]) for result in self.results]
        return [
            f"{result.label}: {len(rows):,} new, compared with nothing: {'; '.join(map(str, rows[:FEW]))}"
            + (" …" if len(rows) > FEW else "")
            for result, rows in found
            if rows
        ]

    def exit_code(self, allow_missing: bool = False) -> int:
        """What is certain comes first: a regression, then a failed cell, then what could not be compared.

        A row of the baseline that is gone fails, and so does a cell that measured nothing. A new row does not: it is
        reported, and is compared from the baseline on that takes it in.
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
    """Measure the cells of the matrix at `path` that two globs choose, and compare them with a baseline.

    Cells that `ctx.store` holds already count as measured; `jobs` is that of `executors.local`. Returns the outcome
    and the tasks, for a report.
    Raises Problem when the matrix cannot be read or nothing is chosen.
    """
    rules = matrix.read(path)
    cells = [cell for cell in matrix.load(path) if _chosen(architectures, protocols, cell.row.name, cell.protocol)]
    files = [(fixed, name) for fixed in rules.predictions for name in fixed.protocols]
    files = [pair for pair in files if _chosen(architectures, protocols, Path(pair[0].file).stem, pair[1])]
    if not cells and not files:
        raise Problem(f"Nothing to check: no cell of {path} matches.", next_step="bench list", code=NOTHING)
    tasks = plan(cells, ctx.store, ctx.data, ctx.device)
    done, failed = local(tasks, ctx, jobs)
    found = [_result(task, ctx.store, {id(task) for task in done}, failed) for task in tasks]
    found += [_score_fixed(fixed, name, ctx) for fixed, name in files]
    expected = {key: cell for key, cell in earlier.items() if _chosen(architectures, protocols, key[1], key[0])}
    results = [_compared(result, expected.get(result.key)) for result in found]
    known = {result.key for result in results}
    results += [
        _compared(Result(key, GONE, "the matrix has no such cell any more", NOTHING), cell)
        for key, cell in expected.items()
        if key not in known
    ]
    return Outcome(tuple(results), sum(len(cell.rows) for cell in expected.values())), tasks


def accept(path: Path, outcome: Outcome, earlier: dict[Key, Measured], reason: str, allow_missing: bool) -> int:
    """Write today's numbers as the new baseline; returns how many rows changed.

    Rows of cells that were not chosen stay. Raises Problem when a cell failed or is blocked, unless `allow_missing`:
    then its old rows stay.
    """
    unmeasured = [result for result in outcome.results if result.state in (FAILED, BLOCKED)]
    if unmeasured and not allow_missing:
        raise Problem(
            f"The baseline stays as it is: {len(unmeasured)} cells could not be measured, first {unmeasured[0].label}.",
            next_step="mend them, or keep their old rows with --allow-missing",
            code=max(result.code for result in unmeasured),
        )
    chosen = {result.key: result for result in outcome.results}
    kept = [cell for key, cell in earlier.items() if key not in chosen or chosen[key] in unmeasured]
    cells = kept + [result.now for result in outcome.results if result.now]
    if not cells:
        raise Problem("The baseline stays as it is: nothing was measured.", code=NOTHING)
    return baseline.write(path, cells, earlier, reason)


def _chosen(architectures: str, protocols: str, name: str, protocol: str) -> bool:
    """Whether two globs choose a cell; an architecture is also known by its name without options."""
    names = (name, name.partition("@")[0])
    return (not architectures or any(fnmatch.fnmatch(word, architectures) for word in names)) and (
        not protocols or fnmatch.fnmatch(protocol, protocols)
    )


def _result(task: Task, store: Store, done: set[int], failed: Iterable[tuple[Task, str]]) -> Result:
    key = baseline.cell_key(task.cell)
    if task.state == BLOCKED:
        return Result(key, BLOCKED, task.why, exit_code(task.problem), task.cell)
    if id(task) in done:
        return Result(key, FINISHED, cell=task.cell, now=_measured(key, store, task.key))
    why = next((why for other, why in failed if other is task), "the run ended before it")
    return Result(key, FAILED, why, CELL_FAILED, task.cell)


def _score_fixed(fixed: matrix.PredictionFile, protocol: str, ctx: RunContext) -> Result:
    """Score a prediction file; what raises is blocked if data are missing, else failed."""
    file = Path(fixed.file)
    cell = Cell(file.stem, protocol, *parse_split(fixed.dataset))
    key = baseline.cell_key(cell, "predictions")
    with progress.step(f"{file.name} × {protocol}"):
        try:
            outcome = score_file(file, "", "", False, terms(protocol, fixed.dataset, {}, ctx.data), ctx.store)
        except Exception as error:
            code = exit_code(error)
            return Result(key, BLOCKED if code == DATA else FAILED, explain(error), code, cell, "predictions")
    now = _measured(key, ctx.store, outcome["cells"][0].cell)
    return Result(key, FINISHED, cell=cell, source="predictions", now=now)


def _measured(key: Key, store: Store, content: str) -> Measured:
    samples = store.read_arrays(CELLS, content, "samples.npz")
    return baseline.measured(key, measurements(store, content), samples)


def _compared(result: Result, then: Measured | None) -> Result:
    """The same with its rows compared; without a baseline they are new."""
    then = then or Measured(result.key, [])
    comparisons = tuple(compare(then, result.now))
    return replace(result, comparisons=comparisons)


def as_document(outcome: Outcome, code: int) -> dict[str, Any]:
    """The outcome as plain data, for --json."""
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
