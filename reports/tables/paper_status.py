"""State of every printed number of a paper: the cell that fills it, and what is missing to run it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.cells.matrix import identity
from bench.cells.plan import FRESH, Task
from bench.results.snapshot import Snapshot
from protocols.datasets import DATASETS
from reports.data.published import Paper
from reports.tables.counts import KINDS, Counts, count, kind
from reports.tables.paper_cells import cell_of, why_not
from reports.tables.published_vs_measured import Comparison, compare


class Costs(msgspec.Struct, frozen=True):
    """Counts of printed parameters and operations."""

    printed: int
    fillable: int  # there is a cell whose number would be compared
    filled: int
    reproduced: int


class Accuracies(msgspec.Struct, frozen=True):
    """Counts of printed scores; filled and reproduced ones are those of our networks."""

    printed: int
    rebuilt: int  # of a system that a network here rebuilds
    fillable: int
    filled: int
    reproduced: int
    from_predictions: int  # compared with what the predictions of their authors score


class Number(msgspec.Struct, frozen=True):
    """A printed number with the cell that fills it."""

    table: str
    row: str
    column: str
    kind: str  # "costs", "accuracies", or "" for a description of a network
    published: float
    unit: str
    architecture: str
    fillable: bool
    withheld: bool  # the annotation that it is scored on is kept by its owners
    cell: str  # label, "" if there is none
    key: str
    state: str  # of the cell: fresh, stale, missing, failed, blocked; "" without one
    step: str  # the next one
    missing: str  # what is missing to run the cell, or why no cell fills the number
    measured: float | None
    verdict: str
    source: str  # "measured", or "predictions" of the authors
    unknown: tuple[str, ...]  # conditions that the paper leaves open


class Status(msgspec.Struct, frozen=True):
    """State of all numbers of a paper, or of one of its tables."""

    paper: str
    costs: Costs
    accuracies: Accuracies
    numbers: tuple[Number, ...]


def status_of(paper: Paper, table: str, tasks: Sequence[Task], found: Snapshot, data: Path) -> Status:
    """The state of the printed numbers of a paper; `tasks`: the plan of the cells that fill it."""
    planned = {identity(task.cell): task for task in tasks}
    compared = compare((value for value in paper.values() if table in ("", value.table)), found)
    numbers = tuple(_number(item, planned, data) for item in compared)
    costs, scores = (count(compared)[name] for name in KINDS)
    fillable = Counter(one.kind for one in numbers if one.fillable)
    return Status(
        paper.key,
        Costs(costs.printed, fillable["costs"], *_filled(costs)),
        Accuracies(
            scores.printed,
            scores.rebuilt,
            fillable["accuracies"],
            *_filled(scores),
            from_predictions=len(scores.compared("predictions")),
        ),
        numbers,
    )


def _filled(counts: Counts) -> tuple[int, int]:
    """Counts of the numbers that our networks fill and reproduce."""
    return len(counts.compared("measured")), counts.reproduced("measured")


def _number(item: Comparison, planned: dict[tuple, Task], data: Path) -> Number:
    value = item.published
    cell = cell_of(value, data)
    reason = why_not(value, cell)
    task = planned.get(identity(cell)) if cell and not reason else None
    return Number(
        table=value.table,
        row=value.row,
        column=value.column,
        kind=kind(value),
        published=value.value,
        unit=value.unit,
        architecture=value.architecture,
        fillable=not reason,
        withheld=bool(value.dataset) and value.split in DATASETS[value.dataset].withheld,
        cell=task.cell.label if task else "",
        key=task.key if task else "",
        state=task.state if task else "",
        step=task.step if task else "",
        missing=reason if not task else "" if task.state == FRESH else task.why,
        measured=item.measured if item.delta is not None else None,
        verdict=item.verdict,
        source=item.source,
        unknown=item.unknown if item.delta is not None else (),
    )
