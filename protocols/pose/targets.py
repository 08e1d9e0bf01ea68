"""Training targets: heatmaps from keypoints, which are given in heatmap pixels."""

import math
from functools import cache

import cv2
import numpy as np
import torch


def gaussians(keypoints: torch.Tensor, size: tuple[int, int], sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a Gaussian of peak 1 at the pixel nearest to each keypoint.

    `keypoints`: N x J x 2 (x, y); `size`: (height, width); `sigma`: in pixels, cut at 3 sigma. Returns N x J x h x w
    heatmaps and an N x J mask, 0 if the whole patch is outside. As in generate_target of HRNet, int(x + 0.5) rounds
    towards zero, and a patch of 6 sigma + 1 pixels is inside even if it ends one pixel before the heatmap. Keypoints
    that are NaN have no target.
    """
    height, width = size
    centre = (keypoints + 0.5).trunc()
    radius = round(3 * sigma)
    x = torch.arange(width, device=keypoints.device) - centre[..., 0:1]  # N x J x w
    y = torch.arange(height, device=keypoints.device) - centre[..., 1:2]  # N x J x h
    maps = _bell(y, sigma, radius).unsqueeze(-1) * _bell(x, sigma, radius).unsqueeze(-2)  # N x J x h x w
    inside = (centre >= -1 - radius).all(-1) & (centre[..., 0] < width + radius) & (centre[..., 1] < height + radius)
    return maps, inside.to(maps.dtype)


def _bell(offset: torch.Tensor, sigma: float, radius: int) -> torch.Tensor:
    """Return exp(-offset^2 / 2 sigma^2), and 0 beyond the radius."""
    return torch.where(offset.abs() <= radius, torch.exp(-(offset**2) / (2 * sigma**2)), 0)


def exact_gaussians(keypoints: torch.Tensor, size: tuple[int, int], sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a Gaussian at the exact position of each keypoint, 0 below a hundredth (Wei 2016, release).

    Arguments and results as of `gaussians`; a Gaussian is inside if any pixel is above 0.
    """
    height, width = size
    x = (torch.arange(width, device=keypoints.device) - keypoints[..., 0:1]) ** 2  # N x J x w
    y = (torch.arange(height, device=keypoints.device) - keypoints[..., 1:2]) ** 2  # N x J x h
    exponent = (y.unsqueeze(-1) + x.unsqueeze(-2)) / (2 * sigma**2)  # N x J x h x w
    maps = torch.where(exponent <= math.log(100), torch.exp(-exponent), 0)
    return maps, (maps.amax((-2, -1)) > 0).to(maps.dtype)


def blurred_impulses(keypoints: torch.Tensor, size: tuple[int, int], kernel: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw an impulse at the pixel nearest to each keypoint, blurred by OpenCV to peak 1 (Li 2019, release).

    `kernel`: side of the blur in pixels; weights and reflection at the border are those of OpenCV. Other
    arguments and results as of `gaussians`; a target is inside if its impulse is on the heatmap.
    """
    height, width = size
    centre = (keypoints + 0.5).floor()
    inside = (centre >= 0).all(-1) & (centre[..., 0] < width) & (centre[..., 1] < height)  # false for NaN
    x, y = torch.where(inside[..., None], centre, 0).long().unbind(-1)
    rows = torch.from_numpy(_blurred_identity(height, kernel)).to(keypoints.device)[y]  # N x J x h
    columns = torch.from_numpy(_blurred_identity(width, kernel)).to(keypoints.device)[x]  # N x J x w
    maps = rows.unsqueeze(-1) * columns.unsqueeze(-2)
    return maps * inside[..., None, None], inside.to(maps.dtype)


@cache
def _blurred_identity(length: int, kernel: int) -> np.ndarray:
    """Return length x length float32: row i is an impulse at i, blurred along one axis, divided by its maximum."""
    rows = cv2.GaussianBlur(np.eye(length, dtype=np.float32), (kernel, 1), 0)
    return rows / rows.max(axis=1, keepdims=True)


def background(maps: torch.Tensor, peak: float = 1.0) -> torch.Tensor:
    """Append a background heatmap, `peak` minus the maximum of the others, to N x J x h x w (Wei 2016)."""
    rest = (peak - maps.amax(dim=1, keepdim=True)).clamp(min=0)
    return torch.cat([maps, rest], dim=1)
