"""Multi-stage convolution machine (Nie et al. 2019), and the pilot study that adds its modules to a 3-stage CPM.

The paper draws the modules without widths; its tables are images. Our choices, for want of a text: the widths, the 3x3
kernel of the first convolution, the ratio 16 of the gates, and the places of dropout and of the pilot's gates.
Outputs are heatmaps at 1/8 of the image: one a joint, and the background as the last channel.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from architectures.cpm import CPM, centre_map, conv, gaussian, he
from architectures.errors import ArchitectureError
from architectures.layers import channels


def convolution_machine(
    *,
    joints: int = 14,
    width: float = 1.0,
    stages: int = 4,
    first: int = 32,
    kernel: int = 3,
    squeeze: int = 32,
    expand: int = 64,
    fuse: int = 128,
    dilate: int = 64,
) -> "ConvolutionMachine":
    """Map images N x 3 x H x W to heatmaps N x (joints + 1) x H/8 x W/8 of each stage; H and W are multiples of 8.

    first, kernel: channels and kernel of the first convolution; squeeze, expand: channels of the fire modules;
    fuse: channels of the two convolutions of a stage; dilate: channels of each dilated convolution.
    """
    if stages < 1:
        raise ArchitectureError(f"The convolution machine has 1 stage or more, not {stages}.")
    if kernel < 1 or kernel % 2 == 0:
        raise ArchitectureError(f"The kernel of the first convolution is odd and positive, not {kernel}.")
    scaled = [channels(count, width) for count in (first, squeeze, expand, fuse, dilate)]
    return ConvolutionMachine(joints + 1, stages, kernel, *scaled)


class ConvolutionMachine(nn.Module):
    """PRE-STAGE and STAGEs (figure 1): each stage reads F_l, F_h and the heatmaps of the stage before."""

    background = True

    def __init__(
        self, maps: int, stages: int, kernel: int, first: int, squeeze: int, expand: int, fuse: int, dilate: int
    ):
        super().__init__()
        self.conv1 = nn.Sequential(*conv(3, first, kernel))
        self.pyramid = nn.Sequential(*(PyramidStacking(first * count) for count in (1, 2, 4)))
        self.big_gate = Gate(first)
        self.stages = nn.ModuleList(
            Stage(8 * first + (maps if index else 0), first, maps, squeeze, expand, fuse, dilate)
            for index in range(stages)
        )
        self.apply(he)  # CPM's Gaussians of 0.01 would fade to nothing over so many 1x1 and 3x3 convolutions

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the heatmaps of each stage, each N x (joints + 1) x h/8 x w/8."""
        low = self.conv1(images)  # F_l, N x 32 x h x w
        high = self.pyramid(low)  # F_h, N x 256 x h/8 x w/8
        low = self.big_gate(F.avg_pool2d(low, 8))  # N x 32 x h/8 x w/8; pooled first: a gate and a mean commute
        outputs = []
        for stage in self.stages:
            outputs.append(stage(torch.cat([high, *outputs[-1:]], 1), low))
        return tuple(outputs)


class Stage(nn.Module):
    """Four fire modules, two convolutions and the dilation module, with gated earlier features (figure 3)."""

    def __init__(self, inputs: int, low: int, maps: int, squeeze: int, expand: int, fuse: int, dilate: int):
        super().__init__()
        fire = 4 * expand
        self.fires = nn.Sequential(
            DoubleFire(inputs, squeeze, expand), DoubleFire(fire, squeeze, expand), DoubleFire(fire, squeeze, expand)
        )
        self.gate = Gate(inputs)
        self.last_fire = DoubleFire(fire + inputs, squeeze, expand)
        self.fuse = nn.Sequential(*conv(fire + low, fuse, 3), nn.Dropout(0.5), *conv(fuse, fuse, 3))
        self.dilation = Dilation(fuse, dilate, maps)

    def forward(self, x: Tensor, low: Tensor) -> Tensor:
        y = torch.cat([self.fires(x), self.gate(x)], 1)  # N x (256 + 256 or 271) x h/8 x w/8
        y = torch.cat([self.last_fire(y), low], 1)  # N x (256 + 32) x h/8 x w/8
        return self.dilation(self.fuse(y))  # N x 15 x h/8 x w/8


class PyramidStacking(nn.Module):
    """Max pool and strided convolution, concatenated: half the size, twice the channels (figure 2c)."""

    def __init__(self, inputs: int):
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.conv = nn.Sequential(nn.Conv2d(inputs, inputs, 3, stride=2, padding=1), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.pool(x), self.conv(x)], 1)  # N x 2c x h/2 x w/2


