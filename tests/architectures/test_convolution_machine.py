"""Nie's convolution machine and the pilot on CPM: counts in closed form, receptive field, equal blocks."""

import pytest
import torch
from shapes import by_shape
from torch import nn
from torch.nn import functional
from typed import layer

from architectures import ArchitectureError, create
from architectures.convolution_machine import Dilation, DoubleFire, Fire, Gate, PyramidStacking, convolution_machine
from architectures.cpm import cpm
from protocols.network.complexity import measure


def counts(network: nn.Module, side: int = 368) -> tuple[int, int]:
    """Parameters and MACs; the last stage needs all of them."""
    values = {(value.metric, value.part): value.value for value in measure(network, (side, side))}
    assert values["macs", "all"] == values["macs_inference", "all"]
    return int(values["parameters", "all"]), int(values["macs", "all"])


def on_meta(name: str, **options) -> nn.Module:
    with by_shape():
        return create(name, **options)


def size(module: nn.Module) -> int:
    return sum(tensor.numel() for tensor in module.parameters())


# Parameters of the parts, written out
def conv(kernel: int, inputs: int, outputs: int) -> int:
    return kernel**2 * inputs * outputs + outputs


def fire(inputs: int) -> int:
    return conv(1, inputs, 32) + conv(1, 32, 64) + conv(3, 32, 64)


def double_fire(inputs: int) -> int:
    return fire(inputs) + fire(128)


