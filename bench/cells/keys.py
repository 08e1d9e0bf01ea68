"""Keys of cells: nested plain data of everything that decides their numbers.

The inputs of a training lie inside those of a prediction, which lie inside those of a cell, so that comparing two
trees says why a cell is stale and which step it needs.
"""

from pathlib import Path

import architectures
from architectures.signature import signature
from bench.cells import recipe as recipes
from bench.cells.cell import Cell
from bench.cells.fingerprints import Fingerprint
from bench.cells.settings import key_values
from bench.errors import DATA, Problem
from bench.store.digests import Inputs, file_digest, unusual
from bench.store.provenance import chosen_device, device_kind, device_name
from protocols.datasets import datasets_of

# Raise a version when the code may give other results from the same inputs, or when a default of a builder or a recipe
# changes: keys leave out values at their default.
NETWORK_VERSION, TRAINING_VERSION, PREDICTION_VERSION = 1, 1, 1
CLEAN, COVERED = "predictions", "predictions with a covered limb"  # the second for protocols that cover a limb


def architecture_inputs(row: architectures.Architecture) -> Inputs:
    """Inputs that decide the network before its weights: builder, options and input size.

    A built-in builder is identified by the name of its function, which is unique; an external one by its name and
    the content of its file. Paths do not matter.
    """
    path, _, function = row.builder.rpartition(":")
    inputs = {"version": NETWORK_VERSION, "builder": function, "input": list(row.input)}
    takes = signature(row.builder)
    usual = {name: parameter.default for name, parameter in takes.parameters.items()} if takes else {}
    inputs["options"] = unusual(row.options, usual)
    return {**inputs, "file": file_digest(Path(path))} if path.endswith(".py") else inputs


def training_inputs(cell: Cell, trained_on: Fingerprint) -> Inputs:
    """Inputs that decide trained weights."""
    return {
        **key_values(cell, "weights"),
        "version": TRAINING_VERSION,
        "architecture": architecture_inputs(cell.row),
        "recipe": recipes.load(cell.recipe_name).train_inputs(cell.budget),
        "trained on": trained_on,
        "seed": cell.seed,
    }


def _weights_digest(path: str) -> str:
    """Digest of a file of weights. Raises Problem for what is no file: a pipe or a device would never end."""
    if Path(path).exists() and not Path(path).is_file():
        raise Problem(f"{path} is no file of weights.", expected="a .safetensors or PyTorch file", code=DATA)
    return file_digest(Path(path))


def weights_inputs(cell: Cell, trained_on: Fingerprint) -> Inputs:
    """Inputs that decide the weights: of the training, or the released file."""
    if cell.weights:
        return {"architecture": architecture_inputs(cell.row), "released weights": _weights_digest(cell.weights)}
    return training_inputs(cell, trained_on)


def prediction_inputs(cell: Cell, trained_on: Fingerprint, people: Fingerprint, device: str) -> Inputs:
    """Inputs that decide the predictions."""
    return {
        **({"device": device_kind(device)} if cell.fast else {}),  # its fast path has a precision of its own
        "version": PREDICTION_VERSION,
        "weights": weights_inputs(cell, trained_on),
        "people": people,
        "testing": recipes.load(cell.recipe_name).test_inputs(),
        **key_values(cell, "predictions"),
    }


def depends_on_device(cell: Cell) -> bool:
    """Return whether the device changes the numbers by more than rounding."""
    return cell.fast or cell.rules.depends_on_machine


def cell_inputs(
    cell: Cell, trained_on: Fingerprint | None = None, people: Fingerprint | None = None, device: str = "auto"
) -> Inputs:
    """Inputs that decide the numbers of a cell; `device` is used only where it matters."""
    trained_on, people = trained_on or {}, people or {}
    given = {
        name: value for name, value in cell.options.items() if name != "detections"
    }  # see the people's fingerprint
    options = unusual(given, cell.rules.options)
    inputs = {"protocol": cell.protocol, "version": cell.rules.version, "options": options}
    if cell.rules.needs == "predictions":
        inputs[CLEAN] = prediction_inputs(cell, trained_on, people, device)
        if cell.rules.covered_limb:
            inputs[COVERED] = {**inputs[CLEAN], "cover seed": cell.options.get("cover", 0)}
        return inputs
    if cell.dataset:  # a protocol of trained networks
        pixels = recipes.load(cell.recipe_name).test_inputs().get("pixels", {})
        return {**inputs, "weights": weights_inputs(cell, trained_on), "people": people, "pixels": pixels}
    if trained := [name for name in cell.rules.dataset_options if name in given]:
        raise Problem(
            f"{cell.protocol}: {' and '.join(trained)} needs a trained network and people.",
            expected=f"--dataset {' or '.join(datasets_of(cell.rules))}",
        )
    if cell.rules.depends_on_machine:
        inputs["machine"] = device_name(chosen_device(device))
        inputs |= key_values(cell, "predictions")
    return {**inputs, "architecture": architecture_inputs(cell.row), "seed": cell.seed}


def weights_in(inputs: Inputs) -> Inputs | None:
    """Return the part of a cell's inputs that decides its weights; None for a cell without trained weights."""
    return inputs.get(CLEAN, inputs).get("weights")


def differences(old: Inputs, new: Inputs, path: str = "") -> list[str]:
    """List the differences of two trees of inputs: "predictions.weights.recipe.training.steps 600 -> 900"."""
    found = []
    for key in sorted(set(old) | set(new)):
        name = f"{path}.{key}" if path else key
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, name)
        elif before != after:
            found.append(f"{name} {_short(before)} -> {_short(after)}")
    return found


def _short(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 20 else text[:12] + "…"
