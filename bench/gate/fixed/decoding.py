"""Fixed heatmaps to keypoints, with every word and option of a recipe that decides how."""

import itertools
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from msgspec.structs import replace

from bench.cells.recipe import Pixels, Recipe, Targets, Testing, load
from bench.gate.fixed import Case, Row
from bench.gate.fixed.rows import of_array
from bench.steps.predict import DECODINGS, decoded
from protocols.pose.skeletons import MPII

PEOPLE, SIZE, GRID = 3, (64, 48), (16, 12)  # height and width of the input and of the heatmaps
OPTIONS = {  # of every decoding
    "alone": (Testing(flip=False), Targets()),
    "flip": (Testing(flip=True, flip_shift=False), Targets()),
    "flip and shift": (Testing(flip=True, flip_shift=True), Targets()),
    "centre": (Testing(flip=False), Targets(centre=3.5)),
    "peak 255": (Testing(flip=False), Targets(peak=255.0)),
    "kernel 9": (Testing(flip=False, kernel=9), Targets()),
    "scales": (Testing(flip=False, scales=(0.75, 1.0, 1.25)), Targets()),
    "one scale": (Testing(flip=False, scales=(1.2,)), Targets(centre=3.5)),
    "scales, flip and centre": (Testing(flip=True, flip_shift=True, scales=(0.8, 1.1)), Targets(centre=3.5)),
}


def cases(folder: Path) -> dict[str, Case]:
    """Every decoding with every option."""
    plain = replace(load("newell2016"), pixels=Pixels())
    return {
        f"{word}, {name}": partial(_rows, replace(plain, testing=replace(testing, decoding=word), targets=targets))
        for word in DECODINGS
        for name, (testing, targets) in OPTIONS.items()
    }


def _rows(recipe: Recipe) -> Iterator[Row]:
    # A resized or blurred map has no ties: rounding would break them, on each machine in its own way.
    slope = 2.0**-10 if recipe.testing.decoding == "second-peak" or recipe.testing.scales != (1.0,) else 0.0
    maps = [heatmaps(seed, slope) * recipe.targets.peak for seed in range(len(recipe.testing.scales) + 1)]
    views = [(one, other) if recipe.testing.flip else (one,) for one, other in itertools.pairwise(maps)]
    points, scores = decoded(views, recipe, MPII, SIZE)
    yield from of_array("x", points[..., 0])
    yield from of_array("y", points[..., 1])
    yield from of_array("score", scores)


def heatmaps(seed: int, slope: float) -> torch.Tensor:
    """Sums of two bells a joint; also maxima on borders, of two pixels, and none above zero; a map more than joints.

    The numbers are multiples of 1/64, so that ties are ties on every machine, plus `slope` times the pixel's number.
    """
    draws = np.random.RandomState(seed)
    y, x = np.mgrid[: GRID[0], : GRID[1]]
    maps = np.zeros((PEOPLE, len(MPII) + 1, *GRID))
    for person, joint in np.ndindex(maps.shape[:2]):
        for height in (1.0, 0.75):
            row, column = draws.randint(0, GRID[0]), draws.randint(0, GRID[1])
            bell = np.exp2(-((x - column) ** 2 + (y - row) ** 2 * 2) / 4)
            maps[person, joint] += np.round(64 * height * bell) / 64
    maps[0, 0] = 0  # no maximum
    maps[0, 1] = maps[0, 1] / 64 - 1  # nothing above zero
    maps[0, 2, 5, 5:7] = 2  # two pixels
    for joint, (row, column) in enumerate(
        [(0, 0), (1, 1), (GRID[0] - 1, GRID[1] - 1), (2, 1), (1, 2), (7, 0)], start=3
    ):
        maps[1, joint, row, column] = 4
    return torch.from_numpy(maps + slope * (x + y * GRID[1])).float()