class Gate(nn.Module):
    """Squeeze and excitation: each channel is multiplied by a weight computed from the means of all channels."""

    def __init__(self, features: int):
        super().__init__()
        hidden = max(features // 16, 4)
        self.weigh = nn.Sequential(
            nn.Linear(features, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, features), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weigh(x.mean((2, 3)))[:, :, None, None]  # N x F x h x w


class Fire(nn.Module):
    """Fire module of SqueezeNet: 1x1 to few channels, then 1x1 and 3x3, concatenated."""

    def __init__(self, inputs: int, squeeze: int, expand: int):
        super().__init__()
        self.squeeze = nn.Sequential(*conv(inputs, squeeze, 1))
        self.expand1 = nn.Sequential(*conv(squeeze, expand, 1))
        self.expand3 = nn.Sequential(*conv(squeeze, expand, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)  # N x s x h x w
        return torch.cat([self.expand1(x), self.expand3(x)], 1)  # N x 2e x h x w


class DoubleFire(nn.Module):
    """Two fire modules in a row, the output of the first concatenated to that of the second (figure 4)."""

    def __init__(self, inputs: int, squeeze: int, expand: int):
        super().__init__()
        self.first = Fire(inputs, squeeze, expand)
        self.second = Fire(2 * expand, squeeze, expand)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)  # N x 2e x h x w
        return torch.cat([x, self.second(x)], 1)  # N x 4e x h x w


class Dilation(nn.Module):
    """3x3 convolutions of dilation 1 to 4, concatenated with their input, then 1x1 to heatmaps (figure 5)."""

    def __init__(self, inputs: int, outputs: int, maps: int):
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=rate, dilation=rate), nn.ReLU(inplace=True))
            for rate in (1, 2, 3, 4)
        )
        self.score = nn.Conv2d(inputs + 4 * outputs, maps, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.score(torch.cat([x, *(branch(x) for branch in self.branches)], 1))  # N x 15 x h x w


def pilot(
    *, joints: int = 14, width: float = 1.0, squeeze: bool = False, dilate: bool = False, gates: bool = False
) -> CPM:
    """Build CPM with 3 stages and up to three changes: the pilot study (Nie 2019, section 4.4, Tables 2 and 3).

    squeeze (SQ): a fire module instead of the last 11x11 convolution of stages 2 and 3.
    dilate (PD): the dilation module instead of the last convolution of every stage.
    gates (Gate): a small gate on the input of every stage and a big one on the first features of both trunks; their
        outputs are concatenated to the features before the 1x1 convolutions of the stage.
    """
    maps, c32, c64, c128, c512 = joints + 1, *(channels(count, width) for count in (32, 64, 128, 512))
    network = GatedCPM(maps, width) if gates else CPM(maps, width, stages=3)
    if squeeze:
        for body in ("bodies.0", "bodies.1"):
            network.set_submodule(f"{body}.4", Fire(c128, c32, c64).apply(he))  # the ReLU after it changes nothing
    if dilate:
        for convolution, features in (("first_head.3", c512), ("heads.0.2", c128), ("heads.1.2", c128)):
            network.set_submodule(convolution, Dilation(features, c32, maps).apply(he))
    return network


class GatedCPM(CPM):
    """CPM with 3 stages and five gates: a small one a stage, a big one on each of its two trunks."""

    def __init__(self, maps: int, width: float):
        super().__init__(maps, width, stages=3)
        c32, c128, c512 = channels(32, width), channels(128, width), channels(512, width)
        entry = c32 + maps + 1
        self.big_gates = nn.ModuleList((Gate(c128), Gate(c128)))
        self.gates = nn.ModuleList((Gate(c128), Gate(entry), Gate(entry)))
        self.set_submodule("first_head.0", nn.Conv2d(c512 + 2 * c128, c512, 1))
        for index in range(len(self.heads)):
            self.set_submodule(f"heads.{index}.0", nn.Conv2d(c128 + entry + c128, c128, 1))
        gaussian(self, width)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the heatmaps of each stage, each N x (joints + 1) x h/8 x w/8."""
        early, features = self._trunk_features(images, self.first_trunk, self.big_gates[0])
        x = torch.cat([self.first_body(features), self.gates[0](features), early], 1)  # N x (512 + 128 + 128) ...
        outputs = [self.first_head(x)]  # N x 15 x h/8 x w/8
        early, features = self._trunk_features(images, self.trunk, self.big_gates[1])
        centre = centre_map(images)  # N x 1 x h/8 x w/8
        for reduce, body, head, gate in zip(self.reduce, self.bodies, self.heads, self.gates[1:], strict=True):
            x = torch.cat([reduce(features), outputs[-1], centre], 1)  # N x (32 + 15 + 1) x h/8 x w/8
            x = torch.cat([body(x), gate(x), early], 1)  # N x (128 + 48 + 128) x h/8 x w/8
            outputs.append(head(x))
        return tuple(outputs)

    @staticmethod
    def _trunk_features(images: Tensor, trunk: nn.Sequential, gate: nn.Module) -> tuple[Tensor, Tensor]:
        """Return the gated first features and the last features of a trunk, both N x 128 x h/8 x w/8."""
        early = trunk[:2](images)  # N x 128 x h x w
        return gate(F.avg_pool2d(early, 8)), trunk[2:](early)
