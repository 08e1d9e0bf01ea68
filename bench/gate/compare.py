"""Comparing numbers with those of a baseline: what must be identical, what may move, and what only counts as trend."""

from collections.abc import Iterable
from dataclasses import dataclass

from bench.gate.rows import BaselineRow, Measured
from bench.results.paired import difference
from bench.results.rows import Source
from protocols import PROTOCOLS, Value
from protocols.errors import DataError
from protocols.statistics.scores import Scores

EXACT, STATISTICAL, NOISY = "exact", "statistical", "noisy"
SAME, MOVED, REGRESSED, MISSING, NEW = "same", "moved", "regressed", "missing", "new"
COUNTS_MISSES = "confusion of errors"  # the one metric whose n depends on the network


@dataclass(frozen=True)
class Rule:
    """How far the numbers of a protocol may move, and which of them a baseline keeps."""

    kind: str
    tolerance: float = 0.0  # exact: relative, for rounding; statistical: in the unit of the metric, see `_allowed`
    parts: tuple[str, ...] = ()  # those a baseline keeps; () for all


# Tolerances of float32 arithmetic allow for another order of additions, as other processors and thread counts have it.
# Those of trained networks are beyond what such rounding makes of a training of seconds: 0.4 points were seen.
RULES = {
    "complexity": Rule(EXACT, parts=("all",)),
    "receptive-field": Rule(EXACT, 1e-3),
    "init-variance": Rule(EXACT, 1e-3, parts=("max", "mean")),
    "mpii-pckh": Rule(STATISTICAL, 2.0),
    "lsp-pck": Rule(STATISTICAL, 2.0),
    "lsp-pckh": Rule(STATISTICAL, 2.0),
    "lsp-pcp": Rule(STATISTICAL, 2.0),
    "occluded-limb": Rule(STATISTICAL, 2.0),
    "cifar10-error": Rule(STATISTICAL, 0.5),
    "coco-ap": Rule(STATISTICAL, 0.02),
    "speed": Rule(NOISY),
}
FIXED = Rule(EXACT)  # the score of a prediction file, whatever the protocol
LOWER_IS_BETTER = ("drop", "left-right confusion", "confusion of errors")  # beside protocols that say so themselves


@dataclass(frozen=True)
class Comparison:
    """One row, then and now."""

    row: BaselineRow  # of the baseline; of today where the baseline has none
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
        """The relative change, to sort by; 1 for a row that is gone."""
        if self.state == MISSING or not (self.old and self.new):
            return 1.0
        return abs(self.new - self.old) / abs(self.old)

    def __str__(self) -> str:
        """The change in words: "PCKh@0.5 mean 90.31 → 89.52 [-1.13, -0.51], n=2,958"."""
        before, after = number(self.old), number(self.new)
        words = {SAME: before, MISSING: f"{before} → missing", NEW: f"new → {before}"}
        text = f"{self.row.metric} {self.row.part} {words.get(self.state, f'{before} → {after}')}"
        if self.low is not None:
            text += f" [{self.low:+.2f}, {self.high:+.2f}]"
        return f"{text}, n={self.row.n:,}" + (f"; {self.why}" if self.why else "")


def number(value: float | None) -> str:
    """A value with the digits that a reader needs to see it move."""
    return "not defined" if value is None else f"{value:,.10g}"


def rule_of(source: Source, protocol: str) -> Rule:
    """How far the numbers of a protocol may move."""
    return FIXED if source == "predictions" else RULES[protocol]


def compare(then: Measured, now: Measured | None) -> list[Comparison]:
    """Every row of a cell's baseline against today's; a cell that was not measured has only missing rows."""
    if now is None:
        return [Comparison(row, MISSING, old=row.value) for row in then.rows]
    today = {row.name: row for row in now.rows}
    changes, why = _changes(then, now)
    found = []
    largest = max((row.n for row in then.rows), default=0)
    for row in then.rows:
        new = today.pop(row.name, None)
        if new is None:
            found.append(Comparison(row, MISSING, old=row.value, why="the cell has no such row any more"))
        else:
            found.append(_compare_rows(row, new, changes, why, largest))
    return found + [Comparison(row, NEW, old=row.value) for row in today.values()]


