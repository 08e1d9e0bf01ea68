"""Publishing a cell: writes its measurements, record, samples, curves and pictures to the store."""

import msgspec

from bench import progress
from bench.cells.keys import CLEAN, COVERED, weights_in
from bench.cells.plan import Task
from bench.cells.record import CellRecord, record
from bench.plain_text import escape, to_json
from bench.results.rows import FILE, Measurement, Source, encode, rows_of
from bench.results.step_records import read_training
from bench.store import provenance
from bench.store.digests import content_key
from bench.store.store import CELLS, PREDICTIONS, WEIGHTS, Store, archive
from protocols.statistics.scores import Scores

ATTENTION = "attention.webp"  # stored with the predictions, since only prediction computes the maps


def publish_cell(
    task: Task,
    store: Store,
    device: str,
    scores: Scores,
    seconds: dict[str, float],
    files: dict[str, bytes] | None = None,
    source: Source = "measured",
    method: str = "",
) -> tuple[list[Measurement], CellRecord]:
    """Publish a cell: measurements, record, samples, curve, and further `files` by name; return the first two.

    method: key of the published system that made a prediction file.
    """
    cell, measured = task.cell, source == "measured"
    name = escape(cell.row.name if measured else cell.architecture)
    measurements = rows_of(scores.values, cell, name, task.key, source)
    notes: tuple[str, ...] = ()  # deviations of the training from the recipe
    with store.publish(CELLS, task.key) as folder:
        (folder / FILE).write_bytes(encode(measurements))
        (folder / "log.txt").write_text(progress.log(), encoding="utf-8", errors="replace")
        if scores.curve:
            (folder / "curve.csv").write_text(curve_csv(scores))
        if scores.samples:
            (folder / "samples.npz").write_bytes(archive(**scores.samples))
        for file, content in (files or {}).items():
            (folder / file).write_bytes(content)
        if measured and CLEAN in task.inputs:
            predicted = content_key(task.inputs.get(COVERED, task.inputs[CLEAN]))
            if maps := store.read_bytes(PREDICTIONS, predicted, ATTENTION):
                (folder / ATTENTION).write_bytes(maps)
        if measured and cell.dataset and not cell.weights:
            history, notes = _training(store, content_key(weights_in(task.inputs) or {}))
            if history:
                (folder / "history.csv").write_bytes(history)
        document = record(
            cell,
            task.key,
            task.inputs,
            source,
            device=device,
            warnings=(*scores.warnings, *notes),
            provenance=provenance.record(device, seconds),
            method=method,
        )
        content = to_json(document)
        document = msgspec.json.decode(
            content, type=CellRecord
        )  # before it is published: what cannot be read helps nobody
        (folder / "cell.json").write_bytes(msgspec.json.format(content, indent=1) + b"\n")
    return measurements, document


def _training(store: Store, key: str) -> tuple[bytes, tuple[str, ...]]:
    """History of a training and its deviations from the recipe; predictions may outlive the weights."""
    if store.usable(WEIGHTS, key):
        return store.read_bytes(WEIGHTS, key, "history.csv") or b"", read_training(store, key).notes
    lost = "its weights were removed or damaged: the curve of the training and deviations from the recipe are not known"
    return b"", (lost,)


def curve_csv(scores: Scores) -> str:
    """Format the curve behind the numbers as CSV: part, threshold, value."""
    lines, thresholds = ["part,threshold,value"], scores.thresholds
    assert thresholds is not None  # with every curve
    for part, values in scores.curve.items():
        lines += [f"{part},{t:g},{value:.4f}" for t, value in zip(thresholds, values, strict=True)]
    return "\n".join(lines) + "\n"
