"""Reading and scoring of prediction files: keypoints, COCO results, class scores."""

import csv
import importlib
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.cells.splits import parse_split
from bench.errors import DATA, Problem
from bench.results.gallery import pictures
from bench.steps.score import function_of, score_predictions
from protocols import PROTOCOLS, Protocol
from protocols.datasets import DATASETS, datasets_of, open_labelled_images, open_people, row_counts, skeleton_of
from protocols.errors import DataError
from protocols.pose.people import People, Predictions
from protocols.statistics.scores import Scores


@dataclass(frozen=True)
class Terms:
    """Specification of a scoring: a protocol with its options, and people."""

    rules: Protocol
    dataset: str
    split: str
    options: dict[str, Any]
    data: Path  # folder of the datasets
    limit: int = 0  # only the first N people; 0: all

    @property
    def place(self) -> tuple[str, str]:
        """Dataset and split."""
        return self.dataset, self.split


def terms(protocol: str, dataset: str, options: dict[str, Any], data: Path, limit: int = 0) -> Terms:
    """Make the terms for a protocol and a dataset or dataset/split ("": the protocol's default).

    Raises Problem for an unknown protocol, or one that does not score predictions.
    """
    rules = PROTOCOLS.get(protocol)
    if rules is None or rules.needs != "predictions":
        known = ", ".join(name for name, rules in PROTOCOLS.items() if rules.files)
        raise Problem(f"There is no protocol {protocol!r} for prediction files.", expected=f"one of {known}")
    return Terms(rules, *parse_split(dataset or rules.default_dataset or datasets_of(rules)[0]), options, data, limit)


@dataclass(frozen=True)
class Read:
    """Scores of a prediction file, with notes and files for its cell."""

    scores: Scores
    fingerprint: str  # of the ground truth
    notes: dict[str, dict[str, Any]]  # contents of file and annotation, as the readers found them
    files: dict[str, bytes] = field(default_factory=dict)  # to store with the cell
    variants: list[dict[str, Any]] = field(default_factory=list)


def read_and_score(file: Path, under: Terms) -> Read:
    """Read and score a prediction file.

    Raises Problem if protocol, options and file do not fit together, DataError if the file cannot be used.
    """
    rules = under.rules
    if not rules.files:
        raise Problem(
            f"{rules.name} needs a network, since it changes the images; {file} is a file of predictions.",
            expected="two networks with finished cells, as in bench score hourglass-2 --against hourglass-1",
        )
    if not file.is_file():
        raise Problem(f"{file}: there is no such file.", next_step="check the path", code=DATA)
    if "detections" in under.options:
        raise Problem("Detected boxes are an input of networks; this file holds results.", next_step="leave it out")
    kind = rules.files if rules.files != "results" or "image ids" in DATASETS[under.dataset].has else "keypoints"
    return READERS[kind](file, under)


def _keypoints(file: Path, under: Terms) -> Read:
    """Read and score keypoints, one prediction per annotated person."""
    from protocols.readers import diagnosis
    from protocols.readers import predictions as files

    rules = under.rules
    people = open_people(*under.place, under.data, skeleton_of(rules, under.dataset), under.limit)
    predictions = files.read(file, people, row_counts())
    scores = score_predictions(rules, predictions, people, under.options)
    if rules.files == "keypoints" and rules.metric(rules.headline[0]).unit == "%":
        found = diagnosis.warnings(predictions, people, partial(_headline, people=people, under=under))
        scores = replace(scores, warnings=scores.warnings + found)
    module = importlib.import_module(rules.module)
    rows = [asdict(row) for row in module.variants(predictions, people)] if hasattr(module, "variants") else []
    kept = pictures(people, predictions) | ({"variants.csv": _csv(rows)} if rows else {})
    notes = {"predictions": predictions.notes, "annotation": people.notes | {"fingerprint": people.fingerprint}}
    return Read(scores, people.fingerprint, notes, kept, rows)


def _headline(predictions: Predictions, people: People, under: Terms) -> float:
    """Headline value of predictions, without an interval."""
    rules = under.rules
    quick = {"resamples": 0} if "resamples" in rules.options else {}
    found = score_predictions(rules, predictions, people, under.options | quick).values
    return next(value.value for value in found if (value.metric, value.part) == rules.headline)


def _results(file: Path, under: Terms) -> Read:
    """Read and score COCO results against the annotation."""
    from protocols.coco import diagnosis as coco_diagnosis
    from protocols.coco import results as coco_results

    if "preset" in under.options:
        raise Problem("A preset converts boxes to results; this file holds results.", next_step="leave it out")
    if under.limit:
        raise Problem("COCO results are scored on all images of the annotation.", next_step="leave --limit out")
    truth = importlib.import_module(DATASETS[under.dataset].module).ground_truth(under.split, under.data)
    results = coco_results.read(file, truth)
    scores = importlib.import_module(under.rules.module).score(results, truth, **under.options)
    scores = replace(scores, warnings=scores.warnings + coco_diagnosis.warnings(results, truth))
    found = {"results": len(results), "images": len(set(results.image_ids.tolist()))}
    annotated = {"people": len(truth), "images": len(truth.image_ids), "fingerprint": truth.fingerprint}
    return Read(scores, truth.fingerprint, {"predictions": found, "annotation": annotated})


def _classes(file: Path, under: Terms) -> Read:
    """Read and score class scores or class numbers of images."""
    from protocols.readers import arrays

    pictures = open_labelled_images(*under.place, under.data, under.limit)
    found = arrays.load(file)
    name = next((name for name in ("scores", "classes") if name in found), "")
    if not name and len(found) != 1:
        raise DataError(
            f"{file.name} holds {len(found)} arrays: {', '.join(found)}.",
            expected=f"one array, or one called scores ({len(pictures)} x 10) or classes ({len(pictures)})",
            next_step="numpy.savez(path, scores=array)",
        )
    given = found[name] if name else next(iter(found.values()))
    scores = function_of(under.rules)(given, pictures.labels, **under.options)
    notes: dict[str, dict[str, Any]] = {"predictions": {"array": "x".join(map(str, given.shape))}}
    notes["annotation"] = pictures.notes | {"fingerprint": pictures.fingerprint}
    return Read(scores, pictures.fingerprint, notes)


def with_variants() -> list[str]:
    """Names of the protocols that also score files under other conventions."""
    scoring = [rules for rules in PROTOCOLS.values() if rules.files]
    return [rules.name for rules in scoring if hasattr(importlib.import_module(rules.module), "variants")]


READERS: dict[str, Callable[[Path, Terms], Read]] = {
    "keypoints": _keypoints,
    "results": _results,
    "classes": _classes,
}


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
