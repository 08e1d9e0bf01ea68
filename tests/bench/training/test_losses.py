"""Losses: written out by hand for small maps, and by the numbers of MSPN's sheet."""

import numpy as np
import pytest
import torch
from typed import present

import architectures
from bench.cells.recipe import Loss, Targets, load
from bench.errors import Problem
from bench.training.losses import Supervision, class_loss, heatmap_loss, supervision
from protocols.pose.people import ABSENT, OCCLUDED, VISIBLE

SIZE, GRID = (32, 32), (8, 8)  # stride 4
POINTS = torch.tensor([[[4.0, 8.0], [20.0, 12.0], [28.0, 28.0]]])
SEEN = torch.tensor([[VISIBLE, VISIBLE, VISIBLE]], dtype=torch.uint8)


def empty(channels: int) -> torch.Tensor:
    return torch.zeros(1, channels, *GRID)


def impulse_energy(kernel: int = 1) -> float:
    """The sum of squares of one target map far from the border, by the sheet's rows of blurred impulses."""
    rows = {1: [1.0], 5: [255, 170, 42.5], 7: [255, 198.33, 99.17, 28.33]}
    half = np.array(rows[kernel]) / rows[kernel][0]
    whole = np.concatenate([half[:0:-1], half])
    return float((np.outer(whole, whole) ** 2).sum())


def loss_of(outputs, visibility=SEEN, points=POINTS, targets=None, loss=None, given=None) -> float:
    targets = targets or Targets(kind="blurred", kernel=1)
    return heatmap_loss(outputs, points, visibility, SIZE, targets, loss or Loss(), given or Supervision()).item()


def test_an_impulse_against_nothing():
    assert loss_of((empty(3),)) == pytest.approx(3 / (3 * 64))


def test_outputs_add_up():
    assert loss_of((empty(3), empty(3))) == pytest.approx(2 / 64)


@pytest.mark.parametrize(("absent", "expected"), [("ignore", 1 / 64), ("zero", 1 / 64)])
def test_absent_joints_against_empty_maps(absent, expected):
    """An empty prediction is right for an absent joint under both rules; of three joints two count."""
    seen = torch.tensor([[VISIBLE, ABSENT, OCCLUDED]], dtype=torch.uint8)
    targets = Targets(kind="blurred", kernel=1, absent=absent)
    assert loss_of((empty(3),), seen, targets=targets) == pytest.approx(expected * 2 / 3)


@pytest.mark.parametrize(("absent", "expected"), [("ignore", 0.0), ("zero", 1.0)])
def test_absent_joints_pull_maps_down_only_if_asked(absent, expected):
    seen = torch.full((1, 3), ABSENT, dtype=torch.uint8)
    assert loss_of((empty(3) + 1,), seen, targets=Targets(absent=absent)) == pytest.approx(expected)


def test_joints_outside_are_absent():
    points = POINTS.clone()
    points[0, 1] = torch.tensor([-200.0, 12.0])
    assert loss_of((empty(3) + 1,), points=points, targets=Targets(absent="zero")) > 0
    ignored = loss_of((empty(3),), points=points)
    assert ignored == pytest.approx(2 / (3 * 64))


@pytest.mark.parametrize("kind", ["gaussian", "exact", "blurred"])
def test_joints_that_the_dataset_does_not_know_never_teach(kind):
    points = POINTS.clone()
    points[0, 1] = torch.nan
    seen = torch.tensor([[VISIBLE, ABSENT, VISIBLE]], dtype=torch.uint8)
    for absent in ("ignore", "zero"):
        outputs = (empty(3).requires_grad_(),)
        targets = Targets(kind=kind, absent=absent)
        value = heatmap_loss((outputs[0] + 1,), points, seen, SIZE, targets)
        value.backward()
        known, unknown, _ = present(outputs[0].grad)[0]
        assert value.isfinite() and not unknown.any() and known.any()


def test_the_background_is_one_minus_the_joints():
    right = empty(4)
    for joint, (x, y) in enumerate(POINTS[0].tolist()):
        right[0, joint, int(y / 4), int(x / 4)] = 1
    right[0, 3] = 1 - right[0, :3].amax(0)
    assert loss_of((right,)) == 0
    assert loss_of((empty(4),)) == pytest.approx((3 + 61) / (4 * 64))


def test_the_background_has_the_peak_of_the_joints():
    assert loss_of((empty(4),), targets=Targets(kind="blurred", kernel=1, peak=2.0)) == pytest.approx(4 * 64 / (4 * 64))


def test_cell_0_lies_where_the_recipe_says():
    """With cell 0 at pixel 3.5, cell (1, 2) is at pixel (7.5, 11.5)."""
    points = torch.tensor([[[7.5, 11.5], [3.5, 3.5], [31.5, 31.5]]])
    right = empty(3)
    right[0, 0, 2, 1] = right[0, 1, 0, 0] = right[0, 2, 7, 7] = 1
    assert loss_of((right,), points=points, targets=Targets(kind="blurred", kernel=1, centre=3.5)) == 0


