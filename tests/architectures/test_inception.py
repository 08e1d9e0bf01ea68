"""Liu 2018: counts to the last digit, the gates, and what may flow between the branches of CJN.

Expected counts are those of the spec sheet (a layer-by-layer count of the released graph for
`liu-cjn-released`), or sums written here.
"""

import pytest
import torch
from shapes import by_shape, output_shapes
from torch import nn
from typed import layer, present

from architectures import ArchitectureError, catalogue, create, describe
from architectures.inception import (
    InceptionOfInception,
    InceptionResidual,
    ReleasedGate,
    Residual,
    TextGate,
    _resize,
    inception,
    make_gate,
)
from architectures.joint_network import GROUPS, joint_network
from protocols.network.graph import trace_inference

COUNTS = {  # parameters; GMACs as the sheet prints them, or all digits where it does
    "liu-res": (4_364_032, 11.606),
    "liu-incep-res": (5_312_000, 12.576),
    "liu-ioi": (8_441_600, 15.758),
    "liu-aioi": (20_615_936, 23.629),
    "liu-aioi-softmax": (20_398_208, 23.406),
    "liu-aioi-paper": (14_862_848, 20.798),
    "liu-res-wide": (8_486_126, 15.818),
    "liu-incep-res-wide": (8_457_884, 15.790),
    "liu-ms-aioi": (38_930_176, 37.743),
    "liu-cjn-random": (38_947_584, 37.760),
    "liu-cjn-all": (39_028_736, 37.844),
    "liu-cjn": (38_947_584, 37.760),
    "liu-cjn-released": (39_587_235, 38_349_657_088),
}
OPTIONS = {
    ("liu-aioi-paper", "gate_width", 64): (10_090_496, 17.275),
    ("liu-cjn", "gate", "none"): (14_598_912, 22.019),
    ("liu-cjn-released", "exact", False): (38_991_552, 37.805),
}
BLOCKS = {  # at 128 channels on 32 x 32
    "residual": (53_760, 0.0545),
    "incep-res": (160_768, 0.1636),
    "none": (997_760, 1.0150),
    "sigmoid": (3_026_816, 2.3268),
    "softmax": (2_990_528, 2.2896),
    "text": (2_067_968, 1.8549),
}


def count(network: nn.Module, *shape: int) -> tuple[int, int]:
    """Parameters, and multiply-adds of the convolutions for one input of `shape`."""
    macs = []

    def note(conv: nn.Conv2d, _, output) -> None:
        macs.append(conv.weight[0].numel() * output[0].numel())

    hooks = [module.register_forward_hook(note) for module in network.modules() if isinstance(module, nn.Conv2d)]
    trace_inference(network, shape)
    for hook in hooks:
        hook.remove()
    return sum(parameter.numel() for parameter in network.parameters()), sum(macs)


def block(kind: str) -> nn.Module:
    if kind == "residual":
        return Residual(128, 128, 64)
    if kind == "incep-res":
        return InceptionResidual(128, 128, 64)
    return InceptionOfInception(128, 128, 64, gate=make_gate(kind, 128, 64))


def assert_counts(counted: tuple[int, int], printed: tuple[int, float], digits: int) -> None:
    assert counted[0] == printed[0]
    if isinstance(printed[1], int):
        assert counted[1] == printed[1]
    else:
        assert round(counted[1] / 1e9, digits) == printed[1]


@pytest.mark.parametrize("name", COUNTS)
def test_counts_of_rows(name):
    with by_shape():
        network = create(name)
    assert_counts(count(network, 3, 256, 256), COUNTS[name], 3)


@pytest.mark.parametrize("option", OPTIONS)
def test_counts_of_options(option):
    name, key, value = option
    with by_shape():
        network = create(name, **{key: value})
    assert_counts(count(network, 3, 256, 256), OPTIONS[option], 3)


@pytest.mark.parametrize("kind", BLOCKS)
def test_counts_of_blocks(kind):
    with by_shape():
        network = block(kind)
    assert_counts(count(network, 128, 32, 32), BLOCKS[kind], 4)


def test_every_row_is_counted_here():
    assert {name for name, row in catalogue().items() if row.paper == "liu2018"} == set(COUNTS)


def test_text_gate_with_64_channels_halves_the_gate():
    with by_shape():
        network = InceptionOfInception(128, 128, 64, gate=make_gate("text", 128, 64, 64))
    assert_counts(count(network, 128, 32, 32), (1_272_576, 1.2677), 4)


