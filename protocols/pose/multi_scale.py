"""The multi-scale test of CPM, Chu 2017 and Yang 2017: maps of several windows averaged on one canvas."""

from collections.abc import Sequence

import torch
from torch.nn import functional as F

AT_ONCE = 8  # people on canvases at a time


def best_pixels(
    maps: Sequence[torch.Tensor], scales: Sequence[float], size: tuple[int, int], centre: float = 0.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Argmax of averaged maps: N x J x 2 (x, y) in pixels of the crop at scale 1, and N x J maxima.

    `maps`: for each of `scales` N x J x h x w, from crops of `size` (height, width) around the same centre that
    show that many times the window; cell 0 lies at pixel `centre` of its crop. Maps are resized bilinearly to a
    canvas of the largest window with the pixels of scale 1, 0 where a crop does not reach, and averaged. The
    released codes do so with the pixels of the image, and take whole ones, too.
    """
    parts = [
        _best([scale_maps[start : start + AT_ONCE] for scale_maps in maps], scales, size, centre)
        for start in range(0, len(maps[0]), AT_ONCE)
    ]
    points, maxima = zip(*parts, strict=True)
    return torch.cat(points), torch.cat(maxima)


def _best(
    maps: list[torch.Tensor], scales: Sequence[float], size: tuple[int, int], centre: float
) -> tuple[torch.Tensor, torch.Tensor]:
    margin = [round(side * (max(*scales, 1.0) - 1) / 2) for side in size]
    total = 0
    for scale_maps, scale in zip(maps, scales, strict=True):
        y, x = (
            _places(side, border, scale, scale_maps.shape[axis], centre, scale_maps)
            for side, border, axis in zip(size, margin, (-2, -1), strict=True)
        )
        grid = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)  # H x W x 2 (x, y)
        grid = grid.expand(len(scale_maps), -1, -1, -1)
        total = total + F.grid_sample(scale_maps, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    maxima, index = (total / len(scales)).flatten(2).max(dim=-1)
    width = total.shape[-1]
    y, x = torch.div(index, width, rounding_mode="floor"), index % width
    return torch.stack([x - margin[1], y - margin[0]], dim=-1).to(maxima.dtype), maxima


def _places(side: int, border: int, scale: float, cells: int, centre: float, like: torch.Tensor) -> torch.Tensor:
    """Where the pixels of the canvas lie on a map of `cells`, from -1 at the first cell to 1 at the last one."""
    pixel = torch.arange(-border, side + border, device=like.device, dtype=like.dtype)
    in_crop = (pixel - side / 2) / scale + side / 2
    return 2 * (in_crop - centre) * cells / side / (cells - 1) - 1
