"""PyraNet: counts of the sheet for every variant, what its levels see, and equal blocks."""

import pytest
import torch
from shapes import by_shape
from torch import nn
from torch.nn import functional
from typed import layer

from architectures import ArchitectureError, create
from architectures.pyramid import Levels, PyramidResidual, fractional_max_pool, pyranet
from protocols.network.complexity import measure


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def on_meta(name, **options):
    with by_shape():
        return create(name, **options)


@pytest.mark.parametrize(
    ("name", "millions", "gmacs"),
    [
        ("prm-baseline-2", 6.143, 6.590), ("prm-baseline-2-vc", 6.673, 6.768), ("prm-wide-2", 6.978, 7.114),
        ("pyranet-a-2", 7.633, 7.773), ("pyranet-b-2", 7.286, 7.321), ("pyranet-bstar-2", 6.957, 7.321),
        ("pyranet-c-2", 7.456, 7.591), ("pyranet-d-2", 7.286, 7.717),
        ("pyranet-a-2-novc", 7.103, 7.595), ("pyranet-b-2-novc", 6.756, 7.143), ("pyranet-bstar-2-novc", 6.427, 7.143),
        ("pyranet-c-2-novc", 6.925, 7.413), ("pyranet-d-2-novc", 6.756, 7.538),
        ("prm-baseline-8", 23.722, 20.461), ("prm-baseline-8-vc", 25.844, None),
        ("pyranet-a-8", 29.457, None), ("pyranet-b-8", 28.132, None), ("pyranet-bstar-8", 26.910, 22.829),
        ("pyranet-c-8", 28.760, None), ("pyranet-d-8", 28.132, None),
    ],
)  # fmt: skip
def test_counts_of_the_sheet(name, millions, gmacs):
    network = on_meta(name)
    assert round(parameters(network) / 1e6, 3) == millions
    if gmacs:
        values = {(value.metric, value.part): value.value for value in measure(network, (256, 256))}
        assert round(values["macs", "all"] / 1e9, 3) == gmacs


@pytest.mark.parametrize(
    ("unit", "count"),
    [("residual", 214_528), ("prm-a", 277_688), ("prm-b", 254_396), ("prm-bstar", 233_144), ("prm-c", 265_316),
     ("prm-d", 254_396)],
)  # fmt: skip
def test_parameters_of_one_unit(unit, count):
    with by_shape():
        network = pyranet(stacks=1, unit=unit, variance_control=True)
    hourglass = layer(network, "stacks.0.hourglass")
    assert parameters(hourglass.side[0]) == count
    assert parameters(hourglass.up[0]) == count + 66_304  # variance control: BN, ReLU, Conv1x1 for the identity
    assert parameters(hourglass.side[3]) == parameters(hourglass.bottom) == 214_528  # 8 and 4 pixels: plain units
    assert [type(module) for module in hourglass.side[2:]] == [type(hourglass.side[0]), type(hourglass.bottom)]
    assert [parameters(module) for module in hourglass.down] == [count, count, 214_528, 214_528]


def test_parts_of_the_eight_stack_baseline():
    network = on_meta("prm-baseline-8")
    parts = [parameters(layer(network, path)) for path in ("stem", "stacks.0.hourglass", "stacks.0.head")]
    assert parts == [352_896, 2_788_864, 66_816]


def test_scales_keep_the_size():
    sizes = [parameters(on_meta(f"pyranet-b-2-scales{scales}")) for scales in (3, 4, 5)]
    units = [layer(on_meta(f"pyranet-b-2-scales{n}"), "stem.5") for n in (3, 4, 5)]
    channels = [unit.levels.convolutions[0].in_channels for unit in units]
    assert channels == [32, 28, 25]
    assert max(sizes) / min(sizes) < 1.005
    assert sizes[1] == parameters(on_meta("pyranet-b-2"))


@pytest.mark.parametrize("side", [128, 64, 32, 16, 8])
def test_sizes_of_the_levels(side):
    table = {
        128: [107, 90, 76, 64], 64: [53, 45, 38, 32], 32: [26, 22, 19, 16], 16: [13, 11, 9, 8], 8: [6, 5, 4, 4],
    }  # fmt: skip
    x = torch.randn(1, 1, side, side)
    sizes = [fractional_max_pool(x, 2 ** (-level / 4), random=True).shape[-1] for level in range(1, 5)]
    assert sizes == table[side]


