"""Multi-context attention: counts of the sheet, receptive fields of the HRU, maps."""

import pytest
import torch
from shapes import by_shape
from torch import nn
from torch.nn import functional
from typed import layer, present

from architectures import ArchitectureError, create
from architectures.layers import Residual
from architectures.multi_context import Attention, HourglassResidual, PartAttention, multi_context
from protocols.network.complexity import measure


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "millions", "gmacs"),
    [
        ("attention-8-released", 58.312, 63.864), ("attention-8-released-res", 29.501, 40.170),
        ("attention-8-bl", 24.252, 22.608), ("attention-8-ms", 24.291, 22.783), ("attention-8-hru", 62.089, 35.618),
        ("attention-8-mr", 62.147, 35.646), ("attention-8-hp", 62.292, 36.302),
        ("attention-2-crf", 6.279, 7.148), ("attention-2-softmax", 6.279, None),
    ],
)  # fmt: skip
def test_counts_of_the_sheet(name, millions, gmacs):
    with by_shape():
        network = create(name)
    assert round(parameters(network) / 1e6, 3) == millions
    if gmacs:
        values = {(value.metric, value.part): value.value for value in measure(network, (256, 256))}
        assert round(values["macs", "all"] / 1e9, 3) == gmacs


def test_counts_to_the_last_digit():
    with by_shape():
        assert parameters(create("attention-8-released")) == 58_312_088
        assert parameters(HourglassResidual(256)) == 1_395_712
        assert parameters(HourglassResidual(256).context) == 1_181_184
        assert [parameters(Attention(width, "crf")) for width in (256, 512)] == [2_427, 4_731]
        assert [parameters(PartAttention(width, 16, "crf")) for width in (256, 512)] == [42_944, 83_904]
        crf, softmax = create("attention-2-crf"), create("attention-2-softmax")
    assert parameters(crf) - parameters(softmax) == 2 * (11 * 11 + 1)


def test_units_of_the_side_branches():
    with by_shape():
        released = layer(multi_context(stacks=1, layout="released"), "stacks.0.hourglass")
        paper = layer(multi_context(stacks=1), "stacks.0.hourglass")
    kinds = [[type(unit) for unit in side] for side in released.side]
    assert kinds == [
        [Residual, HourglassResidual, HourglassResidual], [Residual, HourglassResidual], [Residual], [Residual],
    ]  # fmt: skip
    assert [type(side) for side in paper.side] == [HourglassResidual] * 4
    for hourglass in (released, paper):
        assert {type(unit) for unit in (*hourglass.down, hourglass.bottom, *hourglass.up)} == {Residual}


@pytest.fixture
def every_pixel(monkeypatch):
    """Pooling that lets every pixel through: with positive weights, what is seen then has a gradient."""
    monkeypatch.setattr(functional, "max_pool2d", lambda x, size, *_, **__: functional.avg_pool2d(x, size))


def window(module, features, row, column, side=32):
    """First row, last row, first column, last column that an output pixel depends on."""
    module = module.double().eval()
    for parameter in module.parameters():
        parameter.data = parameter.data.abs() + 0.01
    x = torch.ones(1, features, side, side, dtype=torch.float64, requires_grad=True)
    module(x)[:, :, row, column].sum().backward()
    rows, columns = present(x.grad).abs().sum((0, 1)).nonzero(as_tuple=True)
    return tuple(map(int, (rows.min(), rows.max(), columns.min(), columns.max())))


@pytest.mark.parametrize(("row", "column"), [(12, 12), (12, 13), (13, 12), (13, 13)])
def test_hru_sees_ten_by_ten_pixels(every_pixel, row, column):
    """From 4 pixels before an even one and from 5 before an odd one."""
    first, left = row - (5 if row % 2 else 4), column - (5 if column % 2 else 4)
    assert window(HourglassResidual(2), 2, row, column) == (first, first + 9, left, left + 9)
    assert window(HourglassResidual(2).residual, 2, row, column) == (row - 1, row + 1, column - 1, column + 1)


def test_hru_adds_three_branches():
    """Identity, bottleneck and context, each once (figure 5)."""
    unit = HourglassResidual(4).eval()
    x = torch.randn(1, 4, 8, 8)
    bottleneck = unit.residual.expand(unit.residual.convolve(unit.residual.reduce(unit.residual.preactivation(x))))
    torch.testing.assert_close(unit(x), x + bottleneck + unit.context(x))


