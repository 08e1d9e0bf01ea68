"""Training batches: augmentation of pre-cropped people on the device, a batch at a time."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional as F

from bench.cells.recipe import Augmentation, Pixels
from bench.training.prepare import MARGIN, Crops
from protocols.pose.skeletons import Skeleton

LEGS, HIPS = ("knee", "ankle"), ("pelvis", "hip")
# The words of a recipe: see bench.cells.choices.
LOWER_HALF = {"lower": LEGS + HIPS, "upper": LEGS}  # joints of the lower half, by the half that has the hips
CHANNELS = {"rgb": lambda images: images, "bgr": lambda images: images.flip(1)}
ALL = slice(None)
Uniform = Callable[[float, float], torch.Tensor]  # low, high -> one random number for each person of the batch
CHUNK = 2  # people warped at a time on a processor: their pixels stay in its cache


def rows_of_step(step: int, count: int, batch: int, seed: int) -> np.ndarray:
    """Rows of the people of step `step`, sorted; every pass over the data is a new permutation.

    Depends on nothing but its arguments, so that a resumed training continues with the same people.
    """
    batch = min(batch, count)
    passes, position = divmod(step, count // batch)
    order = np.random.default_rng((seed, passes)).permutation(count)
    return np.sort(order[position * batch : (position + 1) * batch])  # sorted: the file is read forwards


def augmented(
    crops: Crops,
    rows: np.ndarray,
    size: tuple[int, int],
    augmentation: Augmentation,
    pixels: Pixels,
    skeleton: Skeleton,
    generator: torch.Generator,
    device: str,
    part: slice = ALL,
    source: np.ndarray | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Augment people: images (B x 3 x H x W), keypoints (B x J x 2, pixels of the input), visibility (B x J).

    `generator` is a CPU generator, so that every device sees the same augmentation. Of the batch `rows`, only
    `part` is returned; the random numbers of a person do not depend on it. `source` are the pixels of that part, if
    they were read before.
    """
    forward = _transforms(crops, rows, size, augmentation, skeleton, generator)[part]
    gain = (
        1 + augmentation.colour * (2 * torch.rand(len(rows), 3, 1, 1, generator=generator) - 1)
        if augmentation.colour
        else None
    )
    chosen = rows[part]
    source = crops.pixels[chosen] if source is None else source
    stored = torch.from_numpy(source).to(device, non_blocking=True).permute(0, 3, 1, 2)
    images = _warp(stored, _inverse(forward).to(device), size)
    if gain is not None:
        images = images.mul_(gain[part].to(device)).clamp_(0, 1)
    points = torch.from_numpy(crops.keypoints[chosen])
    visibility = torch.from_numpy(crops.visibility[chosen])
    points = torch.einsum("bij,bkj->bki", forward[:, :, :2], points) + forward[:, None, :, 2]
    flipped = forward[:, 0, 0] * forward[:, 1, 1] < forward[:, 0, 1] * forward[:, 1, 0]  # negative determinant
    order = list(skeleton.mirror)
    points = torch.where(flipped[:, None, None], points[:, order], points)
    visibility = torch.where(flipped[:, None], visibility[:, order], visibility)
    return normalised(images, pixels), points.to(device), visibility.to(device)