@pytest.mark.parametrize("scales", range(1, 9))
def test_last_level_halves_whatever_the_number_of_scales(scales):
    x = torch.randn(1, 1, 64, 64)
    assert fractional_max_pool(x, 2 ** (-scales / scales), random=False).shape[-1] == 32


def test_halving_is_the_plain_max_pool():
    x = torch.randn(2, 3, 16, 24)
    for random in (True, False):
        assert torch.equal(fractional_max_pool(x, 0.5, random), functional.max_pool2d(x, 2))


def test_windows_start_where_the_rule_says():
    """start_i = int((i + u) a) - int(u a) with a = (n - 2) / (out - 1), the last at n - 2; u = 1/2."""
    n, out = 64, 53
    a = (n - 2) / (out - 1)
    starts = [int((i + 0.5) * a) - int(0.5 * a) for i in range(out - 1)] + [n - 2]
    x = torch.randn(1, 1, n, n)
    column = torch.stack([x[..., i : i + 2, :].amax(-2) for i in starts], -2)
    expected = torch.stack([column[..., i : i + 2].amax(-1) for i in starts], -1)
    assert torch.equal(fractional_max_pool(x, 2**-0.25, random=False), expected)


def test_windows_are_drawn_in_training_only():
    module = Levels(4, 4)
    x = torch.randn(1, 4, 32, 32)
    assert not torch.equal(module([x])[0], module([x])[0])
    module.eval()
    assert torch.equal(module([x])[0], module([x])[0])


def test_levels_come_back_with_aligned_corners():
    """7 rows pooled to 3 and brought back: row i lies i / 3 rows behind the first of the convolved ones."""
    module = Levels(2, 4).double().eval()
    x = torch.randn(1, 2, 7, 7, dtype=torch.float64)
    small = module.convolutions[3](fractional_max_pool(x, 0.5, random=False))
    weights = (1 - (torch.arange(7, dtype=torch.float64)[:, None] / 3 - torch.arange(3)).abs()).clamp(min=0)  # 7 x 3
    torch.testing.assert_close(module([x])[3], weights @ small @ weights.T)


def test_every_level_of_variant_a_reads_its_own_reduction():
    module = Levels(2, 4).eval()
    reduced = [torch.randn(1, 2, 8, 8) for _ in range(4)]
    before = module(reduced)
    reduced[2] = torch.randn(1, 2, 8, 8)
    changed = [not torch.equal(*pair) for pair in zip(before, module(reduced), strict=True)]
    assert changed == [False, False, True, False]


def seen(module, level, side=64, draws=64):
    """Rows that each interior output row of a level depends on, over many inputs: max-pooling shows one at a time."""
    x = torch.randn(draws, 1, side, side, dtype=torch.float64, requires_grad=True)
    output = module([x])[level]
    extents = []
    for row in range(20, 44):
        (gradient,) = torch.autograd.grad(output[:, :, row].sum(), x, retain_graph=True)
        rows = gradient.abs().sum((0, 1, 3)).nonzero().flatten()
        extents.append(int(rows[-1] - rows[0]) + 1)
    return extents


@pytest.mark.parametrize(("level", "least", "most"), [(0, 5, 6), (1, 6, 7), (2, 7, 8), (3, 8, 8)])
def test_levels_see_more_and_more(level, least, most):
    extents = seen(Levels(1, 4).double().eval(), level)
    assert least <= min(extents) <= max(extents) <= most


@pytest.mark.parametrize("level", range(4))
def test_dilated_levels_see_5_7_9_11(level):
    assert set(seen(Levels(1, 4, dilated=True).double(), level, draws=1)) == {2 * (level + 2) + 1}


def test_bstar_is_b_with_equal_kernels():
    def module(variant):
        return PyramidResidual(8, 8, variant=variant, scales=4, narrow=3, skip=nn.Identity()).eval()

    shared, own = module("bstar"), module("b")
    state = shared.state_dict()
    for tensor in ("weight", "bias"):
        for level in range(4):
            state[f"levels.convolutions.{level}.{tensor}"] = state[f"levels.convolutions.0.{tensor}"]
    own.load_state_dict(state)
    x = torch.randn(2, 8, 16, 16)
    assert torch.equal(shared(x), own(x))


def test_unknown_unit_is_refused():
    with pytest.raises(ArchitectureError, match="allowed are residual, prm-a"):
        pyranet(unit="prm-e")
