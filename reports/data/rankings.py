"""Rankings of methods from their own predictions: which steps are larger than chance, and those of printed rows."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from bench.results.snapshot import ReportCell, Snapshot
from protocols.statistics import ranking
from protocols.statistics.ranking import Pair, Spread
from protocols.statistics.tally import Tally
from reports.data.published import Paper, Table, Value

FEWEST, MOST = 3, 40  # methods of a ranking
HOW = "paired over the {people:,} images, Holm’s correction over {pairs} pairs, 5 %"


@dataclass(frozen=True)
class Ranking:
    """Methods with predictions under one protocol and its usual options on one split, best first."""

    cells: tuple[ReportCell, ...]
    scores: tuple[float, ...]  # per cent
    pairs: tuple[Pair, ...]
    spread: Spread

    @property
    def place(self) -> tuple[str, str, str]:
        """Protocol, dataset and split."""
        first = self.cells[0]
        return first.protocol, first.dataset, first.split

    @property
    def how(self) -> str:
        """Words on how the pairs were compared."""
        return HOW.format(people=self.spread.people, pairs=len(self.pairs))

    @cached_property
    def between(self) -> dict[tuple[str, str], Pair]:
        """(name of the better one, name of the other) -> their difference."""
        return {
            (self.cells[pair.first].architecture, self.cells[pair.second].architecture): pair for pair in self.pairs
        }

    def decided(self, one: str, two: str) -> bool:
        """Return whether the difference of two methods is larger than chance."""
        pair = self.between.get((one, two)) or self.between[two, one]
        return pair.decided


class Gain(NamedTuple):
    """Lead of a printed row without predictions over the best other row of its table."""

    value: Value
    rival: Value
    half_width: float  # of the 95 % interval of the row's score
    expected: float  # half of the interval of the difference, at the mean correlation
    widest: float  # likewise, at the smallest correlation of any two methods

    @property
    def difference(self) -> float:
        """Printed difference in points."""
        return self.value.value - self.rival.value

    @property
    def larger(self) -> bool | None:
        """Return whether the difference is larger than chance; None where that depends on the correlation."""
        if abs(self.difference) > self.widest:
            return True
        return None if abs(self.difference) > self.expected else False

    @property
    def words(self) -> str:
        """The outcome in words."""
        if self.larger:
            return "larger than chance"
        return "depends on how alike the two err" if self.larger is None else "within chance"


def rankings(snapshot: Snapshot) -> list[Ranking]:
    """Rank the prediction files under each protocol on each split, where there are three or more."""
    groups: dict[tuple, list[tuple[float, ReportCell, Tally]]] = defaultdict(list)
    for cell in snapshot.sorted_cells:
        made, head = cell.conditions, snapshot.headline(cell)
        usual = cell.source == "predictions" and cell.state == "fresh" and not made.options and made.people == "all"
        tally = snapshot.tally(cell.cell) if usual else None
        group = groups[place(cell)]
        if tally and head and head.unit == "%" and cell.architecture not in {one.architecture for _, one, _ in group}:
            group.append((head.number, cell, tally))
    return [_ranking(group) for group in groups.values() if len(group) >= FEWEST]


def place(item: ReportCell | Value) -> tuple[str, str, str]:
    """Protocol, dataset and split."""
    return item.protocol, item.dataset, item.split


def _ranking(group: list[tuple[float, ReportCell, Tally]]) -> Ranking:
    """Rank methods that were scored on the same joints as the best of them."""
    ordered = sorted(group, key=lambda item: (-item[0], item[1].architecture))
    same = [item for item in ordered if np.array_equal(item[2].counted, ordered[0][2].counted)][:MOST]
    scores, cells, tallies = zip(*same, strict=True)
    return Ranking(cells, scores, tuple(ranking.pairs(tallies)), ranking.spread(tallies))


def steps(table: Table, values: Iterable[Value], found: Ranking) -> tuple[int, int]:
    """Count the steps of a printed ranking between rows with predictions, and those that are larger than chance."""
    known = {cell.method for cell in found.cells if cell.method}
    order = sorted((value for value in values if value.method in known), key=lambda value: -value.value)
    names = [value.method for value in order]
    return max(len(names) - 1, 0), sum(found.decided(*pair) for pair in pairwise(names))


def headline_values(paper: Paper, table: Table, found: Ranking) -> list[Value]:
    """Return the printed numbers of a table that its protocol ranks by, if the ranking is of that table."""
    wanted = next((column for column in table.columns if column.part == "mean"), None)
    if wanted is None or (table.protocol, table.dataset, table.split) != found.place:
        return []
    return [value for value in paper.values() if value.table == table.name and value.column == wanted.name]


def gains(values: list[Value], found: Ranking) -> list[Gain]:
    """Return the lead of every printed row without predictions over the best row that is printed below it."""
    known = {cell.method for cell in found.cells if cell.method}
    return [gain(value, max(below, key=lambda other: other.value), found.spread)
            for value in values if value.method not in known
            if (below := [other for other in values if other.value < value.value])]  # fmt: skip


def gain(value: Value, rival: Value, spread: Spread) -> Gain:
    """Hold a printed lead against the spread of scores of its height."""
    widths = [
        spread.half_width_of_difference(value.value, rival.value, shared)
        for shared in (spread.correlation, spread.correlations[0])
    ]
    return Gain(value, rival, spread.half_width(value.value), *widths)
