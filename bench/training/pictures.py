"""CIFAR-10: training examples of labelled pictures, class scores, held-out accuracy."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from bench.cells.recipe import Recipe
from bench.errors import CELL_FAILED, Problem
from bench.training.batches import normalised
from bench.training.examples import Examples, Training
from bench.training.losses import class_loss
from protocols.datasets.cifar10 import LabelledImages
from protocols.pose.people import Predictions

BATCH = 250


def image_examples(pictures: LabelledImages, held_out: LabelledImages, training: Training) -> Examples:
    """Examples of labelled images, for a classifier; shifted with a reflected border, and mirrored."""
    augmentation = training.recipe.augmentation
    labels = torch.from_numpy(pictures.labels)

    def batch(rows: np.ndarray, part: slice, pixels: np.ndarray, generator: torch.Generator) -> tuple:
        shift = torch.randint(-augmentation.shift, augmentation.shift + 1, (len(rows), 2), generator=generator)[part]
        mirrored = (torch.rand(len(rows), generator=generator) < augmentation.flip)[part]
        images = torch.from_numpy(pixels).to(training.device).permute(0, 3, 1, 2).float() / 255
        images = torch.where(mirrored.to(training.device)[:, None, None, None], images.flip(-1), images)
        images = shifted(images, shift.to(training.device), augmentation.shift)
        return normalised(images, training.recipe.pixels), labels[rows[part]].to(training.device)

    def validate(network: nn.Module) -> float:
        scores = classify(network, held_out, training.recipe, training.device).scores
        assert scores is not None  # of a classifier
        return 100 * float((scores.argmax(1) == held_out.labels).mean())

    return Examples(len(pictures), lambda rows: pictures.images[rows], batch, class_loss, str, validate)


def shifted(images: torch.Tensor, shift: torch.Tensor, largest: int) -> torch.Tensor:
    """Move B x 3 x H x W images left and up by B x 2 whole pixels (x, y); the border is reflected."""
    height, width = images.shape[-2:]
    padded = F.pad(images, [largest] * 4, mode="reflect").permute(0, 2, 3, 1)
    x = torch.arange(width, device=images.device) + largest + shift[:, :1]  # B x W
    y = torch.arange(height, device=images.device) + largest + shift[:, 1:]  # B x H
    index = torch.arange(len(images), device=images.device)[:, None, None]
    return padded[index, y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)


def classify(network: nn.Module, pictures: LabelledImages, recipe: Recipe, device: str) -> Predictions:
    """Predict class scores (`scores`, N x 10; no keypoints), averaged with the mirror images if the recipe says so."""
    network.to(device, memory_format=torch.channels_last).eval()  # pyright: ignore[reportCallIssue] - not in the stubs
    parts = [pictures.images[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
    scores = np.concatenate([_scores(network, part, recipe, device) for part in parts])
    if not np.isfinite(scores).all():
        raise Problem(
            "The network's class scores hold values that are not finite.",
            cause="the training diverged, or the weights belong to another network",
            code=CELL_FAILED,
        )
    return Predictions(np.zeros((len(scores), 0, 2)), scores)


@torch.inference_mode()
def _scores(network: nn.Module, pixels: np.ndarray, recipe: Recipe, device: str) -> np.ndarray:
    """Class scores of a batch (N x 32 x 32 x 3 uint8)."""
    images = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255
    images = normalised(images, recipe.pixels).contiguous(memory_format=torch.channels_last)
    scores = network(images)[-1].float()
    if recipe.testing.flip:
        scores = (scores + network(images.flip(-1))[-1].float()) / 2
    return scores.double().cpu().numpy()
