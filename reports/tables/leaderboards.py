"""From rows to the tables of the pages: the matrix of cells, the leaderboards."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from bench.results.rows import Measurement
from bench.results.snapshot import PARTS, ReportCell, Snapshot
from protocols import Protocol
from protocols.joints.pck import UNANSWERED
from reports import formats
from reports.tables import side_columns
from reports.tables.side_columns import Column

LONGEST = 1000  # entries of one leaderboard; the CSV has all
LARGEST = 800  # of the matrix, in entries that have a cell; the front page stays under 300 kB
NUMBERS = 14  # columns of numbers that a laptop shows side by side


@dataclass(frozen=True)
class Matrix:
    """Architectures x (protocol, dataset, split), each entry a list of cells (one a seed and budget)."""

    groups: list[tuple[str, int]]  # protocol, number of its columns
    columns: list[tuple[str, str, str]]
    lines: list[tuple[str, list[list[tuple[ReportCell, Measurement | None]]]]]
    left_out: int  # architectures beyond what a page may hold


def matrix(snapshot: Snapshot) -> Matrix:
    """Every cell with the measurement that ranks it."""
    found = defaultdict(lambda: defaultdict(list))
    for cell in snapshot.sorted_cells:
        column = (cell.protocol, cell.dataset, cell.split)
        found[cell.architecture][column].append((cell, snapshot.headline(cell)))
    turn = {name: index for index, name in enumerate(snapshot.protocol)}
    columns = sorted({key for line in found.values() for key in line}, key=lambda key: (turn.get(key[0], 99), key))
    groups = defaultdict(int)
    for protocol, _, _ in columns:
        groups[protocol] += 1
    lines, size = [], 0.0
    for name, line in found.items():
        size += 1 + len(columns) / 8 + sum(map(len, line.values()))
        if size > LARGEST:
            break
        lines.append((name, [line.get(column, []) for column in columns]))
    return Matrix(list(groups.items()), columns, lines, len(found) - len(lines))


@dataclass(frozen=True)
class Score:
    """One number of a leaderboard; `best` if it beats every other beyond the intervals."""

    row: Measurement
    best: bool


@dataclass(frozen=True)
class RankedCell:
    """One line of a leaderboard."""

    cell: ReportCell
    rank: tuple[int, int]  # best and worst place that the intervals allow
    head: Measurement  # that ranks it
    scores: list[Score | None]  # of the columns, the head first
    side: dict[str, Measurement]  # name of a column -> row of the same network in another protocol, if any
    lower_bound: bool = False  # some of its operators are not counted
    unanswered: int = 0  # annotated joints that its predictions leave out

    @property
    def external(self) -> bool:
        """Return whether it was scored from a file of predictions, so that nobody here ran the network."""
        return self.head.source == "predictions"


@dataclass(frozen=True)
class Leaderboard:
    """Ranking of a protocol on one split of one dataset. Datasets never mix in a ranking."""

    protocol: Protocol
    dataset: str
    split: str
    columns: list[tuple[str, str, str]]  # metric, part, unit; the headline first
    main: int  # how many of them are shown until somebody asks for all
    side: tuple[Column, ...]  # numbers of other protocols
    entries: list[RankedCell]
    left_out: int  # entries beyond LONGEST
    unmeasured: list[ReportCell]

    @property
    def name(self) -> str:
        """Identifies the table on its page."""
        return formats.slug("-".join(part for part in (self.protocol.name, self.dataset, self.split) if part))

    @cached_property
    def common(self) -> dict[str, str]:
        """The settings that all networks share which we ran; the others are told with each entry."""
        settings = [set(entry.cell.conditions.tested.items()) for entry in self.entries if not entry.external]
        return dict(sorted(set.intersection(*settings))) if settings else {}

    def heading(self, metric: str, part: str) -> str:
        """Name of a column: the words that it does not share with the headline."""
        headline = self.columns[0]
        if metric == headline[0]:
            return part if part != "all" else metric
        return metric if part == headline[1] else f"{metric}, {part}"


def leaderboards(snapshot: Snapshot, protocol: Protocol) -> list[Leaderboard]:
    """The leaderboards of a protocol, one a dataset and split."""
    places = defaultdict(list)
    for cell in snapshot.sorted_cells:
        if cell.protocol == protocol.name:
            places[cell.dataset, cell.split].append(cell)
    others = side_columns.finder(snapshot)
    return [_leaderboard(snapshot, protocol, key, cells, others) for key, cells in sorted(places.items())]


def variants(snapshot: Snapshot, rules: Protocol) -> list[tuple[str, str, int]]:
    """(name, what it counts, number of measurements) of the other rules of a protocol that were measured."""
    found = Counter()
    for row in snapshot.measurements if rules.variants else ():
        if row.protocol == rules.name:
            found[row.metric if row.metric in rules.variants else row.part] += 1
    return [(name, text, found[name]) for name, text in rules.variants.items() if found[name]]


def ranks(bounds: list[tuple[float, float]], higher_is_better: bool) -> list[tuple[int, int]]:
    """Best and worst place of each (low, high): place 1 + those surely better, n - those surely worse."""
    if not higher_is_better:
        bounds = [(-high, -low) for low, high in bounds]
    lows, highs = sorted(low for low, _ in bounds), sorted(high for _, high in bounds)
    return [(1 + len(lows) - bisect_right(lows, high), len(highs) - bisect_left(highs, low)) for low, high in bounds]


def _leaderboard(
    snapshot: Snapshot,
    protocol: Protocol,
    place: tuple[str, str],
    cells: list[ReportCell],
    others: Callable[[ReportCell], dict],
) -> Leaderboard:
    headline = protocol.headline
    scored = {}
    for cell in cells:
        values = {(row.metric, row.part): row for row in snapshot.rows.get(cell.cell, ())}
        if headline in values and values[headline].value is not None:
            scored[cell.cell] = values
    up = protocol.higher_is_better
    order = sorted(scored, key=lambda key: scored[key][headline].number, reverse=up)
    shown = side_columns.columns(snapshot, protocol, place[0])
    columns, main = _columns(protocol, scored.values())
    table = [[scored[key].get(column[:2]) for column in columns] for key in order]
    best = [_best(list(column), protocol) for column in zip(*table, strict=True)]
    heads = [scored[key][headline] for key in order]
    places = ranks([row.interval or (row.number, row.number) for row in heads], up)
    entries = [
        RankedCell(
            cell=snapshot.cell[key],
            rank=rank,
            head=head,
            scores=[row and Score(row, best[i] == number) for i, row in enumerate(line)],
            side={} if head.source == "predictions" else others(snapshot.cell[key]),
            lower_bound=any(metric == "not_counted" for metric, _ in scored[key]),
            unanswered=int(row.number) if (row := scored[key].get((UNANSWERED, "all"))) else 0,
        )
        for number, (key, rank, head, line) in enumerate(zip(order, places, heads, table, strict=True))
    ]
    unmeasured = [cell for cell in cells if cell.cell not in scored]
    shown = () if all(entry.external for entry in entries) else shown  # predictions have no size and no speed
    main = min(main, NUMBERS - len(shown))
    return Leaderboard(protocol, *place, columns, main, shown, entries[:LONGEST], len(entries[LONGEST:]), unmeasured)


def _columns(
    protocol: Protocol, tables: Iterable[dict[tuple[str, str], Measurement]]
) -> tuple[list[tuple[str, str, str]], int]:
    """Metric, part and unit ("" where it varies) of the columns, the headline first; how many of them matter most.

    These are the ones that the protocol names, else the parts of the papers' tables and the other metrics at the
    headline's part. Behind them come the other parts and the variants. The parts of a protocol that looks at networks
    are their layers, which differ: they are on the cells' pages.
    """
    headline = protocol.headline
    found: dict[tuple[str, str], str] = {}
    for values in tables:
        for key, row in values.items():
            found[key] = row.unit if found.get(key, row.unit) == row.unit else ""
    poses = protocol.needs == "predictions"
    parts = [key for key in found if key[0] == headline[0] and key != headline] if poses else []
    others = [key for key in found if key[0] != headline[0] and key[1] == headline[1]]
    first = protocol.columns or [
        *(key for key in parts if key[1] in PARTS),
        *(key for key in others if key[0] not in protocol.variants),
    ]
    first = [key for key in dict.fromkeys((headline, *first)) if key in found]
    rest = [key for key in (*parts, *others) if key not in first]
    return [(metric, part, found[metric, part]) for metric, part in (*first, *rest)], len(first)


def _best(column: list[Measurement | None], protocol: Protocol) -> int | None:
    """The place in a column of the value that beats all others beyond the interval; None if none does.

    A score without interval proves nothing, and no size or cost of a network is the best one.
    """
    rows = {i: row for i, row in enumerate(column) if row and row.value is not None}
    if protocol.needs != "predictions" or len(rows) < 2:
        return None
    (metric,) = {row.metric for row in rows.values()}
    direction = protocol.metric(metric).direction
    if direction == "neither":
        return None
    sign = 1 if direction == "higher" else -1
    winner = max(rows, key=lambda i: sign * rows[i].number)
    bounds = {i: sorted(sign * end for end in row.interval) for i, row in rows.items() if row.interval}
    if len(bounds) < len(rows):
        return None
    return winner if bounds[winner][0] > max(high for i, (_, high) in bounds.items() if i != winner) else None
