"""Prediction files of any origin: scored under a protocol, kept beside our own measurements, compared with others."""

import csv
import importlib
import io
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.cell import Cell, check_options
from bench.errors import DATA, Problem
from bench.gallery import pictures
from bench.listing import place, print_measurements, quantity
from bench.paired import difference, finished
from bench.plan import MISSING, Task
from bench.publish import publish_cell
from bench.reporting import measurements
from bench.score import score_predictions
from bench.store import CELLS, Store, content_key, file_digest
from protocols import PROTOCOLS, Protocol
from protocols.arrays import SUFFIXES
from protocols.datasets import open_people
from protocols.errors import DataError
from protocols.scores import Scores

HOME = {
    "mpii-pckh": "mpii/val",
    "lsp-pck": "lsp/test",
    "lsp-pckh": "lsp/test",
    "lsp-pcp": "lsp/test",
    "coco-ap": "coco/val2017",
}


def score(
    subject: str,
    protocol: str,
    dataset: str,
    name: str,
    against: str,
    variants: bool,
    options: dict[str, Any],
    store: Store,
    data: Path,
    limit: int = 0,
) -> dict[str, Any]:
    """Score a file and keep the cell, or look up the finished cells of a network; either `against` another of the two.

    Returns {"measurements", "cells", "warnings"}; with `against` also "difference", ours minus theirs on the same
    people with its intervals. Raises Problem and DataError when a file, the data or the cells cannot be used.
    """
    rules = _rules(protocol)
    if _is_file(subject):
        return score_file(Path(subject), protocol, dataset, name, against, variants, options, store, data, limit)
    if not against:
        raise Problem(
            f"{subject}: there is no such file.",
            next_step="check the path; a network that has been measured is compared with another by --against",
            code=DATA,
        )
    where = _place(rules, dataset)
    documents, ours = finished(store, subject, rules, where, options)
    rows = [row for document in documents for row in measurements(store, document["cell"])]
    outcome = {"measurements": rows, "cells": documents, "warnings": []}
    return outcome | _compared(rules, ours, against, where, options, store, data, limit)


def score_file(
    file: Path,
    protocol: str,
    dataset: str,
    name: str,
    against: str | None,
    variants: bool,
    options: dict[str, Any],
    store: Store,
    data: Path,
    limit: int = 0,
) -> dict[str, Any]:
    """Score a file and store the cell; returns {"measurements", "cells", "warnings", "read"}, and what was asked for.

    `dataset`: name or name/split, "" for the protocol's own. `limit`: the file is of its first people only. "read"
    says what was found in the file and in the annotation. With `variants`, "variants" holds the same predictions
    under every convention; the cell keeps them in any case. Raises Problem and DataError as `score` does.
    """
    rules = _rules(protocol)
    check_options(rules, options)
    where = _place(rules, dataset)
    started = time.perf_counter()
    read = _score(file, rules, where, data, options, limit)
    if variants and not read.variants:
        raise Problem(f"{rules.name} has no variants.", expected="mpii-pckh or lsp-pck")
    cell = Cell(name or file.stem, protocol, *where, options=options, limit=limit)
    inputs = {
        "protocol": protocol,
        "version": rules.version,
        "options": options,
        "name": cell.architecture,
        "predictions": {"file": file_digest(file), "people": read.fingerprint},
    }
    task = Task(cell, MISSING, "", key=content_key(inputs), inputs=inputs)
    seconds = {"score": time.perf_counter() - started}
    with store.lock(CELLS, task.key, wait=True):
        store.sweep(CELLS, task.key)
        publish_cell(task, store, "cpu", read.scores, seconds, read.files, source="predictions")
    outcome = {
        "measurements": measurements(store, task.key),
        "cells": [store.read(CELLS, task.key, "cell.json")],
        "warnings": list(read.scores.warnings),
        "read": read.notes,
    }
    outcome |= {"variants": read.variants} if variants else {}
    more = _compared(rules, [read.scores], against, where, options, store, data, limit) if against else {}
    return outcome | more


def _rules(protocol: str) -> Protocol:
    rules = PROTOCOLS.get(protocol)
    if rules is None or rules.needs != "predictions":
        known = ", ".join(name for name, rules in PROTOCOLS.items() if rules.files)
        raise Problem(f"There is no protocol {protocol!r} for prediction files.", expected=f"one of {known}")
    return rules


def _is_file(text: str) -> bool:
    """Names of networks have no such endings, and no such files need to be there."""
    return Path(text).is_file() or Path(text).suffix in SUFFIXES


def _place(rules: Protocol, dataset: str) -> tuple[str, str]:
    return place(dataset or HOME.get(rules.name, rules.datasets[0]))


def _compared(
    rules: Protocol,
    ours: list[Scores],
    against: str,
    where: tuple[str, str],
    options: dict[str, Any],
    store: Store,
    data: Path,
    limit: int,
) -> dict[str, Any]:
    """The paired difference to a second file, or to the finished cells of a network."""
    if _is_file(str(against)):
        labels, theirs = [str(against)], [_score(Path(against), rules, where, data, options, limit).scores]
    else:
        documents, theirs = finished(store, against, rules, where, options)
        labels = [document["label"] for document in documents]
    return {"against": labels, "difference": [asdict(value) for value in difference(rules, ours, theirs)]}


