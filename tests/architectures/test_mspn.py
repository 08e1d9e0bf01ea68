"""MSPN against the counts of Li et al. 2019 and against the released class."""

from typing import Any

import pytest
import torch
from shapes import by_shape, output_shapes
from typed import layer

from architectures import ArchitectureError, catalogue, create
from architectures.backbones import BACKBONES
from architectures.mspn import mspn
from architectures.mspn_hourglass import mspn_hourglass
from architectures.weights import load
from protocols.network.complexity import measure

ROWS = [name for name, row in catalogue().items() if row.paper == "li2019"]


def counts(network: torch.nn.Module, size: tuple[int, int] = (256, 192)) -> tuple[int, int, int]:
    """Parameters, MACs and MACs that the last output needs."""
    values = {(value.metric, value.part): value.value for value in measure(network, size)}
    return int(values["parameters", "all"]), int(values["macs", "all"]), int(values["macs_inference", "all"])


def on_meta(name: str, **overrides) -> Any:
    with by_shape():
        return create(name, **overrides)


# MACs at 256x192 and 17 joints, one part at a time.
STEM = 128 * 96 * 64 * 3 * 7 * 7
LATERALS = sum(side * 256 * width for side, width in zip((3072, 768, 192, 48), (256, 512, 1024, 2048), strict=True))
UP_CONVOLUTIONS = (3072 + 768 + 192) * 256 * 256
HEADS = [side * (256 * 256 + 9 * 256 * 17) for side in (3072, 768, 192, 48)]
SKIPS = sum(
    side * (width + 256) * width for side, width in zip((3072, 768, 192, 48), (256, 512, 1024, 2048), strict=True)
)
CROSS = 3072 * 256 * 64
DOWN = {"1x1": 3_661_627_392, "3x3": 3_888_119_808}  # ResNet-50 without stem, counted from the release
ONE_STAGE, MORE_STAGES = 25_141_708, 31_725_324  # parameters, counted from the release


@pytest.mark.parametrize("stride_on", ["1x1", "3x3"])
@pytest.mark.parametrize("stages", [1, 2, 3, 4])
def test_counts_of_resnet50(stages, stride_on):
    network = on_meta(f"mspn-{stages}" + ("-released" if stride_on == "3x3" else ""))
    shared = STEM + stages * (DOWN[stride_on] + LATERALS + UP_CONVOLUTIONS) + (stages - 1) * (SKIPS + CROSS)
    parameters = ONE_STAGE + (stages - 1) * MORE_STAGES
    assert counts(network) == (parameters, shared + stages * sum(HEADS), shared + HEADS[0])


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("mspn-1", 4.4), ("mspn-2", 9.6), ("mspn-3", 14.7), ("mspn-4", 19.9),
        ("mspn-1-res152", 11.2), ("mspn-1-res254", 18.0), ("mspn-4-sxcp", 5.7), ("mspn-2-res18", 4.0),
        ("mspn-hourglass-2", 6.2), ("mspn-hourglass-4", 10.6), ("mspn-hourglass-8", 19.5),
    ],
)  # fmt: skip
def test_printed_flops_in_the_convention_of_the_paper(name, printed):
    assert round(counts(on_meta(name))[2] / 2**30, 1) == printed


@pytest.mark.parametrize(("name", "printed"), [("mspn-1-lxcp", 6.1), ("mspn-hourglass-1", 3.9)])
def test_flops_within_a_percent_of_the_printed_ones(name, printed):
    assert counts(on_meta(name))[2] / 2**30 == pytest.approx(printed, rel=0.011)


def test_resnet101_stays_apart_from_the_printed_flops():
    """ResNet-50 to -101 and -101 to -152 add 17 equal blocks each; the paper prints +3.1 and +3.7."""
    res50, res101, res152 = (counts(on_meta(name))[2] for name in ("mspn-1", "mspn-1-res101", "mspn-1-res152"))
    assert res101 - res50 == res152 - res101 == 17 * 213_909_504
    assert round(res101 / 2**30, 1) == 7.8  # printed: 7.5


@pytest.mark.parametrize(
    ("name", "millions", "giga"),
    [
        ("mspn-1-res101", 44.160, 8.377), ("mspn-1-res152", 59.827, 12.014), ("mspn-1-res254", 97.863, 19.286),
        ("mspn-2-res18", 24.709, 4.275), ("mspn-1-lxcp", 35.677, 6.486), ("mspn-4-sxcp", 25.445, 6.120),
        ("mspn-2-ctf", 50.290, 9.094),
    ],
)  # fmt: skip
def test_counts_of_other_rows(name, millions, giga):
    parameters, _, needed = counts(on_meta(name))
    assert (round(parameters / 1e6, 3), round(needed / 1e9, 3)) == (millions, giga)


