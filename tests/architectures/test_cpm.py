"""CPM against the counts and the geometry of Wei et al.'s prototxts."""

import math

import pytest
import torch
from shapes import by_shape
from torch import nn

from architectures import ArchitectureError, create
from architectures.cpm import centre_map, cpm, cpm_vgg, trunk
from protocols.network.complexity import measure


def counts(network: nn.Module) -> tuple[int, int]:
    """Parameters and MACs at 368 x 368; the last stage needs all of them."""
    values = {(value.metric, value.part): value.value for value in measure(network, (368, 368))}
    assert values["macs", "all"] == values["macs_inference", "all"]
    return int(values["parameters", "all"]), int(values["macs", "all"])


def on_meta(name: str) -> nn.Module:
    with by_shape():
        return create(name)


# (kernel, input channels, output channels, side of the output), from the prototxts
TRUNK = [(9, 3, 128, 368), (9, 128, 128, 184), (9, 128, 128, 92)]
FIRST = [*TRUNK, (5, 128, 32, 46), (9, 32, 512, 46), (1, 512, 512, 46), (1, 512, 15, 46)]
REFINE = [(5, 128, 32, 46), (11, 48, 128, 46), *[(11, 128, 128, 46)] * 2, (1, 128, 128, 46), (1, 128, 15, 46)]
VGG = [(3, 3, 64, 368), (3, 64, 64, 368), (3, 64, 128, 184), (3, 128, 128, 184), (3, 128, 256, 92)]
VGG += [*[(3, 256, 256, 92)] * 3, (3, 256, 512, 46), (3, 512, 512, 46)]
VGG += [(3, 512, 256, 46), *[(3, 256, 256, 46)] * 3, (3, 256, 128, 46), (1, 128, 512, 46), (1, 512, 15, 46)]
VGG_REFINE = [(7, 144, 128, 46), *[(7, 128, 128, 46)] * 4, (1, 128, 128, 46), (1, 128, 15, 46)]


def expected(layers: list[tuple[int, int, int, int]]) -> tuple[int, int]:
    parameters = sum(kernel**2 * inputs * outputs + outputs for kernel, inputs, outputs, _ in layers)
    return parameters, sum(kernel**2 * inputs * outputs * side**2 for kernel, inputs, outputs, side in layers)


@pytest.mark.parametrize("stages", [1, 2, 3, 4, 5, 6])
def test_counts_are_those_of_the_layers(stages):
    layers = FIRST + (TRUNK if stages > 1 else []) + REFINE * (stages - 1)
    assert counts(on_meta(f"cpm-{stages}")) == expected(layers)


@pytest.mark.parametrize(
    ("name", "parameters", "giga"),
    [("cpm-3", 16_731_021, 144.783), ("cpm-6", 31_219_866, 175.438), ("cpm-6-vgg", 29_852_058, 88.420)],
)
def test_counts_of_the_release(name, parameters, giga):
    found = counts(on_meta(name))
    assert (found[0], round(found[1] / 1e9, 3)) == (parameters, giga)


def test_counts_of_the_vgg_variant_are_those_of_the_layers():
    assert counts(on_meta("cpm-6-vgg")) == expected(VGG + VGG_REFINE * 5)


def test_kernels_and_channels():
    modules = (module for module in on_meta("cpm-2").modules() if isinstance(module, nn.Conv2d))
    found = sorted((module.kernel_size[0], module.in_channels, module.out_channels) for module in modules)
    assert found == sorted(layer[:3] for layer in FIRST + TRUNK + REFINE)


@pytest.mark.parametrize("name", ["cpm-1", "cpm-6", "cpm-6-vgg"])
def test_maps_of_joints_and_background_at_an_eighth(name):
    network = on_meta(name)
    outputs = network(torch.empty(2, 3, 368, 240, device="meta"))
    assert [tuple(output.shape) for output in outputs] == [(2, 15, 46, 30)] * int(name[4])
    assert network.background


