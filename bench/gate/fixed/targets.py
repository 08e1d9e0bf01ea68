"""Targets of every kind, and the loss of every recipe, for fixed keypoints and outputs."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from bench.cells import recipe as recipes
from bench.gate.fixed import Case, Row
from bench.gate.fixed.rows import of_array
from bench.training.losses import TARGETS, Supervision, class_loss, heatmap_loss
from protocols.pose.targets import background

GRID, SIZE = (16, 12), (64, 48)
NETWORKS = {  # how a network supervises its outputs
    "plain": (17, Supervision()),
    "background": (18, Supervision()),
    "kernels": (17, Supervision(kernels=(15, 7), heads=2)),
    "groups": (3, Supervision(joints=((0, 5, -1), (2, 3, 1)))),
}


def cases(folder: Path) -> dict[str, Case]:
    """Every kind of targets, and every recipe with every supervision."""
    found: dict[str, Case] = {kind: partial(_maps, kind) for kind in TARGETS if kind != "classes"}
    for path in sorted(recipes.FOLDER.glob("*.toml")):
        classes = recipes.load(path.stem).targets.kind == "classes"
        found[f"loss of {path.stem}"] = _cross_entropy if classes else partial(_losses, path.stem)
    return found


def keypoints() -> torch.Tensor:
    """Positions on a grid of 16 x 12 pixels, 2 x 17 x 2: on pixels, between them, on borders, outside and NaN."""
    x = [0, 4.5, 5.5, 11, 11.4999, 11.5, -0.5, -0.4, -3, -4.6, 14.4, 15, 3.25, 7.75, 6.5, np.nan, -0.51]
    y = [0, 2.5, 7.5, 15, 15.4999, 3.5, -0.5, 9.6, 4, 2, 18.4, 19, 0.49, -0.75, 15.5, 4, 5]
    points = np.stack([x, y], axis=1)
    return torch.from_numpy(np.stack([points, points[::-1] / 2 + 0.125])).float()


def visibility() -> torch.Tensor:
    """Codes of `keypoints`, 2 x 17: absent, occluded and visible in turn."""
    return torch.arange(34).view(2, 17) % 5 % 3


def _maps(kind: str) -> Iterator[Row]:
    for sigma, kernel in ((1.0, 7), (0.875, 15), (2.0, 5)):
        maps, inside = TARGETS[kind](keypoints(), GRID, sigma, kernel)
        yield from of_array(f"sigma {sigma}, kernel {kernel}", maps)
        yield from of_array(f"inside, sigma {sigma}, kernel {kernel}", inside)
        yield from of_array(f"background, sigma {sigma}, kernel {kernel}", background(maps, 0.5)[:, -1])


def _losses(name: str) -> Iterator[Row]:
    """The loss and its gradient with respect to the outputs."""
    recipe = recipes.load(name)
    for words, (maps, supervised) in NETWORKS.items():
        draws = np.random.RandomState(4)
        outputs = tuple(
            torch.from_numpy(draws.randint(0, 65, (2, maps, *GRID)) / 64 * recipe.targets.peak).float().requires_grad_()
            for _ in range(2)
        )
        points = keypoints() * 4 + recipe.targets.centre
        loss = heatmap_loss(outputs, points, visibility(), SIZE, recipe.targets, recipe.loss, supervised)
        yield Row(words, "loss", float(loss.detach()))
        yield from of_array(f"{words}, gradient", torch.stack(torch.autograd.grad(loss, outputs)))


def _cross_entropy() -> Iterator[Row]:
    logits = torch.from_numpy(np.random.RandomState(5).randint(-64, 65, (4, 10)) / 16).float()
    yield Row("classes", "loss", float(class_loss((logits, logits / 2), torch.tensor([0, 3, 3, 9]))))
