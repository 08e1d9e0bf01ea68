"""Targets: the rule of the public HRNet code, written out as a loop over one person and one joint at a time."""

import cv2
import numpy as np
import pytest
import torch

from protocols.pose.targets import background, blurred_impulses, exact_gaussians, gaussians

SIZE = (20, 16)  # height, width


def hrnet(point: tuple[float, float], sigma: int) -> tuple[np.ndarray, float]:
    """JointsDataset.generate_target for one visible joint at a position in cells: (map, weight)."""
    height, width = SIZE
    radius = 3 * sigma
    mu_x, mu_y = int(point[0] + 0.5), int(point[1] + 0.5)  # towards zero
    left, top = mu_x - radius, mu_y - radius
    right, bottom = mu_x + radius + 1, mu_y + radius + 1
    target = np.zeros(SIZE)
    if left >= width or top >= height or right < 0 or bottom < 0:
        return target, 0.0
    for y in range(max(0, top), min(height, bottom)):
        for x in range(max(0, left), min(width, right)):
            target[y, x] = np.exp(-((x - mu_x) ** 2 + (y - mu_y) ** 2) / (2 * sigma**2))
    return target, 1.0


def both(point: tuple[float, float], sigma: int) -> tuple[np.ndarray, float]:
    """The same from `gaussians`."""
    maps, inside = gaussians(torch.tensor([[point]], dtype=torch.float32), SIZE, sigma)
    return maps[0, 0].numpy(), inside.item()


EDGES = [(-4.0, 5.0), (-4.6, 5.0), (-3.4, 5.0), (18.9, 3.0), (18.4, 3.0), (19.0, 3.0), (5.0, -4.0), (5.0, 22.6),
         (5.0, 23.0), (-0.4, -0.6), (-0.5, -1.5), (15.6, 19.6), (0.5, 1.5), (7.49, 7.5)]  # fmt: skip


@pytest.mark.parametrize("point", EDGES)
@pytest.mark.parametrize("sigma", [1, 2])
def test_hrnet_rule_at_the_edges(point, sigma):
    expected, weight = hrnet(point, sigma)
    maps, inside = both(point, sigma)
    assert inside == weight
    assert maps == pytest.approx(expected, abs=1e-6)


def test_hrnet_rule_anywhere():
    rng = np.random.default_rng(0)
    for point in rng.uniform(-10, 30, (200, 2)):
        expected, weight = hrnet(tuple(point), 2)
        maps, inside = both(tuple(point), 2)
        assert inside == weight
        assert maps == pytest.approx(expected, abs=1e-6)


def test_many_at_once_are_the_same_as_one_by_one():
    points = torch.rand(3, 4, 2) * 20
    maps, inside = gaussians(points, SIZE, 1.0)
    assert maps.shape == (3, 4, *SIZE) and inside.shape == (3, 4)
    alone, _ = gaussians(points[2:, 1:2], SIZE, 1.0)
    assert torch.equal(maps[2, 1], alone[0, 0])


def test_tail_of_a_joint_just_outside():
    """Spec: the peak is 0.779 one cell off in both axes, at sigma 2."""
    maps, inside = both((-1.0, -1.0), 2)  # int(-0.5) is 0: this one is still on the corner cell
    assert inside == 1 and maps[0, 0] == pytest.approx(1)
    maps, inside = both((16.0, 20.0), 2)
    assert inside == 1 and maps.max() == pytest.approx(np.exp(-2 / 8)) == pytest.approx(0.7788, abs=1e-4)


def test_positions_that_are_no_numbers_have_no_target():
    maps, inside = both((float("nan"), 3.0), 1)
    assert inside == 0 and not maps.any()


def test_background_is_what_no_joint_claims():
    maps = torch.tensor([[[[0.2, 0.0]], [[0.7, 0.0]]]])  # two joints, two cells
    found = background(maps)
    assert found.shape == (1, 3, 1, 2)
    assert torch.equal(found[:, :2], maps)
    assert found[0, 2, 0].tolist() == pytest.approx([0.3, 1.0])


# The sheet on MSPN, section 2.1: centre row after normalization to 255.
BLURRED = {
    5: [255, 170, 42.5, 0],
    7: [255, 198.33, 99.17, 28.33, 0],
    11: [255, 225.04, 154.66, 82.79, 34.51, 11.20, 0],
    15: [255, 236.82, 189.69, 131.05, 78.09, 40.13, 17.79, 6.80, 0],
}


@pytest.mark.parametrize("kernel", BLURRED)
def test_blurred_impulses_have_the_rows_of_the_sheet(kernel):
    maps, _ = blurred_impulses(torch.tensor([[[15.0, 16.0]]]), (33, 31), kernel)
    row = 255 * maps[0, 0, 16, 15:]
    assert row[: len(BLURRED[kernel])].tolist() == pytest.approx(BLURRED[kernel], abs=0.02)


@pytest.mark.parametrize("kernel", [5, 7, 9, 11, 15])
def test_blurred_impulses_are_those_of_opencv_up_to_the_corner(kernel):
    for x, y in [(0, 0), (1, 0), (2, 3), (7, 9), (15, 19), (14, 1)]:
        impulse = np.zeros(SIZE, np.float32)
        impulse[y, x] = 1
        expected = cv2.GaussianBlur(impulse, (kernel, kernel), 0)
        maps, inside = blurred_impulses(torch.tensor([[[float(x), float(y)]]]), SIZE, kernel)
        assert inside.item() == 1
        assert maps[0, 0].numpy() == pytest.approx(expected / expected.max(), abs=1e-5)


def test_impulses_outside_are_none():
    points = torch.tensor([[[-0.6, 3.0], [15.6, 3.0], [3.0, 19.6], [float("nan"), 3.0], [-0.4, 19.4]]])
    maps, inside = blurred_impulses(points, SIZE, 5)
    assert inside[0].tolist() == [0, 0, 0, 0, 1]
    assert not maps[0, :4].any() and maps[0, 4, 19, 0] == 1


def test_exact_gaussians_written_out():
    """exp(-d^2 / 2 sigma^2) where that is at least a hundredth (CPM's data layer: exponent up to ln 100)."""
    point, sigma = (6.3, 8.8), 0.875
    maps, inside = exact_gaussians(torch.tensor([[point]]), SIZE, sigma)
    for y in range(SIZE[0]):
        for x in range(SIZE[1]):
            value = np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * sigma**2))
            assert maps[0, 0, y, x].item() == pytest.approx(value if value >= 0.01 else 0, abs=1e-5)
    assert inside.item() == 1
    assert exact_gaussians(torch.tensor([[[-5.0, 3.0]]]), SIZE, sigma)[1].item() == 0
