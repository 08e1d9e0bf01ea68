"""Empirical receptive field of a trained network: the pixels that the response of a joint depends on.

The response is the maximum of a joint's heatmap in the last output, before any decoding. Two methods: its
gradient with respect to the image (after Luo et al. 2016), one backward pass a joint, and its loss when a patch is
covered by noise (after Zhou et al. 2014), for a few images. Sizes quantify figures 7 and 9 of Liu et al. 2018: a map
is normalized to sum 1 and measured around the annotated joint, in head sizes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from protocols import Value
from protocols.errors import DataError
from protocols.pose.crops import crop, to_crop, windows
from protocols.pose.people import ABSENT, VISIBLE, People
from protocols.statistics import bootstrap

BLUR = 4.0  # pixels, sigma: smooths the noise of a gradient
PATCH, STRIDE = 16, 8  # pixels: side and steps of the covered patch, 961 positions on 256 x 256
RADII = (50, 90)  # per cent of the map's sum


@dataclass(frozen=True)
class CroppedPeople:
    """Crops of people with their annotation, in pixels of the crop."""

    images: Tensor  # N x 3 x H x W float32, as the network reads them
    keypoints: np.ndarray  # N x J x 2
    visibility: np.ndarray  # N x J: ABSENT, OCCLUDED or VISIBLE
    head_size: np.ndarray  # N
    body_area: np.ndarray  # N, square pixels: the box around the person

    def first(self, count: int) -> "CroppedPeople":
        """Return the first `count` people."""
        return CroppedPeople(**{name: array[:count] for name, array in vars(self).items()})


def crop_people(people: People, rows: Sequence[int], size: tuple[int, int]) -> CroppedPeople:
    """Crop some people at `size` (height, width), RGB from 0 to 1.

    The body area is that of the annotated box, else of the box around the annotated joints. Raises DataError
    for people without head sizes.
    """
    if people.head_size is None:
        raise DataError(
            what=f"{people.dataset}/{people.split} has no head sizes.",
            expected="a head size for every person: radii are given in head sizes",
            cause="the dataset has no head boxes",
            next_step="use mannequin or mpii",
        )
    rows = list(rows)
    centre, height = windows(people)
    pixels = [crop(people.read_image(row), centre[row], height[row], size) for row in rows]
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255
    scale = size[0] / height[rows]
    return CroppedPeople(
        images=images,
        keypoints=to_crop(people.keypoints[rows] - people.origin, centre[rows], height[rows], size),
        visibility=people.visibility[rows],
        head_size=people.head_size[rows] * scale,
        body_area=_body_area(people, rows) * scale**2,
    )


def _body_area(people: People, rows: list[int]) -> np.ndarray:
    if people.boxes is not None:
        return people.boxes[rows, 2] * people.boxes[rows, 3]
    points = np.where(people.annotated[rows][..., None], people.keypoints[rows], np.nan)
    return np.prod(np.nanmax(points, axis=1) - np.nanmin(points, axis=1), axis=-1)


# -------------------------------------------------------------------------------------- maps


def gradient_maps(network: nn.Module, images: Tensor, joints: int) -> np.ndarray:
    """Compute the sum over colours of |d response / d pixel|, blurred: N x J x H x W float32."""
    images = images.clone().requires_grad_()
    responses = _responses(network, images, joints)  # N x J
    maps = [
        torch.autograd.grad(responses[:, joint].sum(), images, retain_graph=joint < joints - 1)[0].abs().sum(1)
        for joint in range(joints)
    ]
    return gaussian_filter(torch.stack(maps, 1).cpu().numpy(), (0, 0, BLUR, BLUR))


def occlusion_maps(
    network: nn.Module, images: Tensor, joints: int, *, patch: int = PATCH, stride: int = STRIDE, seed: int = 0
) -> np.ndarray:
    """Compute the loss of the response when a patch is covered, averaged over the patches at each pixel.

    The same noise, uniform over the range of the images, covers every position of every image. Returns
    N x J x H x W float32.
    """
    generator = torch.Generator().manual_seed(seed)
    low, high = float(images.min()), float(images.max())
    noise = (low + (high - low) * torch.rand(3, patch, patch, generator=generator)).to(images)
    height, width = images.shape[-2:]
    losses = np.zeros((len(images), joints, height, width), np.float32)
    covered = np.zeros((height, width), np.float32)
    with torch.no_grad():
        peaks, clean = _peaks(network(images)[-1][:, :joints])
        for y in range(0, height - patch + 1, stride):
            for x in range(0, width - patch + 1, stride):
                window = (..., slice(y, y + patch), slice(x, x + patch))
                hidden = images.clone()
                hidden[window] = noise
                responses = network(hidden)[-1][:, :joints].flatten(2).gather(2, peaks)[..., 0]
                losses[window] += (clean - responses).clamp(min=0).cpu().numpy()[..., None, None]
                covered[window] += 1
    return losses / np.maximum(covered, 1)


def _responses(network: nn.Module, images: Tensor, joints: int) -> Tensor:
    """Return the maxima of the last output's heatmaps, N x J."""
    return _peaks(network(images)[-1][:, :joints])[1]


