"""The mean pose: fitted to one person, it predicts that person; fitted to many, their mean."""

import pytest
import torch

from architectures.baseline import mean_pose
from protocols.pose.decoding import quarter_offset

SIDE = 64
POSES = torch.rand(5, 16, 2, generator=torch.Generator().manual_seed(0)) * 0.6 + 0.2  # fractions of the window


def found(poses: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The joints (16 x 2) that are read off the heatmaps, as fractions of the window."""
    network = mean_pose()
    network.fit(poses, weights)
    (maps,) = network(torch.rand(1, 3, SIDE, SIDE))
    return quarter_offset(maps)[0][0] * 4 / SIDE


@pytest.mark.parametrize("count", [1, 5])
def test_the_mean_is_found_within_a_quarter_of_a_cell(count):
    """A cell is 4 pixels of 64; rounding to the nearest one and a quarter back leave at most a quarter."""
    error = found(POSES[:count], torch.ones(count, 16)) - POSES[:count].mean(0)
    assert error.abs().max() <= 0.2501 * 4 / SIDE
    assert error.mean().abs() < 0.1 * 4 / SIDE  # and not to one side


def test_joints_that_are_not_annotated_do_not_count():
    weights = torch.ones(2, 16)
    weights[1, 3], weights[:, 5] = 0, 0
    poses = POSES[:2].clone()
    poses[1, 3] = torch.nan
    error = found(poses, weights) - POSES[:2].mean(0)
    error[3] = found(poses, weights)[3] - POSES[0, 3]
    error[5] = found(poses, weights)[5] - 0.5  # never seen: the middle
    assert error.abs().max() <= 0.2501 * 4 / SIDE