def gate(features: int) -> int:
    hidden = max(features // 16, 4)
    return conv(1, features, hidden) + conv(1, hidden, features)


def dilation(inputs: int, outputs: int) -> int:
    return 4 * conv(3, inputs, outputs) + conv(1, inputs + 4 * outputs, 15)


def stage(inputs: int) -> int:
    fires = double_fire(inputs) + 2 * double_fire(256) + double_fire(256 + inputs)
    return fires + gate(inputs) + conv(3, 256 + 32, 128) + conv(3, 128, 128) + dilation(128, 64)


PRE_STAGE = conv(3, 3, 32) + conv(3, 32, 32) + conv(3, 64, 64) + conv(3, 128, 128)


def test_parameters_of_the_parts():
    assert PRE_STAGE == 896 + 193_760
    assert (gate(32), gate(256), gate(271)) == (292, 8_464, 8_959)
    assert (stage(256), stage(271)) == (1_011_359, 1_012_814)
    assert size(Gate(271)) == gate(271)
    assert size(Fire(128, 32, 64)) == fire(128)
    assert size(DoubleFire(527, 32, 64)) == double_fire(527)
    assert size(Dilation(128, 64, 15)) == dilation(128, 64)


@pytest.mark.parametrize("stages", [3, 4])
def test_parameters_of_the_network(stages):
    network = on_meta("nie-4", stages=stages)
    assert size(network) == PRE_STAGE + gate(32) + stage(256) + (stages - 1) * stage(271)


@pytest.mark.parametrize(
    ("options", "side", "millions", "giga"),
    [
        ({}, 368, 4.245, 9.532), ({}, 256, 4.245, 4.613), ({"stages": 3}, 368, 3.232, 7.412),
        ({"first": 16}, 368, 3.967, 8.546), ({"first": 64}, 368, 5.141, 12.908), ({"kernel": 9}, 368, 4.252, 10.468),
        ({"first": 64, "squeeze": 48, "expand": 96, "fuse": 256, "dilate": 128}, 368, 14.222, 32.115),
    ],
)  # fmt: skip
def test_counts_of_the_sheet(options, side, millions, giga):
    parameters, macs = counts(on_meta("nie-4", **options), side)
    assert (round(parameters / 1e6, 3), round(macs / 1e9, 3)) == (millions, giga)


def test_fewer_parameters_and_operations_than_cpm():
    """What the paper claims of its Table 1, the one constraint on the widths."""
    ours, theirs = counts(on_meta("nie-4")), counts(on_meta("cpm-6"))
    assert ours[0] < theirs[0] and ours[1] < theirs[1]


# The pilot: what each change adds to CPM with 3 stages
SQUEEZE = 2 * (fire(128) - conv(11, 128, 128))
DILATE = dilation(512, 32) - conv(1, 512, 15) + 2 * (dilation(128, 32) - conv(1, 128, 15))
GATES = 3 * gate(128) + 2 * gate(48) + (128 + 128) * 512 + 2 * (48 + 128) * 128


@pytest.mark.parametrize(
    ("name", "change", "millions", "giga"),
    [
        ("cpm-3-sq", SQUEEZE, 12.815, 136.497), ("cpm-3-pd", DILATE, 17.622, 146.667),
        ("cpm-3-gate", GATES, 16.915, 145.156), ("cpm-3-all", SQUEEZE + DILATE + GATES, 13.890, 138.754),
    ],
)  # fmt: skip
def test_counts_of_the_pilot(name, change, millions, giga):
    parameters, macs = counts(on_meta(name))
    assert parameters == 16_731_021 + change
    assert (round(parameters / 1e6, 3), round(macs / 1e9, 3)) == (millions, giga)


@pytest.mark.parametrize("name", ["nie-4", "cpm-3-sq", "cpm-3-pd", "cpm-3-gate", "cpm-3-all"])
def test_maps_of_joints_and_background_at_an_eighth(name):
    network = on_meta(name)
    outputs = network(torch.empty(2, 3, 128, 64, device="meta"))
    assert [tuple(output.shape) for output in outputs] == [(2, 15, 16, 8)] * int(name[4])
    assert network.background


def test_gated_cpm_whose_gates_lead_nowhere_is_cpm():
    """With zeros where the gated channels enter the 1x1 convolutions, the function is CPM's."""
    torch.manual_seed(0)
    plain, gated = cpm(stages=3, width=1 / 16).eval(), create("cpm-3-gate", width=1 / 16).eval()
    with torch.no_grad():
        weights = {name: tensor for name, tensor in gated.state_dict().items() if "gates" not in name}
        for name, tensor in plain.state_dict().items():
            weights[name].zero_()
            weights[name][tuple(slice(length) for length in tensor.shape)] = tensor
        images = torch.rand(1, 3, 64, 64)
        for one, other in zip(plain(images), gated(images), strict=True):
            torch.testing.assert_close(one, other)


# Geometry


def test_pyramid_stacking_halves_and_doubles():
    x = torch.rand(1, 6, 8, 12)
    stacked = PyramidStacking(6)(x)
    assert stacked.shape == (1, 12, 4, 6)
    torch.testing.assert_close(stacked[:, :6], functional.max_pool2d(x, 2))


def test_a_gate_and_an_average_commute():
    """The network averages the full-resolution features before their gate: the same, at a 64th of the memory."""
    torch.manual_seed(0)
    gate, x = Gate(32).double(), torch.rand(2, 32, 48, 64, dtype=torch.float64)
    torch.testing.assert_close(gate(functional.avg_pool2d(x, 8)), functional.avg_pool2d(gate(x), 8))


def test_a_gate_is_a_weight_between_0_and_1_a_channel():
    """Squeeze and excitation (Hu 2018): sigmoid(B relu(A m + a) + b) of the channels' means m."""
    gate, x = Gate(32).double(), torch.rand(2, 32, 6, 5, dtype=torch.float64)
    first, second = layer(gate, "weigh.0"), layer(gate, "weigh.2")
    hidden = (x.mean((2, 3)) @ first.weight.T + first.bias).clamp(min=0)
    weights = 1 / (1 + (-hidden @ second.weight.T - second.bias).exp())
    torch.testing.assert_close(gate(x), x * weights[:, :, None, None])


def test_the_stages_by_figure_1():
    """Each reads F_h beside the maps of the stage before it, and the gated F_l, averaged to an eighth."""
    torch.manual_seed(0)
    network = convolution_machine(stages=3, width=1 / 16).eval()
    images = torch.randn(1, 3, 64, 64)
    low = network.conv1(images)
    high, gated = network.pyramid(low), functional.avg_pool2d(network.big_gate(low), 8)
    first, second, third = network.stages
    expected = [first(high, gated)]
    expected.append(second(torch.cat([high, expected[0]], 1), gated))
    expected.append(third(torch.cat([high, expected[1]], 1), gated))
    for found, maps in zip(network(images), expected, strict=True):
        torch.testing.assert_close(found, maps)
    assert not torch.allclose(expected[1], expected[2])


def test_receptive_field_of_one_stage():
    """241 pixels around pixel 8 i of cell i, gates apart, which see the whole image.

    17 for F_h, and 8 pixels a cell for eight 3x3 in the fire modules, two more, and a dilation of 4.
    """
    assert 17 + 2 * 8 * (8 + 2 + 4) == 241
    network = convolution_machine(stages=1, width=1 / 16).double().eval()
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            blank = tensor.dim() == 1 or "gate" in name  # such a gate multiplies by 1/2
            tensor.copy_(torch.zeros_like(tensor) if blank else torch.ones_like(tensor))

    def seen(pixel: int) -> bool:
        images = torch.zeros(1, 3, 256, 256, dtype=torch.float64)
        images[..., pixel, pixel] = 1
        with torch.no_grad():
            return bool(network(images)[0][0, 0, 16, 16] > 0)

    assert [seen(pixel) for pixel in (128 - 121, 128 - 120, 128 + 120, 128 + 121)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("options", "allowed"), [({"stages": 0}, "1 stage or more"), ({"kernel": 4}, "odd"), ({"width": 0.3}, "allowed")]
)
def test_bad_options_are_refused_with_what_is_allowed(options, allowed):
    with pytest.raises(ArchitectureError, match=allowed):
        convolution_machine(**options)
