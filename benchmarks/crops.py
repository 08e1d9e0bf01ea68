"""Crops of 256 x 256 with rotation and flip from decoded images, compared with the public hourglass code."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import torch
from PIL import Image

from bench.cells.recipe import Augmentation, Pixels
from bench.training.batches import augmented
from bench.training.prepare import MARGIN, Crops
from benchmarks.rounds import Line, in_turn, main
from protocols.pose.crops import crop, to_crop
from protocols.pose.people import VISIBLE
from protocols.pose.skeletons import MPII

SIDE, PEOPLE, BILINEAR = 256, 16, Image.Resampling.BILINEAR
RULES = Augmentation(rotation=30, scale=(0.75, 1.25), flip=0.5)


def hourglass_style(image: np.ndarray, centre: np.ndarray, height: float, degrees: float, flip: bool) -> np.ndarray:
    """Crop (3 x SIDE x SIDE float32, 0..1) as the public PyTorch hourglass code does, pytorch-pose.

    After Newell's img.lua: mirror the whole image; shrink the whole image where the person is at least twice the
    crop; cut a square, padded if it is turned; turn it, trim it, resize it. That code holds an image (3 x H x W) as
    floating-point numbers, and resizes and turns with scipy.misc (`_pillow`).
    """
    if flip:
        image = image[:, :, ::-1].astype(np.float64).astype(np.float32)  # its fliplr and what follows it
        centre = np.array([image.shape[2] - centre[0], centre[1]])
    image, factor = image.transpose(1, 2, 0), height / SIDE
    if factor >= 2:
        size = (int(image.shape[1] / factor), int(image.shape[0] / factor))
        image, centre, height = _pillow(image, lambda whole: whole.resize(size, BILINEAR)), centre / factor, SIDE
    padding = int(height * (np.sqrt(2) - 1) / 2) if degrees else 0
    side = round(height) + 2 * padding
    left, top = np.round(centre - side / 2).astype(int)
    square = np.zeros((side, side, 3))
    rows = slice(max(0, -top), max(0, min(side, image.shape[0] - top)))
    columns = slice(max(0, -left), max(0, min(side, image.shape[1] - left)))
    square[rows, columns] = image[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)]
    if degrees:
        square = _pillow(square, lambda part: part.rotate(degrees, BILINEAR))
        square = square[padding : side - padding, padding : side - padding]
    crop = _pillow(square, lambda part: part.resize((SIDE, SIDE), BILINEAR))
    return crop.transpose(2, 0, 1).astype(np.float32) / 255


def _pillow(image: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """Change an image as scipy.misc.imresize and imrotate do: other types than uint8 are first scaled to 0..255."""
    if image.dtype != np.uint8:
        low, high = image.min(), image.max()
        image = ((image - low) * (255 / (high - low or 1)) + 0.5).astype(np.uint8)
    return np.asarray(change(Image.fromarray(np.ascontiguousarray(image))))


def as_loaded(image: np.ndarray) -> np.ndarray:
    """Convert H x W x 3 uint8 to the 3 x H x W float32, 0..1, of that code."""
    return image.transpose(2, 0, 1).astype(np.float32) / 255


def lines(tiny: bool) -> Iterator[Line]:
    """Yield the comparisons, `tiny` ones to check that they run."""
    cv2.setNumThreads(1)  # as in the workers that crop
    count = 2 if tiny else PEOPLE
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 720, 1280, 3), np.uint8)
    centre, height = rng.uniform((300, 200), (980, 520), (count, 2)), rng.uniform(300, 900, count)
    degrees, flips, scales = rng.uniform(-30, 30, count), rng.random(count) < 0.5, rng.uniform(0.75, 1.25, count)
    points = centre[:, None] + rng.uniform(-0.3, 0.3, (count, 16, 2)) * height[:, None, None]
    cached = (round(SIDE * MARGIN), round(SIDE * MARGIN))

    def prepared() -> Crops:
        pixels = np.stack([crop(images[row], centre[row], height[row] * MARGIN, cached) for row in range(count)])
        keypoints = to_crop(points, centre, height * MARGIN, cached).astype(np.float32)
        return Crops(pixels, keypoints, np.full((count, 16), VISIBLE, np.uint8))

    def warped(crops: Crops) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        return augmented(crops, np.arange(count), (SIDE, SIDE), RULES, Pixels(), MPII, generator, "cpu")[0]

    def one_by_one() -> torch.Tensor:
        each = zip(loaded, centre, height * scales, degrees, flips, strict=True)
        return torch.from_numpy(np.stack([hourglass_style(*person) for person in each]))

    loaded = [as_loaded(image) for image in images]
    assert warped(prepared()).shape == one_by_one().shape == (count, 3, SIDE, SIDE)
    ready, rounds = prepared(), 1 if tiny else 7
    whole, cache, peer = in_turn(lambda: warped(prepared()), lambda: warped(ready), one_by_one, rounds=rounds)
    against = "mirror, resize, crop, rotate, resize, one by one"
    what = f"{count} crops of {SIDE} x {SIDE} with rotation, scale and flip from 1280 x 720"
    yield Line(what, whole, rounds, against, peer, reach=5, note="all of it, as in the first pass over the data")
    yield Line("the same in the later passes, from the prepared cache", cache, rounds, against, peer)


if __name__ == "__main__":
    main("crops", lines)
