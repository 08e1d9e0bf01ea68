"""Ablations that this suite has run itself: their questions, and the committed measurements that answer them.

`bench keep` writes measured/NAME.jsonl from the finished cells of matrix.NAME.toml. Every file stands for itself:
nothing is ever ranked or compared across two of them.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec

from bench.results import fragment
from bench.results.fragment import Fragment
from bench.results.rows import Measurement
from bench.results.snapshot import ReportCell, Snapshot
from protocols import Value
from reports import formats

FOLDER = Path(__file__).parents[1] / "measured"
SHARED = ("input", "width")  # the same for all networks of a matrix; the rest of a name is compared
BASELINE = "mean-pose"
AUTHORS = "authors"  # prediction files of others, which are no ablation: reports/data/authors.py
Metric = tuple[str, str, str]  # protocol, metric, part


class Comparison(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two networks, and the question that their difference answers."""

    ours: str
    theirs: str
    asks: str


class Ablation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Networks that differ in one thing."""

    title: str
    networks: tuple[str, ...]
    comparisons: tuple[Comparison, ...] = ()
    paper: str = ""
    source: str = ""  # the table or section of the paper that asks it


@dataclass(frozen=True)
class Committed:
    """Measurements of one matrix by network: over all of its seeds, or of a network alone."""

    fragment: Fragment

    @cached_property
    def snapshot(self) -> Snapshot:
        """Its cells and rows."""
        return self.fragment.snapshot

    @cached_property
    def cells(self) -> dict[tuple[str, str, str], ReportCell]:
        """(network, dataset, protocol) -> the cell that is the mean of its seeds, or that of a network alone."""
        single = {key for cell in self.snapshot.cells for key in cell.seeds}
        cells = (cell for cell in self.snapshot.cells if cell.cell not in single)
        return {(network(cell.architecture), cell.dataset, cell.protocol): cell for cell in cells}

    def row(self, name: str, dataset: str, metric: Metric) -> Measurement | None:
        """A measurement of a network."""
        cell = self.cells.get((name, dataset, metric[0]))
        return self._row(cell.cell, metric) if cell else None

    def seeds(self, name: str, dataset: str, metric: Metric) -> list[Measurement]:
        """The measurement of every single seed, in their order."""
        cell = self.cells.get((name, dataset, metric[0]))
        rows = (self._row(key, metric) for key in (cell.seeds if cell else ()))
        return [row for row in rows if row]

    def difference(self, ours: str, theirs: str, dataset: str, metric: Metric) -> Value | None:
        """A network minus another on the same people; None if the two were not compared."""
        one, two = (self.cells.get((name, dataset, metric[0])) for name in (ours, theirs))
        found = self.snapshot.paired(one.cell, two.cell) if one and two else ()
        return next((value for value in found if (value.metric, value.part) == metric[1:]), None)

    def direction(self, metric: Metric) -> str:
        """ "higher" or "lower": which values of a metric are better."""
        return self.snapshot.protocol[metric[0]].metric(metric[1]).direction

    def _row(self, key: str, metric: Metric) -> Measurement | None:
        return next((row for row in self.snapshot.rows[key] if (row.metric, row.part) == metric[1:]), None)


def network(name: str) -> str:
    """A network without the width and the input that all of its matrix share."""
    family, _, changes = name.partition("@")
    own = [change for change in changes.split(",") if change and change.partition("=")[0] not in SHARED]
    return f"{family}@{','.join(own)}" if own else family


def ablations() -> dict[str, Ablation]:
    """The ablations of measured/ablations.toml by key, in its order."""
    return msgspec.toml.decode((FOLDER / "ablations.toml").read_bytes(), type=dict[str, Ablation])


def committed(folder: Path = FOLDER) -> tuple[Committed, ...]:
    """All committed measurements of networks, a matrix each, in the order of their names."""
    return tuple(Committed(fragment.read(path)) for path in sorted(folder.glob("*.jsonl")) if path.stem != AUTHORS)


def trial_name(matrix: str, ablation: str, dataset: str) -> str:
    """Anchor of an ablation on a dataset on its page."""
    return formats.slug(f"{matrix}-{ablation}-{dataset}")
