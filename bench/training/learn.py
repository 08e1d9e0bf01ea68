"""Training of a cell: opens its training data, then runs the loop."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench import progress
from bench.cells import recipe as recipes
from bench.cells.cell import Cell
from bench.cells.training_sets import source_of
from bench.context import RunContext
from bench.progress import timed
from bench.training import distributed
from bench.training.checkpoint import State
from bench.training.curves import curves, no_curves
from bench.training.examples import Examples, Training, people_examples
from bench.training.pictures import image_examples
from bench.training.prepare import Crops, prepare
from bench.training.train import fit
from bench.training.validation import hold_out, validate
from protocols.datasets import DATASETS, open_labelled_images
from protocols.errors import DataError
from protocols.pose.skeletons import SKELETONS

HELD_OUT_PICTURES = 1000


def learn(cell: Cell, network: nn.Module, ctx: RunContext, work: Path, seconds: dict[str, float]) -> State:
    """Train `network` in place as the cell says, with checkpoints in `work`; add the time of each step to `seconds`."""
    recipe, skeleton = recipes.load(cell.recipe_name), SKELETONS.get(cell.skeleton)
    training = Training(recipe, cell.budget, cell.row.input, skeleton, cell.seed, ctx.device)
    with timed(seconds, "prepare"):
        crops = None if skeleton is None else _crops(cell, ctx, training)
        fit_baseline: Any = getattr(network, "fit", None)  # of a baseline without gradients
        examples = None if fit_baseline else _examples(cell, crops, network, ctx, training)
    with timed(seconds, "train"):
        if crops is not None and examples is None:
            fit_baseline(torch.from_numpy(crops.fractions()), torch.from_numpy(crops.annotated))
            return State()
        assert examples is not None  # baselines are of people
        label = f"{cell.row.name} on {cell.training_data}, {cell.budget} budget, seed {cell.seed}"
        drawing = curves(ctx.tensorboard, f"{label} {work.name}") if ctx.tensorboard else nullcontext(no_curves)
        with progress.step(label) as update, drawing as draw:
            state = fit(network, examples, training, work, update, draw)
    if distributed.size() > 1:
        state.notes.append(f"trained by {distributed.size()} processes, each with batch statistics of its own share")
    seconds["train"] = state.seconds  # including those before a kill
    return state


def _crops(cell: Cell, ctx: RunContext, training: Training) -> Crops:
    """The prepared cache of the training set."""
    source = source_of(cell.training_data, ctx.data, cell.skeleton, training.hyper.people, cell.drop_invalid)
    with progress.step(f"{source.label}: crops") as update:
        return prepare(ctx.store, source, training.size, update)


def _examples(cell: Cell, crops: Crops | None, network: nn.Module, ctx: RunContext, training: Training) -> Examples:
    """Examples of people or pictures, with a held-out score where the test split can be read."""
    if crops is None:
        known = DATASETS[cell.dataset]
        pictures = open_labelled_images(known.name, known.train, ctx.data, training.hyper.people)
        held_out = open_labelled_images(known.name, known.test, ctx.data, HELD_OUT_PICTURES)
        return image_examples(pictures, held_out, training)
    try:
        with progress.step(f"{cell.dataset}: people to validate on") as update:
            held_out = hold_out(ctx.store, cell.dataset, ctx.data, training, update)
    except DataError as error:
        progress.say(f"no validation during this training: {error}")
        return people_examples(crops, network, training)
    return people_examples(crops, network, training, partial(validate, held_out=held_out, training=training))
