"""Training targets: heatmaps from keypoints."""

import math
from functools import cache

import cv2
import numpy as np
import torch


def gaussians(keypoints: torch.Tensor, size: tuple[int, int], sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Heatmaps with a Gaussian of peak 1 at the cell nearest to each keypoint.

    `keypoints`: N x J x 2 (x, y) in cells; `size`: (height, width) in cells; `sigma` in cells, cut at
    3 sigma. Returns N x J x h x w heatmaps and an N x J mask, 0 where the whole patch lies outside.
    The rule of HRNet's generate_target: int(x + 0.5), which rounds towards zero; a patch of 6 sigma + 1 cells,
    which counts as inside even when it ends one cell before the map. A position that is no number has no target.
    """
    height, width = size
    cells = (keypoints + 0.5).trunc()
    radius = round(3 * sigma)
    x = torch.arange(width, device=keypoints.device) - cells[..., 0:1]  # N x J x w
    y = torch.arange(height, device=keypoints.device) - cells[..., 1:2]  # N x J x h
    maps = _bell(y, sigma, radius).unsqueeze(-1) * _bell(x, sigma, radius).unsqueeze(-2)  # N x J x h x w
    inside = (cells >= -1 - radius).all(-1) & (cells[..., 0] < width + radius) & (cells[..., 1] < height + radius)
    return maps, inside.to(maps.dtype)


def _bell(offset: torch.Tensor, sigma: float, radius: int) -> torch.Tensor:
    """exp(-offset^2 / 2 sigma^2), and 0 beyond the radius."""
    return torch.where(offset.abs() <= radius, torch.exp(-(offset**2) / (2 * sigma**2)), 0)


def exact_gaussians(keypoints: torch.Tensor, size: tuple[int, int], sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Heatmaps with a Gaussian around the very position of each keypoint, 0 below a hundredth (Wei 2016, release).

    Arguments and results as of `gaussians`; inside is what reaches a cell of the map.
    """
    height, width = size
    x = (torch.arange(width, device=keypoints.device) - keypoints[..., 0:1]) ** 2  # N x J x w
    y = (torch.arange(height, device=keypoints.device) - keypoints[..., 1:2]) ** 2  # N x J x h
    exponent = (y.unsqueeze(-1) + x.unsqueeze(-2)) / (2 * sigma**2)  # N x J x h x w
    maps = torch.where(exponent <= math.log(100), torch.exp(-exponent), 0)
    return maps, (maps.amax((-2, -1)) > 0).to(maps.dtype)


def blurred_impulses(keypoints: torch.Tensor, size: tuple[int, int], kernel: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Heatmaps of peak 1: an impulse in the cell nearest to each keypoint, blurred as OpenCV does (Li 2019, release).

    `kernel`: side of the blur in cells, whose weights and whose reflection at the border are OpenCV's own. Other
    arguments and results as of `gaussians`; inside is what has its impulse on the map.
    """
    height, width = size
    cells = (keypoints + 0.5).floor()
    inside = (cells >= 0).all(-1) & (cells[..., 0] < width) & (cells[..., 1] < height)  # false for NaN
    x, y = torch.where(inside[..., None], cells, 0).long().unbind(-1)
    down = torch.from_numpy(_blurred_identity(height, kernel)).to(keypoints.device)[y]  # N x J x h
    across = torch.from_numpy(_blurred_identity(width, kernel)).to(keypoints.device)[x]  # N x J x w
    maps = down.unsqueeze(-1) * across.unsqueeze(-2)
    return maps * inside[..., None, None], inside.to(maps.dtype)


@cache
def _blurred_identity(length: int, kernel: int) -> np.ndarray:
    """length x length float32: row i is an impulse at i, blurred along one axis, divided by its maximum."""
    rows = cv2.GaussianBlur(np.eye(length, dtype=np.float32), (kernel, 1), 0)
    return rows / rows.max(axis=1, keepdims=True)


def background(maps: torch.Tensor, peak: float = 1.0) -> torch.Tensor:
    """N x (J + 1) x h x w: the maps and, last, `peak` minus their maximum (Wei 2016)."""
    rest = (peak - maps.amax(dim=1, keepdim=True)).clamp(min=0)
    return torch.cat([maps, rest], dim=1)
