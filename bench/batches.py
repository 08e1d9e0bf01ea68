"""Training batches: augmentation of pre-cropped people, on the device, a whole batch at a time."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from bench.prepare import MARGIN, Crops
from bench.recipe import Augmentation, Pixels


def rows_of_step(step: int, count: int, batch: int, seed: int) -> np.ndarray:
    """Which people step `step` sees: every pass over the data is a new permutation.

    A function of its arguments alone, so that a resumed training continues with the very same people.
    """
    batch = min(batch, count)
    passes, position = divmod(step, count // batch)
    order = np.random.default_rng((seed, passes)).permutation(count)
    return np.sort(order[position * batch : (position + 1) * batch])  # sorted: the file is read forwards


def augmented(
    crops: Crops,
    rows: np.ndarray,
    size: tuple[int, int],
    rules: Augmentation,
    pixels: Pixels,
    mirror: Sequence[int],
    generator: torch.Generator,
    device: str,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images (B x 3 x H x W), keypoints (B x J x 2, pixels of the input) and their mask (B x J).

    `generator` is a CPU generator, so that every device sees the same augmentation.
    """
    source = torch.from_numpy(crops.pixels[rows]).to(device).permute(0, 3, 1, 2).float() / 255
    points = torch.from_numpy(crops.keypoints[rows]).to(device)
    mask = torch.from_numpy(crops.annotated[rows]).to(device)

    forward = _transforms(len(rows), source.shape[-2:], size, rules, generator)
    flipped = forward[:, 0, 0] * forward[:, 1, 1] < forward[:, 0, 1] * forward[:, 1, 0]  # negative determinant
    images = _warp(source, _inverse(forward).to(device), size)
    if rules.colour:
        gain = 1 + rules.colour * (2 * torch.rand(len(rows), 3, 1, 1, generator=generator) - 1)
        images = (images * gain.to(device)).clamp(0, 1)
    forward = forward.to(device)
    points = torch.einsum("bij,bkj->bki", forward[:, :, :2], points) + forward[:, None, :, 2]
    swap, order = flipped.to(device), list(mirror)
    points = torch.where(swap[:, None, None], points[:, order], points)
    mask = torch.where(swap[:, None], mask[:, order], mask)
    return normalised(images, pixels), points, mask


def normalised(images: torch.Tensor, pixels: Pixels) -> torch.Tensor:
    """(pixel - mean) / std of B x 3 x H x W images with values in 0..1."""
    mean = torch.tensor(pixels.mean, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(pixels.std, device=images.device).view(1, 3, 1, 1)
    return (images - mean) / std


def _transforms(
    count: int, cached: Sequence[int], size: tuple[int, int], rules: Augmentation, generator: torch.Generator
) -> torch.Tensor:
    """B x 2 x 3: from pixels of the cached crop to pixels of the input."""

    def uniform(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    turn = uniform(-rules.rotation, rules.rotation) * (math.pi / 180)
    turn = turn * (uniform(0, 1) < rules.rotation_probability)
    zoom = MARGIN * size[0] / cached[0] / uniform(*rules.scale)
    side = torch.where(uniform(0, 1) < rules.flip, -1.0, 1.0)
    cos, sin = torch.cos(turn) * zoom, torch.sin(turn) * zoom
    linear = torch.stack([torch.stack([cos * side, -sin * side], -1), torch.stack([sin, cos], -1)], dim=1)
    # The centre goes to the centre; a mirror image maps x to W - 1 - x, so that it shifts by one pixel.
    target = torch.stack([size[1] / 2 - (side < 0).float(), torch.full((count,), size[0] / 2)], dim=-1)
    shift = target - linear @ torch.tensor([cached[1] / 2, cached[0] / 2])
    return torch.cat([linear, shift.unsqueeze(-1)], dim=-1)


def _inverse(matrix: torch.Tensor) -> torch.Tensor:
    """The inverse of B x 2 x 3 affine maps."""
    linear = torch.linalg.inv(matrix[:, :, :2])
    return torch.cat([linear, -linear @ matrix[:, :, 2:]], dim=-1)


def _warp(images: torch.Tensor, backward: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Sample B x 3 x S x T images bilinearly where `backward` (B x 2 x 3) sends the pixels of the output."""
    height, width = size
    y, x = torch.meshgrid(
        torch.arange(height, device=images.device), torch.arange(width, device=images.device), indexing="ij"
    )
    pixel = torch.stack([x, y, torch.ones_like(x)], dim=-1).to(images.dtype)  # H x W x 3
    place = torch.einsum("bij,hwj->bhwi", backward, pixel)
    last = torch.tensor([images.shape[-1] - 1, images.shape[-2] - 1], device=images.device)
    return F.grid_sample(images, 2 * place / last - 1, mode="bilinear", align_corners=True)
