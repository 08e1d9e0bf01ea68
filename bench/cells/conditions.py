"""Conditions: all of a cell that is neither network nor seed and can change its number.

One value and one rule: whatever compares two numbers asks `difference` whether they were measured alike, and says
in its words in what they were not.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from bench.cells import recipe as recipes
from bench.cells.cell import Cell
from bench.cells.settings import chosen
from bench.store.provenance import device_name
from protocols import PROTOCOLS, Options

TEXT_OF_RECIPE = ("recipe_text", "training_people", "pixels", "flip", "shift", "scales", "decoding", "precision")
INTERVALS = ("resamples", "seed")  # options of a protocol that change intervals, and no value
FROM_THE_ROW = ("recipe", "input", *TEXT_OF_RECIPE)  # fields that follow from the catalogue row by default
STATED = (
    "dataset", "split", "people", "training data", "input", "flip", "scales", "boxes", "recipe", "budget", "weights",
)  # fmt: skip
UNKNOWN = "unknown"
# Settings with a field below.
_INTERPRETED = {"recipe", "budget", "weights", "limit", "options", "trained_on", "fast"}


class Conditions(msgspec.Struct, frozen=True, omit_defaults=True):
    """Conditions of a measurement; None where a field does not apply, or is unknown for a prediction file."""

    protocol: str
    version: int
    dataset: str = ""
    split: str = ""
    people: str = "all"  # or "first 100"
    options: Options = {}  # those of the protocol that are not at their default
    resampling: Options = {}  # those that change only intervals, not at their default
    boxes: str | None = None  # "ground truth" or "detected"
    input: str | None = None  # "256x192", height first
    recipe: str | None = None
    recipe_text: str | None = None  # digest of everything in the recipe that decides the weights
    budget: str | None = None
    training_data: str | None = None  # "mpii/train+lsp/train", or "released weights"
    training_people: int | None = None  # trained on only the first N people
    weights: str | None = None  # path of a released file, as given
    pixels: str | None = None
    flip: bool | None = None
    shift: bool | None = None
    scales: tuple[float, ...] | None = None
    decoding: str | None = None
    precision: str | None = None  # of the forward pass
    fast: bool = False
    machine: str | None = None  # for protocols that measure a machine
    others: dict[str, object] = {}  # further settings of the cell that are not at their default

    @property
    def stated(self) -> dict[str, str]:
        """Conditions in the words of the published tables, options of the protocol too: field -> text, if known."""
        usual = PROTOCOLS[self.protocol].options if self.protocol in PROTOCOLS else {}
        options = {name: _text(value) for name, value in (usual | self.options).items() if name not in INTERVALS}
        found = options | {
            "dataset": self.dataset,
            "split": self.split,
            "people": self.people,
            "training data": self.training_data,
            "input": self.input,
            "flip": None if self.flip is None else _text(self.flip),
            "scales": None if self.scales is None else str(len(self.scales)),
            "boxes": self.boxes,
            "recipe": self.recipe,
            "budget": self.budget,
            "weights": self.weights or ("trained" if self.recipe else None),
        }
        if found["training data"] and self.training_people:
            found["training data"] += f", first {self.training_people}"
        return {name: text for name, text in found.items() if text is not None}

    @property
    def tested(self) -> dict[str, str]:
        """Conditions of training and testing that leaderboards show: field -> text."""
        return {
            name: text for name, text in self.stated.items() if name in ("training data", "flip", "scales", "boxes")
        }


def conditions(cell: Cell, device: str = "cpu") -> Conditions:
    """Return the conditions of a cell on a device. Raises Problem for a recipe that cannot be read."""
    found = without_recipe(cell)
    if cell.rules.depends_on_machine:
        found = replace(found, machine=device_name(device))
    return _with_recipe(found, cell, device) if cell.dataset else found


def without_recipe(cell: Cell) -> Conditions:
    """Return the conditions of a cell without the fields that the text of the recipe decides."""
    found = replace(of_file(cell), input="x".join(map(str, cell.row.input)))
    if not cell.dataset:
        return found
    found = replace(found, boxes="detected" if cell.options.get("detections") else "ground truth")
    if cell.weights:
        return replace(found, weights=cell.weights, training_data="released weights")
    found = replace(found, training_data=cell.training_data)
    if cell.row.kind == "baseline":  # it is fitted without gradients: no recipe changes it
        return found
    return replace(found, recipe=cell.recipe_name, budget=cell.budget)


def of_file(cell: Cell) -> Conditions:
    """Return the conditions of scoring, all that is known of a prediction file: protocol, people and options."""
    usual = cell.rules.options
    options = {name: value for name, value in cell.options.items() if value != usual.get(name) and name != "detections"}
    moves = {name: options.pop(name) for name in INTERVALS if name in options and "resamples" in usual}
    return Conditions(
        protocol=cell.protocol,
        version=cell.rules.version,
        dataset=cell.dataset,
        split=cell.split,
        people=f"first {cell.limit}" if cell.limit else "all",
        options=options,
        resampling=moves,
        fast=cell.fast,
        others={name: value for name, value in chosen(cell).items() if name not in _INTERPRETED},
    )


def table_key(network: str, seed: int | None, conditions: Conditions) -> tuple:
    """Key of the table entry: equal for revisions of one cell (another protocol version or recipe text), so that a
    stale result is recognized."""
    fields = [field for field in conditions.__struct_fields__ if field not in ("version", "machine", *TEXT_OF_RECIPE)]
    return (network, seed, *[_plain(getattr(conditions, field)) for field in fields])


def difference(ours: Conditions, theirs: Conditions, besides: Iterable[str] = ()) -> tuple[str, ...]:
    """Differences of two measurements in words, a clause a field: "fast no / yes"; empty if they can be compared.

    A field that is not known of one of them is no difference, and resampling moves intervals alone. besides: more
    fields that may differ.
    """
    found = []
    for field in ours.__struct_fields__:
        one, two = getattr(ours, field), getattr(theirs, field)
        if field not in ("resampling", *besides) and one != two and None not in (one, two):
            found += _items(one, two) if isinstance(one, dict) else [f"{_words(field)} {_text(one)} / {_text(two)}"]
    return tuple(found)


class Against(NamedTuple):
    """Comparison of a measurement's conditions with those of a printed number."""

    differences: tuple[str, ...]  # "flip yes, in the paper no"
    unknown: tuple[str, ...]  # fields that the paper leaves open