def test_base_net_is_ctf_without_coarse_heads():
    head = 256 * 256 + 3 * 256 + 9 * 256 * 17 + 3 * 17  # weights, biases, batch norms of one scale
    ctf, base = counts(on_meta("mspn-2-ctf")), counts(on_meta("mspn-2-base"))
    assert base == (ctf[0] - 2 * 3 * head, ctf[1] - 2 * sum(HEADS[1:]), ctf[2])


@pytest.mark.parametrize(
    ("stages", "parameters", "macs"),
    [
        (1, 3_547_025, 4_228_448_256), (2, 6_691_490, 6_618_218_496),
        (4, 12_980_420, 11_397_758_976), (8, 25_558_280, 20_956_839_936),
    ],
)  # fmt: skip
def test_counts_of_the_hourglass(stages, parameters, macs):
    assert counts(on_meta(f"mspn-hourglass-{stages}")) == (parameters, macs, macs)


def test_counts_of_the_hourglass_with_ctf_and_csfa():
    plain, ctf, both = (counts(on_meta(f"mspn-hourglass-4{tail}")) for tail in ("", "-ctf", "-ctf-csfa"))
    head = 256 * 256 + 3 * 256 + 9 * 256 * 17 + 17
    skip = 256 * 256 + 3 * 256
    assert ctf == (plain[0] + 4 * 3 * head, plain[1] + 4 * sum(HEADS[1:]), plain[2])
    skips = 3 * 2 * 256 * 256 * (3072 + 768 + 192 + 48)
    assert both == (ctf[0] + 3 * 4 * 2 * skip, ctf[1] + skips, ctf[2] + skips)
    assert round(both[2] / 2**30, 3) == 12.109


# What each output is trained for


@pytest.mark.parametrize(
    ("name", "kernels"),
    [
        ("mspn-1", (11, 9, 7, 5)),
        ("mspn-2", (15, 11, 9, 7, 11, 9, 7, 5)),
        ("mspn-2-ctf", (15, 11, 9, 7, 11, 9, 7, 5)),
        ("mspn-2-base", (7, 7)),
        ("mspn-2-kernel77", (15, 11, 9, 7, 15, 11, 9, 7)),
        ("mspn-2-kernel55", (11, 9, 7, 5, 11, 9, 7, 5)),
        ("mspn-3", (15, 11, 9, 7, 15, 11, 9, 7, 11, 9, 7, 5)),
        ("mspn-hourglass-4", (7, 7, 7, 7)),
        ("mspn-hourglass-4-ctf", (15, 11, 9, 7) * 3 + (11, 9, 7, 5)),
    ],
)
def test_target_kernels(name, kernels):
    assert on_meta(name).target_kernels == kernels


@pytest.mark.parametrize("name", ROWS)
def test_one_output_a_target_kernel_all_at_a_quarter(name):
    network = on_meta(name)
    assert output_shapes(network, 3, 128, 64) == [(1, 17, 32, 16)] * len(network.target_kernels)


def test_outputs_run_from_coarse_to_fine():
    """An output resized from 1/32 has as much detail as 2 x 2 values can have; the one from 1/4 has more."""
    torch.manual_seed(0)
    outputs = mspn(stages=1, width=1 / 16).double().eval()(torch.rand(1, 3, 128, 128, dtype=torch.float64))
    ranks = [int(torch.linalg.matrix_rank(output[0, 0], rtol=1e-9)) for output in outputs]
    assert ranks[:3] == [4, 8, 16] and ranks[3] > 16


# The released class


def test_registration_order_of_the_release():
    network = on_meta("mspn-2-released")
    names = [name for name, _ in network.named_parameters()]
    cbr = ("conv.weight", "conv.bias", "bn.weight", "bn.bias")
    block = [f"conv_bn_relu{i}.{tensor}" for i in (1, 2, 3) for tensor in cbr]
    first = [*block, *(f"downsample.{tensor}" for tensor in cbr)]
    expected = [f"top.conv.{tensor}" for tensor in cbr]
    for stage in ("stage0", "stage1"):
        for number, count in enumerate((3, 4, 6, 3), 1):
            for index in range(count):
                tensors = first if index == 0 else block
                expected += [f"{stage}.downsample.layer{number}.{index}.{tensor}" for tensor in tensors]
        for unit in (1, 2, 3, 4):
            parts = ["u_skip", "up_conv", "skip1", "skip2", "cross_conv", "res_conv1", "res_conv2"]
            parts = [part for part in parts if part != "up_conv" or unit > 1]
            parts = [part for part in parts if not part.startswith("skip") or stage == "stage0"]
            parts = [part for part in parts if part != "cross_conv" or (stage == "stage0" and unit == 4)]
            expected += [f"{stage}.upsample.up{unit}.{part}.{tensor}" for part in parts for tensor in cbr]
    assert names == expected


