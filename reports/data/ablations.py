"""The ablations that this suite has run itself: measured rows that are committed, and what is compared in them.

`bench keep` writes measured/NAME.jsonl from the finished cells of matrix.NAME.toml, a JSON document a line:

    kind "cell"        a finished cell: what it is and where it comes from
    kind "mean"        a network over its seeds, with intervals over seeds and people
    kind "difference"  two networks on the same people, with intervals of the difference, over seeds and people

each with values of (metric, part, value, unit, low, high, n).

Every file stands for itself: nothing is ever ranked or compared across two of them.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from bench.cells.conditions import Conditions
from reports import formats

FOLDER = Path(__file__).parents[1] / "measured"
SHARED = ("input", "width")  # what all networks of a matrix have alike; the rest of a name is what is compared
FLOOR = "mean-pose"
VALUE = ("metric", "part", "value", "unit", "low", "high", "n")
Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """Two networks, and the question that their difference answers."""

    ours: str
    theirs: str
    asks: str


@dataclass(frozen=True)
class Ablation:
    """Networks that differ in one thing."""

    key: str
    paper: str
    source: str
    title: str
    networks: tuple[str, ...]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True)
class Collection:
    """The kept rows of one matrix."""

    name: str  # "cpu" for matrix.cpu.toml
    cells: tuple[dict[str, Any], ...]
    means: tuple[dict[str, Any], ...]
    differences: tuple[dict[str, Any], ...]

    @property
    def lines(self) -> tuple[dict[str, Any], ...]:
        """Everything, in the order of the file's kinds."""
        return (*self.cells, *self.means, *self.differences)

    @cached_property
    def ways(self) -> dict[tuple[str, str], str]:
        """(network, dataset) -> the recipe and budget of its training; the floor has none, and stands beside all."""
        return {
            (name, cell["dataset"]): way(cell)
            for cell in self.cells
            if cell["dataset"] and (name := network(cell["architecture"])) != FLOOR
        }

    @cached_property
    def mean(self) -> dict[tuple[str, ...], Row]:
        """(network, dataset, protocol, metric, part) -> value over the seeds."""
        return {
            (network(line["architecture"]), line["dataset"], line["protocol"], row["metric"], row["part"]): row
            for line in self.means
            for row in values(line)
        }

    @cached_property
    def difference(self) -> dict[tuple[str, ...], Row]:
        """(ours, theirs, dataset, protocol, metric, part) -> difference, with the number of its seeds."""
        found = {}
        for line in self.differences:
            place = (network(line["ours"]), network(line["theirs"]), line["dataset"], line["protocol"])
            for row in values(line):
                found[*place, row["metric"], row["part"]] = {**row, "seeds": line["seeds"]}
        return found


def values(line: dict[str, Any]) -> list[Row]:
    """The values of a line, by name."""
    return [dict(zip(VALUE, row, strict=True)) for row in line["values"]]


def way(cell: Row) -> str:
    """How the network of a cell was trained."""
    made = cell["conditions"]
    return f"{made.recipe}, {made.budget} budget"


def network(name: str) -> str:
    """A network without the width and the input that all of its matrix share."""
    family, _, changes = name.partition("@")
    own = [change for change in changes.split(",") if change and change.partition("=")[0] not in SHARED]
    return f"{family}@{','.join(own)}" if own else family


def ablations() -> tuple[Ablation, ...]:
    """What measured/ablations.toml asks, in its order."""
    found = tomllib.loads((FOLDER / "ablations.toml").read_text(encoding="utf-8"))
    return tuple(
        Ablation(
            key,
            **{name: table[name] for name in ("paper", "source", "title")},
            networks=tuple(table["networks"]),
            comparisons=tuple(Comparison(**comparison) for comparison in table["comparisons"]),
        )
        for key, table in found.items()
    )


def collections(folder: Path = FOLDER) -> tuple[Collection, ...]:
    """All kept rows, a collection a file, by name."""
    return tuple(_collection(path.stem, read(path)) for path in sorted(folder.glob("*.jsonl")))


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of kept rows."""
    lines = msgspec.json.Decoder(dict[str, Any]).decode_lines(path.read_bytes())
    for line in lines:
        if line["kind"] == "cell":
            line["conditions"] = msgspec.convert(line["conditions"], Conditions)
    return lines


def _collection(name: str, lines: Iterable[dict[str, Any]]) -> Collection:
    kinds: dict[str, list[dict[str, Any]]] = {"cell": [], "mean": [], "difference": []}
    for line in lines:
        kinds[line["kind"]].append(line)
    return Collection(name, *map(tuple, kinds.values()))


def trial_name(collection: str, ablation: str, dataset: str) -> str:
    """Where on the page an ablation on a dataset lies."""
    return formats.slug(f"{collection}-{ablation}-{dataset}")
