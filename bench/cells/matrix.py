"""matrix.toml: which cells there are. Every `[[cells]]` table is a product of its lists."""

import fnmatch
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

import architectures
from bench.cells.cell import Cell, check_options
from bench.cells.conditions import table_key, without_recipe
from bench.cells.places import place
from bench.cells.recipe import Count
from bench.cells.settings import default, settings
from bench.errors import NOTHING, Problem
from protocols import PROTOCOLS
from protocols.datasets import DATASETS, datasets_of


class Networks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The lists of a `[[cells]]` table, whose product is its cells."""

    architectures: tuple[str, ...]
    protocols: tuple[str, ...]
    datasets: tuple[str, ...] = ()  # name or name/split; none: mannequin where a protocol needs one
    seeds: tuple[Count, ...] = (0,)
    set: dict[str, Any] = {}  # options of the architectures


if TYPE_CHECKING:
    Block = Networks
else:  # one `[[cells]]` table: the lists, and every setting of a cell by the name and with the default it has there
    HINTS = get_type_hints(Cell, include_extras=True)
    SETTINGS = [(field.name, HINTS[field.name], default(field)) for field, _ in settings(Cell)]
    Block = msgspec.defstruct("Block", SETTINGS, bases=(Networks,), frozen=True, forbid_unknown_fields=True)


class Fixed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[predictions]]` table: a prediction file that `bench check` scores anew."""

    file: str
    protocols: tuple[str, ...]
    dataset: str = "mannequin"  # name or name/split


class Matrix(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cells: tuple[Block, ...]
    predictions: tuple[Fixed, ...] = ()


def load(path: Path) -> list[Cell]:
    """The cells of a matrix file, each once, in the order of the file."""
    return unique(cell for block in read(path).cells for cell in expand(block))


def read(path: Path) -> Matrix:
    """A matrix file as it is written. Raises Problem where it is none."""
    if not path.is_file():
        raise Problem(
            f"{path}: there is no such matrix.",
            next_step="run from the repository's folder, or name one with --matrix FILE",
        )
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Matrix)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(f"{path}: {error}.", next_step="compare with the matrix.toml of the repository") from error


def expand(block: Block) -> list[Cell]:
    """All cells of a block; a name or a glob that matches nothing is an error."""
    cells = []
    names = [
        name for pattern in block.architectures for name in match(pattern, architectures.catalogue(), "architecture")
    ]
    protocols = [name for pattern in block.protocols for name in match(pattern, PROTOCOLS, "protocol")]
    for protocol, name in itertools.product(protocols, names):
        if not applies(protocol, name):
            continue
        chosen = {field.name: getattr(block, field.name) for field, _ in settings(Cell)}
        chosen["fast"] = chosen["fast"] and can_be_fast(protocol)
        check_options(PROTOCOLS[protocol], chosen["options"])
        for seed, (dataset, split) in itertools.product(block.seeds, places(protocol, block.datasets)):
            cells.append(Cell(name, protocol, dataset, split, block.set, seed=seed, **chosen))
    return cells


def match(pattern: str, known: Iterable[str], kind: str) -> list[str]:
    """The names that a shell glob matches; a builder in a file stands for itself."""
    if kind == "architecture" and ".py:" in pattern:
        return [architectures.describe(pattern).name]
    found = fnmatch.filter(known, pattern)
    if not found and kind == "architecture":
        architectures.describe(pattern)  # raises, with the nearest names
    if not found:
        raise Problem(f"There is no {kind} {pattern!r}.", expected=f"one of {', '.join(known)}, or a glob")
    return found


def applies(protocol: str, architecture: str) -> bool:
    """Whether a protocol can say anything about an architecture: classifiers have no keypoints."""
    classifies = architectures.describe(architecture).skeleton == "cifar10"
    return {"cifar10-error": classifies, "complexity": True, "init-variance": True, "speed": True}.get(
        protocol, not classifies
    )


def can_be_fast(protocol: str) -> bool:
    """Whether --fast has a meaning: keypoints are predicted, or the time is what counts."""
    rules = PROTOCOLS[protocol]
    return protocol == "speed" or (rules.needs == "predictions" and bool(rules.skeletons))


def places(protocol: str, datasets: Sequence[str]) -> list[tuple[str, str]]:
    """The (dataset, split) pairs on which a protocol runs; one empty pair for a network that is looked at alone."""
    rules = PROTOCOLS[protocol]
    usable = datasets_of(rules)
    chosen = [pair for pair in map(place, datasets or ("mannequin",)) if pair[0] in usable]
    if rules.needs == "network":
        return chosen if datasets and chosen else [("", "")]
    return chosen or ([place(usable[0])] if len(usable) == 1 else [])  # one: nothing to choose


def nothing(block: Block) -> Problem:
    """Why a block has no cell though its names are known: its protocols have no use for its networks or datasets."""
    protocols = [name for pattern in block.protocols for name in match(pattern, PROTOCOLS, "protocol")]
    asked, known = (
        " and ".join(block.protocols),
        {name for protocol in protocols for name in datasets_of(PROTOCOLS[protocol])},
    )
    names = [
        name for pattern in block.architectures for name in match(pattern, architectures.catalogue(), "architecture")
    ]
    if not any(applies(protocol, name) for protocol in protocols for name in names):
        return Problem(
            f"Nothing to run: {asked} has nothing to say of {' and '.join(block.architectures)}.",
            expected="classifiers of pictures under cifar10-error, networks of poses under the other protocols",
            next_step="bench list",
            code=NOTHING,
        )
    return Problem(
        f"Nothing to run: {asked} is not measured on {' and '.join(block.datasets)}.",
        expected=f"one of {', '.join(name for name in DATASETS if name in known)}",
        next_step="name another dataset, or another protocol: bench list",
        code=NOTHING,
    )


def unique(cells: Iterable[Cell]) -> list[Cell]:
    """The cells without repetitions."""
    seen: dict[tuple, Cell] = {}
    for cell in cells:
        seen.setdefault(table_key(cell.row.name, cell.seed, without_recipe(cell)), cell)
    return list(seen.values())


def choose(cells: list[Cell], pattern: str) -> list[Cell]:
    """The cells whose architecture a shell glob matches; all of them for an empty one."""
    return [cell for cell in cells if fnmatch.fnmatch(cell.architecture, pattern)] if pattern else cells