def against(ours: Conditions, printed: Mapping[str, str]) -> Against:
    """Compare a measurement with a printed number, whose conditions are in the words of `Conditions.stated`.

    A printed condition may also be an option of the protocol. Conditions that no table states are assumed to be the
    defaults: the protocol's options, float32, not --fast. Released weights were trained by their own recipe.
    """
    known = ours.stated
    of_training = ("training data", "recipe", "budget") if ours.weights else ()
    found = [
        f"{field} {known.get(field, UNKNOWN)}, in the paper {wanted}"
        for field, wanted in printed.items()
        if wanted not in (UNKNOWN, known.get(field)) and field not in of_training
    ]
    usual = Conditions(ours.protocol, ours.version, precision="float32")
    scored = {field: getattr(ours, field) for field in ("precision", "fast", "others")}
    others = {name: value for name, value in ours.options.items() if name not in printed}
    unusual = difference(replace(usual, options=others, **scored), usual)
    found += [f"{clause} in the paper" for clause in unusual]
    return Against(tuple(found), tuple(field for field, wanted in printed.items() if wanted == UNKNOWN))


def _with_recipe(found: Conditions, cell: Cell, device: str) -> Conditions:
    """Add the fields that the text of the recipe decides: those of TEXT_OF_RECIPE."""
    recipe = recipes.load(cell.recipe_name)
    testing, pixels = recipe.testing, recipe.pixels
    trained = not cell.weights and cell.row.kind != "baseline"
    return replace(
        found,
        recipe_text=recipes.digest(cell.recipe_name, cell.budget) if trained else None,
        training_people=recipe.budgeted(cell.budget).people or None if trained else None,
        pixels=f"{pixels.channels} - {pixels.mean} / {pixels.std}",
        flip=testing.flip,
        shift=testing.flip and testing.flip_shift,
        scales=testing.scales,
        decoding=testing.decoding,
        precision="bfloat16" if cell.fast and device.startswith("cuda") else "float32",
    )


def _items(one: Options, two: Options) -> list[str]:
    names = sorted(one.keys() | two.keys())
    return [
        f"{_words(name)} {_text(one.get(name))} / {_text(two.get(name))}"
        for name in names
        if one.get(name) != two.get(name)
    ]


def _words(field: str) -> str:
    return field.replace("_", " ")


def _text(value: object) -> str:
    if value is None:
        return "as usual"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _plain(value: Any) -> Any:
    """Convert a value to a hashable one."""
    return tuple(sorted((name, repr(item)) for name, item in value.items())) if isinstance(value, dict) else value
