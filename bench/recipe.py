"""Recipes: how a paper trains and tests, read from `architectures/recipes/*.toml`."""

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bench.errors import Problem

FOLDER = Path(__file__).resolve().parent.parent / "architectures" / "recipes"


Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file; a key that is not a field is an error."""


class Plan(_Table):
    """How many steps of what size."""

    optimizer: Literal["rmsprop", "adam", "sgd"]
    learning_rate: Positive
    batch: Annotated[int, Meta(ge=1)]
    steps: Count = 0  # either this, or
    epochs: Annotated[float, Meta(ge=0)] = 0.0  # passes over the training people
    people: Count = 0  # train on only the first so many; 0 for all
    schedule: Literal["constant", "drops", "linear"] = "constant"  # linear: down to 0 at the last step
    drops: tuple[tuple[float, float], ...] = ()  # (share of the steps, factor), for schedule = "drops"
    warmup: Count = 0  # steps over which the rate rises from a tenth
    weight_decay: float = 0.0
    momentum: float = 0.0

    def __post_init__(self) -> None:
        if not self.steps and not self.epochs:
            raise ValueError("steps or epochs must be above 0")

    def total_steps(self, people: int) -> int:
        """How many steps the whole training takes on so many people."""
        return self.steps or max(1, round(self.epochs * people / self.batch))


class Augmentation(_Table):
    """What happens to a training crop; angles in degrees, the rest as shares."""

    rotation: float = 0.0  # uniform in +-
    rotation_probability: Share = 1.0
    scale: tuple[Positive, Positive] = (1.0, 1.0)  # uniform factor on the window
    flip: Share = 0.0  # probability
    colour: float = 0.0  # each channel times uniform 1 +-


class Targets(_Table):
    sigma: Positive  # cells of the heatmap


class Testing(_Table):
    flip: bool = True
    flip_shift: bool = True


class Pixels(_Table):
    """Input = (pixel / 255 - mean) / std, channels in the order RGB."""

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


class Recipe(_Table):
    paper: str
    training: Plan
    targets: Targets
    augmentation: Augmentation = Augmentation()
    testing: Testing = Testing()
    pixels: Pixels = Pixels()
    quick: dict[str, Any] = {}  # fields of `training` under --budget quick

    def train_inputs(self, budget: str) -> dict[str, Any]:
        """Everything here that decides the weights, as plain data for the key: what it is when read from JSON."""
        inputs = {
            "training": self.budgeted(budget),
            "augmentation": self.augmentation,
            "targets": self.targets,
            "pixels": self.pixels,
        }
        return msgspec.json.decode(msgspec.json.encode(inputs))

    def budgeted(self, budget: str) -> Plan:
        """The training of the paper ("full"), or one scaled down to minutes ("quick")."""
        if budget == "full":
            return self.training
        if budget != "quick":
            raise Problem(f"There is no budget {budget!r}.", expected="full or quick")
        return msgspec.convert({**msgspec.to_builtins(self.training), **self.quick}, Plan)


@cache
def load(name: str) -> Recipe:
    """The recipe of a paper, or of a file (`path/to/recipe.toml`); each is read once, so that a run has one."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.toml")))
        raise Problem(f"There is no recipe {name!r}.", expected=f"one of {known}, or a .toml file")
    try:
        recipe = msgspec.toml.decode(path.read_bytes(), type=Recipe)
        recipe.budgeted("quick")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(
            f"{path.name}: {error}.", next_step="compare with architectures/recipes/newell2016.toml"
        ) from error
    return recipe
