"""Prediction files of any origin: scored under a protocol and kept beside our own measurements."""

import importlib
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.cell import Cell, check_options
from bench.errors import DATA, Problem
from bench.gallery import pictures
from bench.listing import place, print_measurements, quantity
from bench.plan import MISSING, Task
from bench.publish import publish_cell
from bench.reporting import measurements
from bench.score import score_predictions
from bench.store import CELLS, Store, content_key, file_digest
from protocols import PROTOCOLS, Protocol
from protocols.datasets import open_people
from protocols.scores import Scores

HOME = {
    "mpii-pckh": "mpii/val",
    "lsp-pck": "lsp/test",
    "lsp-pckh": "lsp/test",
    "lsp-pcp": "lsp/test",
    "coco-ap": "coco/val2017",
}


def score_file(
    file: Path,
    protocol: str,
    dataset: str,
    name: str,
    against: Path | None,
    variants: bool,
    options: dict[str, Any],
    store: Store,
    data: Path,
) -> dict[str, Any]:
    """Score a file and store the cell; returns {"measurements", "cells", "warnings"}, and what else was asked for.

    `dataset`: name or name/split, "" for the protocol's own. With `against`, "difference" holds the paired
    difference of the two files with its intervals; with `variants`, "variants" holds the same predictions under
    every convention. Raises Problem and DataError when the file or the data cannot be used.
    """
    rules = _rules(protocol, file)
    check_options(rules, options)
    where = place(dataset or HOME.get(protocol, rules.datasets[0]))
    started = time.perf_counter()
    scores, files, fingerprint, more = _score(file, rules, where, data, options, variants)
    cell = Cell(name or file.stem, protocol, *where, options=options)
    inputs = {
        "protocol": protocol,
        "version": rules.version,
        "options": options,
        "name": cell.architecture,
        "predictions": {"file": file_digest(file), "people": fingerprint},
    }
    task = Task(cell, MISSING, "", key=content_key(inputs), inputs=inputs)
    seconds = {"score": time.perf_counter() - started}
    with store.lock(CELLS, task.key, wait=True):
        store.sweep(CELLS, task.key)
        publish_cell(task, store, "cpu", scores, seconds, files, source="predictions")
    document = store.read(CELLS, task.key, "cell.json")
    outcome = {"measurements": measurements(store, task.key), "cells": [document], "warnings": list(scores.warnings)}
    if against:
        other = _score(against, _rules(protocol, against), where, data, options, False)[0]
        more["difference"] = [asdict(value) for value in difference(rules, scores, other)]
    return outcome | more


def difference(rules: Protocol, ours: Scores, theirs: Scores) -> tuple:
    """Ours minus theirs on the same people or images, with the interval of the difference."""
    module = importlib.import_module(rules.module)
    if hasattr(module, "difference"):
        return module.difference(ours, theirs)
    from protocols.bootstrap import paired_difference

    return paired_difference([module.tally(ours.samples)], [module.tally(theirs.samples)])


def _rules(protocol: str, file: Path) -> Protocol:
    rules = PROTOCOLS.get(protocol)
    if rules is None or not rules.files:
        known = ", ".join(name for name, rules in PROTOCOLS.items() if rules.files)
        raise Problem(f"There is no protocol {protocol!r} for prediction files.", expected=f"one of {known}")
    if not file.is_file():
        raise Problem(f"{file}: there is no such file.", next_step="check the path", code=DATA)
    return rules


def _score(
    file: Path, rules: Protocol, where: tuple[str, str], data: Path, options: dict[str, Any], variants: bool
) -> tuple[Scores, dict[str, bytes], str, dict[str, Any]]:
    """Scores, pictures, the fingerprint of the ground truth, and the variants if asked for."""
    if "detections" in options:
        raise Problem("Detected boxes are what networks predict on; this file holds results.", next_step="leave it out")
    if rules.name == "coco-ap" and where[0] == "coco":
        from protocols import coco_ap, coco_diagnosis, coco_results
        from protocols.datasets import coco

        if "preset" in options:
            raise Problem("A preset says how boxes become results; this file holds results.", next_step="leave it out")
        truth = coco.ground_truth(where[1], data)
        results = coco_results.read(file, truth)
        scores = coco_ap.score(results, truth, **options)
        scores = replace(scores, warnings=scores.warnings + coco_diagnosis.warnings(results, truth))
        return scores, {}, truth.fingerprint, {}
    from protocols import diagnosis
    from protocols import predictions as files

    people = open_people(*where, data, "coco" if rules.name == "coco-ap" else "")
    predictions = files.read(file, people)
    scores = score_predictions(rules.name, predictions, people, options)
    module = importlib.import_module(rules.module)
    more = {}
    if rules.name.startswith(("mpii", "lsp")):
        again = partial(module.score, people=people, **options | {"resamples": 0})
        scores = replace(scores, warnings=scores.warnings + diagnosis.warnings(predictions, people, again))
    if variants:
        if not hasattr(module, "variants"):
            raise Problem(f"{rules.name} has no variants.", expected="mpii-pckh or lsp-pck")
        more["variants"] = [asdict(row) for row in module.variants(predictions, people)]
    return scores, pictures(people, predictions), people.fingerprint, more


def print_outcome(outcome: dict[str, Any]) -> None:
    """Everything that was found, for people."""
    rules = PROTOCOLS[outcome["cells"][0]["protocol"]]
    rows = [row for row in outcome["measurements"] if row["metric"] == rules.headline[0]]
    for row in rows:
        print(f"  {row['metric']:<12} {row['part']:<10} {quantity(row)}, n={row['n']:,}")
    print_measurements(outcome["measurements"])
    for row in outcome.get("difference", []):
        print(f"  difference {row['metric']:<12} {row['part']:<10} {quantity(row)}")
    for row in outcome.get("variants", []):
        print("  " + "  ".join(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row.values()))
    for warning in outcome["warnings"]:
        print(f"! {warning}")