def test_maps_lie_on_a_grid_of_stride_8():
    with by_shape():
        network = create("liu-cjn")
    assert output_shapes(network, 3, 256, 256) == [(1, 14, 32, 32)] * 2


def test_stage_2_reads_the_maps_of_stage_1():
    network = inception(width=0.0625, block="residual", blocks=1)  # 8 channels
    assert layer(network, "stage2.blocks.0.residual.0.0").in_channels == 8 + 14
    network = joint_network(width=0.0625, mode="paper")
    entering = [branch.blocks[0].branches[0][0].branch1[0].in_channels for branch in layer(network, "stage2.branches")]
    assert entering == [8 + 14, 8 + 14 + 2, 8 + 14 + 6]


def test_released_widths():
    with by_shape():
        network = create("liu-cjn-released")
    for stage, widths in (("stage1", [64, 64, 64]), ("stage2", [72, 79, 79])):
        firsts = [branch.blocks[0].branches[0][0] for branch in layer(network, f"{stage}.branches")]
        assert [first.branch1[0].out_channels for first in firsts] == widths
    entering = [branch.blocks[0].branches[0][0].branch1[0].in_channels for branch in layer(network, "stage2.branches")]
    assert entering == [144, 159, 150]


def test_groups_name_the_joints_of_the_paper():
    keypoints = pytest.importorskip("protocols.pose.skeletons")
    for skeleton, extra in ((keypoints.LSP, ((), ())), (keypoints.MPII, (("thorax",), ("pelvis",)))):
        easy, middle, hard = ({skeleton.joints[i] for i in group} for group in GROUPS[len(skeleton)])
        assert easy == {"head_top", "upper_neck", *extra[0]}
        assert middle == {"left_shoulder", "right_shoulder", "left_hip", "right_hip", *extra[1]}
        assert hard == {
            f"{side}_{joint}" for side in ("left", "right") for joint in ("elbow", "wrist", "knee", "ankle")
        }


@pytest.mark.parametrize("kind", ["sigmoid", "softmax", "text"])
def test_gate_weighs_scales(kind):
    torch.manual_seed(0)
    gate = present(make_gate(kind, 16, 8))
    nn.init.normal_(gate.double().last.weight)
    weights = gate(torch.randn(2, 3 * 16, 12, 12, dtype=torch.float64))
    channels = 1 if kind == "softmax" else 8
    assert [weight.shape for weight in weights] == [(2, channels, 12, 12)] * 3
    together = torch.cat(weights, 1)
    assert 0 < together.min() < together.max() < 1
    if kind == "softmax":
        torch.testing.assert_close(together.sum(1), torch.ones(2, 12, 12, dtype=torch.float64))


@pytest.mark.parametrize("inputs", [8, 6])  # with an identity beside the block, or a projection
@pytest.mark.parametrize("block", [Residual, InceptionResidual, InceptionOfInception])
def test_blocks_end_in_a_relu_behind_the_sum_with_the_shortcut(block, inputs):
    """ReLU(F(x) + x), as in Inception-ResNet-v1 and the released graph."""
    torch.manual_seed(0)
    unit, x = block(inputs, 8, 4).double().eval(), torch.randn(1, inputs, 8, 8, dtype=torch.float64)
    last, seen = unit.residual if block is Residual else unit.fuse, []
    last.register_forward_hook(lambda *arguments: seen.append(arguments[2]))
    found = unit(x)
    assert isinstance(unit.shortcut, nn.Identity) == (inputs == 8)
    torch.testing.assert_close(found, (seen[0] + unit.shortcut(x)).clamp(min=0))
    assert seen[0].min() < 0 and found.min() == 0


def test_gates_by_their_equations():
    """A strided path brought back to size, added to a direct one; a ReLU; the weights of each scale."""
    torch.manual_seed(0)
    x = torch.randn(2, 3 * 16, 8, 8)
    released, text = ReleasedGate(3 * 16, 3 * 8).eval(), TextGate(3 * 16, 3 * 8, 3 * 8).eval()
    joined = (_resize(released.down(x), x) + released.skip(x)).clamp(min=0)
    torch.testing.assert_close(torch.cat(released(x), 1), released.last(released.join(joined)).sigmoid())
    first = text.first(x)
    joined = (_resize(text.down(first), first) + text.skip(first)).clamp(min=0)
    torch.testing.assert_close(torch.cat(text(x), 1), text.last(joined).sigmoid(), rtol=0, atol=1e-9)


def test_the_background_is_the_last_map():
    network = inception(width=0.25, background=True)
    assert network.output_joints == 2 * ((*range(14), -1),) and network.background