def _peaks(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the indices of the maxima in the flattened heatmaps, N x J x 1, and the maxima, N x J."""
    flat = heatmaps.flatten(2)
    peaks = flat.argmax(2, keepdim=True)
    return peaks, flat.gather(2, peaks)[..., 0]


# ------------------------------------------------------------------------------------- sizes


def field_sizes(field: np.ndarray, centre: np.ndarray, head_size: float, body_area: float) -> dict[str, float]:
    """Measure the extent of a map (H x W, not negative) around a point (x, y in pixels).

    r50, r90: radius of the disc that holds that share of the sum; spread: root of the mean squared
    distance; both in head sizes. area50: the fewest pixels that hold half of the sum, in body areas.
    """
    mass = field.ravel() / field.sum()
    y, x = np.indices(field.shape)
    distance = np.hypot(x - centre[0], y - centre[1]).ravel()
    order = np.argsort(distance)
    inside = np.cumsum(mass[order])
    radii = {
        f"r{share}": float(distance[order][min(np.searchsorted(inside, share / 100), mass.size - 1)] / head_size)
        for share in RADII
    }
    half = np.searchsorted(np.cumsum(np.sort(mass)[::-1]), 0.5) + 1
    return radii | {"spread": float(np.sqrt(mass @ distance**2) / head_size), "area50": float(half / body_area)}


def field_values(
    network: nn.Module,
    images: CroppedPeople,
    joints: Sequence[str],
    *,
    occlusion: bool = False,
    batch: int = 4,
    seed: int = 0,
) -> Iterator[Value]:
    """Yield mean sizes by part, left and right together; of all joints, of visible and of hidden ones.

    `occlusion`: by covering patches instead of by the gradient, with metrics named accordingly ("r50 occlusion").
    Intervals are over resampled images. Raises DataError unless `joints` names the heatmaps.
    """
    network.eval()
    if len(joints) != images.keypoints.shape[1]:
        raise DataError(
            what=f"{len(joints)} joints are named, but the people have {images.keypoints.shape[1]}.",
            expected="the names of the skeleton's joints, in its order",
            next_step="pass joints=people.skeleton.joints",
        )
    found: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for start in range(0, len(images.images), batch):
        chunk = images.images[start : start + batch]
        maps = (
            occlusion_maps(network, chunk, len(joints), seed=seed)
            if occlusion
            else gradient_maps(network, chunk, len(joints))
        )
        for person, joint in np.argwhere(images.visibility[start : start + batch] > ABSENT):
            row, field = start + int(person), maps[person, joint]
            if not field.any():  # a constant heatmap depends on no pixel
                continue
            size = field_sizes(field, images.keypoints[row, joint], images.head_size[row], images.body_area[row])
            part = joints[int(joint)].removeprefix("left_").removeprefix("right_")
            state = "visible" if images.visibility[row, joint] == VISIBLE else "hidden"
            for metric, value in size.items():
                found.setdefault((metric, part), []).append((row, value))
                found.setdefault((metric, f"{part} {state}"), []).append((row, value))
    for (metric, part), values in found.items():
        unit = "body boxes" if metric == "area50" else "head sizes"
        yield _mean(metric + " occlusion" * occlusion, part, values, unit, len(images.images), seed)


def _mean(metric: str, part: str, values: list[tuple[int, float]], unit: str, people: int, seed: int) -> Value:
    """Return the mean with its 95 % interval over images."""
    rows, numbers = np.array([row for row, _ in values]), np.array([number for _, number in values])
    sums = np.stack([np.bincount(rows, numbers, people), np.bincount(rows, minlength=people)], axis=1)
    ends = (None, None)
    if len(np.unique(rows)) > 1:
        drawn = np.concatenate([counts @ sums for counts in bootstrap.draws(people, 1000, seed)])
        low, high = bootstrap.interval(drawn[drawn[:, 1] > 0, 0] / drawn[drawn[:, 1] > 0, 1])
        ends = (float(low), float(high))
    return Value(metric, part, float(numbers.mean()), unit, len(numbers), *ends)
