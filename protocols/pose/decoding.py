"""From heatmaps to keypoints: the rules of the code bases that the papers compare with."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch


def quarter_offset(heatmaps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Argmax, then a quarter cell towards the larger neighbour (SimpleBaseline, HRNet).

    `heatmaps`: N x J x h x w. Returns N x J x 2 positions (x, y) in cells and N x J maxima. The outermost
    cells, and index 1, get no offset, as in the released code; a map without a positive value gives (0, 0).
    """
    height, width = heatmaps.shape[-2:]
    flat, place, x, y = _peaks(heatmaps)
    maxima = flat.gather(-1, place)
    steps = torch.tensor([1, -1, width, -width], device=flat.device)  # right, left, below, above
    near = flat.gather(-1, (place + steps).clamp(0, height * width - 1))  # nothing new beyond the borders: no offset
    offset = (near[..., ::2] - near[..., 1::2]).sign()
    inner = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    points = torch.cat([x, y], dim=-1).to(heatmaps.dtype) + 0.25 * offset * inner
    return points * (maxima > 0), maxima.squeeze(-1)


def argmax(heatmaps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The cell of the maximum: N x J x 2 positions (x, y) in cells and N x J maxima of N x J x h x w maps."""
    flat, place, x, y = _peaks(heatmaps)
    return torch.cat([x, y], dim=-1).to(heatmaps.dtype), flat.gather(-1, place).squeeze(-1)


def _peaks(heatmaps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Maps as N x J x hw, and where their maxima lie: index, column, row (N x J x 1 each); the first of equal ones."""
    flat = heatmaps.flatten(2)
    # On a processor numpy compares many elements at a time, torch one after the other.
    place = torch.from_numpy(flat.detach().numpy().argmax(-1)) if flat.is_cpu else flat.argmax(-1)
    place = place.unsqueeze(-1)
    return flat, place, place % heatmaps.shape[-1], place // heatmaps.shape[-1]


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
    mean = mirrored.index_select(1, order)
    back = mean.flip(-1)
    if shift:
        torch.add(heatmaps[..., 0], back[..., 0], out=mean[..., 0])
        torch.add(heatmaps[..., 1:], back[..., :-1], out=mean[..., 1:])
    else:
        torch.add(heatmaps, back, out=mean)
    return mean.div_(2)
