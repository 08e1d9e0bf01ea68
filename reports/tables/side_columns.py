"""Side columns of leaderboards: the score of a network with a limb covered, its size, cost and speed.

Each number is that of a cell of its own, of the network of that very name, its options included. Nothing is borrowed
from a relative, and nothing is filled in.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from bench.cells.conditions import difference
from bench.results.rows import Measurement
from bench.results.snapshot import ReportCell, Snapshot
from protocols import Protocol
from protocols.datasets import datasets_of

_SCORING = ("protocol", "version", "options")  # in which a second score may differ


@dataclass(frozen=True)
class Column:
    """A number of another protocol, shown in the leaderboards of those that score poses."""

    name: str
    protocol: str
    metric: str
    part: str
    unit: str  # "" where the values carry it
    meaning: str


COVERED = Column("occluded limb", "occluded-limb", "PCKh@0.5", "ankle covered", "%",
                 "PCKh@0.5 of the ankle under a disc of noise: same people, seed and budget")  # fmt: skip
COSTS = (
    Column("parameters", "complexity", "parameters", "all", "", "all trainable numbers"),
    Column("MACs", "complexity", "macs", "all", "", "multiply-accumulates of one forward pass"),
    Column("latency", "speed", "latency", "float32 eager", "ms", "one image, on the machine that the cell names"),
)


def columns(snapshot: Snapshot, protocol: Protocol, dataset: str) -> tuple[Column, ...]:
    """Side columns of the leaderboard of a protocol on a dataset."""
    if protocol.needs != "predictions":
        return ()
    covering = snapshot.protocol.get(COVERED.protocol)
    covers = covering and covering is not protocol and dataset in datasets_of(covering)
    return (COVERED, *COSTS) if covers else COSTS


def finder(snapshot: Snapshot) -> Callable[[ReportCell], dict[str, Measurement]]:
    """Cell -> name of a column -> measurement, as far as there is one. Of several the newest: machines change."""
    wanted = {(column.protocol, column.metric, column.part): column for column in (COVERED, *COSTS)}
    found = defaultdict(list)
    for row in snapshot.measurements:
        column = wanted.get((row.protocol, row.metric, row.part))
        if column and row.value is not None:
            found[column.name, row.architecture].append(row)

    def date(row: Measurement) -> str:
        return snapshot.cell[row.cell].provenance.date

    for rows in found.values():
        rows.sort(key=date, reverse=True)

    def numbers(cell: ReportCell) -> dict[str, Measurement]:
        newest = {}
        for column in wanted.values():
            rows = found.get((column.name, cell.architecture), ())
            row = next((row for row in rows if _belongs(column, snapshot.cell[row.cell], cell)), None)
            newest |= {column.name: row} if row else {}
        return newest

    return numbers


def _belongs(column: Column, other: ReportCell, cell: ReportCell) -> bool:
    """Return whether a number may stand beside another: a second one shares seed and all conditions but the scoring."""
    if column is not COVERED:
        return True
    return other.seed == cell.seed and not difference(other.conditions, cell.conditions, _SCORING)