def test_side_branches_see_20_12_3_and_3_pixels(every_pixel):
    sides = layer(multi_context(stacks=1, layout="released", width=1 / 32), "stacks.0.hourglass.side")
    seen = [window(side, 8, 16, 16, side=48) for side in sides]
    assert [last - first + 1 for first, last, _, _ in seen] == [20, 12, 3, 3]


def test_random_field_sees_33_pixels():
    first, last, _, _ = window(Attention(1, "crf"), 1, 24, 24, side=48)
    assert last - first + 1 == 33  # the unary's 3, and 10 more each of three times


def test_random_field_by_its_equation():
    attention = Attention(3, "crf")
    x = torch.randn(1, 3, 9, 9)
    assert attention.message is not None
    unary = attention.unary(x)
    field = torch.sigmoid(attention.message(unary) + unary)
    field = torch.sigmoid(attention.message(field) + unary)
    field = torch.sigmoid(attention.message(field) + unary)
    assert torch.equal(attention(x), field)


def test_softmax_sums_to_one():
    weights = Attention(3, "softmax")(torch.randn(2, 3, 8, 12))
    torch.testing.assert_close(weights.sum((1, 2, 3)), torch.ones(2))


def mapped(attention: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """A map of a random field that differs from 1 / 2 and from pixel to pixel, whatever was drawn."""
    with torch.no_grad():
        attention.get_parameter("unary.weight").mul_(10)
    return attention(x)


@pytest.fixture
def two_stacks():
    """Two narrow stacks, refined map in the first and parts in the second, and the input of one."""
    torch.manual_seed(0)
    network = multi_context(stacks=2, width=1 / 32, joints=3, part_stacks=1).eval()
    return network.stacks, torch.randn(1, 8, 64, 64)


def test_one_stack_by_its_equations(two_stacks):
    """Section 3: h1 = f x sum of the maps of four resolutions, h2 = h1 x a map from h1; the next stack reads f too.

    What goes back are the heatmaps and the first of the two linear layers, which no map has weighed (released code).
    """
    (stack, _), x = two_stacks
    _, merges = stack.hourglass(x)
    assert [merge.shape[-1] for merge in merges] == [64, 32, 16, 8] and len(stack.resolutions) == 4
    total = torch.zeros(1, 1, 64, 64)
    for attention, merge, times in zip(stack.resolutions, merges, (1, 2, 4, 8), strict=True):
        total = total + mapped(attention, merge).repeat_interleave(times, -1).repeat_interleave(times, -2)
    first = stack.first(merges[0])
    h1 = stack.second(first) * total
    (refining,) = stack.holistic
    heatmaps = stack.score(h1 * mapped(refining, h1))
    found, following = stack(x)
    torch.testing.assert_close(found, heatmaps)
    torch.testing.assert_close(following, x + stack.features_back(first) + stack.heatmaps_back(heatmaps))


def test_parts_replace_the_refined_map(two_stacks):
    """Equations 11 to 13: each joint has a map from h1 and a 1x1 convolution of what it leaves."""
    (_, stack), x = two_stacks
    assert isinstance(stack.score, PartAttention) and not len(stack.holistic)
    h1 = torch.randn(1, 8, 16, 16)
    parts = zip(stack.score.attentions, stack.score.scores, strict=True)
    maps = [score(h1 * mapped(attention, h1)) for attention, score in parts]
    torch.testing.assert_close(stack.score(h1), torch.cat(maps, 1))
    assert stack(x)[1] is None


def test_which_stacks_have_parts():
    with by_shape():
        stacks = layer(multi_context(width=1 / 32), "stacks")
    assert [isinstance(stack.score, PartAttention) for stack in stacks] == [False] * 4 + [True] * 4


def test_part_maps_are_independent():
    parts = PartAttention(4, 3, "crf")
    x = torch.randn(1, 4, 8, 8)
    before = parts(x)
    nn.init.normal_(parts.get_parameter("attentions.1.unary.weight"))
    changed = (parts(x) != before).flatten(2).any(2)[0]
    assert changed.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"layout": "new"}, "'paper' and 'released'"),
        ({"normalize": "max"}, "'crf' and 'softmax'"),
        ({"maps": 3}, "allowed are 0, 1 and 2"),
        ({"maps": 0}, "at least 1 if multi_resolution"),
    ],
)
def test_unknown_options_are_refused(option, message):
    with pytest.raises(ArchitectureError, match=message):
        multi_context(**option)
