"""Comparison of rows with those of a baseline: exact, statistical or noisy, as the record of the metric says."""

from collections.abc import Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from bench.gate import fixed
from bench.gate.rows import BaselineRow, Measured
from bench.results.paired import difference
from bench.results.rows import Measurement
from protocols import PROTOCOLS, Metric, Value
from protocols.errors import DataError
from protocols.statistics.scores import Scores

SAME, MOVED, REGRESSED, MISSING, NEW = "same", "moved", "regressed", "missing", "new"


@dataclass(frozen=True)
class Comparison:
    """A row of the baseline with its new value."""

    row: BaselineRow  # of the baseline; the new one where the baseline has none
    state: str
    old: float | None = None
    new: float | None = None
    low: float | None = None  # interval of the difference
    high: float | None = None
    why: str = ""

    @property
    def compared(self) -> bool:
        return self.state in (SAME, MOVED, REGRESSED)

    @property
    def severity(self) -> float:
        """Relative change, to sort by; 1 for a missing row."""
        if self.state == MISSING or not (self.old and self.new):
            return 1.0
        return abs(self.new - self.old) / abs(self.old)

    def __str__(self) -> str:
        """Format the change: "PCKh@0.5 mean 90.31 → 89.52 [-1.13, -0.51], n=2,958"."""
        before, after = number(self.old), number(self.new)
        words = {SAME: before, MISSING: f"{before} → missing", NEW: f"new → {before}"}
        text = f"{self.row.metric} {self.row.part} {words.get(self.state, f'{before} → {after}')}"
        if self.low is not None:
            text += f" [{self.low:+.2f}, {self.high:+.2f}]"
        return f"{text}, n={self.row.n:,}" + (f"; {self.why}" if self.why else "")


def number(value: float | None) -> str:
    """Format a value with enough digits to show a small change."""
    return "not defined" if value is None else f"{value:,.10g}"


def metric_of(row: BaselineRow | Measurement) -> Metric:
    """Record of a row's metric. Prediction files and fixed inputs must repeat exactly, whatever the metric."""
    if isinstance(row, BaselineRow) and row.source == "fixed":
        return Metric(unit="", direction="neither", gate="exact", tolerance=fixed.tolerance(row.protocol))
    metric = PROTOCOLS[row.protocol].metric(row.metric)
    return replace(metric, gate="exact", tolerance=0.0, kept=("*",)) if row.source == "predictions" else metric


def compare(then: Measured, now: Measured | None) -> list[Comparison]:
    """Compare the rows of a cell with the baseline; all rows of a cell that was not measured are missing."""
    if now is None:
        return [Comparison(row, MISSING, old=row.value) for row in then.rows]
    current = {row.name: row for row in now.rows}
    changes, why = _changes(then, now)
    found = []
    largest = max((row.n for row in then.rows), default=0)
    for row in then.rows:
        new = current.pop(row.name, None)
        if new is None:
            found.append(Comparison(row, MISSING, old=row.value, why="the cell has no such row any more"))
        else:
            found.append(_compare_rows(row, new, changes, why, largest))
    return found + [Comparison(row, NEW, old=row.value) for row in current.values()]


def _compare_rows(
    old: BaselineRow, new: BaselineRow, changes: dict[tuple[str, str], Value], why: str, largest: int
) -> Comparison:
    metric, before, after = metric_of(old), old.value, new.value
    if (before, old.n, old.unit) == (after, new.n, new.unit):
        return Comparison(old, SAME, before, after)
    if metric.gate == "noisy":
        return Comparison(old, MOVED, before, after)
    if metric.gate == "exact":
        close = before is not None and after is not None and abs(after - before) <= metric.tolerance * abs(before)
        if close and (old.n, old.unit) == (new.n, new.unit):
            return Comparison(old, MOVED, before, after)
        return Comparison(old, REGRESSED, before, after, why=_must_be(old, new, metric))
    if before is None or after is None or old.unit != new.unit:
        return Comparison(old, REGRESSED, before, after, why="defined in only one of the two, or in another unit")
    if old.n != new.n and not metric.n_varies:
        return Comparison(old, REGRESSED, before, after, why=_must_be(old, new, metric))
    if paired := changes.get(old.name):
        low, high, words = paired.low, paired.high, ""
    else:
        low, high, words = _unpaired(old, new, why)
    sign = 1 if metric.direction == "higher" else -1
    worse = sign * (after - before) < -_allowed(metric, old, largest)
    certain = low is not None and high is not None and (high < 0 if sign > 0 else low > 0)
    return Comparison(old, REGRESSED if worse and certain else MOVED, before, after, low, high, words)


def _allowed(metric: Metric, row: BaselineRow, largest: int) -> float:
    """Allowed drop of a row: the tolerance at the `largest` n of the cell, more for a smaller n.

    The effect of training and rounding shrinks with the square root of n, as the interval does.
    """
    return metric.tolerance * (largest / max(row.n, 1)) ** 0.5


def _must_be(old: BaselineRow, new: BaselineRow, metric: Metric) -> str:
    if old.n != new.n:
        return f"n was {old.n:,}, is {new.n:,}"
    if old.version != new.version:
        return f"protocol version {old.version} → {new.version}"
    return f"must agree to {metric.tolerance:g}" if metric.tolerance else "must be identical"


def _changes(then: Measured, now: Measured) -> tuple[dict[tuple[str, str], Value], str]:
    """Paired differences by row, new minus baseline; with the reason where there are none."""
    if not then.samples or not now.samples:
        return {}, "per-person samples are missing"
    protocol = PROTOCOLS[then.rows[0].protocol]
    try:
        found = difference(protocol, [Scores((), samples=now.samples)], [Scores((), samples=then.samples)])
    except (DataError, AttributeError, KeyError, TypeError, ValueError) as error:
        # Other people, or samples of another version of the protocol, which may be of any names and shapes.
        return {}, f"not paired: {str(error).splitlines()[0]}"
    return {(value.metric, value.part): value for value in found}, ""


def _unpaired(old: BaselineRow, new: BaselineRow, why: str) -> tuple[float | None, float | None, str]:
    """Bounds of the difference from the two intervals, wider than paired ones."""
    words = f"intervals only: {why or 'no paired difference of this metric'}"
    if old.low is None or old.high is None or new.low is None or new.high is None:
        return None, None, "no interval: a drop of this row may be chance"
    return new.low - old.high, new.high - old.low, words


def worst_first(comparisons: Iterable[Comparison], allow_missing: bool = False) -> list[Comparison]:
    """Failing rows, worst first."""
    states = (REGRESSED,) if allow_missing else (REGRESSED, MISSING)
    failing = [entry for entry in comparisons if entry.state in states]
    return sorted(failing, key=lambda entry: (-entry.severity, entry.row.metric, entry.row.part))
