"""From heatmaps to keypoints: the rules of the code bases that the papers compare with."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch

FEW = 4  # people whose maps are averaged at a time: they stay in the processor's cache


def quarter_offset(heatmaps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Argmax, then a quarter cell towards the larger neighbour (SimpleBaseline, HRNet).

    `heatmaps`: N x J x h x w. Returns N x J x 2 positions (x, y) in cells and N x J maxima. The outermost
    cells, and index 1, get no offset, as in the released code; a map without a positive value gives (0, 0).
    """
    height, width = heatmaps.shape[-2:]
    flat = heatmaps.flatten(2)
    maxima, x, y = _peaks(heatmaps)

    def neighbour(dx: int, dy: int) -> torch.Tensor:
        near = (y + dy).clamp(0, height - 1) * width + (x + dx).clamp(0, width - 1)
        return flat.gather(-1, near.unsqueeze(-1)).squeeze(-1)

    inner = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    offset = torch.stack(
        [(neighbour(1, 0) - neighbour(-1, 0)).sign(), (neighbour(0, 1) - neighbour(0, -1)).sign()], dim=-1
    )
    points = torch.stack([x, y], dim=-1).to(heatmaps.dtype) + 0.25 * offset * inner.unsqueeze(-1)
    return points * (maxima > 0).unsqueeze(-1), maxima


def argmax(heatmaps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The cell of the maximum: N x J x 2 positions (x, y) in cells and N x J maxima of N x J x h x w maps."""
    maxima, x, y = _peaks(heatmaps)
    return torch.stack([x, y], dim=-1).to(heatmaps.dtype), maxima


def _peaks(heatmaps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Maxima of N x J x h x w maps, their columns and rows (N x J each): of equal ones the first, row by row.

    Rows first: the largest value of each is found many elements at a time, its place one by one.
    """
    maxima, y = heatmaps.amax(dim=-1).max(dim=-1)
    row = heatmaps.gather(2, y[..., None, None].expand(-1, -1, 1, heatmaps.shape[-1])).squeeze(2)
    return maxima, row.argmax(dim=-1), y


def second_peak(heatmaps: np.ndarray, kernel: int) -> tuple[np.ndarray, np.ndarray]:
    """Blur, argmax, then a quarter cell towards the second maximum (Li 2019, released test code).

    `heatmaps`: N x J x h x w, on the scale 0..255; `kernel`: width of the blur, 5 on COCO and 9 on MPII.
    Returns N x J x 2 positions in cells, clamped to the map, and N x J scores (value / 255 + 0.5).
    """
    n, joints, height, width = heatmaps.shape
    border = 10
    points = np.zeros((n, joints, 2))
    scores = np.zeros((n, joints))
    for person in range(n):
        for joint in range(joints):
            padded = np.pad(heatmaps[person, joint], border)
            blurred = cv2.GaussianBlur(padded, (kernel, kernel), 0)
            first = np.array(np.unravel_index(blurred.argmax(), blurred.shape))
            blurred[tuple(first)] = 0
            step = np.array(np.unravel_index(blurred.argmax(), blurred.shape)) - first
            length = np.hypot(*step)
            y, x = first - border + (0.25 * step / length if length > 1e-3 else 0)
            points[person, joint] = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
            column, row = np.rint(points[person, joint]).astype(int)
            scores[person, joint] = heatmaps[person, joint, row, column] / 255 + 0.5
    return points, scores


def flip_average(heatmaps: torch.Tensor, mirrored: torch.Tensor, mirror: Sequence[int], shift: bool) -> torch.Tensor:
    """Average the maps of an image with those of its mirror image.

    `mirror`: the joint permutation of `Skeleton.mirror` (channels beyond it, such as a background, stay).
    `shift` moves the flipped-back maps one column to the right, because cell i of a mirrored crop lies
    0.75 cells beside its twin at stride 4 (HRNet's SHIFT_HEATMAP).
    """
    order = torch.tensor([*mirror, *range(len(mirror), heatmaps.shape[1])], device=heatmaps.device)
    mean = torch.empty_like(heatmaps)
    parts = (maps.split(FEW) for maps in (heatmaps, mirrored, mean))
    for own, twin, out in zip(*parts, strict=True):
        back = twin.flip(-1).index_select(1, order)
        if shift:
            back = torch.cat([back[..., :1], back[..., :-1]], dim=-1)
        out.copy_(back.add_(own).div_(2))
    return mean
