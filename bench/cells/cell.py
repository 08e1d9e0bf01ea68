"""A cell: one architecture under one protocol on one dataset with one recipe, seed and options."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import architectures
from bench.cells.recipe import Count
from bench.cells.settings import chosen, setting, tag
from bench.cells.splits import training_text
from bench.errors import DATA, Problem
from protocols import PROTOCOLS, Options, Protocol
from protocols.datasets import DATASETS, holds_joints
from protocols.pose.skeletons import SKELETONS

MOST_RESAMPLES = 100_000  # of the bootstrap; a thousand give a 95 % interval its second digit


@dataclass(frozen=True)
class Cell:
    """One benchmark configuration: network x protocol x dataset x recipe x seed x options. Immutable.

    Whether it has been measured is the state of its bench.cells.plan.Task.
    """

    architecture: str
    protocol: str
    dataset: str = ""  # "" for a protocol that measures the untrained network
    split: str = ""
    overrides: architectures.Options = field(default_factory=dict)  # options of the network's builder
    recipe: str = setting(
        "", "Another recipe than the paper's, or a .toml file.", "weights", by_content=True, tag="recipe {value}"
    )
    budget: Literal["full", "quick"] = setting(
        "full", "full, or quick: minutes instead of days.", "weights", by_content=True, tag="{value} budget"
    )
    seed: int = 0
    weights: str = setting(
        "", "A released checkpoint instead of a training.", "weights", by_content=True, tag="weights {value}"
    )
    limit: Count = setting(0, "Score only so many people.", "predictions", tag="partial: {value} people")
    options: Options = setting(
        dict, "An option of the protocol, as resamples=0; may be repeated.", "scores", by_content=True, flag="--option"
    )
    trained_on: str = setting(
        "", "Another training set: mpii/train+lsp/train.", "weights", by_content=True, tag="trained on {value}"
    )
    drop_invalid: bool = setting(
        False, "Leave out people whose image cannot be read, and name them.", "weights", tag="without broken images"
    )
    fast: bool = setting(
        False, "Predict with what is quicker on the device, equal within a stated tolerance.", "predictions", tag="fast"
    )

    @cached_property
    def row(self) -> architectures.Architecture:
        """The catalogue row, with the joints of the dataset where they differ from the row's."""
        row = architectures.describe(self.architecture, **self.overrides)
        if not self.dataset or row.skeleton == self.skeleton:
            return row
        joints = len(SKELETONS[self.skeleton])
        return replace(row, skeleton=self.skeleton, options={**row.options, "joints": joints})

    @property
    def skeleton(self) -> str:
        """Name of the joints to train and predict: the row's if the protocol and the dataset can use them."""
        own = architectures.describe(self.architecture).skeleton
        if self.protocol and not holds_joints(own, self.rules):
            own = self.rules.skeletons[0]
        offered = DATASETS[self.dataset].skeletons
        return own if own in offered else offered[0]

    @property
    def rules(self) -> Protocol:
        return PROTOCOLS[self.protocol]

    @property
    def recipe_name(self) -> str:
        return self.recipe or self.row.recipe

    @property
    def training_data(self) -> str:
        """Training data of the network, written out: "mpii/train+lspet/train". Raises Problem for an unknown split."""
        return training_text(self.trained_on or self.dataset)

    @property
    def label(self) -> str:
        """Name of the cell in messages: network, protocol, dataset and seed."""
        where = f" on {self.dataset}/{self.split}" if self.dataset else ""
        return f"{self.row.name} × {self.protocol}{where}, seed {self.seed}{', fast' if self.fast else ''}"

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags shown beside the name: every setting that differs from its default, such as "quick budget"."""
        found = []
        for name, value in chosen(self, *(() if self.dataset else ("predictions", "scores"))).items():
            if name == "options":
                found += [f"{option}={self.options[option]}" for option in sorted(self._unusual_options)]
            elif name != "recipe" or value != self.row.recipe:
                found.append(tag(type(self), name, Path(self.weights).name if name == "weights" else value))
        return tuple(found)

    @property
    def _unusual_options(self) -> set[str]:
        """Options of the protocol that are not at their default, without a file of boxes: the conditions state it."""
        usual = self.rules.options
        return {name for name, value in self.options.items() if value != usual.get(name)} - {"detections"}


def check_options(protocol: Protocol, options: Options) -> None:
    """Refuse options that a protocol does not have, and values of another kind than their defaults."""
    for name, value in options.items():
        if name not in protocol.options:
            known = ", ".join(f"{option}={default}" for option, default in protocol.options.items())
            raise Problem(f"{protocol.name} has no option {name!r}.", expected=f"one of {known}" if known else "none")
        if name == "resamples" and isinstance(value, int) and value > MOST_RESAMPLES:
            raise Problem(
                f"{protocol.name}: resamples={value:,} does not work.", expected=f"at most {MOST_RESAMPLES:,}"
            )
        default, choices = protocol.options[name], protocol.choices.get(name, ())
        may_be_none = name == "resamples" or not default  # without resamples there are no intervals
        if not _fits(value, default, choices) or (value == 0 and not may_be_none):
            expected = f"{'words' if isinstance(default, list) else 'one'} of {', '.join(choices)}" if choices else ""
            raise Problem(
                f"{protocol.name}: {name}={value!r} does not work.", expected=expected or f"something like {default!r}"
            )


def _fits(value: Any, default: Any, choices: tuple[str, ...]) -> bool:
    """Return whether a value has the type of the default, is not below 0, and is one of `choices` if there are any."""
    if isinstance(default, list):
        return isinstance(value, list) and bool(value) and all(_fits(item, default[0], choices) for item in value)
    if isinstance(value, bool) or not isinstance(value, int | float if isinstance(default, float) else type(default)):
        return False
    return 0 <= value < 2**63 if isinstance(value, int | float) else not choices or value in choices


def box_options(cell: Cell) -> Options:
    """Options of the people of COCO: the preset that makes windows from boxes, and a file of detected boxes.

    Empty for other datasets, whose windows come with the people. Raises Problem for options that cannot be used.
    """
    detections, name = cell.options.get("detections"), cell.options.get("preset")
    if not detections and not name:
        return {}
    from protocols.coco.top_down import HRNET, PRESETS  # imports numpy, which most plans do not need

    if name and name not in PRESETS:
        raise Problem(f"There is no preset {name!r}.", expected=f"one of {', '.join(PRESETS)}")
    detectable = "detected boxes" in DATASETS[cell.dataset].has
    if detections and not detectable:
        raise Problem(f"{cell.dataset} has no detected boxes.", next_step="--dataset coco, or no detections")
    if detections and not Path(detections).is_file():
        raise Problem(
            f"{detections}: there is no such file of detected boxes.",
            expected="a list of {image_id, category_id, bbox, score} as JSON, made by a person detector",
            next_step="check the path, or leave detections out for ground-truth boxes",
            code=DATA,
        )
    if not detectable:
        return {}
    found = {"boxes": "detections", "detections": Path(detections)} if detections else {}
    return {**found, "preset": PRESETS[name] if name else HRNET}
