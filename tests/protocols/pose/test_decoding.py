"""Decoding: released rules as plain loops over one map at a time."""

import cv2
import numpy as np
import pytest
import torch

from protocols.pose.decoding import argmax, flip_average, quarter_offset, second_peak
from protocols.pose.skeletons import MPII
from protocols.pose.targets import gaussians


def hrnet(heatmap: np.ndarray) -> tuple[float, float]:
    """get_max_preds and the quarter offset of get_final_preds, for one map."""
    height, width = heatmap.shape
    index = int(heatmap.argmax())
    x, y = float(index % width), float(index // width)
    if heatmap.max() <= 0:
        x = y = 0.0
    px, py = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
    if 1 < px < width - 1 and 1 < py < height - 1:
        x += 0.25 * np.sign(heatmap[py, px + 1] - heatmap[py, px - 1])
        y += 0.25 * np.sign(heatmap[py + 1, px] - heatmap[py - 1, px])
    return x, y


def mspn(heatmap: np.ndarray, kernel: int) -> tuple[float, float, float]:
    """Steps 4, 5 and 7 of the released test code, for one map: x, y, score."""
    height, width = heatmap.shape
    padded = np.zeros((height + 20, width + 20), np.float32)
    padded[10:-10, 10:-10] = heatmap
    blurred = cv2.GaussianBlur(padded, (kernel, kernel), 0)
    y1, x1 = divmod(int(blurred.argmax()), width + 20)
    blurred[y1, x1] = 0
    y2, x2 = divmod(int(blurred.argmax()), width + 20)
    x, y = float(x1 - 10), float(y1 - 10)
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    if length > 1e-3:
        x += 0.25 * (x2 - x1) / length
        y += 0.25 * (y2 - y1) / length
    x, y = max(0.0, min(x, width - 1)), max(0.0, min(y, height - 1))
    return x, y, heatmap[round(y), round(x)] / 255 + 0.5


def noisy(count: int, scale: float = 1.0) -> np.ndarray:
    """count x 3 x 12 x 9 maps with one blunt peak anywhere, borders included, and noise."""
    rng = np.random.default_rng(1)
    points = torch.from_numpy(rng.uniform(-1, [9, 12], (count, 3, 2))).float()
    maps, _ = gaussians(points, (12, 9), 1.5)
    return (scale * (maps.numpy() + 0.2 * rng.random((count, 3, 12, 9)))).astype(np.float32)


def test_quarter_offset_is_the_released_rule():
    maps = noisy(60)
    points, maxima = quarter_offset(torch.from_numpy(maps))
    for person in range(60):
        for joint in range(3):
            assert tuple(points[person, joint].tolist()) == hrnet(maps[person, joint])
            assert maxima[person, joint].item() == maps[person, joint].max()


def test_of_equal_maxima_the_first_counts():
    maps = torch.zeros(1, 1, 6, 6)
    maps[0, 0, 3, 4] = maps[0, 0, 3, 2] = maps[0, 0, 4, 1] = 1.0
    for order in (torch.contiguous_format, torch.channels_last):
        points, maxima = argmax(maps.contiguous(memory_format=order))
        assert points[0, 0].tolist() == [2, 3] and maxima.tolist() == [[1]]


def test_quarter_offset_knows_borders_ties_and_empty_maps():
    maps = torch.zeros(1, 5, 8, 8)
    maps[0, 0, 4, 1] = 1.0  # index 1: no offset, in either direction
    maps[0, 0, 3, 1] = 0.5
    maps[0, 1, 4, 4] = 1.0  # no larger neighbour
    maps[0, 2] = -1.0  # nothing positive
    maps[0, 3, 6, 6], maps[0, 3, 5, 6], maps[0, 3, 6, 7] = 1.0, 0.5, 0.2  # the last inner cell
    maps[0, 4] = -1.0
    maps[0, 4, 5, 3] = 0.0  # nor is 0 positive
    points, maxima = quarter_offset(maps)
    assert points[0].tolist() == [[1, 4], [4, 4], [0, 0], [6.25, 5.75], [0, 0]]
    assert maxima[0].tolist() == [1, 1, -1, 1, 0]


@pytest.mark.parametrize("kernel", [5, 9])
def test_second_peak_is_the_released_rule(kernel):
    maps = noisy(20, scale=255)
    points, scores = second_peak(maps, kernel)
    for person in range(20):
        for joint in range(3):
            x, y, score = mspn(maps[person, joint], kernel)
            assert points[person, joint] == pytest.approx([x, y])
            assert scores[person, joint] == pytest.approx(score)


def test_second_peak_moves_a_quarter_along_the_diagonal():
    """Spec: a unit vector, so that a diagonal neighbour gives 0.177 an axis."""
    maps = np.zeros((1, 1, 9, 9), np.float32)
    maps[0, 0, 4, 4], maps[0, 0, 5, 5] = 200, 190
    points, _ = second_peak(maps, 5)
    blurred = cv2.GaussianBlur(maps[0, 0], (5, 5), 0)
    assert blurred[4, 5] < blurred[5, 5]  # so the second peak is the diagonal cell
    assert points[0, 0] == pytest.approx([4 + 0.25 / 2**0.5] * 2)


def test_second_peak_beyond_the_border_moves_nothing_off_the_map():
    """Where the map is negative, the zeros around it are larger, and the step leads out of it: it is taken back."""
    maps = np.full((1, 2, 9, 12), -50, np.float32)
    maps[0, 0, 4, 11] = maps[0, 1, 8, 5] = 255  # last column, last row
    points, scores = second_peak(maps, 5)
    for joint, place in enumerate(([11, 4], [5, 8])):
        assert mspn(maps[0, joint], 5) == pytest.approx((*place, 1.5))
        assert points[0, joint] == pytest.approx(place) and scores[0, joint] == pytest.approx(1.5)


def test_flip_average_of_a_perfect_network_changes_nothing():
    """A network that is right on both images: cell i of the mirrored crop shows pixel W - 1 - 4 i."""
    rng = np.random.default_rng(0)
    x = rng.integers(2, 14, (2, 16, 1))
    points = torch.from_numpy(np.concatenate([x, rng.integers(1, 15, (2, 16, 1))], -1)).float()
    maps, _ = gaussians(points, (16, 16), 1.0)
    mirrored_points = points[:, list(MPII.mirror)].clone()
    mirrored_points[..., 0] = 16 - mirrored_points[..., 0]  # (63 - 4 x) / 4 = 15.75 - x, nearest cell 16 - x
    mirrored, _ = gaussians(mirrored_points, (16, 16), 1.0)
    averaged = flip_average(maps, mirrored, MPII.mirror, shift=True)
    assert torch.allclose(averaged[..., 1:], maps[..., 1:])


def test_flip_average_without_shift_and_with_a_background():
    maps = torch.rand(1, 3, 2, 4)  # two joints that swap, and a background
    mirrored = torch.rand(1, 3, 2, 4)
    averaged = flip_average(maps, mirrored, (1, 0), shift=False)
    for channel, twin in ((0, 1), (1, 0), (2, 2)):
        for column in range(4):
            expected = (maps[0, channel, :, column] + mirrored[0, twin, :, 3 - column]) / 2
            assert torch.allclose(averaged[0, channel, :, column], expected)


def test_flip_average_with_a_shift():
    """Column i of the flipped-back maps is added to column i + 1; the first one has no left neighbour and stays."""
    maps, mirrored = torch.rand(1, 2, 2, 4), torch.rand(1, 2, 2, 4)
    averaged = flip_average(maps, mirrored, (1, 0), shift=True)
    for channel, twin in ((0, 1), (1, 0)):
        for column in range(4):
            back = mirrored[0, twin, :, 3 - max(column - 1, 0)]
            assert torch.allclose(averaged[0, channel, :, column], (maps[0, channel, :, column] + back) / 2)
