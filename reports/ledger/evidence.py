"""All that a claim may look at: the printed values and quotations of the papers, and the measurement rows."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from bench.results.rows import Measurement
from bench.results.snapshot import ReportCell, Snapshot
from reports.data.published import Paper, Statement, Value
from reports.data.rankings import Ranking, rankings


@dataclass(frozen=True)
class Source:
    """A printed table, a quoted place of a paper, a cell or an ablation of ours, which a verdict rests on."""

    kind: Literal["table", "text", "cell", "ablation"]
    target: str  # key of the paper or of the cell, name of the trial
    label: str  # name of the table, place of the quotation, name of the network


def table(paper: str, name: str) -> Source:
    """A printed table."""
    return Source("table", paper, name)


def text(paper: str, place: str) -> Source:
    """A place in the text of a paper."""
    return Source("text", paper, place)


@dataclass(frozen=True)
class Evidence:
    """Published values and measurements, by what they are about."""

    papers: dict[str, Paper]
    snapshot: Snapshot

    @cached_property
    def rankings(self) -> list[Ranking]:
        """Rankings of the prediction files under each protocol on each split."""
        return rankings(self.snapshot)

    @cached_property
    def _printed(self) -> dict[tuple[str, str, str, str], Value]:
        values = (value for paper in self.papers.values() for value in paper.values())
        return {(value.paper, value.table, value.row, value.column): value for value in values}

    def printed(self, table: Source, row: str, column: str) -> Value:
        """A printed value; KeyError if the paper prints none there."""
        return self._printed[table.target, table.label, row, column]

    def column(self, table: Source, column: str) -> dict[str, Value]:
        """row -> printed value, in the order of the table."""
        place = (table.target, table.label, column)
        return {key[2]: value for key, value in self._printed.items() if (*key[:2], key[3]) == place}

    def columns(self, table: Source) -> list[str]:
        """The columns of a table that hold numbers, in their order."""
        return list(dict.fromkeys(key[3] for key in self._printed if key[:2] == (table.target, table.label)))

    def cite(self, table: Source) -> str:
        """A table and its paper: "Table 1 of Chu 2017"."""
        return f"{table.label} of {self.papers[table.target].short}"

    def statements(self, claim: str) -> list[tuple[str, Statement]]:
        """(paper, quotation) of everything that is quoted for a claim."""
        return [(key, item) for key, paper in self.papers.items() for item in paper.statements if item.claim == claim]

    @cached_property
    def _measured(self) -> dict[tuple[str, str, str, str], list[Measurement]]:
        """(network, protocol, metric, part) -> rows of fresh cells; overrides of the network are left out of its name.

        Prediction files are left out: their name does not prove which network wrote them.
        """
        found = defaultdict(list)
        for cell in self.snapshot.sorted_cells:
            for row in self.snapshot.rows.get(cell.cell, ()) if cell.state == "fresh" else ():
                if row.source == "measured" and row.value is not None:
                    network = row.architecture.partition("@")[0]
                    found[network, row.protocol, row.metric, row.part].append(row)
        return found

    def rows(self, network: str, protocol: str, metric: str, part: str) -> list[Measurement]:
        """Every measurement of a network and of its overridden forms (`network@width=0.25`)."""
        return self._measured.get((network, protocol, metric, part), [])

    def row(self, network: str, protocol: str, metric: str, part: str = "all") -> Measurement | None:
        """The measurement of the very network under a protocol that needs no dataset; None if there is none."""
        return next((row for row in self.rows(network, protocol, metric, part) if row.architecture == network), None)

    def cell(self, row: Measurement) -> ReportCell:
        """The cell of a measurement."""
        return self.snapshot.cell[row.cell]

    def why_missing(self, network: str, protocol: str, dataset: str) -> str:
        """State and cause of a cell of the matrix that is not fresh; "" if it was not asked for."""
        for cell in self.snapshot.sorted_cells:
            place = (cell.architecture, cell.protocol, cell.dataset)
            if place == (network, protocol, dataset) and cell.state != "fresh":
                return f"{cell.state}: {cell.why}" if cell.why else cell.state
        return ""
