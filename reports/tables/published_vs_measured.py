"""Published against measured: a difference is formed only where both were tested the same way."""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from bench.cells.conditions import STATED, UNKNOWN, against
from bench.results.rows import Measurement
from bench.results.snapshot import ReportCell, Snapshot
from reports.data.published import Value


@dataclass(frozen=True)
class Comparison:
    """One printed number beside ours."""

    published: Value
    row: Measurement | None  # our measurement, None if there is none on that dataset
    cell: ReportCell | None
    differences: tuple[str, ...]  # in what ours was tested differently; empty: comparable
    verdict: str  # reproduced | above | below | not comparable | not measured | not rebuilt

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
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the difference, from that of our measurement; None where either is missing."""
        if self.row is None or self.row.interval is None or self.delta is None:
            return None
        low, high = (end / self.published.scale - self.published.value for end in self.row.interval)
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
    """Each printed value with the measurement that comes closest to its settings.

    Prediction files are never matched: their name does not prove which network wrote them. Nor is another dataset,
    so that no difference to a number on photographs is ever formed for drawn people.
    """
    measured = defaultdict(list)
    for row in snapshot.measurements:
        if row.source == "measured" and row.value is not None:
            key = (row.architecture, row.protocol, row.dataset, row.metric, row.part)
            measured[key].append(row)
    return [_compare(value, measured, snapshot) for value in values]


def required(value: Value) -> dict[str, str]:
    """Conditions that a cell must share with the test behind a printed value."""
    if not value.dataset:  # a property of the network alone
        return {}
    wanted = {"dataset": value.dataset, "split": value.split, "people": "all", "budget": "full", **value.settings}
    return {key: wanted[key] for key in (*STATED, *sorted(wanted)) if key in wanted}


def _compare(value: Value, measured: dict[tuple, list[Measurement]], snapshot: Snapshot) -> Comparison:
    candidates = measured.get((value.architecture, value.protocol, value.dataset, value.metric, value.part), ())
    if not value.architecture or not candidates:
        return Comparison(value, None, None, (), "not measured" if value.architecture else "not rebuilt")
    judged = []
    for row in candidates:
        cell = snapshot.cell[row.cell]
        judged.append((_differences(value, cell), cell.seed or 0, row.cell, row))
    differences, _, key, row = min(judged, key=lambda item: (len(item[0]), *item[1:3]))
    return Comparison(value, row, snapshot.cell[key], differences, _verdict(value, row, differences))


def _differences(value: Value, cell: ReportCell) -> tuple[str, ...]:
    """One clause for everything in which a cell is not what the paper did, or the paper does not say."""
    if not value.dataset:
        return () if cell.state == "fresh" else (f"the measurement is {cell.state}",)
    ours = cell.conditions
    held = against(ours, required(value))
    found = [*held.differences]
    found += [f"{field} {ours.stated.get(field, UNKNOWN)}, in the paper {UNKNOWN}" for field in held.unknown]
    return (*found, *([] if cell.state == "fresh" else [f"the measurement is {cell.state}"]))


def _verdict(value: Value, row: Measurement, differences: tuple[str, ...]) -> str:
    """Reproduced: our interval meets the numbers that would have been printed so."""
    if differences:
        return "not comparable"
    low, high = row.interval or (row.number, row.number)
    half = 0.5 * 10**-value.decimals + 1e-9
    if low / value.scale > value.value + half:
        return "above"
    return "below" if high / value.scale < value.value - half else "reproduced"