@dataclass(frozen=True)
class _Read:
    """What was made of a file."""

    scores: Scores
    fingerprint: str  # of the ground truth
    notes: dict[str, dict[str, Any]]  # what the readers found
    files: dict[str, bytes] = field(default_factory=dict)  # that the cell keeps
    variants: list[dict[str, Any]] = field(default_factory=list)


def _score(
    file: Path, rules: Protocol, where: tuple[str, str], data: Path, options: dict[str, Any], limit: int
) -> _Read:
    if not rules.files:
        raise Problem(
            f"{rules.name} is measured on networks, which see pictures of its own; {file} is a file.",
            expected="two networks with finished cells, as in bench score hourglass-2 --against hourglass-1",
        )
    if not file.is_file():
        raise Problem(f"{file}: there is no such file.", next_step="check the path", code=DATA)
    if "detections" in options:
        raise Problem("Detected boxes are what networks predict on; this file holds results.", next_step="leave it out")
    if rules.name == "coco-ap" and where[0] == "coco":
        return _score_results(file, where, data, options, limit)
    if rules.name == "cifar10-error":
        return _score_classes(file, where, data, options, limit)
    from protocols import diagnosis
    from protocols import predictions as files

    people = open_people(*where, data, "coco" if rules.name == "coco-ap" else "", limit)
    predictions = files.read(file, people)
    scores = score_predictions(rules.name, predictions, people, options)
    module = importlib.import_module(rules.module)
    if rules.name.startswith(("mpii", "lsp")):
        again = partial(module.score, people=people, **options | {"resamples": 0})
        scores = replace(scores, warnings=scores.warnings + diagnosis.warnings(predictions, people, again))
    rows = [asdict(row) for row in module.variants(predictions, people)] if hasattr(module, "variants") else []
    kept = pictures(people, predictions) | ({"variants.csv": _csv(rows)} if rows else {})
    notes = {"predictions": predictions.notes, "annotation": people.notes | {"fingerprint": people.fingerprint}}
    return _Read(scores, people.fingerprint, notes, kept, rows)


def _score_results(file: Path, where: tuple[str, str], data: Path, options: dict[str, Any], limit: int) -> _Read:
    """COCO results, which meet the annotation and not boxes."""
    from protocols import coco_ap, coco_diagnosis, coco_results
    from protocols.datasets import coco

    if "preset" in options:
        raise Problem("A preset says how boxes become results; this file holds results.", next_step="leave it out")
    if limit:
        raise Problem("COCO results are scored on all images of the annotation.", next_step="leave --limit out")
    truth = coco.ground_truth(where[1], data)
    results = coco_results.read(file, truth)
    scores = coco_ap.score(results, truth, **options)
    scores = replace(scores, warnings=scores.warnings + coco_diagnosis.warnings(results, truth))
    found = {"results": len(results), "images": len(set(results.image_ids.tolist()))}
    annotated = {"people": len(truth), "images": len(truth.image_ids), "fingerprint": truth.fingerprint}
    return _Read(scores, truth.fingerprint, {"predictions": found, "annotation": annotated})


def _score_classes(file: Path, where: tuple[str, str], data: Path, options: dict[str, Any], limit: int) -> _Read:
    """Class scores or class numbers of pictures."""
    from protocols import arrays, cifar10_error
    from protocols.datasets import cifar10

    pictures = cifar10.load(where[1], data).first(limit)
    found = arrays.load(file)
    name = next((name for name in ("scores", "classes") if name in found), "")
    if not name and len(found) != 1:
        raise DataError(
            f"{file.name} holds {len(found)} arrays: {', '.join(found)}.",
            expected=f"one array, or one called scores ({len(pictures)} x 10) or classes ({len(pictures)})",
            next_step="numpy.savez(path, scores=array)",
        )
    given = found[name] if name else next(iter(found.values()))
    scores = cifar10_error.score(given, pictures.labels, **options)
    notes = {"predictions": {"array": "x".join(map(str, given.shape))}}
    notes["annotation"] = pictures.notes | {"fingerprint": pictures.fingerprint}
    return _Read(scores, pictures.fingerprint, notes)


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def print_outcome(outcome: dict[str, Any]) -> None:
    """Everything that was found, for people."""
    for what, notes in outcome.get("read", {}).items():
        told = ", ".join(
            f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in notes.items()
        )
        print(f"{what}: {told}", file=sys.stderr)
    rules = PROTOCOLS[outcome["cells"][0]["protocol"]]
    for row in outcome["measurements"] if len(outcome["cells"]) == 1 else []:
        if row["metric"] == rules.headline[0]:
            print(f"  {row['metric']:<12} {row['part']:<10} {quantity(row)}, n={row['n']:,}")
    print_measurements(outcome["measurements"])
    if "against" in outcome:
        print(f"minus {'; '.join(outcome['against'])}", file=sys.stderr)
    for row in outcome.get("difference", []):
        print(f"  difference {row['metric']:<12} {row['part']:<10} {quantity(row)}")
    for row in outcome.get("variants", []):
        print("  " + "  ".join(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row.values()))
    for warning in outcome["warnings"]:
        print(f"! {warning}")
