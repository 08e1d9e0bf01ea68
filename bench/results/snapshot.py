"""The snapshot behind a report: measurement rows, and their cells, networks and protocols."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from msgspec import structs

from architectures import Architecture
from bench.cells.record import CellRecord
from bench.results.benchmarks import Benchmark
from bench.results.rows import Measurement
from protocols import Protocol, Value
from protocols.pose.skeletons import Skeleton
from protocols.statistics.tally import Tally

PARTS = ("all", "head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "mean")
_RANK = {part: index for index, part in enumerate(PARTS)}


def _no_differences(ours: str, theirs: str) -> Iterable[Value]:
    """Return no paired differences."""
    return ()


def _no_tally(cell: str) -> Tally | None:
    """Return no credits of people."""
    return None


class ReportCell(CellRecord, frozen=True):
    """A cell in a report: its record, its state, and the folder of its files."""

    state: str = "fresh"
    why: str = ""  # reason, if it is not fresh
    step: str = ""  # the next one
    folder: str = ""  # of its files; "" if there is none
    log: str = ""
    seeds: tuple[str, ...] = ()  # keys of the cells that it is the mean of
    curve: str = ""  # content of curve.csv, of a cell without a folder


def report_cell(record: CellRecord, **shown: Any) -> ReportCell:
    """Make the cell of a record; `shown`: the other fields of ReportCell."""
    return ReportCell(**structs.asdict(record), **shown)


@dataclass(frozen=True)
class Snapshot:
    """The complete input of a report.

    measurements: the rows of all cells; those of a cell in the order its protocol gave them.
    cells: all cells of the matrix, and all other measured ones. Conditions that they leave out are unknown, and a cell
        with unknown conditions is never compared with a published number.
    architectures: the catalogue's rows.
    protocols: their records.
    skeletons: those of the protocols, to draw them.
    paired: (key of a cell, key of another) -> differences, the first minus the second on the same people; none where
        the cells keep no samples or were not scored on the same people.
    tally: key of a cell -> credits of its people under the headline of its protocol; None where it keeps none.
    benchmarks: results of `python -m benchmarks`.
    ablations: the committed cells of the ablations, a matrix each.
    """

    measurements: list[Measurement]
    cells: list[ReportCell]
    architectures: list[Architecture]
    protocols: list[Protocol]
    paired: Callable[[str, str], Iterable[Value]] = _no_differences
    tally: Callable[[str], Tally | None] = _no_tally
    skeletons: tuple[Skeleton, ...] = ()
    benchmarks: tuple[Benchmark, ...] = ()
    ablations: tuple[Any, ...] = ()  # of reports.data.ablations.Committed

    @cached_property
    def sorted_cells(self) -> list[ReportCell]:
        """All cells, ordered as the pages show them: by architecture (catalogue first), protocol, dataset, seed."""
        known = [row.name for row in self.architectures]
        protocols = [protocol.name for protocol in self.protocols]
        rank = {name: index for index, name in enumerate(known)}
        protocol_rank = {name: index for index, name in enumerate(protocols)}

        def order(cell: ReportCell) -> tuple:
            family = cell.architecture.partition("@")[0]
            return (
                rank.get(family, len(known)),
                cell.architecture,
                protocol_rank.get(cell.protocol, len(protocols)),
                cell.protocol,
                cell.dataset,
                cell.split,
                cell.seed if cell.seed is not None else -1,
                cell.cell,
            )

        return sorted(self.cells, key=order)

    @cached_property
    def cell(self) -> dict[str, ReportCell]:
        """key -> cell."""
        return {cell.cell: cell for cell in self.sorted_cells}

    @cached_property
    def in_order(self) -> dict[str, list[Measurement]]:
        """key of a cell -> its measurements as its protocol gave them: layers in the order of execution."""
        found = defaultdict(list)
        for row in self.measurements:
            found[row.cell].append(row)
        return dict(found)

    @cached_property
    def rows(self) -> dict[str, list[Measurement]]:
        """key of a cell -> its measurements, by metric, and by part in the order of the papers' tables."""

        def order(row: Measurement) -> tuple[str, int, str]:
            return row.metric, _RANK.get(row.part, len(PARTS)), row.part

        return {key: sorted(rows, key=order) for key, rows in self.in_order.items()}

    @cached_property
    def architecture(self) -> dict[str, Architecture]:
        """name -> row of the catalogue."""
        return {row.name: row for row in self.architectures}

    @cached_property
    def protocol(self) -> dict[str, Protocol]:
        """name -> protocol."""
        return {protocol.name: protocol for protocol in self.protocols}

    def headline(self, cell: ReportCell) -> Measurement | None:
        """Headline measurement of a cell, which ranks it; None if it has none."""
        wanted = self.protocol[cell.protocol].headline if cell.protocol in self.protocol else None
        for row in self.rows.get(cell.cell, ()):
            if (row.metric, row.part) == wanted:
                return row
        return None
