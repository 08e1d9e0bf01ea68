"""The cascaded joint network (CJN) of Liu et al., AAAI-18, section "Cascaded Joint Network".

A stage has three branches of 1, 2 and 3 AIOI blocks. Each finds one group of joints, from easy to
hard, and reads the features of the stage and the maps of the groups before it.
"""

import random
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from architectures.errors import ArchitectureError
from architectures.inception import TRUNK, InceptionOfInception, Stage, TwoStage, make_gate
from architectures.layers import channels

BACKGROUND = -1

# Head and neck; shoulders and hips; elbows, wrists, knees and ankles. The paper lists its joints from
# the head down; these are indices of the LSP order, and of the MPII order, where the thorax joins the
# first group and the pelvis the second.
GROUPS = {
    14: ((12, 13), (2, 3, 8, 9), (0, 1, 4, 5, 6, 7, 10, 11)),
    16: ((7, 8, 9), (2, 3, 6, 12, 13), (0, 1, 4, 5, 10, 11, 14, 15)),
}


@dataclass(frozen=True)
class Wiring:
    """What each of the three branches finds, reads and contributes, as joint indices."""

    finds: tuple[tuple[int, ...], ...]
    reads: tuple[tuple[tuple[int, tuple[int, ...]], ...], ...]  # per branch: (earlier branch, joints of it)
    keeps: tuple[tuple[int, ...], ...]  # per branch: what the stage's output takes from it


def wiring(mode: str, joints: int, seed: int) -> Wiring:
    """The five variants of Table 5 and of the release."""
    if joints not in GROUPS:
        raise ArchitectureError(f"CJN groups {' or '.join(map(str, GROUPS))} joints (LSP, MPII), not {joints}.")
    easy, middle, hard = GROUPS[joints]
    every = tuple(range(joints))
    none = ((), (), ())
    if mode == "random":  # the same group sizes, other members
        order = random.Random(seed).sample(every, joints)
        easy, middle = tuple(order[: len(easy)]), tuple(order[len(easy) : len(easy) + len(middle)])
        hard = tuple(order[-len(hard) :])
    cascade = ((), ((0, easy),), ((0, easy), (1, middle)))
    if mode in ("paper", "random"):
        return Wiring(finds=(easy, middle, hard), reads=cascade, keeps=(easy, middle, hard))
    if mode == "ms":  # three scales without messages
        return Wiring(finds=(easy, middle, hard), reads=none, keeps=(easy, middle, hard))
    if mode == "all":  # messages without groups
        return Wiring(
            finds=(every, every, every), reads=((), ((0, every),), ((0, every), (1, every))), keeps=((), (), every)
        )
    if mode == "released":  # a branch also finds the joints of the groups after its own, and the background
        later = tuple(joint for joint in every if joint not in easy)
        finds = ((*every, BACKGROUND), (*later, BACKGROUND), (*hard, BACKGROUND))
        reads = ((), ((0, finds[0]),), ((0, easy), (1, middle)))
        return Wiring(finds=finds, reads=reads, keeps=(easy, middle, finds[2]))
    raise ArchitectureError(f"There is no mode {mode!r}; mode is one of paper, ms, random, all, released.")


def joint_network(
    *,
    joints: int = 14,
    width: float = 1.0,
    mode: str = "paper",
    gate: str = "sigmoid",
    gate_width: int | None = None,
    centre_map: bool = False,
    exact: bool = False,
    shuffle: int = 0,
) -> nn.Module:
    """AIOI + CJN, two stages; images N x 3 x H x W to heatmaps at stride 8, the last with all joints.

    `mode`: paper, ms (no messages), random (groups drawn with the seed `shuffle`), all (every branch
    finds every joint) or released. `exact` adds what else the released graph has: a bias at every
    convolution and wider first blocks. `gate` and `gate_width` as in `inception`.
    `output_joints` tells which joints each output has, -1 for the background (released mode).
    """
    trunk, plan = channels(TRUNK, width, multiple=4), wiring(mode, joints, shuffle)

    def block(inputs: int, first: int) -> nn.Module:
        gates = make_gate(gate, trunk, trunk // 2, gate_width and round(gate_width * width))
        return InceptionOfInception(inputs, trunk, trunk // 2, first=first, gate=gates)

    def stage(inputs: int, index: int) -> nn.Module:
        branches = []
        for branch, (finds, reads) in enumerate(zip(plan.finds, plan.reads, strict=True)):
            entering = inputs + sum(len(joints) for _, joints in reads)
            first = released_width(entering, index, branch, trunk) if exact else trunk // 2
            blocks = [block(entering, first), *(block(trunk, trunk // 2) for _ in range(branch))]
            branches.append(Stage(blocks, trunk, len(finds)))
        return JointStage(plan, branches)

    network = TwoStage(stage, trunk, joints + (mode == "released"), centre_map=centre_map)
    network.background = mode == "released"
    network.output_joints = 2 * network.stage1.output_joints
    if exact:
        _add_biases(network)
    return network


class JointStage(nn.Module):
    """Three branches; gives first the maps that a later branch replaces, last the union of the groups."""

    def __init__(self, plan: Wiring, branches: list[nn.Module]):
        super().__init__()
        self.plan = plan
        self.branches = nn.ModuleList(branches)
        kept = [joint for keeps in plan.keeps for joint in keeps]
        union = tuple(sorted(kept, key=lambda joint: (joint == BACKGROUND, joint)))
        self.order = [kept.index(joint) for joint in union]
        pairs = zip(plan.finds, plan.keeps, strict=True)
        self.replaced = [tuple(joint for joint in finds if joint not in keeps) for finds, keeps in pairs]
        self.output_joints = (*(joints for joints in self.replaced if joints), union)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        maps = []  # a branch each: N x joints it finds x h x w
        for branch, reads in zip(self.branches, self.plan.reads, strict=True):
            messages = [self.pick(maps, index, joints) for index, joints in reads]
            maps += branch(torch.cat([x, *messages], 1))
        replaced = [self.pick(maps, index, joints) for index, joints in enumerate(self.replaced) if joints]
        kept = [self.pick(maps, index, joints) for index, joints in enumerate(self.plan.keeps) if joints]
        return (*replaced, torch.cat(kept, 1)[:, self.order])

    def pick(self, maps: list[Tensor], index: int, joints: tuple[int, ...]) -> Tensor:
        """The maps of some joints of branch `index`."""
        finds = self.plan.finds[index]
        return maps[index] if finds == joints else maps[index][:, [finds.index(joint) for joint in joints]]


def released_width(inputs: int, stage: int, branch: int, trunk: int) -> int:
    """Inner width of the first Inception-residual block of each scale in the released graph.

    Half the input channels, at least 64. The third branch of stage 2 has the second's 79, though half
    of its own input would be 75.
    """
    if (stage, branch) == (1, 2):
        return 79 * trunk // TRUNK
    return max(trunk // 2, inputs // 2)


def _add_biases(network: nn.Module) -> None:
    """The released convolutions have biases, even those that batch normalization follows."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.bias is None:
            layer.bias = nn.Parameter(torch.zeros(layer.out_channels))
