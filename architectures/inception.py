"""Inception of inception (IOI), its gated form (AIOI) and their baselines: Liu et al., AAAI-18.

Two stages at stride 8, wired like CPM: a shared stem, one module of blocks a stage, and the heatmaps
of stage 1 concatenated to the features of stage 2. The modules compared in Table 1 (18 residual,
9 Inception-residual or 3 IOI blocks) all have a receptive field of 37 x 37 feature pixels.

Layers follow the inference graph that the first author released for AIOI+CJN; parts that are not in it
(the residual baseline, the ungated block, the softmax) follow the text.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from architectures.cpm import centre_map
from architectures.errors import ArchitectureError
from architectures.layers import channels

SCALES = 3  # branches of an IOI block: chains of 1, 2 and 3 Inception-residual blocks
TRUNK = 128  # channels between blocks, at width 1
BACKGROUND = -1  # in `output_joints`, where joints are indices


def inception(
    *,
    joints: int = 14,
    width: float = 1.0,
    block: str = "ioi",
    blocks: int = 3,
    gate: str = "none",
    gate_width: int | None = None,
    block_width: int | None = None,
    centre_map: bool = False,
    background: bool = False,
) -> "TwoStage":
    """Build a two-stage network of one kind of block; images N x 3 x H x W to 2 x (N x joints x H/8 x W/8).

    `block` is residual, incep-res or ioi, `blocks` their number a stage; `gate` (of ioi) is none,
    sigmoid or softmax (the released gate) or text (the gate as the paper describes it); `gate_width` is the
    number of hidden channels of the text gate, `block_width` of the inner ones of a block, both at width 1.
    `centre_map` concatenates CPM's centre map to the features, `background` adds a heatmap of the background.
    """
    trunk = channels(TRUNK, width, multiple=4)
    inner = round((block_width or TRUNK // 2) * width)

    def stage(inputs: int, _previous: int) -> nn.Module:
        kinds = {
            "residual": lambda inputs: Residual(inputs, trunk, inner),
            "incep-res": lambda inputs: InceptionResidual(inputs, trunk, inner),
            "ioi": lambda inputs: InceptionOfInception(
                inputs, trunk, inner, gate=make_gate(gate, trunk, inner, gate_width and round(gate_width * width))
            ),
        }
        if block not in kinds:
            raise ArchitectureError(f"There is no block {block!r}; block is one of {', '.join(kinds)}.")
        if gate != "none" and block != "ioi":
            raise ArchitectureError(f"gate={gate!r} weighs the scales of an ioi block; {block} has none.")
        chain = [kinds[block](inputs if i == 0 else trunk) for i in range(blocks)]
        return Stage(chain, trunk, joints + background)

    outputs = 2 * ((*range(joints), *([BACKGROUND] * background)),)
    return TwoStage(stage, trunk, outputs, centre_map=centre_map)


# ----------------------------------------------------------------------------------- network


class TwoStage(nn.Module):
    """Stem and two stages, the second of which also reads the heatmaps of the first.

    `make_stage(inputs, index)` builds a stage, index 0 or 1, from features to a tuple of supervised outputs, the
    last of which holds all heatmaps. `output_joints` gives the joints of each output of both stages.
    """

    def __init__(
        self,
        make_stage: Callable[[int, int], nn.Module],
        trunk: int,
        output_joints: tuple[tuple[int, ...], ...],
        *,
        centre_map: bool = False,
    ):
        super().__init__()
        self.centre_map: bool = centre_map
        self.output_joints: tuple[tuple[int, ...], ...] = output_joints
        self.background: bool = BACKGROUND in output_joints[-1]
        maps = len(output_joints[-1])
        self.stem = stem(trunk)
        self.features1 = _features(trunk, trunk // 4)
        self.features2 = _features(trunk, trunk)
        self.stage1 = make_stage(trunk // 4 + centre_map, 0)
        self.stage2 = make_stage(trunk + maps + centre_map, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        centre = [centre_map(images)] if self.centre_map else []  # N x 1 x 32 x 32 for 256 x 256
        shared = self.stem(images)  # N x 128 x 32 x 32
        first = self.stage1(torch.cat([self.features1(shared), *centre], 1))  # from N x 32 (+ 1) x 32 x 32
        second = self.stage2(torch.cat([self.features2(shared), first[-1], *centre], 1))  # from N x 128 + maps (+ 1)
        return first + second


class Stage(nn.Module):
    """Chain of blocks, and the head that turns its features into heatmaps."""

    def __init__(self, blocks: list[nn.Module], trunk: int, maps: int):
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.Conv2d(trunk, trunk, 1, bias=False), nn.ReLU(inplace=True), nn.Conv2d(trunk, maps, 1, bias=False)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self.head(self.blocks(x)),)  # (N x maps x h x w,)


class Dense(nn.Module):
    """Unit of the stem, whose output is concatenated to its input."""

    def __init__(self, inputs: int, trunk: int):
        super().__init__()
        self.unit = nn.Sequential(conv(inputs, trunk), conv(trunk, trunk // 2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.unit(x)], 1)


def stem(c: int) -> nn.Sequential:
    """Build the stem: images N x 3 x H x W to features N x c x H/8 x W/8."""
    return nn.Sequential(
        conv(3, c, 5, stride=2),  # 128 x 128 for an input of 256 x 256
        *(Dense(c + i * (c // 2), c) for i in range(3)),
        conv(c + 3 * (c // 2), c),
        conv(c, c, 3, stride=2),  # 64 x 64
        *(Dense(c + i * (c // 2), c) for i in range(4)),
        conv(c + 4 * (c // 2), c),
        conv(c, c, 3, stride=2),  # 32 x 32
        InceptionResidual(c, c, c // 2),
        InceptionResidual(c, c, c // 2),
    )


def _features(trunk: int, outputs: int) -> nn.Sequential:
    widths = (trunk, trunk, outputs)
    return nn.Sequential(*(InceptionResidual(trunk, width, trunk // 2) for width in widths))


# ------------------------------------------------------------------------------------ blocks


def conv(inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, relu: bool = True) -> nn.Sequential:
    """Build a convolution that keeps the size (over `stride`), batch norm and, unless `relu` is False, ReLU."""
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))


def shortcut(inputs: int, outputs: int) -> nn.Module:
    """Build the identity or, where the channels change, a 1 x 1 convolution with batch norm."""
    return nn.Identity() if inputs == outputs else conv(inputs, outputs, relu=False)


class Residual(nn.Module):
    """Baseline block: a bottleneck with one 3 x 3. Only that gives 18 : 9 : 3 blocks equal receptive fields."""

    def __init__(self, inputs: int, outputs: int, width: int):
        super().__init__()
        self.residual = nn.Sequential(conv(inputs, width), conv(width, width, 3), conv(width, outputs, relu=False))
        self.shortcut = shortcut(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x) + self.shortcut(x))


class InceptionResidual(nn.Module):
    """Inception-ResNet-v1 A: branches of no, one and two 3 x 3 of one width, and a shortcut."""

    def __init__(self, inputs: int, outputs: int, width: int):
        super().__init__()
        self.branch1 = conv(inputs, width)  # sees 1 x 1
        self.branch2 = nn.Sequential(conv(inputs, width), conv(width, width, 3))  # sees 3 x 3
        self.branch3 = nn.Sequential(conv(inputs, width), conv(width, width, 3), conv(width, width, 3))  # sees 5 x 5
        self.fuse = conv(3 * width, outputs, relu=False)
        self.shortcut = shortcut(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        branches = torch.cat([self.branch1(x), self.branch2(x), self.branch3(x)], 1)  # N x 3 width x h x w
        return F.relu(self.fuse(branches) + self.shortcut(x))


class InceptionOfInception(nn.Module):
    """IOI block: the sum of branches of 1, 2 and 3 Inception-residual blocks, and a shortcut; with a gate AIOI.

    The gate reads all branches and gives each of them a weight a pixel (and a channel), Eq. 1.
    `first` is the inner width of the first block of each branch.
    """

    def __init__(self, inputs: int, outputs: int, width: int, *, gate: nn.Module | None = None, first: int = 0):
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                InceptionResidual(inputs, outputs, first or width),
                *(InceptionResidual(outputs, outputs, width) for _ in range(depth)),
            )
            for depth in range(SCALES)
        )
        self.reduce = nn.ModuleList(nn.Conv2d(outputs, width, 1, bias=False) for _ in range(SCALES))
        self.gate = gate
        self.norm = nn.BatchNorm2d(width)
        self.fuse = conv(width, outputs, relu=False)
        self.shortcut = shortcut(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        branches = [branch(x) for branch in self.branches]  # 3 x (N x 128 x h x w)
        scales = [reduce(branch) for reduce, branch in zip(self.reduce, branches, strict=True)]  # 3 x (N x 64 x h x w)
        if self.gate is not None:
            weights = self.gate(torch.cat(branches, 1))  # 3 x (N x 64 or 1 x h x w)
            scales = [weight * scale for weight, scale in zip(weights, scales, strict=True)]
        fused = F.relu(self.norm(scales[0] + scales[1] + scales[2]))
        return F.relu(self.fuse(fused) + self.shortcut(x))


# ------------------------------------------------------------------------------------- gates


def make_gate(kind: str, trunk: int, width: int, hidden: int | None = None) -> "ReleasedGate | TextGate | None":
    """Build the gate called `kind` for branches of `trunk` channels that are reduced to `width` each."""
    if kind == "none":
        return None
    if kind in ("sigmoid", "softmax"):
        return ReleasedGate(SCALES * trunk, SCALES * width, softmax=kind == "softmax")
    if kind == "text":
        return TextGate(SCALES * trunk, SCALES * width, hidden or SCALES * width)
    raise ArchitectureError(f"There is no gate {kind!r}; gate is one of none, sigmoid, softmax, text.")


class ReleasedGate(nn.Module):
    """Gate of the released graph: one strided path resized back, one direct path, both 3 x 3.

    With `softmax` the weights of the branches sum to 1 at each pixel, the same weights for all channels.
    """

    def __init__(self, inputs: int, hidden: int, *, softmax: bool = False):
        super().__init__()
        self.softmax = softmax
        self.down = nn.Sequential(conv(inputs, hidden, 3, stride=2), conv(hidden, hidden, 3, relu=False))
        self.skip = conv(inputs, hidden, 3, relu=False)
        self.join = conv(hidden, hidden, 3)
        self.last = _last(hidden, SCALES if softmax else hidden)

    def forward(self, branches: Tensor) -> tuple[Tensor, ...]:
        low = _resize(self.down(branches), branches)  # N x 192 x h x w
        logits = self.last(self.join(F.relu(low + self.skip(branches))))
        return (logits.softmax(1) if self.softmax else logits.sigmoid()).chunk(SCALES, 1)


class TextGate(nn.Module):
    """Gate as the text describes it: 3 x 3, pooling, 3 x 3, upsampling, and a skip connection."""

    def __init__(self, inputs: int, outputs: int, hidden: int):
        super().__init__()
        self.first = conv(inputs, hidden, 3)
        self.down = nn.Sequential(nn.MaxPool2d(2), conv(hidden, hidden, 3, relu=False))
        self.skip = conv(hidden, hidden, relu=False)
        self.last = _last(hidden, outputs)

    def forward(self, branches: Tensor) -> tuple[Tensor, ...]:
        x = self.first(branches)  # N x hidden x h x w
        logits = self.last(F.relu(_resize(self.down(x), x) + self.skip(x)))
        return logits.sigmoid().chunk(SCALES, 1)


def _last(inputs: int, outputs: int) -> nn.Conv2d:
    """Build the last 1 x 1, with weights so small that every gate starts half open."""
    layer = nn.Conv2d(inputs, outputs, 1, bias=False)
    nn.init.normal_(layer.weight, std=1e-3)
    return layer


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=True)  # PSPNet's "Interp"
