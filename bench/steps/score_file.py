"""Prediction files of any origin: scored under a protocol, kept beside our own measurements, compared with others."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.cells.cell import Cell, check_options
from bench.cells.conditions import Conditions, of_file
from bench.cells.plan import MISSING, Task
from bench.cells.record import read as read_record
from bench.errors import DATA, Problem
from bench.results.paired import check_comparable, difference, finished
from bench.results.publish import publish_cell
from bench.results.rows import measurements
from bench.steps.prediction_files import Terms, read_and_score, with_variants
from bench.store.digests import content_key, file_digest, unusual
from bench.store.store import CELLS, Store
from protocols.readers.arrays import SUFFIXES
from protocols.statistics.scores import Scores


def score(subject: str, name: str, against: str, variants: bool, under: Terms, store: Store) -> dict[str, Any]:
    """Score a file and keep the cell, or look up the finished cells of a network; either `against` another of the two.

    Returns {"measurements", "cells", "warnings"}; with `against` also "difference", ours minus theirs on the same
    people with its intervals. Raises Problem and DataError when a file, the data or the cells cannot be used.
    """
    if _is_file(subject):
        return score_file(Path(subject), name, against, variants, under, store)
    if not against:
        raise Problem(
            f"{subject}: there is no such file.",
            next_step="check the path; a network that has been measured is compared with another by --against",
            code=DATA,
        )
    records, ours = finished(store, subject, under.rules, under.place, under.options)
    rows = [row for record in records for row in measurements(store, record.cell)]
    outcome = {"measurements": rows, "cells": records, "warnings": []}
    return outcome | _compared(records[0].label, records[0].conditions, ours, against, under, store)


def score_file(file: Path, name: str, against: str, variants: bool, under: Terms, store: Store) -> dict[str, Any]:
    """Score a file and store the cell; returns {"measurements", "cells", "warnings", "read"}, and what was asked for.

    `name`: how tables call it, "" for the file's. "read" says what was found in the file and in the annotation. With
    `variants`, "variants" holds the same predictions under every convention; the cell keeps them in any case. Raises
    Problem and DataError as `score` does.
    """
    rules = under.rules
    check_options(rules, under.options)
    started = time.perf_counter()
    read = read_and_score(file, under)
    if variants and not read.variants:
        raise Problem(f"{rules.name} has no variants.", expected=f"one of {', '.join(with_variants())}")
    cell = Cell(name or file.stem, rules.name, *under.place, options=under.options, limit=under.limit)
    inputs = {
        "protocol": rules.name,
        "version": rules.version,
        "options": unusual(under.options, rules.options),
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
        "cells": [read_record(store, task.key)],
        "warnings": list(read.scores.warnings),
        "read": read.notes,
    }
    outcome |= {"variants": read.variants} if variants else {}
    return outcome | (_compared(str(file), of_file(cell), [read.scores], against, under, store) if against else {})


def _is_file(text: str) -> bool:
    """Names of networks have no such endings, and no such files need to be there."""
    return Path(text).is_file() or Path(text).suffix in SUFFIXES


def _compared(
    name: str, made: Conditions, ours: Sequence[Scores], against: str, under: Terms, store: Store
) -> dict[str, Any]:
    """The paired difference to a second file, or to the finished cells of a network."""
    if _is_file(against):
        labels, theirs = [against], [read_and_score(Path(against), under).scores]
    else:
        records, theirs = finished(store, against, under.rules, under.place, under.options)
        check_comparable((name, against), made, records[0].conditions)
        labels = [record.label for record in records]
    return {"against": labels, "difference": list(difference(under.rules, ours, theirs))}
