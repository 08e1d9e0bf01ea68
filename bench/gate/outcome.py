"""Outcome of a check: what every cell, prediction file and fixed input gave, and the exit code that follows."""

from collections import Counter
from dataclasses import dataclass

from bench.cells.cell import Cell
from bench.cells.plan import BLOCKED
from bench.errors import CELL_FAILED, DATA, FINE, NOTHING
from bench.errors import REGRESSED as EXIT_REGRESSED
from bench.gate.compare import MISSING, MOVED, NEW, REGRESSED, SAME, Comparison
from bench.gate.rows import Key, Measured

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
    source: str = "measured"  # or "predictions" of a file, or "fixed"
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
