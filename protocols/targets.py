"""Training targets: heatmaps from keypoints."""

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


def background(maps: torch.Tensor) -> torch.Tensor:
    """N x (J + 1) x h x w: the maps and, last, one minus their maximum (Wei 2016)."""
    rest = (1 - maps.amax(dim=1, keepdim=True)).clamp(min=0)
    return torch.cat([maps, rest], dim=1)
