"""Rows of the baseline, and the cells that they belong to."""

from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np

from bench.results.rows import Source

Key = tuple[str, str, str, str, str, int]  # protocol, architecture, dataset, split, setting, seed


class BaselineRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the baseline: a measurement whose cell is identified by its setting instead of a content key."""

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
    source: Source | Literal["fixed"]  # fixed input: its kind and name stand for protocol and architecture
    reason: str = ""  # why the number was accepted

    @property
    def key(self) -> Key:
        """Cell of the row."""
        return self.protocol, self.architecture, self.dataset, self.split, self.setting, self.seed

    @property
    def name(self) -> tuple[str, str]:
        """Name of the row within its cell: metric and part."""
        return self.metric, self.part


@dataclass(frozen=True)
class Measured:
    """Rows of a finished cell, and its per-person samples if it was trained."""

    key: Key
    rows: list[BaselineRow]
    samples: dict[str, np.ndarray] = field(default_factory=dict)
