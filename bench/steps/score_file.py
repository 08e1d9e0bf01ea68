"""Scoring of a prediction file of any origin, and publishing it as a cell."""

import importlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.cells.cell import Cell, check_options
from bench.cells.plan import MISSING, Task
from bench.cells.record import CellRecord
from bench.cells.record import read as read_record
from bench.cells.splits import parse_split
from bench.errors import DATA, Problem
from bench.plain_text import escape
from bench.results.publish import publish_cell
from bench.results.rows import Measurement, measurements, rows_of
from bench.steps.prediction_files import KINDS, ScoredFile
from bench.store.digests import content_key, file_digest, unusual
from bench.store.store import CELLS, Store
from protocols import PROTOCOLS, Options
from protocols.datasets import DATASETS, datasets_of, skeleton_of


def file_cell(name: str, protocol: str, dataset: str, options: Options, limit: int = 0) -> Cell:
    """Make the cell of a prediction file; dataset: "", a name or name/split ("": the protocol's default).

    Raises Problem for an unknown protocol, or one that does not score predictions.
    """
    rules = PROTOCOLS.get(protocol)
    if rules is None or rules.needs != "predictions":
        known = ", ".join(name for name, rules in PROTOCOLS.items() if rules.files)
        raise Problem(f"There is no protocol {protocol!r} for prediction files.", expected=f"one of {known}")
    place = parse_split(dataset or rules.default_dataset or datasets_of(rules)[0])
    return Cell(escape(name).replace("\n", " "), protocol, *place, options=options, limit=limit)


def score_file(file: Path, cell: Cell, data: Path, ground_truth: Any = None) -> ScoredFile:
    """Score a prediction file under the protocol, options and people of its cell.

    data: folder of the datasets; ground_truth: that of the cell, if it is open already. Raises Problem if protocol,
    options and file do not fit together, DataError if the file or the dataset cannot be used.
    """
    started = time.perf_counter()
    _check(file, cell)
    truth = open_ground_truth(cell, data) if ground_truth is None else ground_truth
    scored = KINDS[_kind(cell)].score(file, cell, truth)
    return replace(scored, seconds=time.perf_counter() - started)


def open_ground_truth(cell: Cell, data: Path) -> Any:
    """Open what the files of a cell are scored against: people, an annotation, or labelled images."""
    return KINDS[_kind(cell)].open(cell, data)


def ground_truth_key(cell: Cell) -> tuple:
    """Return what decides the ground truth of a cell; cells with equal ones can share it."""
    kind = _kind(cell)
    skeleton = skeleton_of(cell.rules, cell.dataset) if kind == "keypoints" else ""
    return kind, cell.dataset, cell.split, skeleton, cell.limit


def publish_file(scored: ScoredFile, store: Store, method: str = "") -> tuple[list[Measurement], CellRecord]:
    """Publish the cell of a scored file; return its rows and record, those of the store if it was scored before.

    method: key of the published system that made the file, "" if that is not known.
    """
    cell = scored.cell
    inputs = {
        "protocol": cell.protocol,
        "version": cell.rules.version,
        "options": unusual(cell.options, cell.rules.options),
        "name": cell.architecture,
        "predictions": {"file": file_digest(scored.file), "people": scored.fingerprint},
        **({"method": method} if method else {}),
    }
    task = Task(cell, MISSING, "", key=content_key(inputs), inputs=inputs)
    with store.lock(CELLS, task.key, wait=True):
        if store.usable(CELLS, task.key, whole=True):
            stored = measurements(store, task.key)
            if stored == rows_of(scored.scores.values, cell, cell.architecture, task.key, "predictions"):
                return stored, read_record(store, task.key)
            store.remove(CELLS, task.key)  # other code read the file
        store.set_aside(CELLS, task.key)
        store.sweep(CELLS, task.key)
        seconds = {"score": scored.seconds}
        return publish_cell(
            task, store, "cpu", scored.scores, seconds, scored.files, source="predictions", method=method
        )


def with_variants() -> list[str]:
    """Names of the protocols that also score files under other conventions."""
    scoring = [rules for rules in PROTOCOLS.values() if rules.files]
    return [rules.name for rules in scoring if hasattr(importlib.import_module(rules.module), "variants")]


def _kind(cell: Cell) -> str:
    """Content of the file: that of the protocol, but keypoints where the images have no ids to name in results."""
    kind = cell.rules.files
    return "keypoints" if kind == "results" and "image ids" not in DATASETS[cell.dataset].has else kind


def _check(file: Path, cell: Cell) -> None:
    """Raise Problem, before anything is read, for options and a file that do not fit the protocol."""
    rules = cell.rules
    check_options(rules, cell.options)
    if not rules.files:
        raise Problem(
            f"{rules.name} needs a network, since it changes the images; {file} is a file of predictions.",
            expected="two networks with finished cells, as in bench score hourglass-2 --against hourglass-1",
        )
    if not file.is_file():
        raise Problem(f"{file}: there is no such file.", next_step="check the path", code=DATA)
    if "detections" in cell.options:
        raise Problem("Detected boxes are an input of networks; this file holds results.", next_step="leave it out")
    if _kind(cell) == "results" and "preset" in cell.options:
        raise Problem("A preset converts boxes to results; this file holds results.", next_step="leave it out")
    if _kind(cell) == "results" and cell.limit:
        raise Problem("COCO results are scored on all images of the annotation.", next_step="leave --limit out")
