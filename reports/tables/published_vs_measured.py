"""Published against measured: a difference is formed only where both were tested the same way.

What is measured is a network of ours, or the predictions that the authors of a method published.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from bench.cells.conditions import STATED, UNKNOWN, against
from bench.results.rows import Measurement
from bench.results.snapshot import ReportCell, Snapshot
from reports.data.published import Paper, Value
from reports.tables.sheets import Plain, Sheet

EXACT = (
    1e-9  # of a printed unit: error bound of the arithmetic, so that a value at half a digit counts in both directions
)
SCORED = ("dataset", "split", "people")  # conditions of predictions; the others are facts of whoever made them
NUMBERS = (
    "paper", "table", "row", "method", "column", "protocol", "dataset", "split", "metric", "part", "published",
    "measured", "low", "high", "difference", "verdict", "source", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """One printed number beside ours."""

    published: Value
    row: Measurement | None  # our measurement, None if there is none on that dataset
    cell: ReportCell | None
    differences: tuple[str, ...]  # in what ours was tested differently; empty: comparable
    verdict: str  # reproduced | above | below | not comparable | not measured | not rebuilt

    @property
    def source(self) -> str:
        """Origin of the measured value: "measured", "predictions" of the authors, or "" without one."""
        return self.row.source if self.row else ""

    @property
    def measured(self) -> float:
        """Our value in the unit of the paper; NaN where there is none."""
        return self.row.number / self.published.scale if self.row else math.nan

    @property
    def delta(self) -> float | None:
        """Measured minus published, in the unit of the paper; None where the two are not comparable."""
        return None if self.row is None or self.differences else self.measured - self.published.value

    @property
    def test(self) -> str:
        """Protocol and dataset to measure for a comparison: "coco-ap on coco"."""
        return " on ".join(part for part in (self.published.protocol, self.published.dataset) if part)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The 95 % interval of the measured value in the unit of the paper; None without one."""
        if self.row is None or self.row.interval is None:
            return None
        low, high = (end / self.published.scale for end in self.row.interval)
        return low, high

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the difference, from that of the measured value; None where either is missing."""
        if self.bounds is None or self.delta is None:
            return None
        low, high = (end - self.published.value for end in self.bounds)
        return low, high

    @property
    def reason(self) -> str:
        """Sentence on why there is no difference to show; "" if there is one."""
        if self.verdict == "not rebuilt":
            whose = "Quoted by the paper" if self.published.source == "quoted" else "The paper's own"
            return f"{whose}; no network here rebuilds it." if self.published.protocol else ""
        if self.verdict == "not measured":
            return f"{self.published.architecture} has no {self.test} yet." if self.test else ""  # a kernel size
        return f"Not comparable: {'; '.join(self.differences)}." if self.differences else ""


def compare(values: Iterable[Value], snapshot: Snapshot) -> list[Comparison]:
    """Each printed value with the measurement that comes closest to its conditions; of several, a network's first.

    A prediction file is compared only where somebody said which method made it: its name proves nothing. Another
    dataset is never compared, so that no difference to a number on photographs is ever formed for drawn people.
    """
    measured = defaultdict(list)
    for row in snapshot.measurements:
        cell = snapshot.cell[row.cell]
        name = cell.method if row.source == "predictions" else row.architecture
        if name and row.value is not None:
            measured[row.source, name, row.protocol, row.dataset, row.metric, row.part].append((row, cell))
    return [_compare(value, measured) for value in values]


def required(value: Value) -> dict[str, str]:
    """Conditions that a cell must share with the test behind a printed value."""
    if not value.dataset:  # a property of the network alone
        return {}
    wanted = {"dataset": value.dataset, "split": value.split, "people": "all", "budget": "full", **value.settings}
    return {key: wanted[key] for key in (*STATED, *sorted(wanted)) if key in wanted}


def contradictions(papers: Iterable[Paper]) -> list[tuple[Value, Value]]:
    """Pairs of printed values that give one method two numbers under one protocol, dataset, split, metric and part."""
    printed = defaultdict(list)
    for value in (value for paper in papers for value in paper.values() if value.method):
        where = (value.protocol, value.dataset, value.split, value.metric, value.part)
        printed[(value.method, *where)].append(value)
    groups = ({value.value: value for value in reversed(values)} for values in printed.values())
    return [pair for group in groups for pair in pairwise(sorted(group.values(), key=lambda value: value.paper))]


def numbers(compared: Iterable[Comparison]) -> Sheet:
    """Every printed number on a line of its own, with what was measured for it."""
    return Sheet("published", "Every printed number, and what was measured for it", NUMBERS, [*map(_line, compared)])


def _line(item: Comparison) -> tuple[Plain, ...]:
    value, bounds = item.published, item.bounds or (None, None)
    where = (
        value.paper,
        value.table,
        value.row,
        value.method,
        value.column,
        value.protocol,
        value.dataset,
        value.split,
    )
    measured = item.measured if item.row else None
    return (*where, value.metric, value.part, value.value, measured, *bounds, item.delta, item.verdict, item.source,
            item.reason)  # fmt: skip


def _compare(value: Value, measured: dict[tuple, list[tuple[Measurement, ReportCell]]]) -> Comparison:
    what = (value.protocol, value.dataset, value.metric, value.part)
    keys = [("measured", value.architecture, *what), ("predictions", value.method, *what)]
    found = [(row, cell) for key in keys for row, cell in measured.get(key, ()) if key[1]]
    if not found:
        return Comparison(value, None, None, (), "not measured" if value.architecture else "not rebuilt")
    judged = [(_differences(value, row, cell), row.source, cell.seed or 0, row.cell, row, cell) for row, cell in found]
    differences, _, _, _, row, cell = min(judged, key=lambda item: (len(item[0]), *item[1:4]))
    return Comparison(value, row, cell, differences, _verdict(value, row, differences))


def _differences(value: Value, row: Measurement, cell: ReportCell) -> tuple[str, ...]:
    """One clause for everything in which a cell is not what the paper did, or the paper does not say."""
    stale = () if cell.state == "fresh" else (f"the measurement is {cell.state}",)
    if not value.dataset:
        return stale
    wanted = required(value)
    if row.source == "predictions":
        wanted = {field: wanted[field] for field in SCORED}
    held = against(cell.conditions, wanted)
    unknown = (
        f"{field} {cell.conditions.stated.get(field, UNKNOWN)}, in the paper {UNKNOWN}" for field in held.unknown
    )
    return (*held.differences, *unknown, *stale)


def _verdict(value: Value, row: Measurement, differences: tuple[str, ...]) -> str:
    """Reproduced: our interval meets the numbers that are printed so. Predictions of the authors on the same people
    have no interval to offer: their score itself must be one of these numbers."""
    if differences:
        return "not comparable"
    interval = None if row.source == "predictions" else row.interval
    low, high = interval or (row.number, row.number)
    half = 0.5 * 10**-value.decimals + EXACT
    if low / value.scale > value.value + half:
        return "above"
    return "below" if high / value.scale < value.value - half else "reproduced"