def _compare_rows(
    old: BaselineRow, new: BaselineRow, changes: dict[tuple[str, str], Value], why: str, largest: int
) -> Comparison:
    rule, before, after = rule_of(old.source, old.protocol), old.value, new.value
    if (before, old.n, old.unit) == (after, new.n, new.unit):
        return Comparison(old, SAME, before, after)
    if rule.kind == NOISY:
        return Comparison(old, MOVED, before, after)
    if rule.kind == EXACT:
        close = before is not None and after is not None and abs(after - before) <= rule.tolerance * abs(before)
        if close and (old.n, old.unit) == (new.n, new.unit):
            return Comparison(old, MOVED, before, after)
        return Comparison(old, REGRESSED, before, after, why=_must_be(old, new, rule))
    if before is None or after is None or old.unit != new.unit:
        return Comparison(old, REGRESSED, before, after, why="a number then or now, not both")
    if old.n != new.n and not old.metric.startswith(COUNTS_MISSES):
        return Comparison(old, REGRESSED, before, after, why=_must_be(old, new, rule))
    if paired := changes.get(old.name):
        low, high, words = paired.low, paired.high, ""
    else:
        low, high, words = _unpaired(old, new, why)
    worse = _sign(old) * (after - before) < -_allowed(rule, old, largest)
    certain = low is not None and high is not None and (high < 0 if _sign(old) > 0 else low > 0)
    return Comparison(old, REGRESSED if worse and certain else MOVED, before, after, low, high, words)


def _allowed(rule: Rule, row: BaselineRow, largest: int) -> float:
    """The drop that a row may have: the tolerance where it counts as much as any, more where it counts less.

    What training and rounding do to a row shrinks with the root of what it counts, as its interval does.
    """
    return rule.tolerance * (largest / max(row.n, 1)) ** 0.5


def _must_be(old: BaselineRow, new: BaselineRow, rule: Rule) -> str:
    if old.n != new.n:
        return f"n was {old.n:,}, is {new.n:,}"
    if old.version != new.version:
        return f"protocol version {old.version} → {new.version}"
    return f"must agree to {rule.tolerance:g}" if rule.tolerance else "must be identical"


def _sign(row: BaselineRow) -> int:
    """+1 where more is better, -1 where less is."""
    better = PROTOCOLS[row.protocol].higher_is_better and not row.metric.startswith(LOWER_IS_BETTER)
    return 1 if better else -1


def _changes(then: Measured, now: Measured) -> tuple[dict[tuple[str, str], Value], str]:
    """Paired differences, today's minus the baseline's, by row; with the reason where there are none."""
    if not then.samples or not now.samples:
        return {}, "per-person samples of the baseline are not there"
    rules = PROTOCOLS[then.rows[0].protocol]
    try:
        found = difference(rules, [Scores((), samples=now.samples)], [Scores((), samples=then.samples)])
    except (DataError, AttributeError, KeyError, TypeError, ValueError) as error:
        # Other people, or samples of another version of the protocol, which may be of any names and shapes.
        return {}, f"not paired: {str(error).splitlines()[0]}"
    return {(value.metric, value.part): value for value in found}, ""


def _unpaired(old: BaselineRow, new: BaselineRow, why: str) -> tuple[float | None, float | None, str]:
    """Bounds of the difference from the two intervals alone: wider than the paired ones."""
    words = f"intervals only: {why or 'no paired difference of this metric'}"
    if old.low is None or old.high is None or new.low is None or new.high is None:
        return None, None, "no interval: a drop of this row cannot be told from chance"
    return new.low - old.high, new.high - old.low, words


def worst_first(comparisons: Iterable[Comparison], allow_missing: bool = False) -> list[Comparison]:
    """What fails, worst first."""
    states = (REGRESSED,) if allow_missing else (REGRESSED, MISSING)
    failing = [entry for entry in comparisons if entry.state in states]
    return sorted(failing, key=lambda entry: (-entry.severity, entry.row.metric, entry.row.part))
