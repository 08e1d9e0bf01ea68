"""Snapshot, all that a report is made of: measurement rows, and the cells, networks and protocols behind them."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from msgspec import structs

from bench.cells.record import CellRecord
from bench.results.rows import Measurement
from protocols import Protocol, Value

PARTS = ("all", "head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "mean")
_PLACE = {part: index for index, part in enumerate(PARTS)}


def _nothing(ours: str, theirs: str) -> Iterable[Value]:
    """No paired differences are known."""
    return ()


class ReportCell(CellRecord, frozen=True):
    """A cell as a report shows it: its record, where it stands, and where its files are."""

    state: str = "fresh"
    why: str = ""  # it is not fresh
    step: str = ""  # that comes next
    folder: str = ""  # of its files; "" where there is none
    log: str = ""
    seeds: tuple[str, ...] = ()  # keys of the cells that it is the mean of


def report_cell(record: CellRecord, **shown: Any) -> ReportCell:
    """The cell of a record; `shown`: the other fields of ReportCell."""
    return ReportCell(**structs.asdict(record), **shown)


@dataclass(frozen=True)
class Snapshot:
    """Everything a report is a function of.

    measurements: the rows of all cells; those of a cell in the order its protocol gave them.
    cells: every cell of the matrix, and whatever else was measured. What their conditions leave out counts as unknown,
        and nothing unknown is ever compared with a published number.
    architectures: the fields of the catalogue's rows.
    protocols: their records.
    skeletons: what the protocols' `skeletons` name (name, joints, limbs), to draw them.
    paired: (key of a cell, key of another) -> differences, the first minus the second on the same people; none where
        the cells keep no samples or were not scored on the same people.
    benchmarks: what `python -m benchmarks` timed: benchmark, what, against, ours and peer (median seconds), ratio,
        reach, reached, rounds, note, machine, date.
    ablations: the committed cells of the ablations, a matrix each.
    """

    measurements: list[Measurement]
    cells: list[ReportCell]
    architectures: list[dict[str, Any]]
    protocols: list[Protocol]
    paired: Callable[[str, str], Iterable[Value]] = _nothing
    skeletons: tuple[dict[str, Any], ...] = ()
    benchmarks: tuple[dict[str, Any], ...] = ()
    ablations: tuple[Any, ...] = ()  # of reports.data.ablations.Committed

    @cached_property
    def sorted_cells(self) -> list[ReportCell]:
        """All cells, ordered as the pages show them: by architecture (catalogue first), protocol, dataset, seed."""
        known = [row["name"] for row in self.architectures]
        protocols = [protocol.name for protocol in self.protocols]
        place = {name: index for index, name in enumerate(known)}
        turn = {name: index for index, name in enumerate(protocols)}

        def order(cell: ReportCell) -> tuple:
            family = cell.architecture.partition("@")[0]
            return (
                place.get(family, len(known)),
                cell.architecture,
                turn.get(cell.protocol, len(protocols)),
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

        def place(row: Measurement) -> tuple[str, int, str]:
            return row.metric, _PLACE.get(row.part, len(PARTS)), row.part

        return {key: sorted(rows, key=place) for key, rows in self.in_order.items()}

    @cached_property
    def architecture(self) -> dict[str, dict[str, Any]]:
        """name -> row of the catalogue."""
        return {row["name"]: row for row in self.architectures}

    @cached_property
    def protocol(self) -> dict[str, Protocol]:
        """name -> protocol."""
        return {protocol.name: protocol for protocol in self.protocols}

    def headline(self, cell: ReportCell) -> Measurement | None:
        """The measurement that ranks a cell, None if it has none."""
        wanted = self.protocol[cell.protocol].headline if cell.protocol in self.protocol else None
        for row in self.rows.get(cell.cell, ()):
            if (row.metric, row.part) == wanted:
                return row
        return None
