"""Cascaded joint network (CJN) of Liu et al., AAAI-18, section "Cascaded Joint Network".

A stage has three branches of 1, 2 and 3 AIOI blocks. Each predicts one group of joints, from easy to
hard, and reads the features of the stage and the heatmaps of the groups before it.
"""

import random
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from architectures.errors import ArchitectureError
from architectures.inception import BACKGROUND, TRUNK, InceptionOfInception, Stage, TwoStage, make_gate
from architectures.layers import channels

# Head and neck; shoulders and hips; elbows, wrists, knees and ankles, as indices in the order of LSP, and of
# MPII, where the thorax joins the first group and the pelvis the second. (The paper numbers from the head down.)
GROUPS = {
    14: ((12, 13), (2, 3, 8, 9), (0, 1, 4, 5, 6, 7, 10, 11)),
    16: ((7, 8, 9), (2, 3, 6, 12, 13), (0, 1, 4, 5, 10, 11, 14, 15)),
}


@dataclass(frozen=True)
class Wiring:
    """Joint indices that each of the three branches predicts, reads and contributes to the output."""

    predicts: tuple[tuple[int, ...], ...]
    reads: tuple[tuple[tuple[int, tuple[int, ...]], ...], ...]  # per branch: (earlier branch, joints of it)
    keeps: tuple[tuple[int, ...], ...]  # per branch: the joints of the stage's output that come from it

    @property
    def replaced(self) -> tuple[tuple[int, ...], ...]:
        """Joints of each branch that the output of the stage takes from a later one."""
        pairs = zip(self.predicts, self.keeps, strict=True)
        return tuple(tuple(joint for joint in predicts if joint not in keeps) for predicts, keeps in pairs)

    @property
    def union(self) -> tuple[int, ...]:
        """Joints of the stage's output in order, the background last."""
        kept = [joint for keeps in self.keeps for joint in keeps]
        return tuple(sorted(kept, key=lambda joint: (joint == BACKGROUND, joint)))

    @property
    def output_joints(self) -> tuple[tuple[int, ...], ...]:
        """Joints of each supervised output of a stage."""
        return (*(joints for joints in self.replaced if joints), self.union)


def wiring(mode: str, joints: int, seed: int) -> Wiring:
    """Return the wiring of a variant of Table 5 or of the release; `seed` draws the groups of "random"."""
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
        return Wiring(predicts=(easy, middle, hard), reads=cascade, keeps=(easy, middle, hard))
    if mode == "ms":  # three scales without messages
        return Wiring(predicts=(easy, middle, hard), reads=none, keeps=(easy, middle, hard))
    if mode == "all":  # messages without groups
        return Wiring(
            predicts=(every, every, every), reads=((), ((0, every),), ((0, every), (1, every))), keeps=((), (), every)
        )
    if mode == "released":  # a branch also predicts the joints of later groups, and the background
        later = tuple(joint for joint in every if joint not in easy)
        predicts = ((*every, BACKGROUND), (*later, BACKGROUND), (*hard, BACKGROUND))
        reads = ((), ((0, predicts[0]),), ((0, easy), (1, middle)))
        return Wiring(predicts=predicts, reads=reads, keeps=(easy, middle, predicts[2]))
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
) -> TwoStage:
    """Build AIOI + CJN, two stages; images N x 3 x H x W to heatmaps at stride 8, the last with all joints.

    `mode`: paper, ms (no messages), random (groups drawn with the seed `shuffle`), all (every branch
    predicts every joint) or released. `exact` adds the other details of the released graph: a bias at every
    convolution and wider first blocks. `gate` and `gate_width` as in `inception`.
    """
    trunk, plan = channels(TRUNK, width, multiple=4), wiring(mode, joints, shuffle)

    def block(inputs: int, first: int) -> nn.Module:
        gates = make_gate(gate, trunk, trunk // 2, gate_width and round(gate_width * width))
        return InceptionOfInception(inputs, trunk, trunk // 2, first=first, gate=gates)

    def stage(inputs: int, index: int) -> nn.Module:
        branches = []
        for branch, (predicts, reads) in enumerate(zip(plan.predicts, plan.reads, strict=True)):
            entering = inputs + sum(len(joints) for _, joints in reads)
            first = released_width(entering, index, branch, trunk) if exact else trunk // 2
            blocks = [block(entering, first), *(block(trunk, trunk // 2) for _ in range(branch))]
            branches.append(Stage(blocks, trunk, len(predicts)))
        return JointStage(plan, branches)

    network = TwoStage(stage, trunk, 2 * plan.output_joints, centre_map=centre_map)
    if exact:
        _add_biases(network)
    return network


class JointStage(nn.Module):
    """Stage of three branches; its outputs are the heatmaps that a later branch replaces, then all joints."""

    def __init__(self, plan: Wiring, branches: list[nn.Module]):
        super().__init__()
        self.plan = plan
        self.branches = nn.ModuleList(branches)
        kept = [joint for keeps in plan.keeps for joint in keeps]
        self.replaced = plan.replaced
        self.order = [kept.index(joint) for joint in plan.union]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        maps = []  # of each branch: N x joints it predicts x h x w
        for branch, reads in zip(self.branches, self.plan.reads, strict=True):
            messages = [self.pick(maps, index, joints) for index, joints in reads]
            maps += branch(torch.cat([x, *messages], 1))
        replaced = [self.pick(maps, index, joints) for index, joints in enumerate(self.replaced) if joints]
        kept = [self.pick(maps, index, joints) for index, joints in enumerate(self.plan.keeps) if joints]
        return (*replaced, torch.cat(kept, 1)[:, self.order])

    def pick(self, maps: list[Tensor], index: int, joints: tuple[int, ...]) -> Tensor:
        """Return the heatmaps of some joints of branch `index`."""
        predicts = self.plan.predicts[index]
        return maps[index] if predicts == joints else maps[index][:, [predicts.index(joint) for joint in joints]]


def released_width(inputs: int, stage: int, branch: int, trunk: int) -> int:
    """Return the inner width of the first Inception-residual block of each IOI branch in the released graph.

    It is half the input channels, at least 64. The third branch of stage 2 has 79 as the second, though half of its
    own input would be 75.
    """
    if (stage, branch) == (1, 2):
        return 79 * trunk // TRUNK
    return max(trunk // 2, inputs // 2)


def _add_biases(network: nn.Module) -> None:
    """Give every convolution a bias, as in the release, also before a batch norm."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.bias is None:
            layer.bias = nn.Parameter(torch.zeros(layer.out_channels))