@pytest.mark.parametrize(
    ("group", "tensors", "elements"),
    [
        ("top.", 4, 9_600),
        ("stage0.downsample.layer1.", 40, 217_216), ("stage0.downsample.layer2.", 52, 1_223_168),
        ("stage1.downsample.layer3.", 76, 7_108_608), ("stage1.downsample.layer4.", 40, 14_976_000),
        ("stage0.upsample.up1.", 20, 5_361_459), ("stage0.upsample.up2.", 24, 1_751_603),
        ("stage0.upsample.up3.", 24, 699_955), ("stage0.upsample.up4.", 28, 387_315),
        ("stage1.upsample.up1.", 12, 630_579), ("stage1.upsample.up2.", 16, 434_739),
        ("stage1.upsample.up3.", 16, 303_667), ("stage1.upsample.up4.", 16, 238_131),
    ],
)  # fmt: skip
def test_parameter_groups_of_the_release(group, tensors, elements):
    sizes = [tensor.numel() for name, tensor in on_meta("mspn-2-released").named_parameters() if name.startswith(group)]
    assert (len(sizes), sum(sizes)) == (tensors, elements)


@pytest.mark.parametrize(
    ("joints", "stages", "parameters", "biases", "entries", "buffers"),
    [
        (17, 1, 25_141_708, 29_444, 476, 58_956), (17, 2, 56_867_032, 66_568, 1008, 133_280),
        (17, 4, 120_317_680, 140_816, 2072, 281_928), (16, 1, 25_132_480, 29_440, 476, 58_948),
        (16, 3, 88_564_672, 103_680, 1540, 207_580),
    ],
)  # fmt: skip
def test_state_of_the_release(joints, stages, parameters, biases, entries, buffers):
    network = on_meta(f"mspn-{stages}-released", joints=joints)
    assert sum(tensor.numel() for tensor in network.parameters()) == parameters
    found = [tensor.numel() for name, tensor in network.named_parameters() if name.endswith("conv.bias")]
    assert sum(found) == biases
    assert len(network.state_dict()) == entries
    assert sum(tensor.numel() for tensor in network.buffers()) == buffers


