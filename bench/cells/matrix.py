"""Matrix files: the cells to measure. Every `[[cells]]` table stands for the product of its lists."""

import fnmatch
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_type_hints

import msgspec

import architectures
from architectures import Options
from bench.cells.cell import Cell, check_options
from bench.cells.conditions import table_key, without_recipe
from bench.cells.recipe import Count
from bench.cells.settings import default, settings
from bench.cells.splits import parse_split
from bench.errors import NOTHING, Problem
from protocols import PROTOCOLS
from protocols.datasets import DATASETS, datasets_of
from protocols.pose.skeletons import SKELETONS

MOST = 50_000  # cells of a run that nobody asked twice for


class Networks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The lists of a `[[cells]]` table, whose product is its cells."""

    architectures: tuple[str, ...]
    protocols: tuple[str, ...]
    datasets: tuple[str, ...] = ()  # name or name/split; none: mannequin where a protocol needs one
    seeds: tuple[Count, ...] = (0,)
    set: Options = {}  # of the architectures


if TYPE_CHECKING:
    Block = Networks
else:  # a `[[cells]]` table: the lists, and the settings of a cell with the names and defaults they have there
    HINTS = get_type_hints(Cell, include_extras=True)
    SETTINGS = [(field.name, HINTS[field.name], default(field)) for field, _ in settings(Cell)]
    Block = msgspec.defstruct("Block", SETTINGS, bases=(Networks,), frozen=True, forbid_unknown_fields=True)


class PredictionFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `[[predictions]]` table: a prediction file that `bench check` scores."""

    file: str
    protocols: tuple[str, ...]
    dataset: str = "mannequin"  # name or name/split


class Matrix(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A matrix file."""

    cells: tuple[Block, ...]
    predictions: tuple[PredictionFile, ...] = ()
    fixed: tuple[str, ...] = ()  # kinds of fixed inputs that `bench check` computes: see bench.gate.fixed


def load(path: Path, yes: bool = True) -> list[Cell]:
    """The cells of a matrix file, each once, in the order of the file.

    Raises Problem for more than MOST of them, unless `yes`.
    """
    blocks = read(path).cells
    check_count(str(path), blocks, yes)
    return unique(cell for block in blocks for cell in expand(block))


def check_count(source: str, blocks: Iterable[Block], yes: bool) -> None:
    """Raise Problem, before anything is expanded, if blocks stand for more cells than MOST, unless `yes`."""
    count = sum(map(_count, blocks))
    if count > MOST and not yes:
        raise Problem(
            f"{source} stands for up to {count:,} cells.",
            expected=f"at most {MOST:,}",
            next_step="shorten its lists; --yes goes on with all of them",
        )


def _count(block: Block) -> int:
    """The largest number of cells that a block may stand for: the product of its lists."""
    names = sum(len(fnmatch.filter(architectures.catalogue(), pattern)) or 1 for pattern in block.architectures)
    protocols = sum(len(fnmatch.filter(PROTOCOLS, pattern)) or 1 for pattern in block.protocols)
    return names * protocols * len(block.seeds) * max(1, len(block.datasets))


def read(path: Path) -> Matrix:
    """Read a matrix file. Raises Problem if it is missing or invalid."""
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
    """All cells of a block. Raises Problem for a name or a glob that matches nothing."""
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
        for seed, (dataset, split) in itertools.product(block.seeds, splits_for(protocol, block.datasets)):
            cells.append(Cell(name, protocol, dataset, split, block.set, seed=seed, **chosen))
    return cells


def match(pattern: str, known: Iterable[str], kind: str) -> list[str]:
    """Names that a shell glob matches; "path/to/net.py:builder" is taken as it is. Raises Problem if there are none."""
    if kind == "architecture" and ".py:" in pattern:
        return [architectures.describe(pattern).name]
    found = fnmatch.filter(known, pattern)
    if not found and kind == "architecture":
        architectures.describe(pattern)  # raises, with the nearest names
    if not found:
        raise Problem(f"There is no {kind} {pattern!r}.", expected=f"one of {', '.join(known)}, or a glob")
    return found


def applies(protocol: str, architecture: str) -> bool:
    """Return whether a protocol applies to an architecture: classifiers have no keypoints."""
    needed = PROTOCOLS[protocol].ground_truth
    classifies = architectures.describe(architecture).skeleton not in SKELETONS
    return not needed or classifies == ("classes" in needed)


def can_be_fast(protocol: str) -> bool:
    """Return whether --fast applies to a protocol: it predicts keypoints, or measures time."""
    record = PROTOCOLS[protocol]
    return record.depends_on_machine or (record.needs == "predictions" and bool(record.skeletons))


def splits_for(protocol: str, datasets: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs (dataset, split) to run a protocol on; one empty pair for a protocol that needs only the network."""
    record = PROTOCOLS[protocol]
    usable = datasets_of(record)
    chosen = [pair for pair in map(parse_split, datasets or ("mannequin",)) if pair[0] in usable]
    if record.needs == "network":
        return chosen if datasets and chosen else [("", "")]
    return chosen or ([parse_split(usable[0])] if len(usable) == 1 else [])  # one: nothing to choose


def empty_block(block: Block) -> Problem:
    """Problem of a block without cells: its protocols do not apply to its networks or its datasets."""
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
            f"Nothing to run: {asked} does not apply to {' and '.join(block.architectures)}.",
            expected="image classifiers under cifar10-error, pose networks under the other protocols",
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
    """Cells without duplicates, in order."""
    seen: dict[tuple, Cell] = {}
    for cell in cells:
        seen.setdefault(identity(cell), cell)
    return list(seen.values())


def identity(cell: Cell) -> tuple:
    """Key of a cell by which two of a matrix are the same."""
    return table_key(cell.row.name, cell.seed, without_recipe(cell))


def select(cells: list[Cell], pattern: str) -> list[Cell]:
    """The cells whose architecture a shell glob matches; all of them for an empty one."""
    return [cell for cell in cells if fnmatch.fnmatch(cell.architecture, pattern)] if pattern else cells
