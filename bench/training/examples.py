"""Training data behind one interface: people with keypoints, or pictures with classes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.cells.recipe import Hyperparameters, Recipe
from bench.training.batches import augmented
from bench.training.losses import heatmap_loss, supervision
from bench.training.prepare import Crops
from protocols.pose.skeletons import Skeleton


@dataclass(frozen=True)
class Training:
    """The settings of a training run: everything but the network and its data."""

    recipe: Recipe
    budget: str  # "full" or "quick"
    size: tuple[int, int]  # height and width of the input
    skeleton: Skeleton | None  # None for a classifier
    seed: int
    device: str

    @property
    def hyper(self) -> Hyperparameters:
        """Hyper-parameters of the recipe under the budget."""
        return self.recipe.budgeted(self.budget)


@dataclass(frozen=True)
class Examples:
    """Training data as callables over row indices; all randomness comes from the generator passed in."""

    count: int
    load: Callable[[np.ndarray], np.ndarray]  # rows -> pixels as stored (uint8)
    batch: Callable[[np.ndarray, slice, np.ndarray, torch.Generator], tuple[torch.Tensor, Any]]
    # all rows of a step, a slice of them, the pixels of the slice, generator -> images and ground truth of the slice
    loss: Callable[
        [tuple[torch.Tensor, ...], Any], torch.Tensor
    ]  # outputs, ground truth -> loss, a mean over the images
    name: Callable[[int], str]  # row -> its name in messages
    validate: Callable[[nn.Module], float] | None = None  # network in evaluation mode -> held-out score, per cent


def people_examples(
    crops: Crops, network: nn.Module, training: Training, validate: Callable[[nn.Module], float] | None = None
) -> Examples:
    """Examples of pre-cropped people, for a network that outputs heatmaps."""
    recipe, skeleton, supervised = training.recipe, training.skeleton, supervision(network)
    assert skeleton is not None  # only a classifier has none

    def batch(rows: np.ndarray, part: slice, pixels: np.ndarray, generator: torch.Generator) -> tuple:
        images, points, visibility = augmented(
            crops,
            rows,
            training.size,
            recipe.augmentation,
            recipe.pixels,
            skeleton,
            generator,
            training.device,
            part,
            pixels,
        )
        return images, (points, visibility)

    def loss(outputs: tuple[torch.Tensor, ...], truth: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return heatmap_loss(outputs, *truth, training.size, recipe.targets, recipe.loss, supervised)

    def name(row: int) -> str:
        return crops.names[row] if crops.names else str(row)

    return Examples(len(crops), lambda rows: crops.pixels[rows], batch, loss, name, validate)
