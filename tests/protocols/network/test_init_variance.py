"""Response variances against the closed forms of theory and the sheet's measured tables."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from typed import present

from architectures import catalogue, create, describe
from architectures.layers import Residual, norm_relu
from protocols.errors import DataError
from protocols.network.init_variance import measure

# Last convolution of Residual(256, 256) is 1x1, 128 -> 256: the increment n_i Var[w] / 2 by hand (sheet, item 1).
INCREMENT = {"torch": 1 / 6, "xavier": 1 / 3, "msr": 1.0, "branch-aware": 2 / 3}


def draw(network, seed, name="msr"):
    """Zero-mean weights with the variance that the sheet's section 3.1 gives; biases 0."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            fan_out = fan_in * module.out_channels / module.in_channels
            variance = {
                "torch": 1 / (3 * fan_in),
                "xavier": 2 / (fan_in + fan_out),
                "msr": 2 / fan_in,
                "branch-aware": 4 / (fan_in + fan_out),
            }[name]
            nn.init.normal_(module.weight, std=math.sqrt(variance))
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def values(network, name="msr", seeds=(0,), size=(32, 32), **options):
    found = measure(network, size, initialize=partial(draw, name=name), seeds=seeds, **options)
    return {(value.metric, value.part): value for value in found}


class Chain(nn.Module):
    """Units on a wide input that stays N(0, 1): 3 image channels repeated would correlate, so they are mixed."""

    def __init__(self, *units):
        super().__init__()
        self.mix = nn.Conv2d(3, 256, 5, padding=2, bias=False)
        self.norm = nn.BatchNorm2d(256, affine=False)
        self.units = nn.ModuleList(units)

    def forward(self, images):
        x = self.norm(self.mix(images))
        for unit in self.units:
            x = unit(x)
        return x


@pytest.mark.parametrize("name", INCREMENT)
def test_identity_units_accumulate(name):
    found = values(Chain(*(Residual(256, 256) for _ in range(6))), name, batch=4)
    for k in range(6):
        closed = 1 + (k + 1) * INCREMENT[name]
        assert found["variance", f"units.{k}"].value == pytest.approx(closed, rel=0.12)
        assert found["variance_theory", f"units.{k}"].value == pytest.approx(closed, rel=0.03)


@pytest.mark.parametrize("name", INCREMENT)
def test_a_convolved_shortcut_resets(name):
    skip_increment = {"torch": 1 / 6, "xavier": 1 / 2, "msr": 1.0, "branch-aware": 1.0}[name]
    units = [Residual(256, 256) for _ in range(3)]
    reset = Residual(256, 256, skip=nn.Sequential(norm_relu(256), nn.Conv2d(256, 256, 1)))
    found = values(Chain(*units, reset), name, batch=4)
    closed = INCREMENT[name] + skip_increment  # of what came before, nothing is left
    assert found["variance", "units.3"].value == pytest.approx(closed, rel=0.1)
    assert found["variance_theory", "units.3"].value == pytest.approx(closed, rel=0.03)


@pytest.mark.parametrize("same_input", [False, True])
def test_summed_identity_units_double(same_input):
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = Chain(Residual(256, 256)), Chain(Residual(256, 256))

        def forward(self, images):
            left, right = images.chunk(2)
            x = self.left.norm(self.left.mix(left))
            y = x if same_input else self.right.norm(self.right.mix(right))
            return self.left.units[0](x) + self.right.units[0](y)

    found = values(Pair(), batch=8)
    addends = [found["addend_variance", f"top level / {i}"].value for i in (1, 2)]
    # On one input the two identities, of variance 1, correlate fully: Var(sum) = 2 (1 + increment) + 2.
    closed = 2 + (2 / (1 + INCREMENT["msr"]) if same_input else 0)
    assert closed == (3.0 if same_input else 2.0)
    assert found["variance", "top level"].value / np.mean(addends) == pytest.approx(closed, rel=0.05)
    assert found["rho", "top level"].value == pytest.approx(closed / 2, rel=0.05)


@pytest.mark.parametrize("branches", [2, 4])
def test_product_of_branches_is_linear_only(branches):
    generator = torch.Generator().manual_seed(0)
    width = 512

    def layer(inputs, variance):
        weight = torch.randn(width, width, generator=generator) * math.sqrt(variance / width)
        return weight @ inputs

    inputs = torch.randn(branches, 2, width, 4096, generator=generator)
    linear = sum(inputs[:, 0])  # responses of equal variance, independent of each other, summed before each layer
    ratio = layer(linear, 1.0).var() / inputs[0, 0].var()
    assert ratio == pytest.approx(branches, rel=0.1)
    summed = sum(inputs[:, 1].relu())
    plain = layer(summed, 2.0).square().mean()
    growth = branches + branches * (branches - 1) / math.pi  # the means of the ReLU responses add up
    assert plain == pytest.approx(growth, rel=0.2)
    aware = layer(summed, 2.0 / branches).square().mean()
    assert aware == pytest.approx(growth / branches, rel=0.2)


