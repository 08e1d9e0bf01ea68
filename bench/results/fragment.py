"""A fragment of a snapshot: the finished cells of one matrix as a small file that can be committed and shown anywhere.

It holds a JSON document a line: kind "cell", a cell with its rows, or the mean of several `seeds`, whose intervals are
over seeds and people; and kind "paired", the difference of two cells on the same people.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bench.cells.conditions import Conditions
from bench.cells.record import CellRecord
from bench.results.headline_tally import PackedTally, unpack
from bench.results.rows import Measurement, Source
from bench.results.snapshot import ReportCell, Snapshot, report_cell
from bench.store.digests import Inputs
from bench.store.provenance import Provenance
from protocols import PROTOCOLS, Value

DIGITS = 3  # behind the point, of points; intervals are some tenths wide


class ShortValue(msgspec.Struct, frozen=True, array_like=True):
    """A value as a list of seven."""

    metric: str
    part: str
    value: float | None
    unit: str
    low: float | None
    high: float | None
    n: int


class CellLine(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="cell"):
    """A cell with its rows."""

    cell: str
    architecture: str
    conditions: Conditions
    values: tuple[ShortValue, ...]
    seed: int | None = None
    seeds: tuple[str, ...] = ()  # keys of the cells that it is the mean of
    warnings: tuple[str, ...] = ()
    provenance: Provenance = Provenance()
    source: Source = "measured"
    method: str = ""  # key of the published system that made a prediction file
    inputs: Inputs | None = None  # of a prediction file, with its digest
    tally: PackedTally | None = None  # under the headline
    curve: str = ""  # content of curve.csv

    @property
    def report_cell(self) -> ReportCell:
        """The cell as a snapshot has it."""
        label = f"{self.architecture} × {self.conditions.protocol}"
        record = CellRecord(
            self.cell, label, self.architecture, self.seed, self.source, self.conditions, (), {}, self.inputs,
            self.warnings, self.provenance, self.method,
        )  # fmt: skip
        now = PROTOCOLS[self.conditions.protocol].version
        why = "" if now == self.conditions.version else f"protocol version {self.conditions.version} -> {now}"
        state = "stale" if why else "fresh"
        return report_cell(record, seeds=self.seeds, curve=self.curve, state=state, why=why)

    @property
    def rows(self) -> list[Measurement]:
        """Its measurements."""
        made = self.conditions
        where = {"architecture": self.architecture, "protocol": made.protocol, "protocol_version": made.version,
                 "dataset": made.dataset, "split": made.split, "seed": self.seed, "cell": self.cell,
                 "source": self.source}  # fmt: skip
        return [Measurement(**where, **msgspec.structs.asdict(value)) for value in self.values]


class PairLine(msgspec.Struct, frozen=True, tag_field="kind", tag="paired"):
    """A cell minus another on the same people."""

    ours: str
    theirs: str
    values: tuple[ShortValue, ...]


@dataclass(frozen=True)
class Fragment:
    """The finished cells of one matrix."""

    name: str  # "cpu" for matrix.cpu.toml
    lines: tuple[CellLine | PairLine, ...]

    @property
    def snapshot(self) -> Snapshot:
        """The same as a report reads it."""
        cells = [line for line in self.lines if isinstance(line, CellLine)]
        pairs = {
            (line.ours, line.theirs): [Value(**msgspec.structs.asdict(value)) for value in line.values]
            for line in self.lines
            if isinstance(line, PairLine)
        }
        packed = {line.cell: (line.tally, PROTOCOLS[line.conditions.protocol].headline) for line in cells if line.tally}
        return Snapshot(
            measurements=[row for line in cells for row in line.rows],
            cells=[line.report_cell for line in cells],
            architectures=[],
            protocols=list(PROTOCOLS.values()),
            paired=lambda *keys: pairs.get(keys, ()),
            tally=lambda key: unpack(*packed[key]) if key in packed else None,
        )

    def encode(self) -> bytes:
        """Its file."""
        return msgspec.json.Encoder().encode_lines(self.lines)


def read(path: Path) -> Fragment:
    """The fragment in a file. Raises ValueError, with the file, for a line that is not one of a fragment."""
    try:
        lines = msgspec.json.Decoder(CellLine | PairLine).decode_lines(path.read_bytes())
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path.name}: {error}; bench keep writes it anew") from error
    return Fragment(path.stem, tuple(lines))


def short_values(values: Iterable[Measurement | Value]) -> tuple[ShortValue, ...]:
    """Rows as lists for a fragment, rounded."""
    return tuple(
        ShortValue(*(_rounded(getattr(value, name)) for name in ShortValue.__struct_fields__)) for value in values
    )


def _rounded(value: Any) -> Any:
    return round(value, DIGITS) if isinstance(value, float) else value
