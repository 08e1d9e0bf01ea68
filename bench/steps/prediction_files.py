"""Kinds of prediction files: keypoints, COCO results, class scores. Each is read in the order of its ground truth."""

import csv
import importlib
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from bench.cells.cell import Cell
from bench.results.gallery import pictures
from bench.steps.score import function_of, score_predictions
from protocols.datasets import DATASETS, open_labelled_images, open_people, row_counts, skeleton_of
from protocols.datasets.cifar10 import LabelledImages
from protocols.joints.pck import Variant
from protocols.pose.people import GroundTruth, People, Predictions
from protocols.statistics.scores import Scores


@dataclass(frozen=True)
class Notes:
    """Counts and conventions found in a prediction file and in the annotation, shown before the score."""

    predictions: dict[str, int | str]
    annotation: dict[str, int | str]


@dataclass(frozen=True)
class ScoredFile:
    """A prediction file with its scores, ready to be published as a cell."""

    file: Path
    cell: Cell  # its architecture is the name in tables
    fingerprint: str  # of the ground truth
    scores: Scores
    notes: Notes
    files: dict[str, bytes] = field(default_factory=dict)  # to store with the cell
    variants: Sequence[Variant] = ()
    seconds: float = 0.0  # to open, read and score


def _open_people(cell: Cell, data: Path) -> People:
    return open_people(cell.dataset, cell.split, data, skeleton_of(cell.rules, cell.dataset), cell.limit)


def _score_keypoints(file: Path, cell: Cell, people: People) -> ScoredFile:
    """Read and score keypoints, one prediction per annotated person."""
    from protocols.readers import predictions as files

    predictions = files.read(file, people, row_counts())
    scores = score_predictions(cell.rules, predictions, people, cell.options)
    scores = replace(scores, warnings=scores.warnings + _suspicions(predictions, people, cell))
    module = importlib.import_module(cell.rules.module)
    variants = module.variants(predictions, people) if hasattr(module, "variants") else ()
    kept = pictures(people, predictions) | ({"variants.csv": _csv(variants)} if variants else {})
    notes = Notes(predictions.notes, people.notes | {"fingerprint": people.fingerprint})
    return ScoredFile(file, cell, people.fingerprint, scores, notes, kept, variants)


def _suspicions(predictions: Predictions, people: People, cell: Cell) -> tuple[str, ...]:
    """Warn of likely mistakes in the file; none for protocols whose headline is no percentage of keypoints."""
    from protocols.readers import diagnosis

    rules = cell.rules
    if rules.files != "keypoints" or rules.metric(rules.headline[0]).unit != "%":
        return ()
    without_intervals = cell.options | ({"resamples": 0} if "resamples" in rules.options else {})

    def headline(corrected: Predictions) -> float:
        found = score_predictions(rules, corrected, people, without_intervals).values
        return next(value.value for value in found if (value.metric, value.part) == rules.headline)

    return diagnosis.warnings(predictions, people, headline)


def _open_annotation(cell: Cell, data: Path) -> GroundTruth:
    return importlib.import_module(DATASETS[cell.dataset].module).ground_truth(cell.split, data)


def _score_results(file: Path, cell: Cell, truth: GroundTruth) -> ScoredFile:
    """Read and score COCO results against the annotation."""
    from protocols.coco import diagnosis
    from protocols.coco import results as coco_results

    results = coco_results.read(file, truth)
    scores = importlib.import_module(cell.rules.module).score(results, truth, **cell.options)
    scores = replace(scores, warnings=(*truth.warnings, *scores.warnings, *diagnosis.warnings(results, truth)))
    notes = Notes(
        {"results": len(results), "images": len(set(results.image_ids.tolist()))},
        {"people": len(truth), "images": len(truth.image_ids), "fingerprint": truth.fingerprint},
    )
    return ScoredFile(file, cell, truth.fingerprint, scores, notes)


def _open_images(cell: Cell, data: Path) -> LabelledImages:
    return open_labelled_images(cell.dataset, cell.split, data, cell.limit)


def _score_classes(file: Path, cell: Cell, images: LabelledImages) -> ScoredFile:
    """Read and score class scores or class numbers of images."""
    from protocols.readers import classes

    predicted = classes.read(file, len(images))
    scores = function_of(cell.rules)(predicted, images.labels, **cell.options)
    array = "x".join(map(str, predicted.shape))
    notes = Notes({"array": array}, images.notes | {"fingerprint": images.fingerprint})
    return ScoredFile(file, cell, images.fingerprint, scores, notes)


class Kind(NamedTuple):
    """Functions for a kind of prediction file."""

    open: Callable[[Cell, Path], Any]  # the ground truth, which several files may share
    score: Callable[[Path, Cell, Any], ScoredFile]  # reads the file in the order of the ground truth


KINDS = {
    "keypoints": Kind(_open_people, _score_keypoints),
    "results": Kind(_open_annotation, _score_results),
    "classes": Kind(_open_images, _score_classes),
}


def _csv(rows: Sequence[Variant]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, asdict(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(asdict, rows))
    return text.getvalue().encode()
