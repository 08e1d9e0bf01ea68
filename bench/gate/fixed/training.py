"""Augmentation, learning rates and optimizer steps of every recipe, on fixed crops and gradients."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bench.cells import recipe as recipes
from bench.cells.recipe import Recipe
from bench.gate.fixed import Case, Row
from bench.gate.fixed.annotation import keypoints, visibility
from bench.gate.fixed.rows import of_array
from bench.training.batches import augmented, rows_of_step
from bench.training.examples import Training
from bench.training.optimizers import optimizer_of, set_rate
from bench.training.pictures import image_examples
from bench.training.prepare import Crops
from protocols.datasets import open_labelled_images
from protocols.pose.skeletons import MPII

SIZE, SIDE = (64, 48), 96  # of the input; of the stored crops
STEPS, TOTAL = 3, 3000


def cases(folder: Path) -> dict[str, Case]:
    """A case for each recipe."""
    return {path.stem: partial(_rows, path.stem, folder / "demo") for path in sorted(recipes.FOLDER.glob("*.toml"))}


def _rows(name: str, data: Path) -> Iterator[Row]:
    recipe = recipes.load(name)
    yield from (_pictures(recipe, data) if recipe.targets.kind == "classes" else _people(recipe))
    for budget in ("full", "quick"):
        yield from _steps(recipe, budget)


def _people(recipe: Recipe) -> Iterator[Row]:
    """Images, points and codes of one batch of eight people."""
    scale = SIDE / 400
    points = (keypoints(MPII) * scale).astype(np.float32)
    boxes = np.concatenate([points.min(axis=1), np.ptp(points, axis=1)], axis=1)
    pixels = np.random.RandomState(6).randint(0, 256, (len(points), SIDE, SIDE, 3)).astype(np.uint8)
    crops = Crops(pixels, points, visibility(MPII).astype(np.uint8), boxes)
    rows = rows_of_step(5, len(crops), 6, seed=1)
    generator = torch.Generator().manual_seed(0)
    batch = augmented(crops, rows, SIZE, recipe.augmentation, recipe.pixels, MPII, generator, "cpu")
    yield from of_array("rows", rows)
    for words, array in zip(("images", "points", "visibility"), batch, strict=True):
        yield from of_array(words, array)


def _pictures(recipe: Recipe, data: Path) -> Iterator[Row]:
    pictures = open_labelled_images("cifar10", "train", data)
    examples = image_examples(pictures, pictures, Training(recipe, "full", (32, 32), None, 0, "cpu"))
    rows = np.arange(6)
    images, labels = examples.batch(rows, slice(None), pictures.images[rows], torch.Generator().manual_seed(0))
    yield from of_array("images", images)
    yield from of_array("labels", labels)


def _steps(recipe: Recipe, budget: str) -> Iterator[Row]:
    """Rates over a training of 3,000 steps, and the weights after its first three on a fixed gradient."""
    hyper = recipe.budgeted(budget)
    network = nn.ModuleDict({"first": nn.Linear(4, 3), "last": nn.Linear(3, 2)}).double()
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.5)
    optimizer = optimizer_of(network, hyper)
    for step in range(STEPS):
        set_rate(optimizer, hyper, step, TOTAL)
        for number, parameter in enumerate(network.parameters(), start=1):
            parameter.grad = torch.full_like(parameter, (number + step) / 8)
        optimizer.step()
    yield from of_array(f"{budget}: weights", torch.cat([p.detach().flatten() for p in network.parameters()]) - 0.5)
    rates = []
    for step in (0, 100, 1000, 2400, 2999):
        set_rate(optimizer, hyper, step, TOTAL)
        rates += [group["lr"] for group in optimizer.param_groups]
    yield from of_array(f"{budget}: rates", np.array(rates))
    yield Row(f"{budget}: steps", "22,246 people", hyper.total_steps(22246))