def test_outputs_with_some_joints():
    given = Supervision(joints=((2,), (0, -1)))
    right = [empty(1), empty(2)]
    right[0][0, 0, 7, 7] = 1
    right[1][0, 0, 2, 1] = 1
    right[1][0, 1] = 1
    for x, y in ((1, 2), (5, 3), (7, 7)):
        right[1][0, 1, y, x] = 0
    assert loss_of(tuple(right), given=given) == 0
    assert loss_of((empty(1), right[1]), given=given) == pytest.approx(1 / 64)


def test_caffes_sum():
    """Sum of squares / (2 N), for two people."""
    points, seen = POINTS.repeat(2, 1, 1), SEEN.repeat(2, 1)
    outputs = (torch.zeros(2, 3, *GRID),)
    assert loss_of(outputs, seen, points, loss=Loss(reduction="half-sum")) == pytest.approx(2 * 3 / (2 * 2))


def test_the_hardest_joints():
    """Predictions of c everywhere for absent joints give d = c^2; the two largest of those that are there count."""
    seen = torch.tensor([[VISIBLE, ABSENT, OCCLUDED]], dtype=torch.uint8)
    maps = torch.stack([torch.full(GRID, value) for value in (0.0, 5.0, 2.0)])[None]
    first = 1 / 64
    third = (63 * 4 + 1) / 64
    assert loss_of((maps,), seen, loss=Loss(hardest=2)) == pytest.approx((first + third) / 2)
    assert loss_of((maps,), seen, loss=Loss(hardest=1)) == pytest.approx(third)
    assert loss_of((maps,), seen, loss=Loss(hardest=8)) == pytest.approx(
        (first + third) / 3
    )  # never more than there are


def test_mspn_as_released():
    """Two stages of two heads: coarse ones / 4 without occluded targets, fine ones with the hardest joints."""
    seen = torch.tensor([[VISIBLE, ABSENT, OCCLUDED]], dtype=torch.uint8)
    targets = Targets(kind="blurred", peak=255.0, absent="zero", occluded="zero")
    given = Supervision(kernels=(7, 5, 7, 5), heads=2)
    points = torch.tensor([[[16.0, 16.0], [16.0, 16.0], [16.0, 16.0]]])
    coarse = 255**2 * impulse_energy(7) / (3 * 256)  # one of three maps is not empty
    fine = 2 * 255**2 * impulse_energy(5) / 256 / 2  # the two that are there, over two
    found = loss_of(4 * (torch.zeros(1, 3, 16, 16),), seen, points, targets, Loss(hardest=2, coarse_weight=0.25), given)
    assert found == pytest.approx(2 * (coarse / 4 + fine), rel=1e-4)


def test_coarse_heads_learn_empty_maps_of_what_is_hidden_fine_heads_its_place():
    """Both heads are right but for ones in the map of the absent joint, which only the coarse head is told of."""
    seen = torch.tensor([[VISIBLE, ABSENT, OCCLUDED]], dtype=torch.uint8)
    targets = Targets(kind="blurred", kernel=1, absent="zero", occluded="zero")
    coarse, fine = empty(3), empty(3)
    coarse[0, 1] = fine[0, 1] = 1
    coarse[0, 0, 2, 1] = fine[0, 0, 2, 1] = fine[0, 2, 7, 7] = 1
    given = Supervision(heads=2)
    assert loss_of((coarse, fine), seen, targets=targets, loss=Loss(hardest=2), given=given) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("name", "kernels", "heads"),
    [("mspn-2", (15, 11, 9, 7, 11, 9, 7, 5), 4), ("mspn-hourglass-2", (7, 7), 1), ("mspn-1", (11, 9, 7, 5), 4)],
)
def test_what_networks_say_about_their_outputs(name, kernels, heads):
    network = architectures.create(name, width=1 / 16)
    assert supervision(network) == Supervision(kernels, (), heads)


@pytest.mark.parametrize(
    "name",
    ["hourglass-1", "prm-baseline-2", "attention-2-crf", "liu-res", "liu-aioi", "liu-cjn", "liu-cjn-released",
     "mspn-1", "mspn-2", "mspn-hourglass-4-ctf", "cpm-2", "nie-4"],
)  # fmt: skip
def test_every_kind_of_network_learns_with_its_recipe(name):
    """The loss is finite, falls along its gradient, and reaches every parameter that forms an output."""
    torch.manual_seed(0)
    row = architectures.describe(name)
    network, recipe = architectures.create(row, width=1 / 16).train(), load(row.recipe)
    joints = {"mpii": 16, "lsp": 14, "coco": 17}[row.skeleton]
    points, seen = torch.rand(2, joints, 2) * 64, torch.full((2, joints), VISIBLE, dtype=torch.uint8)
    images = torch.rand(2, 3, 64, 64)
    loss = heatmap_loss(network(images), points, seen, (64, 64), recipe.targets, recipe.loss, supervision(network))
    loss.backward()
    assert loss.isfinite() and loss > 0
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_network_for_other_joints_is_an_error_with_the_shapes():
    with pytest.raises(Problem, match="1x5x8x8 for 3 joints"):
        loss_of((empty(5),))


def test_cross_entropy():
    logits = torch.tensor([[2.0, 0.0, 0.0]])
    expected = -np.log(np.exp(2) / (np.exp(2) + 2))
    assert class_loss((logits,), torch.tensor([0])).item() == pytest.approx(expected)