def test_pools_are_clipped_and_not_padded():
    """The last of 46 cells begins at pixel 360 and sees 8 pixels, cell 0 sees pixels 0 to 14."""
    pools = [layer for layer in trunk(2) if isinstance(layer, nn.MaxPool2d)]
    image = torch.arange(368.0).repeat(368, 1)[None, None]
    cells = nn.Sequential(*pools)(image)[0, 0]  # the maximum over a window is its last column
    assert cells.shape == (46, 46)
    assert cells[0, :2].tolist() == [14, 22] and cells[0, -2:].tolist() == [366, 367]


# The centre map


def test_centre_map_is_the_mean_of_a_gaussian_over_clipped_windows():
    found = centre_map(torch.zeros(2, 3, 368, 240, dtype=torch.float64))
    assert found.shape == (2, 1, 46, 30)
    for row, column in ((0, 0), (22, 14), (23, 15), (45, 29), (45, 3)):
        ys, xs = range(8 * row, min(8 * row + 9, 368)), range(8 * column, min(8 * column + 9, 240))
        values = [math.exp(-((y - 184) ** 2 + (x - 120) ** 2) / (2 * 21**2)) for y in ys for x in xs]
        assert found[1, 0, row, column].item() == pytest.approx(sum(values) / len(values), rel=1e-12)


def test_centre_map_keeps_to_float32_where_images_are_coarser():
    coarse = centre_map(torch.zeros(1, 3, 368, 368, dtype=torch.bfloat16))
    fine = centre_map(torch.zeros(1, 3, 368, 368))
    assert coarse.dtype == torch.bfloat16
    torch.testing.assert_close(coarse, fine.bfloat16(), rtol=0, atol=0)


# Receptive fields


def test_receptive_fields_of_two_stages():
    """167 pixels after stage 1, 407 after stage 2, around pixel 8 i + 7 of cell i.

    Weights are 1, biases 0, and the centre map, the last channel, is not read: nothing cancels, and a pixel of a black
    image shows in a cell if and only if it lies in its field.
    """
    network = cpm(stages=2, width=1 / 16).eval()
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.copy_(torch.ones_like(tensor) if tensor.dim() > 1 else torch.zeros_like(tensor))
        network.get_parameter("bodies.0.0.weight")[:, -1] = 0
    cell, centre = 25, 8 * 25 + 7

    def seen(offset: int) -> list[bool]:
        images = torch.zeros(1, 3, 416, 416)
        images[..., centre + offset, centre + offset] = 1
        with torch.no_grad():
            return [bool(output[0, 0, cell, cell] > 0) for output in network(images)]

    for sign in (-1, 1):
        assert seen(sign * 83) == [True, True]
        assert seen(sign * 84) == [False, True]
        assert seen(sign * 203) == [False, True]
        assert seen(sign * 204) == [False, False]


# Initialization, dropout, errors


def test_initialization():
    torch.manual_seed(0)
    network = cpm(stages=1)
    assert network.get_parameter("first_body.2.weight").std().item() == pytest.approx(0.01, rel=0.01)
    assert all(not tensor.any() for name, tensor in network.named_parameters() if name.endswith("bias"))
    narrow = cpm(stages=2, width=0.25)  # a quarter of the addends, twice the weight: the same variance
    assert narrow.get_parameter("bodies.0.2.weight").std().item() == pytest.approx(0.02, rel=0.02)


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    network, images = cpm(stages=1, width=1 / 16), torch.rand(1, 3, 32, 32)
    assert not torch.equal(network(images)[0], network(images)[0])
    network.eval()
    assert torch.equal(network(images)[0], network(images)[0])


@pytest.mark.parametrize("build", [cpm, cpm_vgg])
@pytest.mark.parametrize(("options", "allowed"), [({"stages": 0}, "1 stage or more"), ({"width": 0.3}, "allowed are")])
def test_bad_options_are_refused_with_what_is_allowed(build, options, allowed):
    with pytest.raises(ArchitectureError, match=allowed):
        build(**options)