@pytest.mark.parametrize(("unit", "shared"), [("prm-b", False), ("prm-bstar", True)])
def test_pyramid_sum(unit, shared):
    """Levels with kernels of their own add like strangers, those of a shared kernel like one response."""
    found = values(create("prm-baseline-2", unit=unit, stacks=1), size=(64, 64))
    pyramids = [part.removesuffix(" / 4") for metric, part in found if metric == "addend_variance" and "/ 4" in part]
    assert len(pyramids) == 3 + 7  # stem and one hourglass
    ratios = [4 * found["rho", part].value for part in pyramids]  # Var(sum) / mean Var(level)
    assert np.mean(ratios) == pytest.approx(16 if shared else 4, rel=0.12)


class Plain(nn.Module):
    """Convolutions that nothing is added to: two in a row, then two side by side whose maps are stacked, then one."""

    def __init__(self, pooled=False):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 256, 5, padding=2), nn.Conv2d(256, 256, 3, 2, 1)
        self.left, self.right = nn.Conv2d(256, 128, 3, padding=2, dilation=2), nn.Conv2d(256, 384, 1)
        self.last = nn.Conv2d(512, 256, 1)
        self.pool = nn.MaxPool2d(2) if pooled else nn.Identity()

    def forward(self, images):
        x = self.second(self.first(images).relu()).relu()
        return self.last(self.pool(torch.cat([self.left(x).relu(), self.right(x).relu()], 1)))


def test_a_network_without_additions_is_probed_behind_each_convolution():
    """MSR keeps 2 x E[x^2]: 2 behind the first layer; half of that squared behind a ReLU, so 2 again and again, less
    what lies on the padding. Of 5 places along 32 cells 0, 1 or 2 are outside at either end: 6 of 160; with stride 2
    of 3 along 16 cells 1 of 48; of 3 two apart along 16 cells 4 of 48; none of 1."""
    first = 2 * (154 / 160) ** 2
    second = 2 * (first / 2) * (47 / 48) ** 2
    left, right = second * (44 / 48) ** 2, second
    closed = {"first": first, "second": second, "left": left, "right": right, "last": (128 * left + 384 * right) / 512}
    with pytest.warns(UserWarning, match="adds no two responses: its 5 convolutions"):
        found = values(Plain(), seeds=range(4), batch=8)
    for part, expected in closed.items():
        assert found["variance_theory", part].value == pytest.approx(expected, rel=0.03)
        assert found["variance", part].value == pytest.approx(expected, rel=0.2)
    assert found["variance", "max"].value == pytest.approx(first, rel=0.1)
    assert not {"rho", "addend_variance"} & {metric for metric, _ in found}


@pytest.mark.filterwarnings("ignore:The network adds no two")
def test_biases_add_their_variance():
    """Behind a convolution of 1x1 on N(0, 1): 2 of the weights, 9 of the biases; half the square behind the ReLU."""
    network = nn.Sequential(nn.Conv2d(3, 512, 1), nn.ReLU(), nn.Conv2d(512, 512, 1))

    def biased(network, seed):
        draw(network, seed)
        nn.init.normal_(network[0].bias, std=3.0)

    found = {(v.metric, v.part): v.value for v in measure(network, (32, 32), initialize=biased, seeds=range(4))}
    for part, closed in {"0": 11, "2": 2 * 11 / 2}.items():
        assert found["variance_theory", part] == pytest.approx(closed, rel=0.1)
        assert found["variance", part] == pytest.approx(closed, rel=0.1)


@pytest.mark.filterwarnings("ignore:The network adds no two")
def test_theory_starts_anew_behind_a_pool():
    """A maximum of four is larger than each: what the last layer reads is measured, not half of the variance."""
    found = values(Plain(pooled=True), seeds=range(4), batch=8)
    assert found["variance_theory", "last"].value > 1.5 * found["variance_theory", "right"].value
    ratio = found["variance", "last"].value / found["variance_theory", "last"].value
    assert ratio == pytest.approx(1, abs=0.15)


@pytest.mark.filterwarnings("ignore:The network adds no two")
def test_a_network_without_weights_has_no_probes():
    assert {key: value.value for key, value in values(create("mean-pose")).items()} == {("probes", "network"): 0}


FAMILIES = {
    row.builder: name for name, row in reversed(catalogue().items()) if name != "mean-pose"
}  # the first of each


@pytest.mark.filterwarnings("ignore:The network adds no two")
@pytest.mark.parametrize("name", FAMILIES.values())
def test_every_family_has_variances(name):
    row = describe(name)
    narrow = create(name, width=0.25 if row.skeleton == "cifar10" else 0.125)
    found = values(narrow, size=tuple(min(side, 64) for side in row.input))
    assert all(np.isfinite(value.value) and value.value >= 0 for value in found.values())
    parts = {part for metric, part in found if metric == "variance"}
    assert len(parts) > 5 and parts - {"max"} == {part for metric, part in found if metric == "variance_theory"}


