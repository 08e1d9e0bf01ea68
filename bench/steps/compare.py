"""`bench score`: scores a prediction file or looks up a network, and compares it with another of either."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.cells.cell import Cell
from bench.cells.conditions import of_file
from bench.cells.record import CellRecord
from bench.errors import DATA, Problem
from bench.results.paired import check_comparable, difference, finished
from bench.results.rows import Measurement, measurements
from bench.steps.prediction_files import Notes
from bench.steps.score_file import publish_file, score_file, with_variants
from bench.store.store import Store
from protocols import Value
from protocols.joints.pck import Variant
from protocols.readers.arrays import SUFFIXES
from protocols.statistics.scores import Scores


class Outcome(msgspec.Struct, frozen=True):
    """Outcome of `bench score`; None for what was not asked for."""

    measurements: list[Measurement]
    cells: list[CellRecord]
    warnings: list[str]
    read: Notes | None = None  # of a file
    variants: Sequence[Variant] | None = None  # the same predictions under other conventions
    against: list[str] | None = None  # the file, or the labels of the cells, that were subtracted
    difference: Sequence[Value] | None = None  # ours minus theirs on the same people, with intervals


def score_and_compare(
    subject: str, cell: Cell, data: Path, store: Store, *, against: str = "", variants: bool = False, method: str = ""
) -> Outcome:
    """Score a file and publish its cell, or look up the finished cells of a network; compare either with `against`.

    cell: of the file, with the protocol, people and options that also select the cells of a network. A cell stores
    its variants in any case. method: key of the published system that made the file. Raises Problem or DataError if
    a file, the data or the cells cannot be used.
    """
    if _is_file(subject):
        outcome, ours = _scored(Path(subject), cell, data, store, variants, method)
    elif against:
        outcome, ours = _looked_up(subject, cell, store)
    elif Path(subject).is_dir():
        raise _a_folder(Path(subject), cell)
    else:
        raise Problem(
            f"{subject}: there is no such file.",
            next_step="check the path; to compare a measured network with another, add --against",
            code=DATA,
        )
    if not against:
        return outcome
    if _is_file(against):
        labels, theirs = [against], [score_file(Path(against), cell, data).scores]
    else:
        records, theirs = finished(store, against, of_file(cell))
        labels, first = [record.label for record in records], outcome.cells[0]
        name = subject if _is_file(subject) else first.label
        check_comparable((name, against), first.conditions, records[0].conditions)
    found = difference(cell.rules, ours, theirs)
    return msgspec.structs.replace(outcome, against=labels, difference=found)


def _a_folder(folder: Path, cell: Cell) -> Problem:
    """Return the error for a folder in place of a file; many programs write a file an image."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file())[:1]
    openpose = bool(names) and names[0].endswith("_keypoints.json")
    return Problem(
        f"{folder} is a folder.",
        expected="one file with the predictions of all people, in the order of the annotation or with `ids`",
        cause="files of OpenPose's --write_json, one an image" if openpose else "a program that writes a file an image",
        next_step="read them one by one, choose the person of each image, order the joints as "
        f"{cell.dataset}'s, and numpy.savez('all.npz', keypoints=people x joints x 2, ids=image names)",
        code=DATA,
    )


def _is_file(text: str) -> bool:
    """Tell a prediction file, existing or not, from the name of a network, which has no such suffix."""
    return Path(text).is_file() or Path(text).suffix in SUFFIXES


def _scored(
    file: Path, cell: Cell, data: Path, store: Store, variants: bool, method: str
) -> tuple[Outcome, list[Scores]]:
    """Score a file and publish its cell."""
    scored = score_file(file, cell, data)
    if variants and not scored.variants:
        raise Problem(f"{cell.protocol} has no variants.", expected=f"one of {', '.join(with_variants())}")
    rows, record = publish_file(scored, store, method)
    warnings, shown = list(scored.scores.warnings), scored.variants if variants else None
    return Outcome(rows, [record], warnings, scored.notes, shown), [scored.scores]


def _looked_up(name: str, cell: Cell, store: Store) -> tuple[Outcome, list[Scores]]:
    """Find the finished cells of a network, or of an earlier file, under the conditions of a cell."""
    records, samples = finished(store, name, of_file(cell))
    return Outcome([row for record in records for row in measurements(store, record.cell)], records, []), samples
