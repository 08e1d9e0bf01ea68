"""`bench score`: scores prediction files of any origin, publishes them as cells, and compares them."""

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
    """Score a file and publish its cell, or look up the finished cells of a network; compare either with `against`.

    Returns {"measurements", "cells", "warnings"}; with `against` also "difference", ours minus theirs on the same
    people with its intervals. Raises Problem or DataError if a file, the data or the cells cannot be used.
    """
    if _is_file(subject):
        return score_file(Path(subject), name, against, variants, under, store)
    if not against:
        raise Problem(
            f"{subject}: there is no such file.",
            next_step="check the path; to compare a measured network with another, add --against",
            code=DATA,
        )
    records, ours = finished(store, subject, under.rules, under.place, under.options)
    rows = [row for record in records for row in measurements(store, record.cell)]
    outcome = {"measurements": rows, "cells": records, "warnings": []}
    return outcome | _compared(records[0].label, records[0].conditions, ours, against, under, store)


def score_file(file: Path, name: str, against: str, variants: bool, under: Terms, store: Store) -> dict[str, Any]:
    """Score a file and publish its cell; returns {"measurements", "cells", "warnings", "read"}.

    `name`: in tables, "" for the file's. "read" describes the file and the annotation. With `variants` the result has
    "variants", the same predictions under every convention, which the cell stores in any case; with `against`
    "difference". Raises Problem and DataError as `score` does.
    """
    protocol = under.rules
    check_options(protocol, under.options)
    started = time.perf_counter()
    read = read_and_score(file, under)
    if variants and not read.variants:
        raise Problem(f"{protocol.name} has no variants.", expected=f"one of {', '.join(with_variants())}")
    cell = Cell(name or file.stem, protocol.name, *under.place, options=under.options, limit=under.limit)
    inputs = {
        "protocol": protocol.name,
        "version": protocol.version,
        "options": unusual(under.options, protocol.options),
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
    """Whether a text means a prediction file, existing or not; names of networks have no such suffixes."""
    return Path(text).is_file() or Path(text).suffix in SUFFIXES


def _compared(
    name: str, made: Conditions, ours: Sequence[Scores], against: str, under: Terms, store: Store
) -> dict[str, Any]:
    """Compute the paired difference to a second file, or to the finished cells of a network."""
    if _is_file(against):
        labels, theirs = [against], [read_and_score(Path(against), under).scores]
    else:
        records, theirs = finished(store, against, under.rules, under.place, under.options)
        check_comparable((name, against), made, records[0].conditions)
        labels = [record.label for record in records]
    return {"against": labels, "difference": list(difference(under.rules, ours, theirs))}
