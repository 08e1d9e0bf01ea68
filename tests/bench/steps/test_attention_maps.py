"""Attention maps: the values of the network's own layers, for the people that the picture shows."""

import cv2
import numpy as np
import pytest
import torch
from typed import present

import architectures
from bench.cells import recipe
from bench.steps import attention_maps as attention
from protocols.datasets.mannequin import people as mannequin
from protocols.pose.skeletons import MPII

RECIPE = recipe.load("newell2016")
SIZE = (64, 64)


def network(name, **options):
    torch.manual_seed(0)
    return architectures.create(architectures.describe(name, input=64, width=0.0625, **options)).eval()


def layers(net, kind):
    return {name: part for name, part in net.named_modules() if isinstance(part, kind)}


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))


def test_maps_of_a_stack(images):
    """With one map a stack, what multiplies the features is what is shown."""
    net = network("attention-2-crf")
    seen = {}
    first = net.get_submodule("stacks.0.holistic.0")
    first.register_forward_hook(lambda _module, inputs, _output: seen.update(features=inputs[0]))
    maps = attention.maps(attention.captured(net, layers(net, attention.Attention), images), ())
    assert list(maps) == ["stack 1", "stack 2"] and maps["stack 1"].shape == (2, 16, 16)
    with torch.inference_mode():
        expected = first(seen["features"])[:, 0]
    np.testing.assert_allclose(maps["stack 1"], expected, rtol=1e-6)


def test_resolutions_are_summed_and_parts_named(images):
    net = network("attention-8-hp", stacks=2, part_stacks=1)
    found = attention.captured(net, layers(net, attention.Attention), images)
    maps = attention.maps(found, MPII.joints)
    assert list(maps) == [
        "stack 1",
        "stack 1, refined",
        "stack 2",
        "right ankle",
        "right knee",
        "head top",
        "right wrist",
    ]
    parts = [found[f"stacks.0.resolutions.{level}"][:, 0] for level in range(4)]
    total = sum(part.repeat_interleave(2**i, 1).repeat_interleave(2**i, 2) for i, part in enumerate(parts))
    np.testing.assert_allclose(maps["stack 1"], total, rtol=1e-6)
    np.testing.assert_array_equal(maps["right ankle"], found["stacks.1.score.attentions.0"][:, 0])


@pytest.mark.parametrize("name", ["liu-aioi", "liu-aioi-softmax", "liu-aioi-paper", "liu-cjn"])
def test_gates_show_the_last_of_a_stage_averaged_over_channels(name, images):
    net = network(name)
    gates = layers(net, attention.ReleasedGate | attention.TextGate)
    kept = {}
    for key, gate in gates.items():
        gate.register_forward_hook(lambda _module, _inputs, output, key=key: kept.update({key: output}))
    maps = attention.maps(attention.captured(net, gates, images), ())
    assert list(maps) == [f"stage {stage}, scale {scale}" for stage in (1, 2) for scale in (1, 2, 3)]
    last = [key for key in kept if key.startswith("stage2")][-1]
    np.testing.assert_allclose(maps["stage 2, scale 3"], kept[last][2].mean(1), rtol=1e-5)
    if name == "liu-aioi-softmax":
        total = sum(maps[f"stage 1, scale {scale}"] for scale in (1, 2, 3))
        np.testing.assert_allclose(total, 1, rtol=1e-5)


def test_the_picture_has_a_row_a_map():
    people = mannequin.people("val", count=9)
    content = attention.attention(network("attention-2-softmax"), people, RECIPE, SIZE, "cpu")
    height, width = present(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)).shape[:2]
    assert height == 3 * (attention.TILE + 2), "people, stack 1, stack 2"
    assert width == attention.MARGIN + 6 * (attention.TILE + 2)


def test_a_network_without_attention_has_no_picture():
    assert attention.attention(network("hourglass-1"), mannequin.people("val", count=2), RECIPE, SIZE, "cpu") == b""


def test_nothing_stays_on_the_network(images):
    net = network("liu-aioi")
    attention.captured(net, layers(net, attention.ReleasedGate), images)
    assert not any(part._forward_hooks for part in net.modules())
