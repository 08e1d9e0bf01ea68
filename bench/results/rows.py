"""Measurement rows, as the store keeps them and `--json` prints them."""

import math
from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from bench.cells.cell import Cell
from bench.errors import Problem
from bench.store.store import CELLS, Store
from protocols import CATALOGUE, Value

FILE = "measurements.jsonl"  # of a finished cell, one row per line
Source: TypeAlias = Literal["measured", "predictions"]  # a network that was run, or a prediction file


class Measurement(msgspec.Struct, frozen=True):
    """A measurement: one value of a protocol. The fields are the columns of every table of measurements."""

    architecture: str  # of a prediction file: its name
    protocol: str
    protocol_version: int
    dataset: str  # "" for a property of the network alone
    split: str
    metric: str
    part: str
    value: float | None  # None: not defined
    unit: str
    low: float | None  # the 95 % interval
    high: float | None
    n: int  # number of joints, people, images or seeds behind it
    seed: int | None  # None: of a mean over seeds, or of a prediction file
    cell: str  # key
    source: Source

    @property
    def number(self) -> float:
        """The value; NaN where it is not defined."""
        return math.nan if self.value is None else self.value

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval; None without one."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def rows_of(values: Iterable[Value], cell: Cell, name: str, key: str, source: Source) -> list[Measurement]:
    """Convert the values of a cell to rows; `name`: of the network or file that was scored.

    Raises Problem for a value whose metric has no record, or another unit than its record says.
    """
    return [
        Measurement(
            architecture=name,
            protocol=cell.protocol,
            protocol_version=cell.rules.version,
            dataset=cell.dataset,
            split=cell.split,
            metric=value.metric,
            part=value.part,
            value=None if math.isnan(value.value) else float(value.value),
            unit=_unit(value, cell),
            low=_float(value.low),
            high=_float(value.high),
            n=int(value.n),
            seed=cell.seed if source == "measured" else None,
            cell=key,
            source=source,
        )
        for value in values
    ]


def _unit(value: Value, cell: Cell) -> str:
    """Unit of a value. Raises Problem if the record of its protocol does not have the metric or the unit."""
    try:
        metric = cell.rules.metric(value.metric)
    except ValueError as error:
        raise Problem(f"{error}.", next_step=f"add a line to [{cell.protocol}.metrics] in {CATALOGUE}") from error
    if not metric.has_unit(value.unit):
        raise Problem(
            f"{cell.protocol}: a value of {value.metric} has the unit {value.unit!r}.",
            expected=f"{metric.unit!r}, as its record says",
            next_step=f"correct the unit in {cell.rules.module} or in {CATALOGUE}",
        )
    return value.unit


def measurements(store: Store, key: str) -> list[Measurement]:
    """Read the rows of a finished cell, in the order of its protocol."""
    return store.read_lines(CELLS, key, FILE, Measurement)


def encode(found: Iterable[Measurement]) -> bytes:
    """Encode rows as the content of FILE, fields in alphabetical order."""
    return msgspec.json.Encoder(order="sorted").encode_lines(found)


def _float(bound: float | None) -> float | None:
    """Convert NumPy's floats to plain ones, for JSON."""
    return None if bound is None else float(bound)
