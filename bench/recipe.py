"""Recipes: how a paper trains and tests, read from `architectures/recipes/*.toml`."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from bench.errors import Problem

FOLDER = Path(__file__).resolve().parent.parent / "architectures" / "recipes"


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file; a key that is not a field is an error."""


class Training(_Table):
    """How many steps of what size."""

    optimizer: Literal["rmsprop", "adam", "sgd"]
    learning_rate: float
    batch: int
    steps: int = 0  # either this, or
    epochs: float = 0.0  # passes over the training people
    schedule: Literal["constant", "drops", "linear"] = "constant"  # linear: down to 0 at the last step
    drops: tuple[tuple[float, float], ...] = ()  # (share of the steps, factor), for schedule = "drops"
    warmup: int = 0  # steps over which the rate rises from a tenth
    weight_decay: float = 0.0
    momentum: float = 0.0

    def total_steps(self, people: int) -> int:
        """How many steps the whole training takes on so many people."""
        return self.steps or round(self.epochs * people / self.batch)


class Augmentation(_Table):
    """What happens to a training crop; angles in degrees, the rest as shares."""

    rotation: float = 0.0  # uniform in +-
    rotation_probability: float = 1.0
    scale: tuple[float, float] = (1.0, 1.0)  # uniform factor on the window
    flip: float = 0.0  # probability
    colour: float = 0.0  # each channel times uniform 1 +-


class Targets(_Table):
    sigma: float  # cells of the heatmap


class Testing(_Table):
    flip: bool = True
    flip_shift: bool = True


class Pixels(_Table):
    """Input = (pixel / 255 - mean) / std, channels in the order RGB."""

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


class Recipe(_Table):
    paper: str
    training: Training
    targets: Targets
    augmentation: Augmentation = Augmentation()
    testing: Testing = Testing()
    pixels: Pixels = Pixels()
    quick: dict[str, Any] = {}  # fields of `training` under --budget quick

    def train_inputs(self, budget: str) -> dict[str, Any]:
        """Everything here that decides the weights, as plain data for the key."""
        return msgspec.to_builtins(
            {
                "training": self.budgeted(budget),
                "augmentation": self.augmentation,
                "targets": self.targets,
                "pixels": self.pixels,
            }
        )

    def budgeted(self, budget: str) -> Training:
        """The training of the paper ("full"), or one scaled down to minutes ("quick")."""
        if budget == "full":
            return self.training
        return msgspec.convert({**msgspec.to_builtins(self.training), **self.quick}, Training)


def load(name: str) -> Recipe:
    """The recipe of a paper, or of a file (`path/to/recipe.toml`)."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.toml")))
        raise Problem(f"There is no recipe {name!r}.", expected=f"one of {known}, or a .toml file")
    try:
        recipe = msgspec.toml.decode(path.read_bytes(), type=Recipe)
        recipe.budgeted("quick")
    except msgspec.MsgspecError as error:
        raise Problem(
            f"{path.name}: {error}.", next_step="compare with architectures/recipes/newell2016.toml"
        ) from error
    return recipe