def test_gates_come_back_with_aligned_corners():
    """PSPNet's Interp layer, as in the released graph: 2 cells become 3, the new one between them."""
    assert _resize(torch.tensor([[[[0.0, 2.0]]]]), torch.empty(1, 1, 1, 3)).flatten().tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", ["sigmoid", "text"])
def test_training_starts_with_every_gate_half_open(kind):
    torch.manual_seed(0)
    gate = present(make_gate(kind, 16, 8))
    for weights in gate.train()(torch.randn(2, 3 * 16, 12, 12)):
        assert (weights - 0.5).abs().max() < 0.02


def test_zero_gate_halves_the_sum_of_the_scales():
    torch.manual_seed(0)
    gated = InceptionOfInception(16, 16, 8, gate=make_gate("sigmoid", 16, 8)).double().eval()
    nn.init.zeros_(gated.get_parameter("gate.last.weight"))
    sums = []
    gated.norm.register_forward_pre_hook(lambda _, inputs: sums.append(inputs[0]))
    x = torch.randn(1, 16, 8, 8, dtype=torch.float64)
    gated(x)
    gated.gate = None
    gated(x)
    torch.testing.assert_close(sums[0], 0.5 * sums[1])


@pytest.mark.parametrize(("mode", "flows"), [("paper", True), ("ms", False)])
def test_messages_flow_from_easy_to_hard_only(mode, flows):
    torch.manual_seed(0)
    stage = layer(joint_network(width=0.0625, mode=mode), "stage1")
    easy, _, hard = GROUPS[14]

    def gradient(joints, branch):
        stage.zero_grad()
        stage(torch.rand(2, 2, 8, 8))[-1][:, list(joints)].square().sum().backward()
        gradients = [parameter.grad for parameter in stage.branches[branch].parameters()]
        return sum(float(gradient.abs().sum()) for gradient in gradients if gradient is not None)

    assert gradient(easy, 0) > 0
    assert gradient(hard, 2) > 0
    assert gradient(easy, 2) == 0
    assert (gradient(hard, 0) > 0) is flows


@pytest.mark.parametrize("mode", ["paper", "ms", "random", "all", "released"])
def test_outputs_hold_the_joints_they_name(mode):
    network = joint_network(width=0.0625, mode=mode)
    outputs = network(torch.rand(2, 3, 32, 32))
    assert [output.shape[1] for output in outputs] == [len(joints) for joints in network.output_joints]
    every = (*range(14), *([-1] if mode == "released" else []))
    assert network.output_joints[-1] == every
    assert network.background is (mode == "released")


def test_union_is_in_joint_order():
    stage = layer(joint_network(width=0.0625, mode="random", shuffle=3), "stage1")
    for branch, joints in zip(stage.branches, stage.plan.predicts, strict=True):
        branch.forward = lambda x, joints=joints: (
            torch.tensor(joints, dtype=x.dtype).view(1, -1, 1, 1).expand(1, -1, 2, 2),
        )
    union = stage(torch.zeros(1, 2, 2, 2))[-1]
    assert union[0, :, 0, 0].tolist() == list(range(14))


def test_random_groups_depend_on_the_seed_alone():
    def found(seed):
        return layer(joint_network(width=0.0625, mode="random", shuffle=seed), "stage2").plan.predicts

    assert found(0) == found(0) != found(1)
    assert [len(group) for group in found(0)] == [2, 4, 8]
    assert sorted(joint for group in found(0) for joint in group) == list(range(14))


def test_sixteen_joints():
    outputs = joint_network(width=0.0625, joints=16)(torch.rand(2, 3, 32, 32))
    assert [output.shape[1] for output in outputs] == [16, 16]


@pytest.mark.parametrize(
    ("name", "options", "allowed"),
    [
        ("liu-ioi", {"width": 0.3}, "multiple of 4"),
        ("liu-ioi", {"gate": "hard"}, "none, sigmoid, softmax, text"),
        ("liu-ioi", {"block": "dense"}, "residual, incep-res, ioi"),
        ("liu-res", {"gate": "sigmoid"}, "ioi"),
        ("liu-cjn", {"mode": "some"}, "paper, ms, random, all, released"),
        ("liu-cjn", {"joints": 17}, "14 or 16"),
        ("liu-cjn", {"blocks": 2}, "shuffle"),
        ("liu-cjn", {"input": 250}, "multiples of 16"),
    ],
)
def test_bad_options_say_what_is_allowed(name, options, allowed):
    with pytest.raises(ArchitectureError, match=allowed):
        create(describe(name, **options))
