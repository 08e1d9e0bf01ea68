"""What a network is trained on: people with keypoints, or pictures with classes, behind one small interface."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.cells.recipe import Plan, Recipe
from bench.training.batches import augmented
from bench.training.losses import heatmap_loss, supervision
from bench.training.prepare import Crops
from protocols.pose.skeletons import Skeleton


@dataclass(frozen=True)
class Training:
    """What is trained how, apart from the network and the people."""

    recipe: Recipe
    budget: str
    size: tuple[int, int]  # of the input
    skeleton: Skeleton | None  # None for classes
    seed: int
    device: str

    @property
    def plan(self) -> Plan:
        return self.recipe.budgeted(self.budget)


@dataclass(frozen=True)
class Examples:
    """Functions of rows; what they draw at random follows from the generator alone."""

    count: int
    load: Callable[[np.ndarray], np.ndarray]  # rows -> pixels as stored
    batch: Callable[[np.ndarray, slice, np.ndarray, torch.Generator], tuple[torch.Tensor, Any]]
    # all rows of a step, the part that is wanted, its pixels, generator -> images of that part, what is true of them
    loss: Callable[[tuple[torch.Tensor, ...], Any], torch.Tensor]  # outputs, what is true -> mean over the images
    name: Callable[[int], str]  # row -> what to call it in a message
    validate: Callable[[nn.Module], float] | None = None  # network in evaluation mode -> held-out score, per cent


def of_people(
    crops: Crops, network: nn.Module, training: Training, validate: Callable[[nn.Module], float] | None = None
) -> Examples:
    """Pre-cropped people for a network with heatmaps."""
    recipe, given = training.recipe, supervision(network)

    def batch(rows: np.ndarray, part: slice, pixels: np.ndarray, generator: torch.Generator) -> tuple:
        rules = (training.size, recipe.augmentation, recipe.pixels, training.skeleton, generator, training.device)
        images, points, visibility = augmented(crops, rows, *rules, part, pixels)
        return images, (points, visibility)

    def loss(outputs: tuple[torch.Tensor, ...], truth: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return heatmap_loss(outputs, *truth, training.size, recipe.targets, recipe.loss, given)

    def name(row: int) -> str:
        return crops.names[row] if crops.names else str(row)

    return Examples(len(crops), lambda rows: crops.pixels[rows], batch, loss, name, validate)
