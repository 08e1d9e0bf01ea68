"""The multi-scale test: maps that agree about a place give that place, whatever their windows."""

import pytest
import torch

from protocols.pose.multi_scale import argmax_over_scales
from protocols.pose.targets import exact_gaussians

SIZE, STRIDE = (64, 48), 4


def maps_of(points: torch.Tensor, scale: float, centre: float) -> torch.Tensor:
    """What a right network says for a crop that shows `scale` times the window (points: pixels at scale 1)."""
    middle = torch.tensor([SIZE[1] / 2, SIZE[0] / 2])
    cells = ((points - middle) / scale + middle - centre) / STRIDE
    return exact_gaussians(cells, (SIZE[0] // STRIDE, SIZE[1] // STRIDE), 1.0 / scale)[0]


@pytest.mark.parametrize("centre", [0.0, 1.5])
@pytest.mark.parametrize("scales", [(1.0,), (0.8, 1.0, 1.3), (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)])
def test_the_place_is_found(scales, centre):
    points = torch.tensor([[[20.0, 30.0], [28.0, 40.0]], [[24.0, 32.0], [17.0, 23.0]]])
    found, maxima = argmax_over_scales([maps_of(points, scale, centre) for scale in scales], scales, SIZE, centre)
    assert (found - points).abs().max() <= STRIDE / 2  # the maximum of bilinear maps lies on a cell
    assert found.shape == (2, 2, 2) and maxima.shape == (2, 2) and 0.7 < maxima.min() <= maxima.max() <= 1.0001


def test_on_the_grid_of_cells_the_answer_is_exact():
    points = torch.tensor([[[4.0 * column, 4.0 * row] for row in range(16) for column in range(12)]])
    found, _ = argmax_over_scales([maps_of(points, 1.0, 0.0)], (1.0,), SIZE)
    assert torch.equal(found, points)


def test_a_wide_window_shows_what_lies_outside_the_crop():
    outside = torch.tensor([[[-6.0, 30.0]]])
    found, _ = argmax_over_scales([maps_of(outside, scale, 0.0) for scale in (1.0, 1.3)], (1.0, 1.3), SIZE)
    assert found[0, 0, 0] < 0


def test_the_mean_is_over_all_windows():
    maps = torch.zeros(1, 1, 16, 12)
    maps[0, 0, 8, 6] = 1.0
    _, maxima = argmax_over_scales([maps, torch.zeros_like(maps)], (1.0, 1.0), SIZE)
    assert maxima.item() == pytest.approx(0.5)


def test_a_crop_says_nothing_of_what_it_does_not_reach():
    """Sure of every cell of its own, it must not win outside: 1 / 2 there, the other window's 0.6 / 2 beyond."""
    narrow, wide = torch.ones(1, 1, 16, 12), torch.zeros(1, 1, 16, 12)
    wide[0, 0, 8, 0] = 0.6  # 24 pixels left of the crop at scale 1
    found, maxima = argmax_over_scales([narrow, wide], (1.0, 2.0), SIZE)
    assert maxima.item() == pytest.approx(0.5) and found[0, 0, 0] >= 0


def test_many_people_are_the_same_as_one_by_one():
    points = torch.rand(19, 3, 2) * 40
    maps = [maps_of(points, scale, 0.0) for scale in (0.9, 1.1)]
    whole, _ = argmax_over_scales(maps, (0.9, 1.1), SIZE)
    assert torch.equal(whole[17:18], argmax_over_scales([part[17:18] for part in maps], (0.9, 1.1), SIZE)[0])
