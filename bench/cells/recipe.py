"""Recipes: how a paper trains and tests, read from `architectures/recipes/*.toml`."""

from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Literal, cast

import msgspec
from msgspec import NODEFAULT, Meta, inspect, structs

import architectures
from bench.cells.choices import words
from bench.errors import Problem
from bench.store.digests import Inputs, content_key, unusual

FOLDER = Path(architectures.__file__).with_name("recipes")


Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]  # what seeds and counts of the libraries can hold
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Kernel = Literal[1, 3, 5, 7, 9, 11, 13, 15]  # heatmap pixels


def _word(table: str) -> Meta:
    """Mark a field as one of the words of a table of the code: see bench.cells.choices."""
    return Meta(extra={"words": table})


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of a recipe file; unknown keys are errors, and so are words that no code knows."""

    def __post_init__(self) -> None:
        for field, table in _tables_of_words(type(self)).items():
            if (word := getattr(self, field)) not in words(table):
                raise ValueError(f"{field} {word!r} is none of {', '.join(words(table))}")


@cache
def _tables_of_words(table: type[_Table]) -> dict[str, str]:
    """Field -> table of its words."""
    struct = cast(inspect.StructType, inspect.type_info(table))
    fields = {field.name: field.type for field in struct.fields}
    extras = {name: kind.extra for name, kind in fields.items() if isinstance(kind, inspect.Metadata) and kind.extra}
    return {name: extra["words"] for name, extra in extras.items() if "words" in extra}


class Hyperparameters(_Table, frozen=True):
    """Hyper-parameters of the training: optimizer, number and size of steps, schedule, averaging."""

    optimizer: Annotated[str, _word("bench.training.optimizers:OPTIMIZERS")]
    learning_rate: Positive
    batch: Annotated[int, Meta(ge=1)]
    steps: Count = 0  # either this, or
    epochs: Annotated[float, Meta(ge=0)] = 0.0  # passes over the training people
    people: Count = 0  # train on only the first so many; 0 for all
    schedule: Annotated[str, _word("bench.training.optimizers:SCHEDULES")] = "constant"
    drops: tuple[tuple[float, float], ...] = ()  # (share of the steps, factor), for schedule = "drops"
    warmup: Count = 0  # steps over which the rate rises from a tenth
    weight_decay: NotNegative = 0.0
    momentum: NotNegative = 0.0
    nesterov: bool = False
    rates: dict[str, Positive] = {}  # factors on the rate of the parameters below a module, by its name
    bias_rate: Positive = 1.0  # factor on the rate of biases
    bias_decay: bool = True  # whether biases decay with the weights
    ema: Share = 0.0  # decay of the moving average of the weights, which is used in the end; 0: no average
    precision: Annotated[str, _word("bench.training.train:AUTOCAST")] = "float32"  # of the forward pass
    micro_batch: Count = 0  # people in memory at once, per process; 0 for its share of the batch
    checkpointing: bool = False  # recompute the stages of a network in the backward pass, to save memory
    compile: bool = False
    deterministic: bool = False  # only algorithms that repeat to the last bit on an accelerator, too

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.steps and not self.epochs:
            raise ValueError("steps or epochs must be above 0")
        if self.nesterov and (self.optimizer != "sgd" or not self.momentum):
            raise ValueError("nesterov needs optimizer sgd and a momentum above 0")
        if self.compile and self.checkpointing:
            raise ValueError("compile and checkpointing exclude each other: torch compiles no recomputed stages")

    def total_steps(self, people: int) -> int:
        """Number of steps of the training on `people` people."""
        return self.steps or max(1, round(self.epochs * people / self.batch))


class Augmentation(_Table, frozen=True):
    """Random changes to a training crop; angles in degrees, the rest as fractions."""

    rotation: NotNegative = 0.0  # uniform in +-
    rotation_probability: Share = 1.0
    scale: tuple[Positive, Positive] = (1.0, 1.0)  # uniform factor on the window
    flip: Share = 0.0  # probability
    colour: Share = 0.0  # each channel times uniform 1 +-
    shift: Count = 0  # whole pixels in x and y, uniform in +-; the border is reflected (images without keypoints)
    box: tuple[NotNegative, NotNegative] = (0.0, 0.0)  # the person's box grows by uniform 0 to this in x and y;
    # the window is this box, fitted to the input's shape, where the dataset has boxes
    box_margin: Positive = 1.0  # factor on that window
    half_body: Share = 0.0  # probability to crop to the upper or the lower body, if
    half_body_joints: Count = 8  # more than so many joints are annotated
    half_body_upper: Share = 0.5  # probability of the upper one
    half_body_hips: Annotated[str, _word("bench.training.batches:LOWER_HALF")] = "lower"  # the half that they belong to
    half_body_box: tuple[NotNegative, NotNegative] = (0.6, 0.8)  # as `box`, around the joints of that half


class Targets(_Table, frozen=True):
    """Targets that the outputs are trained towards."""

    kind: Annotated[str, _word("bench.training.losses:TARGETS")] = "gaussian"
    # gaussian: centred on the nearest heatmap pixel; exact: centred on the exact position; blurred: an impulse blurred
    # as OpenCV does it, with the kernels that the network names for its outputs, else `kernel`
    sigma: Positive = 1.0  # heatmap pixels
    kernel: Kernel = 7
    peak: Positive = 1.0
    centre: float = 0.0  # input pixel of heatmap pixel 0, also for decoding
    absent: Annotated[str, _word("bench.training.losses:ABSENT_JOINTS")] = "ignore"
    # joints that are not annotated, or outside: no loss (ignore), or empty maps (zero)
    occluded: Annotated[str, _word("bench.training.losses:OCCLUDED_JOINTS")] = (
        "teach"  # zero: coarse heads learn empty maps for occluded joints
    )


class Loss(_Table, frozen=True):
    """Squared differences, summed over the outputs."""

    reduction: Annotated[str, _word("bench.training.losses:REDUCTIONS")] = "mean"
    hardest: Count = 0  # the finest head of a stage learns only this many joints, those with the largest loss; 0: all
    coarse_weight: Positive = 1.0  # of the other heads


class Testing(_Table, frozen=True):
    """Test-time options: from images to keypoints."""

    flip: bool = True  # average with the maps of the mirror image
    flip_shift: bool = True  # moved by one heatmap pixel
    decoding: Annotated[str, _word("bench.steps.predict:DECODINGS")] = "quarter"
    kernel: Kernel = 5  # of the blur before decoding = "second-peak"
    scales: tuple[Positive, ...] = (1.0,)  # factors on the window; of several, maps are averaged before an argmax


class Pixels(_Table, frozen=True):
    """Input = (pixel / 255 - mean) / std, in the order of `channels`."""

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[Positive, Positive, Positive] = (1.0, 1.0, 1.0)
    channels: Annotated[str, _word("bench.training.batches:CHANNELS")] = "rgb"


class Recipe(_Table, frozen=True, dict=True):
    """A recipe: how a network is trained and tested."""

    paper: str
    training: Hyperparameters
    targets: Targets
    loss: Loss = Loss()
    augmentation: Augmentation = Augmentation()
    testing: Testing = Testing()
    pixels: Pixels = Pixels()
    quick: dict[str, object] = {}  # fields of `training` under --budget quick

    def train_inputs(self, budget: str) -> Inputs:
        """Fields that decide the weights, as plain data for the key."""
        if budget not in self._train_inputs:
            self._train_inputs[budget] = _deciding(
                training=self.budgeted(budget),
                augmentation=self.augmentation,
                targets=self.targets,
                loss=self.loss,
                pixels=self.pixels,
            )
        return self._train_inputs[budget]

    @cached_property
    def _train_inputs(self) -> dict[str, Inputs]:
        """Inputs by budget: thousands of cells share them."""
        return {}

    def test_inputs(self) -> Inputs:
        """Fields that decide the predictions of given weights, as plain data for the key."""
        maps = Targets(centre=self.targets.centre, peak=self.targets.peak)
        return _deciding(testing=self.testing, pixels=self.pixels, maps=maps)

    def budgeted(self, budget: str) -> Hyperparameters:
        """The training of the paper ("full"), or one scaled down to minutes ("quick")."""
        if budget == "full":
            return self.training
        if budget != "quick":
            raise Problem(f"There is no budget {budget!r}.", expected="full or quick")
        return msgspec.convert({**msgspec.to_builtins(self.training), **self.quick}, Hyperparameters)


def _deciding(**tables: _Table) -> Inputs:
    """Fields of tables that are not at their default, as JSON would give them back.

    So a table that gains a field keeps the key of every training without it. (omit_defaults of msgspec compares
    numbers by identity, and omits none that was read from a file.)
    """
    found = {name: unusual(structs.asdict(table), defaults(type(table))) for name, table in tables.items()}
    return msgspec.json.decode(msgspec.json.encode({name: values for name, values in found.items() if values}))


@cache
def defaults(table: type[_Table]) -> dict[str, object]:
    """Defaults of the optional fields of a table, by name."""
    fields = {field.name: field for field in structs.fields(table) if not field.required}
    made = {name: field.default_factory for name, field in fields.items() if field.default_factory is not NODEFAULT}
    return {name: made[name]() if name in made else field.default for name, field in fields.items()}


def load(name: str) -> Recipe:
    """Load the recipe of a paper, or of a file (`path/to/recipe.toml`). Raises Problem if it cannot be read."""
    return read(_path(name))


def digest(name: str, budget: str) -> str:
    """Digest (eight hexadecimal digits) of everything in a recipe that decides the weights."""
    return _digest(_path(name), budget)


@cache
def _digest(path: Path, budget: str) -> str:
    return content_key(read(path).train_inputs(budget))[:8]


def _path(name: str) -> Path:
    # Absolute, since a relative path means another file in another working directory.
    path = Path(name).absolute() if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.toml")))
        raise Problem(f"There is no recipe {name!r}.", expected=f"one of {known}, or a .toml file")
    return path


@cache
def read(path: Path) -> Recipe:
    """Read a recipe file, once per process, so that a run has one version of it. Raises Problem for an invalid one."""
    try:
        recipe = msgspec.toml.decode(path.read_bytes(), type=Recipe)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _refusal(path, str(error)) from error
    try:
        recipe.budgeted("quick")
    except msgspec.MsgspecError as error:
        raise _refusal(path, f"{error}, in the table [quick]") from error
    return recipe


def _refusal(path: Path, why: str) -> Problem:
    return Problem(f"{path.name}: {why}.", next_step="compare with architectures/recipes/newell2016.toml")