def test_function_of_the_release():
    """One stage written out with torch functions alone, after the sheet's description of the released forward."""
    torch.manual_seed(0)
    network = mspn(stages=2, width=1 / 16, joints=3, stride_on="3x3").double().eval()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():  # of both signs, so that every ReLU cuts something off
                drawn = torch.randn_like(tensor) / tensor[0].numel() ** 0.5
                tensor.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn)
    weights = network.state_dict()
    f = torch.nn.functional

    def cb(name, x, stride=1, relu=True):
        weight = weights[f"{name}.conv.weight"]
        x = f.conv2d(x, weight, weights[f"{name}.conv.bias"], stride, weight.shape[-1] // 2)
        mean, variance = weights[f"{name}.bn.running_mean"], weights[f"{name}.bn.running_var"]
        x = f.batch_norm(x, mean, variance, weights[f"{name}.bn.weight"], weights[f"{name}.bn.bias"], eps=1e-5)
        return x.relu() if relu else x

    def resized(x, size):
        return f.interpolate(x, size=size, mode="bilinear", align_corners=True)

    images = torch.rand(2, 3, 64, 96, dtype=torch.float64)
    x = f.max_pool2d(cb("top.conv", images, 2), 3, 2, 1)
    zero = torch.zeros(())
    skip1, skip2, expected = [zero] * 4, [zero] * 4, []
    for stage in ("stage0", "stage1"):
        levels = []
        for level, count in enumerate((3, 4, 6, 3)):
            for index in range(count):
                name = f"{stage}.downsample.layer{level + 1}.{index}"
                stride = 2 if index == 0 and level > 0 else 1
                y = cb(f"{name}.conv_bn_relu2", cb(f"{name}.conv_bn_relu1", x), stride)
                shortcut = cb(f"{name}.downsample", x, stride, relu=False) if index == 0 else x
                x = (cb(f"{name}.conv_bn_relu3", y, relu=False) + shortcut).relu()
            x = x + skip1[level] + skip2[level]
            levels.append(x)
        out = None
        for unit, level in enumerate((3, 2, 1, 0), 1):
            name = f"{stage}.upsample.up{unit}"
            lateral = cb(f"{name}.u_skip", levels[level], relu=False)
            if out is not None:
                lateral = lateral + cb(f"{name}.up_conv", resized(out, lateral.shape[-2:]), relu=False)
            out = lateral.relu()
            head = cb(f"{name}.res_conv2", cb(f"{name}.res_conv1", out), relu=False)
            expected.append(resized(head, (16, 24)))
            if stage == "stage0":
                skip1[level], skip2[level] = cb(f"{name}.skip1", levels[level]), cb(f"{name}.skip2", out)
        if stage == "stage0":
            x = cb(f"{stage}.upsample.up4.cross_conv", out)
    for output, reference in zip(network(images), expected, strict=True):
        torch.testing.assert_close(output, reference, rtol=1e-10, atol=1e-10)


# Equal functions, options, errors


def test_resizing_last_is_the_same_function_in_evaluation():
    torch.manual_seed(0)
    first = mspn(stages=2, backbone="resnet18", width=1 / 16).double().eval()
    last = mspn(stages=2, backbone="resnet18", width=1 / 16, resize_last=True).double().eval()
    last.load_state_dict(first.state_dict())
    images = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    for one, other in zip(first(images), last(images), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_the_hourglass_by_its_equations():
    """Coarse heads read what leaves a level, the next stage adds to its levels what entered and left them here."""
    torch.manual_seed(0)
    network = mspn_hourglass(stages=2, width=1 / 16, joints=3, coarse_to_fine=True, aggregation=True).eval()
    images = torch.randn(1, 3, 64, 64)
    x, carried, expected = network.stem(images), [], []
    stages = layer(network, "stages")
    for stage in stages:
        entries, merges = stage.hourglass(x, carried)
        features = stage.head(merges[0])
        maps = [stage.score(features), *(head(merge) for head, merge in zip(stage.coarse, merges[1:], strict=True))]
        resized = [torch.nn.functional.interpolate(m, (16, 16), mode="bilinear", align_corners=True) for m in maps]
        expected += resized[::-1]  # 1/32 first
        if stage is stages[0]:
            levels = zip(stage.skip_down, stage.skip_up, entries, merges, strict=True)
            carried = [down(entry) + up(merge) for down, up, entry, merge in levels]
            x = x + stage.features_back(features) + stage.heatmaps_back(maps[0])
    for found, maps in zip(network(images), expected, strict=True):
        torch.testing.assert_close(found, maps)


def test_depth_in_the_name_of_a_resnet():
    """A ResNet's depth counts its stem, the convolutions of its blocks, and the classifier left out here."""
    for name, backbone in BACKBONES.items():
        if name.startswith("resnet"):
            convolutions = 2 if name == "resnet18" else 3
            assert name == f"resnet{2 + convolutions * sum(backbone.counts)}"


def test_initialization_of_the_down_path():
    torch.manual_seed(0)
    block = layer(mspn(stages=1), "stage0.downsample.layer4.0")
    weight = block.conv_bn_relu2.conv.weight  # 512 x 512 x 3 x 3
    assert weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)
    weight = block.conv_bn_relu3.conv.weight  # 2048 x 512 x 1 x 1: by what leaves it
    assert weight.std().item() == pytest.approx((2 / 2048) ** 0.5, rel=0.01)


@pytest.mark.parametrize(
    ("build", "options", "allowed"),
    [
        (mspn, {"stages": 0}, "1 stage or more"),
        (mspn, {"backbone": "resnet51"}, "choose from resnet18, resnet50"),
        (mspn, {"stride_on": "5x5"}, '"1x1" or "3x3"'),
        (mspn, {"stages": 2, "finest_kernels": [7]}, "for each of the 2 stages"),
        (mspn, {"stages": 1, "finest_kernels": [9]}, "gives 7 or 5"),
        (mspn, {"width": 0.3}, "allowed are widths"),
        (mspn_hourglass, {"stages": 0}, "1 stage or more"),
        (mspn_hourglass, {"width": 0.3}, "allowed are widths"),
    ],
)
def test_bad_options_are_refused_with_what_is_allowed(build, options, allowed):
    with pytest.raises(ArchitectureError, match=allowed):
        build(**options)


def test_a_released_checkpoint_loads_without_a_key_map(tmp_path):
    network, other = (mspn(stages=2, width=1 / 16, stride_on="3x3").eval() for _ in range(2))
    path = tmp_path / "released.pth"
    torch.save({"model": {f"module.{key}": tensor for key, tensor in other.state_dict().items()}}, path)
    load(network, path)
    images = torch.rand(1, 3, 64, 64)
    assert all(torch.equal(one, two) for one, two in zip(network(images), other(images), strict=True))
    with pytest.raises(ArchitectureError, match="larger network"):
        load(mspn(stages=1, width=1 / 16), path)
