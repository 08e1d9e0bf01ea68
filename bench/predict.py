"""Prediction: crops through a network, with flip test, decoded and mapped back to the image.

Finished shards stay in the work folder, so that a resumed prediction loses at most one.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from bench.batches import normalised
from bench.errors import CELL_FAILED, Problem
from bench.recipe import Recipe
from bench.store import write_whole
from protocols.crops import crop, to_image, windows
from protocols.decoding import flip_average, quarter_offset
from protocols.people import People, Predictions

SHARD = 256  # people
BATCH = 32


def predict(
    network: nn.Module,
    people: People,
    recipe: Recipe,
    size: tuple[int, int],
    work: Path,
    device: str,
    progress: Callable[[int, int, str], None],
) -> Predictions:
    """Keypoints of all people, in the frame of their annotation (float64, pixels), and the heatmap maxima."""
    network.to(device, memory_format=torch.channels_last).eval()
    shards = []
    for start in range(0, len(people), SHARD):
        rows = range(start, min(start + SHARD, len(people)))
        path = work / f"shard-{start:06d}.npz"
        if not path.exists():
            _write_shard(path, *_predict_rows(network, people, rows, recipe, size, device))
        with np.load(path, allow_pickle=False) as shard:
            shards.append((shard["keypoints"], shard["scores"]))
        progress(rows.stop, len(people), "")
    keypoints, scores = (np.concatenate(parts) for parts in zip(*shards, strict=True))
    return Predictions(keypoints, scores)


@torch.inference_mode()
def _predict_rows(
    network: nn.Module, people: People, rows: range, recipe: Recipe, size: tuple[int, int], device: str
) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (n x J x 2) and scores (n x J) of some people."""
    centre, height = windows(people)
    points, maxima = [], []
    for batch in _batches(people, rows, centre, height, size):
        images = torch.from_numpy(batch).to(device).permute(0, 3, 1, 2).float() / 255
        maps = heatmaps(network, normalised(images, recipe.pixels), recipe, people.skeleton.mirror)
        if not torch.isfinite(maps).all():
            raise Problem(
                "The network's heatmaps hold values that are not finite.",
                cause="the training diverged, or the weights belong to another network",
                code=CELL_FAILED,
            )
        found, values = quarter_offset(maps[:, : len(people.skeleton)])
        stride = torch.tensor([size[1] / maps.shape[-1], size[0] / maps.shape[-2]], device=maps.device)
        points.append((found * stride).double().cpu().numpy())
        maxima.append(values.double().cpu().numpy())
    chosen = slice(rows.start, rows.stop)
    keypoints = to_image(np.concatenate(points), centre[chosen], height[chosen], size)
    return keypoints + people.origin, np.concatenate(maxima)


def heatmaps(network: nn.Module, images: torch.Tensor, recipe: Recipe, mirror: tuple[int, ...]) -> torch.Tensor:
    """The last output for normalised images, averaged with that for their mirror images if the recipe says so."""
    images = images.contiguous(memory_format=torch.channels_last)
    maps = network(images)[-1].float()
    if not recipe.testing.flip:
        return maps
    mirrored = network(images.flip(-1))[-1].float()
    return flip_average(maps, mirrored, mirror, recipe.testing.flip_shift)


def _batches(
    people: People, rows: range, centre: np.ndarray, height: np.ndarray, size: tuple[int, int]
) -> Iterator[np.ndarray]:
    """Batches of crops (n x H x W x 3 uint8); the next one is cut while the network works."""

    def load(start: int) -> np.ndarray:
        chosen = range(start, min(start + BATCH, rows.stop))
        return np.stack([crop(people.read_image(row), centre[row], height[row], size) for row in chosen])

    cv2.setNumThreads(1)  # the network needs the cores
    with ThreadPoolExecutor(1) as ahead:
        pending = [ahead.submit(load, start) for start in range(rows.start, rows.stop, BATCH)[:1]]
        for start in range(rows.start, rows.stop, BATCH):
            if start + BATCH < rows.stop:
                pending.append(ahead.submit(load, start + BATCH))
            yield pending.pop(0).result()


def _write_shard(path: Path, keypoints: np.ndarray, scores: np.ndarray) -> None:
    write_whole(path, archive(keypoints=keypoints, scores=scores))


def archive(**arrays: np.ndarray) -> bytes:
    """Arrays as the bytes of an .npz file."""
    from io import BytesIO

    buffer = BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()
