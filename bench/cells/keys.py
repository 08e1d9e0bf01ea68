"""The key of a cell: plain nested data that holds all that decides its numbers.

The inputs of a training lie inside those of a prediction, which lie inside those of a cell, so that comparing two
trees says why a cell is stale and which step it needs.
"""

from pathlib import Path
from typing import Any

import architectures
from bench.cells import recipe as recipes
from bench.cells.cell import Cell
from bench.errors import Problem
from bench.store.provenance import device_name
from bench.store.store import file_digest

# Raise one when the code that trains or predicts may give other weights or predictions from the same inputs.
TRAINING_VERSION, PREDICTION_VERSION = 1, 1
CLEAN, COVERED = "predictions", "predictions with a covered limb"  # the second for occluded-limb only


def architecture_inputs(row: architectures.Architecture) -> dict[str, Any]:
    """What decides the network: builder, options and input; for an outside file also its content."""
    inputs = {"builder": row.builder, "options": row.options, "input": list(row.input)}
    path = row.builder.rpartition(":")[0]
    return {**inputs, "file": file_digest(Path(path))} if path.endswith(".py") else inputs


def training_inputs(cell: Cell, train_fingerprint: str) -> dict[str, Any]:
    """What decides the weights."""
    dropped = {"broken images": "dropped"} if cell.drop_invalid else {}
    return {
        **dropped,
        "version": TRAINING_VERSION,
        "architecture": architecture_inputs(cell.row),
        "recipe": recipes.load(cell.recipe_name).train_inputs(cell.budget),
        "trained on": train_fingerprint,
        "seed": cell.seed,
    }


def weights_inputs(cell: Cell, train_fingerprint: str) -> dict[str, Any]:
    """The training, or the released file in its stead."""
    if cell.weights:
        return {"architecture": architecture_inputs(cell.row), "released weights": file_digest(Path(cell.weights))}
    return training_inputs(cell, train_fingerprint)


def prediction_inputs(cell: Cell, train_fingerprint: str, fingerprint: str) -> dict[str, Any]:
    """What decides the predictions."""
    return {
        "version": PREDICTION_VERSION,
        "weights": weights_inputs(cell, train_fingerprint),
        "people": fingerprint,
        "testing": recipes.load(cell.recipe_name).test_inputs(),
        "limit": cell.limit,
        **({"fast": True} if cell.fast else {}),
    }


def cell_inputs(cell: Cell, train_fingerprint: str = "", fingerprint: str = "") -> dict[str, Any]:
    """What decides the numbers of a cell."""
    options = {name: value for name, value in cell.options.items() if name != "detections"}  # people hold the boxes
    inputs = {"protocol": cell.protocol, "version": cell.rules.version, "options": options}
    if cell.rules.needs == "predictions":
        inputs[CLEAN] = prediction_inputs(cell, train_fingerprint, fingerprint)
        if cell.protocol == "occluded-limb":
            inputs[COVERED] = {**inputs[CLEAN], "cover seed": cell.options.get("cover", 0)}
        return inputs
    if cell.dataset:  # the trained network, and what it does with people
        pixels = recipes.load(cell.recipe_name).test_inputs()["pixels"]
        return {**inputs, "weights": weights_inputs(cell, train_fingerprint), "people": fingerprint, "pixels": pixels}
    if trained := sorted({"people", "occlusion"} & set(options)):
        raise Problem(
            f"{cell.protocol}: {' and '.join(trained)} is about what a trained network does with people.",
            expected=f"--dataset {' or '.join(cell.rules.datasets)}: people with head sizes",
        )
    if cell.protocol == "speed":  # the only protocol whose numbers belong to a machine
        inputs["machine"] = device_name(cell.options.get("device", "cpu"))
        inputs |= {"fast": True} if cell.fast else {}
    return {**inputs, "architecture": architecture_inputs(cell.row), "seed": cell.seed}


def weights_in(inputs: dict[str, Any]) -> dict[str, Any] | None:
    """The part of a cell's inputs that decides its weights; None where it has no use for any."""
    return inputs.get(CLEAN, inputs).get("weights")


def differences(old: dict[str, Any], new: dict[str, Any], place: str = "") -> list[str]:
    """Where two trees of inputs differ: "predictions.weights.recipe.training.steps 600 -> 900"."""
    found = []
    for key in sorted(set(old) | set(new)):
        here = f"{place}.{key}" if place else key
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, here)
        elif before != after:
            found.append(f"{here} {_short(before)} -> {_short(after)}")
    return found


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 20 else text[:12] + "…"
