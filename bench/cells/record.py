"""The record of a finished cell: all of cell.json."""

from collections.abc import Iterable

import msgspec

from bench.cells.cell import Cell
from bench.cells.conditions import Conditions, conditions, of_file, table_key
from bench.errors import Problem
from bench.store.digests import Inputs
from bench.store.provenance import Provenance
from bench.store.store import CELLS, Store


class CellRecord(msgspec.Struct, frozen=True):
    """Identity, conditions, inputs and provenance of a finished cell; its rows are in measurements.jsonl."""

    cell: str  # its content key
    label: str
    architecture: str  # name of the network with its overrides, or of a prediction file
    seed: int | None
    source: str  # "measured" or "predictions"
    conditions: Conditions
    tags: tuple[str, ...]
    conventions: dict[str, str]  # of the protocol at that time
    inputs: Inputs | None
    warnings: tuple[str, ...] = ()
    provenance: Provenance = Provenance()
    method: str = ""  # key of the published system that made a prediction file

    @property
    def protocol(self) -> str:
        return self.conditions.protocol

    @property
    def dataset(self) -> str:
        return self.conditions.dataset

    @property
    def split(self) -> str:
        return self.conditions.split

    @property
    def budget(self) -> str:
        """Training budget; "" where nothing is trained."""
        return self.conditions.budget or ""

    @property
    def table_key(self) -> tuple:
        """Key of the table entry; every prediction file has one of its own."""
        if self.source == "predictions":
            return (self.cell,)
        return table_key(self.architecture, self.seed, self.conditions)


def record(
    cell: Cell,
    key: str,
    inputs: Inputs | None,
    source: str,
    *,
    device: str = "cpu",
    warnings: tuple[str, ...] = (),
    provenance: Provenance | None = None,
    method: str = "",
) -> CellRecord:
    """Make the record of a cell; `source`: "measured", or "predictions" for a prediction file."""
    measured = source == "measured"
    return CellRecord(
        cell=key,
        label=cell.label if measured else f"{cell.architecture} × {cell.protocol} on {cell.dataset}/{cell.split}",
        architecture=cell.row.name if measured else cell.architecture,
        seed=cell.seed if measured else None,
        source=source,
        conditions=conditions(cell, device) if measured else of_file(cell),
        tags=cell.tags,
        conventions=cell.rules.conventions,
        inputs=inputs,
        warnings=warnings,
        provenance=provenance or Provenance(),
        method=method,
    )


def read(store: Store, key: str) -> CellRecord:
    """Read the record of a finished cell. Raises Problem if it is damaged, or another version wrote it."""
    return store.read(CELLS, key, "cell.json", CellRecord)


def read_all(store: Store, keys: Iterable[str]) -> tuple[dict[str, CellRecord], dict[str, Exception]]:
    """Read the records of finished cells by key, and the problems of those that are damaged or of another version."""
    found, problems = {}, {}
    for key in sorted(keys):
        try:
            if fault := store.fault(CELLS, key, whole=True):
                raise store.damage(CELLS, key, fault, _label(store, key))
            found[key] = read(store, key)
        except (Problem, OSError) as problem:
            problems[key] = problem
    return found, problems


def _label(store: Store, key: str) -> str:
    """Label of a damaged cell, if that can still be read."""
    try:
        content = (store.folder(CELLS, key) / "cell.json").read_bytes()
        return msgspec.json.decode(content, type=_Labelled).label
    except (OSError, msgspec.MsgspecError):
        return ""


class _Labelled(msgspec.Struct):
    label: str