def test_addends_are_seen_before_an_addition_in_place():
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Conv2d(3, 3, 1)

        def forward(self, images):
            x = self.scale(images)
            y = x * 3
            x += y
            return x

    def unit(network, seed):
        with torch.no_grad():
            network.scale.weight.copy_(torch.eye(3)[..., None, None])
            network.scale.bias.fill_(5)  # a mean is no variance

    found = {(v.metric, v.part): v.value for v in measure(InPlace(), (64, 64), initialize=unit, seeds=(0,))}
    assert found["addend_variance", "top level / 1"] == pytest.approx(1, rel=0.05)
    assert found["addend_variance", "top level / 2"] == pytest.approx(9, rel=0.05)
    assert found["rho", "top level"] == pytest.approx(16 / 10, rel=1e-5)
    two = next(v for v in measure(InPlace(), (64, 64), initialize=unit, seeds=(0, 1)) if v.metric == "variance")
    assert present(two.low) < present(two.high)  # the weights are the same: each seed has images of its own, too


def test_the_largest_variance_and_the_mean_of_rho_are_over_all_additions():
    """On x ~ N(0, 1): x + 3x = 4x, x + x = 2x, x - x / 2; Var 16, 4, 1/4 of addends 10, 2, 5/4."""

    class Last(nn.Module):
        def forward(self, x):
            return x + x * -0.5

    class Sums(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale, self.last = nn.Conv2d(3, 3, 1, bias=False), Last()

        def forward(self, images):
            x = self.scale(images)
            return (x + x * 3) * 0.25, x * 1.0 + x, self.last(x)

    def unit(network, seed):
        with torch.no_grad():
            network.scale.weight.copy_(torch.eye(3)[..., None, None])

    found = {(v.metric, v.part): v.value for v in measure(Sums(), (64, 64), initialize=unit, seeds=(0,))}
    variances = {part: value for (metric, part), value in found.items() if metric == "variance"}
    assert variances == pytest.approx({"top level #1": 16, "top level #2": 4, "last": 0.25, "max": 16}, rel=0.05)
    assert found["rho", "mean"] == pytest.approx((16 / 10 + 4 / 2 + 0.25 / 1.25) / 3, rel=1e-3)


def test_addends_behind_a_relu_have_the_variance_of_half_a_gaussian():
    """Var[relu(z)] = 1/2 - 1/(2 pi), and theory takes the two for strangers."""

    class Sum(nn.Sequential):
        def forward(self, images):
            return self[0](images).relu() + self[1](images).relu()

    found = values(Sum(nn.Conv2d(3, 512, 1), nn.Conv2d(3, 512, 1)), "msr")
    for number in (1, 2):  # a gain of 2
        addend = found["addend_variance", f"top level / {number}"].value
        assert addend == pytest.approx(2 * (1 / 2 - 1 / (2 * math.pi)), rel=0.15)
    assert found["variance_theory", "top level"].value == pytest.approx(2 * (1 - 1 / math.pi), rel=0.1)


def test_seeds_give_student_intervals():
    network = create("hourglass-1", width=0.125)
    one = [values(network, seeds=(seed,), size=(64, 64)) for seed in (3, 4, 5)]
    three = values(network, seeds=(3, 4, 5), size=(64, 64))["rho", "mean"]
    each = [found["rho", "mean"].value for found in one]
    half = 4.302652729911275 * np.std(each, ddof=1) / math.sqrt(3)  # t(0.975, 2 degrees of freedom)
    assert (three.value, three.n) == (pytest.approx(np.mean(each)), 3)
    assert (three.low, three.high) == (pytest.approx(np.mean(each) - half), pytest.approx(np.mean(each) + half))
    assert one[0]["rho", "mean"].low is None


def test_the_network_stays_as_it_was():
    network = create("hourglass-1", width=0.125)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    values(network, size=(64, 64))
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_refusals():
    with torch.device("meta"):
        network = create("hourglass-1", width=0.125)
    with pytest.raises(DataError, match="no weights"):
        values(network)


@pytest.mark.parametrize("control", [False, True])
def test_hourglass_merges_grow_without_variance_control(control):
    """Sheet, section 3.7, item 4: two stacks, batch 2, 128x128 noise."""
    found = values(create("prm-baseline-2", variance_control=control), "torch", size=(128, 128))
    for stack in range(2):
        probes = [f"stacks.{stack}.hourglass #{n}" for n in (1, 2, 3, 4)]
        merges = [found["variance", probe].value for probe in probes]
        ratios = [found["rho", probe].value for probe in probes]
        if control:
            assert max(merges) / min(merges) < 2
            assert all(abs(rho - 1) < 0.1 for rho in ratios)
        else:
            assert merges == sorted(merges)
            assert merges[3] / merges[0] > 2.5
            assert min(ratios) > 1.1
