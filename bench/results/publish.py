"""What a cell keeps: its measurements, its inputs, where they come from, and what a reader may want to see."""

import json
import shutil
from typing import Any

from bench import progress
from bench.cells import recipe as recipes
from bench.cells.cell import Cell
from bench.cells.keys import CLEAN, COVERED, weights_in
from bench.cells.plan import Task
from bench.results.rows import curve_csv, rows
from bench.store import provenance
from bench.store.store import CELLS, PREDICTIONS, WEIGHTS, Store, archive, content_key
from protocols.statistics.scores import Scores

ATTENTION = "attention.webp"  # kept with the predictions: only where a network predicts are its maps at hand


def publish_cell(
    task: Task,
    store: Store,
    device: str,
    scores: Scores,
    seconds: dict[str, float],
    files: dict[str, bytes] | None = None,
    source: str = "measured",
) -> None:
    """Write the measurements of a cell and everything a reader may want to see of it: name -> content in `files`."""
    cell, measured = task.cell, source == "measured"
    found = rows(scores.values, cell, cell.row.name if measured else cell.architecture, task.key, source)
    notes: list[str] = []  # what the training did otherwise than the recipe says
    with store.publish(CELLS, task.key) as folder:
        (folder / "measurements.jsonl").write_text("".join(json.dumps(row, sort_keys=True) + "\n" for row in found))
        (folder / "log.txt").write_text(progress.tail())
        if scores.curve:
            (folder / "curve.csv").write_text(curve_csv(scores))
        if scores.samples:
            (folder / "samples.npz").write_bytes(archive(**scores.samples))
        for file, content in (files or {}).items():
            (folder / file).write_bytes(content)
        if measured and CLEAN in task.inputs:
            predicted = store.folder(PREDICTIONS, content_key(task.inputs.get(COVERED, task.inputs[CLEAN])))
            if (predicted / ATTENTION).is_file():
                shutil.copyfile(predicted / ATTENTION, folder / ATTENTION)
        if measured and cell.dataset and not cell.weights:
            trained = store.folder(WEIGHTS, content_key(weights_in(task.inputs)))
            (folder / "history.csv").write_bytes((trained / "history.csv").read_bytes())
            notes = store.read(WEIGHTS, trained.name, "training.json")["notes"]
        document = describe(task, source, (*scores.warnings, *notes))
        document |= {"provenance": provenance.record(device, seconds)}
        (folder / "cell.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


def describe(task: Task, source: str, warnings: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a cell is, as plain data for the store and the report."""
    cell = task.cell
    measured = source == "measured"
    return {
        "cell": task.key,
        "label": cell.label if measured else f"{cell.architecture} × {cell.protocol} on {cell.dataset}/{cell.split}",
        "architecture": cell.row.name if measured else cell.architecture,
        "protocol": cell.protocol,
        "dataset": cell.dataset,
        "split": cell.split,
        "seed": cell.seed,
        "budget": cell.budget,
        "recipe": cell.recipe_name if measured and cell.dataset else "",
        "source": source,
        "limit": cell.limit,
        "apart": list(cell.apart),
        "conventions": cell.rules.conventions,
        "settings": _settings(cell) if measured and CLEAN in (task.inputs or {}) else {},
        "identity": list(cell.identity) if measured else [],
        "inputs": task.inputs,
        "warnings": list(warnings),
    }


def _settings(cell: Cell) -> dict[str, str]:
    """How it was trained and tested, in the words in which the published tables say it."""
    recipe = recipes.load(cell.recipe_name)
    people = recipe.budgeted(cell.budget).people
    trained_on = cell.training_data + (f", first {people}" if people else "")
    return {
        "flip": "yes" if recipe.testing.flip else "no",
        "scales": str(len(recipe.testing.scales)),
        "boxes": "detected" if cell.options.get("detections") else "ground truth",
        "training data": "released weights" if cell.weights else trained_on,
    }
