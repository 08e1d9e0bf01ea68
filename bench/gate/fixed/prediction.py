"""Predictions by a fixed filter instead of a network, as every recipe tests: crops, pixels, flips, scales."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from bench.cells import recipe as recipes
from bench.gate.fixed import Case, Row
from bench.gate.fixed.rows import of_array
from bench.steps.predict import predict
from bench.training.pictures import classify
from protocols.datasets import open_labelled_images, open_people

SIZE = (64, 64)


class Filter(nn.Module):
    """One convolution of stride 4 with weights from a seed: images N x 3 x h x w to N x joints x h/4 x w/4."""

    def __init__(self, joints: int):
        super().__init__()
        weights = np.random.RandomState(3).randint(-8, 9, (joints, 3, 6, 6)) / 64
        self.weights = nn.Parameter(torch.from_numpy(weights).float())

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        return (F.conv2d(images, self.weights, stride=4, padding=1),)


class Mean(Filter):
    """Class scores, N x 10: means of the filtered pictures."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        return (super().forward(images)[0].square().mean((2, 3)),)


def cases(folder: Path) -> dict[str, Case]:
    """Every recipe on MPII, or on CIFAR-10 if it is of classifiers; one recipe on the other datasets."""
    data = folder / "demo"
    found: dict[str, Case] = {}
    for path in sorted(recipes.FOLDER.glob("*.toml")):
        classes = recipes.load(path.stem).targets.kind == "classes"
        case = partial(_classes, path.stem, data) if classes else partial(_people, path.stem, data, "mpii", "val")
        found[path.stem] = case
    for dataset, split in (("lsp", "test"), ("coco", "val2017")):
        found[f"ablation on {dataset}"] = partial(_people, "ablation", data, dataset, split)
    return found


def _people(recipe: str, data: Path, dataset: str, split: str) -> Iterator[Row]:
    people = open_people(dataset, split, data)
    with tempfile.TemporaryDirectory(prefix="bench-fixed-") as work:
        network = Filter(len(people.skeleton))
        found = predict(network, people, recipes.load(recipe), SIZE, Path(work), "cpu", lambda *_: None)
    yield from of_array("keypoints", found.keypoints)
    yield from of_array("score", np.zeros(0) if found.scores is None else found.scores)


def _classes(recipe: str, data: Path) -> Iterator[Row]:
    pictures = open_labelled_images("cifar10", "test", data)
    scores = classify(Mean(10), pictures, recipes.load(recipe), "cpu").scores
    yield from of_array("score", np.zeros(0) if scores is None else scores)
