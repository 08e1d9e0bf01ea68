"""Results of fixed inputs: computed one after the other, an error of one leaves the others."""

import fnmatch
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from bench import progress
from bench.errors import CELL_FAILED, Problem, explain
from bench.gate import fixed
from bench.gate.fixed import Row, annotation
from bench.gate.outcome import FAILED, FINISHED, Result
from bench.gate.rows import BaselineRow, Key, Measured

DIGITS = 9  # that are kept: more than the tolerances compare


def results(kinds: Sequence[str], names: str = "") -> list[Result]:
    """Compute the fixed inputs of some kinds whose names a shell glob matches, "" for all.

    Raises Problem for a kind that does not exist.
    """
    if unknown := set(kinds) - set(fixed.KINDS):
        raise Problem(f"There are no fixed inputs {sorted(unknown)}.", expected=f"of {', '.join(fixed.KINDS)}")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small tensors; and sums in one order
    try:
        with tempfile.TemporaryDirectory(prefix="bench-fixed-") as folder:
            if kinds:
                annotation.write(Path(folder))
            return [result for kind in kinds for result in _of_kind(kind, names, Path(folder))]
    finally:
        torch.set_num_threads(threads)


def _of_kind(kind: str, names: str, folder: Path) -> list[Result]:
    with progress.step(f"fixed inputs: {kind}"):
        cases = fixed.cases(kind, folder)
        return [_result(kind, name, case) for name, case in cases.items() if not names or fnmatch.fnmatch(name, names)]


def _result(kind: str, name: str, case: fixed.Case) -> Result:
    key = (kind, name, "", "", "", 0)
    try:
        rows = [row_of(key, row) for row in case()]
    except Exception as error:
        return Result(key, FAILED, explain(error), CELL_FAILED, source="fixed")
    return Result(key, FINISHED, source="fixed", now=Measured(key, rows))


def row_of(key: Key, row: Row) -> BaselineRow:
    """Make the row of a baseline, with nine digits."""
    value = float(f"{row.value:.{DIGITS}g}")
    return BaselineRow(
        protocol=key[0],
        architecture=key[1],
        seed=0,
        metric=row.metric,
        part=row.part,
        value=None if math.isnan(value) else value,
        unit="",
        n=row.n,
        version=1,
        source="fixed",
    )
