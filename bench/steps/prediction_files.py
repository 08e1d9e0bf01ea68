"""Prediction files of any kind, read and scored: keypoints, COCO results, classes of pictures."""

import csv
import importlib
import io
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.cells.splits import parse_split
from bench.errors import DATA, Problem
from bench.results.gallery import pictures
from bench.steps.score import score_predictions
from protocols import PROTOCOLS, Protocol
from protocols.datasets import datasets_of, open_people
from protocols.errors import DataError
from protocols.statistics.scores import Scores

HOME = {
    "mpii-pckh": "mpii/val",
    "lsp-pck": "lsp/test",
    "lsp-pckh": "lsp/test",
    "lsp-pcp": "lsp/test",
    "coco-ap": "coco/val2017",
}


@dataclass(frozen=True)
class Terms:
    """What predictions are scored under: a protocol with its options, and people."""

    rules: Protocol
    dataset: str
    split: str
    options: dict[str, Any]
    data: Path  # folder of the datasets
    limit: int = 0  # the first so many people; 0: all

    @property
    def place(self) -> tuple[str, str]:
        """Dataset and split."""
        return self.dataset, self.split


def terms(protocol: str, dataset: str, options: dict[str, Any], data: Path, limit: int = 0) -> Terms:
    """The terms of a protocol's name and a dataset, or dataset/split ("": the protocol's own).

    Raises Problem for a protocol that there is not, or that does not score predictions.
    """
    rules = PROTOCOLS.get(protocol)
    if rules is None or rules.needs != "predictions":
        known = ", ".join(name for name, rules in PROTOCOLS.items() if rules.files)
        raise Problem(f"There is no protocol {protocol!r} for prediction files.", expected=f"one of {known}")
    return Terms(rules, *parse_split(dataset or rules.default_dataset or datasets_of(rules)[0]), options, data, limit)


@dataclass(frozen=True)
class Read:
    """What was made of a file."""

    scores: Scores
    fingerprint: str  # of the ground truth
    notes: dict[str, dict[str, Any]]  # what the readers found
    files: dict[str, bytes] = field(default_factory=dict)  # that the cell keeps
    variants: list[dict[str, Any]] = field(default_factory=list)


def read_and_score(file: Path, under: Terms) -> Read:
    """What the file holds and its scores.

    Raises Problem where protocol, options and file do not go together, DataError where a file cannot be used.
    """
    rules, options = under.rules, under.options
    if not rules.files:
        raise Problem(
            f"{rules.name} is measured on networks, which see pictures of its own; {file} is a file.",
            expected="two networks with finished cells, as in bench score hourglass-2 --against hourglass-1",
        )
    if not file.is_file():
        raise Problem(f"{file}: there is no such file.", next_step="check the path", code=DATA)
    if "detections" in options:
        raise Problem("Detected boxes are what networks predict on; this file holds results.", next_step="leave it out")
    if rules.name == "coco-ap" and under.dataset == "coco":
        return _results(file, under)
    if rules.name == "cifar10-error":
        return _classes(file, under)
    from protocols.readers import diagnosis
    from protocols.readers import predictions as files

    people = open_people(*under.place, under.data, "coco" if rules.name == "coco-ap" else "", under.limit)
    predictions = files.read(file, people)
    scores = score_predictions(rules.name, predictions, people, options)
    module = importlib.import_module(rules.module)
    if rules.name.startswith(("mpii", "lsp")):
        again = partial(module.score, people=people, **options | {"resamples": 0})
        scores = replace(scores, warnings=scores.warnings + diagnosis.warnings(predictions, people, again))
    rows = [asdict(row) for row in module.variants(predictions, people)] if hasattr(module, "variants") else []
    kept = pictures(people, predictions) | ({"variants.csv": _csv(rows)} if rows else {})
    notes = {"predictions": predictions.notes, "annotation": people.notes | {"fingerprint": people.fingerprint}}
    return Read(scores, people.fingerprint, notes, kept, rows)


def _results(file: Path, under: Terms) -> Read:
    """COCO results, which meet the annotation and not boxes."""
    from protocols.coco import ap as coco_ap
    from protocols.coco import diagnosis as coco_diagnosis
    from protocols.coco import results as coco_results
    from protocols.datasets import coco

    if "preset" in under.options:
        raise Problem("A preset says how boxes become results; this file holds results.", next_step="leave it out")
    if under.limit:
        raise Problem("COCO results are scored on all images of the annotation.", next_step="leave --limit out")
    truth = coco.ground_truth(under.split, under.data)
    results = coco_results.read(file, truth)
    scores = coco_ap.score(results, truth, **under.options)
    scores = replace(scores, warnings=scores.warnings + coco_diagnosis.warnings(results, truth))
    found = {"results": len(results), "images": len(set(results.image_ids.tolist()))}
    annotated = {"people": len(truth), "images": len(truth.image_ids), "fingerprint": truth.fingerprint}
    return Read(scores, truth.fingerprint, {"predictions": found, "annotation": annotated})


def _classes(file: Path, under: Terms) -> Read:
    """Class scores or class numbers of pictures."""
    from protocols.classes import cifar10_error
    from protocols.datasets import cifar10
    from protocols.readers import arrays

    pictures = cifar10.load(under.split, under.data).first(under.limit)
    found = arrays.load(file)
    name = next((name for name in ("scores", "classes") if name in found), "")
    if not name and len(found) != 1:
        raise DataError(
            f"{file.name} holds {len(found)} arrays: {', '.join(found)}.",
            expected=f"one array, or one called scores ({len(pictures)} x 10) or classes ({len(pictures)})",
            next_step="numpy.savez(path, scores=array)",
        )
    given = found[name] if name else next(iter(found.values()))
    scores = cifar10_error.score(given, pictures.labels, **under.options)
    notes = {"predictions": {"array": "x".join(map(str, given.shape))}}
    notes["annotation"] = pictures.notes | {"fingerprint": pictures.fingerprint}
    return Read(scores, pictures.fingerprint, notes)


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