def normalised(images: torch.Tensor, pixels: Pixels) -> torch.Tensor:
    """Normalize B x 3 x H x W RGB images with values in 0..1: (pixel - mean) / std, channels in the recipe's order."""
    images = CHANNELS[pixels.channels](images)
    if not any(pixels.mean) and pixels.std == (1, 1, 1):
        return images
    mean = torch.tensor(pixels.mean, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(pixels.std, device=images.device).view(1, 3, 1, 1)
    return (images - mean) / std


def _transforms(
    crops: Crops,
    rows: np.ndarray,
    size: tuple[int, int],
    augmentation: Augmentation,
    skeleton: Skeleton,
    generator: torch.Generator,
) -> torch.Tensor:
    """Random affine maps (B x 2 x 3) from pixels of the cached crops to pixels of the input."""

    def uniform(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(len(rows), generator=generator)

    angle = uniform(-augmentation.rotation, augmentation.rotation) * (math.pi / 180)
    angle = angle * (uniform(0, 1) < augmentation.rotation_probability)
    scale = uniform(*augmentation.scale)
    mirror = torch.where(uniform(0, 1) < augmentation.flip, -1.0, 1.0)
    centre, height = _windows(crops, rows, size, augmentation, skeleton, uniform)
    zoom = size[0] / height / scale
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    linear = torch.stack([torch.stack([cos * mirror, -sin * mirror], -1), torch.stack([sin, cos], -1)], dim=1)
    # The centre maps to the centre; a mirror image maps x to W - 1 - x, which shifts it by one pixel.
    target = torch.stack([size[1] / 2 - (mirror < 0).float(), torch.full((len(rows),), size[0] / 2)], dim=-1)
    shift = target - torch.einsum("bij,bj->bi", linear, centre)
    return torch.cat([linear, shift.unsqueeze(-1)], dim=-1)


def _windows(
    crops: Crops,
    rows: np.ndarray,
    size: tuple[int, int],
    augmentation: Augmentation,
    skeleton: Skeleton,
    uniform: Uniform,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Centres (B x 2) and heights (B) of the windows before scaling, in pixels of the cached crops."""
    cached = crops.pixels.shape[1:3]
    centre = torch.tensor([cached[1] / 2, cached[0] / 2]).expand(len(rows), 2)
    height = torch.full((len(rows),), cached[0] / MARGIN)
    aspect = size[0] / size[1]
    if any(augmentation.box) and crops.boxes is not None:
        box = torch.from_numpy(crops.boxes[rows])  # x, y, width, height
        centre = box[:, :2] + box[:, 2:] / 2
        height = _fitted_heights(box[:, 2:], augmentation.box, aspect, uniform) * augmentation.box_margin
    if augmentation.half_body:
        low, high, chosen = _half_bodies(crops, rows, augmentation, skeleton, uniform)
        half = _fitted_heights(high - low, augmentation.half_body_box, aspect, uniform)
        centre = torch.where(chosen[:, None], (low + high) / 2, centre)
        height = torch.where(chosen, half.clamp(min=1), height)
    return centre, height


def _fitted_heights(sides: torch.Tensor, growth: Sequence[float], aspect: float, uniform: Uniform) -> torch.Tensor:
    """Heights (B) of windows of aspect height / width `aspect` around boxes (B x 2: width, height) grown at random."""
    width = sides[:, 0] * (1 + uniform(0, growth[0]))
    return torch.maximum(sides[:, 1] * (1 + uniform(0, growth[1])), width * aspect)


def _half_bodies(
    crops: Crops, rows: np.ndarray, augmentation: Augmentation, skeleton: Skeleton, uniform: Uniform
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Corners (B x 2 each) around the joints of the upper or lower body, and who (B bool) is cropped to them.

    As in Li 2019's release: the drawn half if more than three of its joints are annotated, else the lower, else the
    upper one; never a half of fewer than three joints.
    """
    points = torch.from_numpy(crops.keypoints[rows])
    annotated = torch.from_numpy(crops.annotated[rows])
    lower_names = LOWER_HALF[augmentation.half_body_hips]
    lower = torch.tensor([any(name in joint for name in lower_names) for joint in skeleton.joints])
    drawn = uniform(0, 1) < augmentation.half_body
    upper_first = uniform(0, 1) < augmentation.half_body_upper
    up, down = (annotated & ~lower).sum(1), (annotated & lower).sum(1)
    take_upper = (upper_first & (up > 3)) | (down <= 3)
    members = annotated & torch.where(take_upper[:, None], ~lower, lower)
    chosen = drawn & (annotated.sum(1) > augmentation.half_body_joints) & (members.sum(1) >= 3)
    low = torch.where(members[..., None], points, torch.inf).amin(1)
    high = torch.where(members[..., None], points, -torch.inf).amax(1)
    return torch.where(chosen[:, None], low, 0), torch.where(chosen[:, None], high, 0), chosen


def _inverse(matrix: torch.Tensor) -> torch.Tensor:
    """Invert B x 2 x 3 affine maps."""
    linear = torch.linalg.inv(matrix[:, :, :2])
    return torch.cat([linear, -linear @ matrix[:, :, 2:]], dim=-1)


def _warp(stored: torch.Tensor, backward: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Sample B x 3 x S x T uint8 images bilinearly where `backward` (B x 2 x 3) maps the output's pixels; 0..1."""
    height, width = size
    y, x = torch.meshgrid(
        torch.arange(height, device=stored.device), torch.arange(width, device=stored.device), indexing="ij"
    )
    pixel = torch.stack([x, y, torch.ones_like(x)], dim=-1).to(backward.dtype)  # H x W x 3
    grid = torch.einsum("bij,hwj->bhwi", backward, pixel)
    last = torch.tensor([stored.shape[-1] - 1, stored.shape[-2] - 1], device=stored.device)
    grid = grid.mul_(2).div_(last).sub_(1)  # -1..1, as grid_sample wants it
    images = torch.empty(len(stored), 3, *size, device=stored.device)
    chunk = CHUNK if stored.is_cpu else len(stored)
    for source, positions, out in zip(stored.split(chunk), grid.split(chunk), images.split(chunk), strict=True):
        out.copy_(F.grid_sample(source.float().div_(255), positions, mode="bilinear", align_corners=True))
    return images
