"""Multi-scale test of CPM, Chu 2017 and Yang 2017: heatmaps of crops of several scales, averaged on one canvas."""

from collections.abc import Sequence

import torch
from torch.nn import functional as F

CHUNK = 8  # people whose canvases are in memory at a time


def argmax_over_scales(
    maps: Sequence[torch.Tensor], scales: Sequence[float], size: tuple[int, int], centre: float = 0.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Average heatmaps over scales; return their argmax (N x J x 2: x, y in pixels of the crop) and maximum (N x J).

    `maps`: for each of `scales` N x J x h x w, from crops of `size` (height, width) around the same centre that
    show that many times the window; heatmap pixel 0 lies at pixel `centre` of its crop. Heatmaps are resized
    bilinearly to a canvas of the largest window with the pixels of scale 1, 0 outside a crop, and averaged. The
    released codes do the same in pixels of the image, and also return whole ones.
    """
    parts = [
        _argmax([scale_maps[start : start + CHUNK] for scale_maps in maps], scales, size, centre)
        for start in range(0, len(maps[0]), CHUNK)
    ]
    points, maxima = zip(*parts, strict=True)
    return torch.cat(points), torch.cat(maxima)


def _argmax(
    maps: list[torch.Tensor], scales: Sequence[float], size: tuple[int, int], centre: float
) -> tuple[torch.Tensor, torch.Tensor]:
    margin = [round(side * (max(*scales, 1.0) - 1) / 2) for side in size]
    total = torch.zeros(())
    for scale_maps, scale in zip(maps, scales, strict=True):
        y, x = (
            _grid_positions(side, border, scale, scale_maps.shape[axis], centre, scale_maps)
            for side, border, axis in zip(size, margin, (-2, -1), strict=True)
        )
        grid = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)  # H x W x 2 (x, y)
        grid = grid.expand(len(scale_maps), -1, -1, -1)
        total = total + F.grid_sample(scale_maps, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    maxima, index = (total / len(scales)).flatten(2).max(dim=-1)
    width = total.shape[-1]
    y, x = torch.div(index, width, rounding_mode="floor"), index % width
    return torch.stack([x - margin[1], y - margin[0]], dim=-1).to(maxima.dtype), maxima


def _grid_positions(
    side: int, border: int, scale: float, length: int, centre: float, like: torch.Tensor
) -> torch.Tensor:
    """Return positions of the canvas pixels on a heatmap of `length` pixels, -1 at its first one and 1 at its last."""
    pixel = torch.arange(-border, side + border, device=like.device, dtype=like.dtype)
    in_crop = (pixel - side / 2) / scale + side / 2
    return 2 * (in_crop - centre) * length / side / (length - 1) - 1
