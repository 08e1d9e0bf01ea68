"""Prediction: runs crops through a network, with flip test, decodes heatmaps and maps keypoints back to the image.

Finished shards stay in the work folder, so that a resumed prediction repeats at most one.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from bench.cells.recipe import Recipe
from bench.errors import CELL_FAILED, Problem
from bench.progress import Update
from bench.store.store import archive, write_atomically
from bench.training.batches import normalised
from protocols.network.bn_folding import fold_batch_norm
from protocols.pose.crops import crop, to_image, windows
from protocols.pose.decoding import argmax, flip_average, quarter_offset, second_peak
from protocols.pose.multi_scale import argmax_over_scales
from protocols.pose.people import People, Predictions
from protocols.pose.skeletons import Skeleton

SHARD = 256  # people
BATCH = 32
# Largest difference of heatmaps with --fast, relative to their maximum.
TOLERANCE = {"cpu": 1e-4, "cuda": 0.05}


def predict(
    network: nn.Module,
    people: People,
    recipe: Recipe,
    size: tuple[int, int],
    work: Path,
    device: str,
    update: Update,
    fast: bool = False,
) -> Predictions:
    """Predict keypoints of all people, in the frame of their annotation (float64, pixels), and heatmap maxima.

    With `fast` the network is replaced by a quicker one, whose heatmaps are equal within TOLERANCE.
    """
    network.to(device, memory_format=torch.channels_last).eval()  # pyright: ignore[reportCallIssue] - not in the stubs
    forward = faster(network, device) if fast else network
    shards = []
    for start in range(0, len(people), SHARD):
        rows = range(start, min(start + SHARD, len(people)))
        path = work / f"shard-{start:06d}.npz"
        if not path.exists():
            # TF32 would change scores with the device; benchmark: every batch has the same size.
            with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
                keypoints, scores = _predict_rows(forward, people, rows, recipe, size, device)
            write_atomically(path, archive(keypoints=keypoints, scores=scores))
        with np.load(path, allow_pickle=False) as shard:
            shards.append((shard["keypoints"], shard["scores"]))
        update(rows.stop, len(people), "")
    keypoints, scores = (np.concatenate(parts) for parts in zip(*shards, strict=True))
    return Predictions(keypoints, scores)


Forward = Callable[[torch.Tensor], tuple[torch.Tensor, ...]]  # a network, or its fast replacement


def faster(network: nn.Module, device: str) -> Forward:
    """Make a quicker version of a network for a device; benchmarks/networks.py compares the alternatives.

    Batch normalisation is folded into convolutions; an accelerator uses bfloat16 where autocast allows it.
    """
    folded = fold_batch_norm(network)
    network = folded.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - not in the stubs
    kind = torch.device(device).type
    if kind == "cpu":
        return network

    def forward(images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with torch.autocast(kind, torch.bfloat16):
            return network(images)

    return forward


@torch.inference_mode()
def _predict_rows(
    network: Forward, people: People, rows: range, recipe: Recipe, size: tuple[int, int], device: str
) -> tuple[np.ndarray, np.ndarray]:
    """Predict keypoints (n x J x 2) and scores (n x J) of the people of `rows`."""
    centre, height = windows(people)
    points, maxima = [], []
    for batch in _batches(people, rows, centre, height, size, recipe.testing.scales):
        maps = []
        for crops in batch:  # n x H x W x 3, one scale each
            images = torch.from_numpy(crops).to(device).permute(0, 3, 1, 2).float() / 255
            maps.append(heatmaps(network, normalised(images, recipe.pixels), recipe))
        found, values = decoded(maps, recipe, people.skeleton, size)
        points.append(found.double().cpu().numpy())
        maxima.append(values.double().cpu().numpy())
    chosen = slice(rows.start, rows.stop)
    keypoints = to_image(np.concatenate(points), centre[chosen], height[chosen], size)
    return keypoints + people.origin, np.concatenate(maxima)


Maps = tuple[torch.Tensor, ...]  # n x J x h x w each: of the crops and, in a flip test, of their mirror images


def heatmaps(network: Forward, images: torch.Tensor, recipe: Recipe) -> Maps:
    """Compute the last output for normalised images and, if the recipe says so, for their mirror images."""
    images = images.contiguous(memory_format=torch.channels_last)
    views = (images, images.flip(-1)) if recipe.testing.flip else (images,)
    return tuple(network(view)[-1].float().contiguous() for view in views)  # contiguous for decoding


def decoded(
    views: list[Maps], recipe: Recipe, skeleton: Skeleton, size: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Decode heatmaps, one entry of `views` per scale, to keypoints (n x J x 2) and scores (n x J).

    Keypoints are in pixels of the crop at scale 1. Raises Problem for heatmaps that are not finite.
    """
    testing = recipe.testing
    maps = [
        flip_average(pair[0], pair[1], skeleton.mirror, testing.flip_shift) if testing.flip else pair[0]
        for pair in views
    ]
    if not all(scale_maps.sum().isfinite() for scale_maps in maps):  # a sum is finite if all terms are
        raise Problem(
            "The network's heatmaps hold values that are not finite.",
            cause="the training diverged, or the weights belong to another network",
            code=CELL_FAILED,
        )
    maps = [scale_maps[:, : len(skeleton)] for scale_maps in maps]
    first = maps[0]
    if len(maps) > 1 or testing.scales != (1.0,):
        return argmax_over_scales(maps, testing.scales, size, recipe.targets.centre)
    points, values = DECODINGS[testing.decoding](first, recipe)
    stride = torch.tensor([size[1] / first.shape[-1], size[0] / first.shape[-2]], device=first.device)
    return points * stride + recipe.targets.centre, values


def _second_peak(maps: torch.Tensor, recipe: Recipe) -> tuple[torch.Tensor, torch.Tensor]:
    """Decode on the CPU, on the scale 0..255 of the released code."""
    levels = (maps * (255 / recipe.targets.peak)).cpu().numpy()
    points, scores = second_peak(levels, recipe.testing.kernel)
    return torch.from_numpy(points).to(maps.device), torch.from_numpy(scores).to(maps.device)


DECODINGS = {  # the words of a recipe: see bench.cells.choices
    "quarter": lambda maps, recipe: quarter_offset(maps),
    "argmax": lambda maps, recipe: argmax(maps),
    "second-peak": _second_peak,
}


def _batches(
    people: People,
    rows: range,
    centre: np.ndarray,
    height: np.ndarray,
    size: tuple[int, int],
    scales: tuple[float, ...],
) -> Iterator[np.ndarray]:
    """Batches of crops (scales x n x H x W x 3 uint8); the next is loaded while the network runs."""

    def load(start: int) -> np.ndarray:
        images = [people.read_image(row) for row in range(start, min(start + BATCH, rows.stop))]
        return np.stack(
            [
                [crop(image, centre[row], height[row] * scale, size) for row, image in enumerate(images, start)]
                for scale in scales
            ]
        )

    cv2.setNumThreads(1)  # the network needs the cores
    with ThreadPoolExecutor(1) as loader:
        pending = [loader.submit(load, start) for start in range(rows.start, rows.stop, BATCH)[:1]]
        for start in range(rows.start, rows.stop, BATCH):
            if start + BATCH < rows.stop:
                pending.append(loader.submit(load, start + BATCH))
            yield pending.pop(0).result()
