"""Decoding of heatmaps to keypoints, as in the code of the papers. Positions are in heatmap pixels."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch


def quarter_offset(heatmaps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Take the argmax, then a quarter pixel towards the larger neighbour (SimpleBaseline, HRNet).

    `heatmaps`: N x J x h x w. Returns N x J x 2 positions (x, y) and N x J maxima. The outermost pixels, and
    index 1, have no offset, as in the released code; a heatmap without a positive value gives (0, 0).
    """
    height, width = heatmaps.shape[-2:]
    flat, peak, x, y = _peaks(heatmaps)
    maxima = flat.gather(-1, peak)
    steps = torch.tensor([1, -1, width, -width], device=flat.device)  # right, left, below, above
    near = flat.gather(-1, (peak + steps).clamp(0, height * width - 1))  # clamped ones are on the border: no offset
    offset = (near[..., ::2] - near[..., 1::2]).sign()
    inner = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    points = torch.cat([x, y], dim=-1).to(heatmaps.dtype) + 0.25 * offset * inner
    return points * (maxima > 0), maxima.squeeze(-1)


def argmax(heatmaps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the positions of the maxima, N x J x 2 (x, y), and the maxima, N x J, of N x J x h x w heatmaps."""
    flat, peak, x, y = _peaks(heatmaps)
    return torch.cat([x, y], dim=-1).to(heatmaps.dtype), flat.gather(-1, peak).squeeze(-1)


def _peaks(heatmaps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return heatmaps as N x J x hw, and index, column and row of their first maxima (N x J x 1 each)."""
    flat = heatmaps.flatten(2)
    # On a CPU numpy compares many elements at a time, torch one after the other.
    peak = torch.from_numpy(flat.detach().numpy().argmax(-1)) if flat.is_cpu else flat.argmax(-1)
    peak = peak.unsqueeze(-1)
    return flat, peak, peak % heatmaps.shape[-1], peak // heatmaps.shape[-1]


def second_peak(heatmaps: np.ndarray, kernel: int) -> tuple[np.ndarray, np.ndarray]:
    """Blur, take the argmax, then a quarter pixel towards the second maximum (Li 2019, released test code).

    `heatmaps`: N x J x h x w, on the scale 0..255; `kernel`: width of the blur, 5 on COCO and 9 on MPII.
    Returns N x J x 2 positions, clamped to the heatmap, and N x J scores (value / 255 + 0.5).
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
    """Average the heatmaps of an image with those of the flipped image.

    `mirrored`: heatmaps of the flipped image. `mirror`: the permutation `Skeleton.mirror` (further channels, such as a
    background, keep their place). `shift` moves the heatmaps, flipped back, one column to the right: at stride 4 they
    are 0.75 pixels off (SHIFT_HEATMAP of HRNet).
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
