"""Published against measured: a difference is formed where nothing that the paper states was done differently.

What is measured is a network of ours, or the predictions that the authors of a method published. Conditions that the
paper leaves open are listed with the verdict.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from msgspec import structs

from architectures import catalogue
from bench.cells.conditions import STATED, UNKNOWN, Against, against, difference
from bench.cells.splits import training_text
from bench.results.rows import Measurement
from bench.results.snapshot import ReportCell, Snapshot
from protocols.statistics.intervals import student
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
    unknown: tuple[str, ...] = ()  # conditions that the paper leaves open
    seeds: int = 1  # that our value is the mean of

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
    def proviso(self) -> str:
        """Conditions that the paper leaves open, for a verdict: "with flip and scales not stated by the paper"."""
        if self.delta is None or not self.unknown:
            return ""
        *others, last = self.unknown
        return f"with {', '.join(others)}{' and ' if others else ''}{last} not stated by the paper"

    @property
    def reason(self) -> str:
        """Sentence on why there is no difference to show, or on what the paper leaves open; "" if there is neither."""
        if self.verdict == "not rebuilt":
            whose = "Quoted by the paper" if self.published.source == "quoted" else "The paper's own"
            return f"{whose}; no network here rebuilds it." if self.published.protocol else ""
        if self.verdict == "not measured":
            return f"{self.published.architecture} has no {self.test} yet." if self.test else ""  # a kernel size
        if self.proviso:
            return f"{self.verdict.capitalize()}, {self.proviso}."
        return f"Not comparable: {'; '.join(self.differences)}." if self.differences else ""


def compare(values: Iterable[Value], snapshot: Snapshot) -> list[Comparison]:
    """Each printed value with the measurement that comes closest to its conditions; of several, a network's first.

    Seeds that were measured alike become their mean, with an interval over seeds. A prediction file is compared only
    where somebody said which method made it: its name proves nothing. Another dataset is never compared, so that no
    difference to a number on photographs is ever formed for drawn people.
    """
    measured = defaultdict(list)
    for row in snapshot.measurements:
        cell = snapshot.cell[row.cell]
        name = cell.method if row.source == "predictions" else _network(row)
        if name and row.value is not None:
            measured[row.source, name, row.protocol, row.dataset, row.metric, row.part].append((row, cell))
    return [_compare(value, measured) for value in values]


def required(value: Value) -> dict[str, str]:
    """Conditions that a cell must share with the test behind a printed value, in the words of the tables."""
    if not value.dataset:  # a property of the network alone
        return {}
    wanted = {"dataset": value.dataset, "split": value.split, "people": "all", "budget": "full", "weights": "trained"}
    if value.architecture in catalogue():
        wanted["recipe"] = catalogue()[value.architecture].recipe
    wanted |= value.settings
    if wanted.get("training data", UNKNOWN) != UNKNOWN:
        wanted["training data"] = training_text(wanted["training data"])
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


def _network(row: Measurement) -> str:
    """Row of the catalogue; another input is no other network where people are looked at, but a condition."""
    name, _, changed = row.architecture.partition("@")
    return name if row.dataset and changed.startswith("input=") and "," not in changed else row.architecture


class _Candidate(NamedTuple):
    """A measurement beside a printed value; of several, the first in this order is compared."""

    unlike: int  # number of differences
    source: str  # "measured" comes before "predictions"
    seed: int
    key: str  # of the cell
    held: Against
    row: Measurement
    cell: ReportCell


def _compare(value: Value, measured: dict[tuple, list[tuple[Measurement, ReportCell]]]) -> Comparison:
    what = (value.protocol, value.dataset, value.metric, value.part)
    keys = [("measured", value.architecture, *what), ("predictions", value.method, *what)]
    found = [(row, cell) for key in keys for row, cell in measured.get(key, ()) if key[1]]
    if not found:
        return Comparison(value, None, None, (), "not measured" if value.architecture else "not rebuilt")
    held = [(_against(value, row, cell), row, cell) for row, cell in found]
    candidates = [
        _Candidate(len(one.differences), row.source, cell.seed or 0, row.cell, one, row, cell)
        for one, row, cell in held
    ]
    best = min(candidates, key=lambda one: one[:4])
    rows = _seeds(best, candidates)
    row = _mean(rows) if len(rows) > 1 else best.row
    differences, unknown = best.held
    return Comparison(value, row, best.cell, differences, _verdict(value, row, differences), unknown, len(rows))


def _seeds(best: _Candidate, candidates: list[_Candidate]) -> list[Measurement]:
    """The rows of all seeds that were measured as the best candidate was; its own where it is not comparable."""
    if best.unlike or best.source != "measured":
        return [best.row]
    equal = (one for one in sorted(candidates, key=lambda one: one[:4]) if _alike(one, best))
    return list({one.row.seed: one.row for one in equal}.values())


def _alike(one: _Candidate, best: _Candidate) -> bool:
    return (
        (one.unlike, one.source) == (0, "measured")
        and one.row.architecture == best.row.architecture
        and not difference(one.cell.conditions, best.cell.conditions)
    )


def _mean(rows: list[Measurement]) -> Measurement:
    """The mean over seeds, with Student's interval."""
    numbers = [row.number for row in rows]
    low, high = student(numbers)
    return structs.replace(rows[0], value=sum(numbers) / len(numbers), low=low, high=high, n=len(rows), seed=None)


def _against(value: Value, row: Measurement, cell: ReportCell) -> Against:
    """Everything in which a cell is not what the paper did, a clause each, and what the paper does not say."""
    stale = () if cell.state == "fresh" else (f"the measurement is {cell.state}",)
    wanted = required(value)
    if row.source == "predictions" and wanted:
        wanted = {field: wanted[field] for field in SCORED}
    if not wanted:
        return Against(stale, ())
    held = against(cell.conditions, wanted)
    return Against((*held.differences, *stale), held.unknown)


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
