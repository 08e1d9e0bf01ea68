"""Protocols: from predictions and ground truth, or from a network alone, to values.

Every fact about a protocol stands in catalogue.toml. This file imports neither torch nor numpy, so that `bench list`
answers at once; the module of a protocol is imported when it runs.
"""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from protocols.errors import DataError

T = TypeVar("T")
CATALOGUE = Path(__file__).with_name("catalogue.toml")
Options = dict[str, Any]  # of a protocol, by name: the kind of each is that of its default, which is checked
Facts = dict[str, Any]  # a table of a catalogue, as TOML gives it: its record checks the kinds
# Boxes come with areas. Detected ones are read from a file of the user's; ids are those that COCO's results name.
GroundTruth = Literal["joints", "head sizes", "boxes", "classes", "detected boxes", "image ids"]


class Metric(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Record of a metric, by its name or by a pattern that names a family ("PCKh@*")."""

    unit: str  # "px or cells": the part decides which; "G (*)": a family
    direction: Literal["higher", "lower", "neither"]  # which is better
    gate: Literal["exact", "statistical", "noisy"]  # must repeat; may not get worse; only counts as trend
    tolerance: float = 0.0  # exact: relative, for rounding; statistical: in the unit, of the row that counts most
    kept: tuple[str, ...] = ("*",)  # parts that a baseline keeps
    digits: int | None = None  # to show behind the point, 0 for what is counted; None: four significant ones
    n_varies: bool = False  # n depends on the network

    def __post_init__(self) -> None:
        if self.gate == "statistical" and (self.direction == "neither" or self.tolerance <= 0):
            raise ValueError("a statistical gate needs a direction, and a tolerance above 0")

    def has_unit(self, unit: str) -> bool:
        """Tell if a value may have this unit."""
        return any(fnmatchcase(unit, one) for one in self.unit.split(" or "))


class Protocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One way to score. A field without a default must be in the catalogue."""

    name: str
    summary: str
    formula: str  # of the headline, in words and signs
    module: str
    function: str  # of the module: what yields the values
    needs: Literal["predictions", "network"]
    headline: tuple[str, str]  # (metric, part) that ranks a leaderboard
    metrics: dict[str, Metric]
    conventions: dict[str, str]  # shown in every table head
    changes: tuple[str, ...]  # a sentence for each version: add one whenever the same input may give another number
    example: str  # what follows `bench` in its nox session
    constants: dict[str, tuple[str, str]] = {}  # name -> value, source
    ground_truth: tuple[GroundTruth, ...] = ()  # what a dataset must have; none for a network that is looked at alone
    skeletons: tuple[str, ...] = ()  # whose joints it looks at
    variants: dict[str, str] = {}  # other rules for the same thing, and what they count
    options: Options = {}  # what may be chosen, with its default
    choices: dict[str, tuple[str, ...]] = {}  # the words that such an option may be
    reading_options: tuple[str, ...] = ()  # options that say how people are read, and that `function` does not take
    dataset_options: tuple[str, ...] = ()  # options that say nothing of a network alone
    takes: tuple[Literal["convention", "device", "initialize"], ...] = ()  # arguments of `function` beside its options
    files: Literal["", "keypoints", "results", "classes"] = ""  # what prediction files hold; "": none can be scored
    default_dataset: str = ""  # of prediction files; "": the first of its datasets
    columns: tuple[tuple[str, str], ...] = ()  # beside the headline, where a leaderboard should not choose by itself
    threshold_unit: str = ""  # of its curve's thresholds; "": it has no curve
    shapes_only: bool = False  # the network needs no weights
    largest_input: int = 0  # pixels of a side, beyond which a network is not looked at; 0: no limit
    depends_on_machine: bool = False
    covered_limb: bool = False  # it also needs predictions of images with a limb covered

    def __post_init__(self) -> None:
        if self.metric(self.headline[0]).direction == "neither":
            raise ValueError(f"headline {self.headline[0]!r} ranks nothing: neither direction of it is better")

    @property
    def version(self) -> int:
        """Number of changes, the first version included."""
        return len(self.changes)

    @property
    def higher_is_better(self) -> bool:
        """Direction of the headline: True if the highest value ranks first."""
        return self.metric(self.headline[0]).direction == "higher"

    def metric(self, name: str) -> Metric:
        """The record of a metric, its own before that of its family. Raises ValueError where there is none."""
        found = self.metrics.get(name) or next(
            (metric for pattern, metric in self.metrics.items() if fnmatchcase(name, pattern)), None
        )
        if found is None:
            raise ValueError(f"{self.name} has no record of the metric {name!r}, only of {', '.join(self.metrics)}")
        return found


@dataclass(frozen=True)
class Value:
    """One number that a protocol found; `low` and `high` bound its 95 % interval."""

    metric: str
    part: str
    value: float
    unit: str
    n: int  # what was counted: joints, people, images, seeds
    low: float | None = None
    high: float | None = None


def read(path: Path) -> dict[str, Protocol]:
    """The protocols of a catalogue by name, in its order. Raises DataError for facts that are missing or unknown."""
    found = {}
    for name, facts in tables(path).items():
        where = f"{path.name}: {name}"
        metrics = facts.get("metrics", {})
        known = {key: record(f"{where}: metric {key}", metric, Metric) for key, metric in metrics.items()}
        found[name] = record(where, {**facts, "name": name, "metrics": known}, Protocol)
    return found


def tables(path: Path) -> dict[str, Facts]:
    """The tables of a catalogue by name, in its order. Raises DataError where it is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise _refusal(path.name, str(error)) from error


def record(where: str, facts: Facts, kind: type[T]) -> T:
    """Facts as a record. Raises DataError with the place and the field that is missing, unknown or of another kind."""
    try:
        return msgspec.convert(facts, kind, str_keys=True)
    except msgspec.ValidationError as error:
        raise _refusal(where, str(error)) from error


def _refusal(where: str, why: str) -> DataError:
    return DataError(f"{where}: {why}.", next_step="give the fields that its neighbours in the file have")


PROTOCOLS = read(CATALOGUE)
