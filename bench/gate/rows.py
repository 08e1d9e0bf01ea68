"""Rows of the baseline, and the cells that they belong to."""

from dataclasses import dataclass, field

import msgspec
import numpy as np

from bench.results.rows import Source

Key = tuple[str, str, str, str, str, int]  # protocol, architecture, dataset, split, setting, seed


class BaselineRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the baseline: a measurement of a cell that is known by its setting instead of its key."""

    protocol: str
    architecture: str
    dataset: str = ""
    split: str = ""
    setting: str = ""
    seed: int
    metric: str
    part: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    n: int
    version: int
    source: Source
    reason: str = ""  # why the number was accepted

    @property
    def key(self) -> Key:
        """The cell that it belongs to."""
        return self.protocol, self.architecture, self.dataset, self.split, self.setting, self.seed

    @property
    def name(self) -> tuple[str, str]:
        """What tells the rows of one cell apart."""
        return self.metric, self.part


@dataclass(frozen=True)
class Measured:
    """The numbers of one finished cell, and its per-person samples if it was trained."""

    key: Key
    rows: list[BaselineRow]
    samples: dict[str, np.ndarray] = field(default_factory=dict)
