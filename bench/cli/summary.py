"""End of a run: prints measurements, warnings and counts, and sets the exit code."""

import sys
from collections.abc import Sequence

import typer

from bench.cells.plan import BLOCKED, FRESH, Task
from bench.cells.record import CellRecord, read
from bench.cli.documents import print_json
from bench.errors import CELL_FAILED, Problem, exit_code, explain
from bench.results.rows import Measurement, measurements
from bench.results.text import print_measurements
from bench.store.store import Store


def conclude(
    tasks: Sequence[Task], done: Sequence[Task], failed: Sequence[tuple[Task, str]], store: Store, as_json: bool
) -> None:
    """Print the results of a run; raises typer.Exit with the exit code if a cell failed or is blocked."""
    found, rows, unreadable = _results(done, store)
    blocked = [task for task in tasks if task.state == BLOCKED]
    warnings = [f"{cell.label}: {text}" for cell in found for text in cell.warnings] + unreadable
    warnings += [f"{task.cell.label}: blocked: {task.why}" for task in blocked]
    if as_json:
        warnings += [f"{task.cell.label}: failed: {why}" for task, why in failed]  # printed already without --json
        print_json({"measurements": rows, "cells": found, "warnings": warnings})
    else:
        print_measurements(rows)
        for warning in warnings:
            print(f"! {warning}", file=sys.stderr)
        already = sum(task.state == FRESH for task in tasks)
        print(
            f"{len(found)} of {len(tasks)} cells finished ({already} were already), "
            f"{len(failed)} failed, {len(blocked)} blocked.",
            file=sys.stderr,
        )
    if failed:
        codes = {failure.code if (failure := store.failure(task.key)) else CELL_FAILED for task, _ in failed}
        raise typer.Exit(codes.pop() if len(codes) == 1 else CELL_FAILED)
    if unreadable:
        raise typer.Exit(CELL_FAILED)
    if blocked:
        raise typer.Exit(max(exit_code(task.problem) for task in blocked if task.problem))


def _results(done: Sequence[Task], store: Store) -> tuple[list[CellRecord], list[Measurement], list[str]]:
    """Records and rows of finished cells, and why some cannot be read."""
    cells, rows, unreadable = [], [], []
    for task in done:
        try:
            cell, measured = read(store, task.key), measurements(store, task.key)
        except Problem as problem:
            unreadable.append(f"{task.cell.label}: {explain(problem)}")
        else:
            cells.append(cell)
            rows += measured
    return cells, rows, unreadable
