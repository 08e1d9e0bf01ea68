"""The regression gate: measures the cells of a matrix and compares them with the committed baseline."""

import fnmatch
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from bench import progress
from bench.cells import matrix
from bench.cells.cell import Cell
from bench.cells.plan import BLOCKED, Task, plan
from bench.cells.splits import parse_split
from bench.context import RunContext
from bench.errors import CELL_FAILED, DATA, NOTHING, Problem, exit_code, explain
from bench.executors.local import local
from bench.gate import baseline, inputs
from bench.gate.compare import compare
from bench.gate.outcome import FAILED, FINISHED, GONE, Outcome, Result
from bench.gate.rows import Key, Measured
from bench.results.rows import measurements
from bench.steps.score_file import file_cell, publish_file, score_file
from bench.store.store import CELLS, Store


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
    kinds = [kind for kind in table.fixed if not protocols or fnmatch.fnmatch(kind, protocols)]
    tasks = plan(cells, ctx.store, ctx.data, ctx.device)
    done, failed = local(tasks, ctx, jobs)
    found = [_result(task, ctx.store, {id(task) for task in done}, failed) for task in tasks]
    found += [_score_file(listed, name, ctx) for listed, name in files]
    found += inputs.results(kinds, architectures)
    if not found:
        raise Problem(f"Nothing to check: no cell of {path} matches.", next_step="bench list", code=NOTHING)
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
