"""Backbones of MSPN (Li 2019, section 3.1 and Table 4): a ResNet or an Xception without stem and classifier.

Modules carry the names of the authors' release and register in its order, so that its files load as they are.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from architectures.errors import ArchitectureError
from architectures.layers import channels


@dataclass(frozen=True)
class Backbone:
    """Block type, depth and width of a backbone such as "resnet50"."""

    block: "type[Bottleneck | Basic | Xception]"
    counts: tuple[int, int, int, int]  # blocks at 1/4, 1/8, 1/16, 1/32
    planes: int  # channels inside the blocks of the first level, doubled at each next one


class DownPath(nn.Module):
    """Backbone as four levels at 1/4, 1/8, 1/16 and 1/32 of the image; `channels` are their widths."""

    def __init__(self, backbone: Backbone, inputs: int, stride_on: str, width: float):
        super().__init__()
        self.channels = []
        for level, count in enumerate(backbone.counts):
            planes = channels(backbone.planes * 2**level, width)
            blocks = []
            for index in range(count):
                stride = 2 if level > 0 and index == 0 else 1
                blocks.append(backbone.block(inputs, planes, stride, stride_on))
                inputs = planes * backbone.block.expansion
            self.add_module(f"layer{level + 1}", nn.Sequential(*blocks))
            self.channels.append(inputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor, skips: Sequence[tuple[Tensor, Tensor]] | None = None) -> list[Tensor]:
        """Return the four levels, finest first: N x C x h/4 x w/4 ... h/32 x w/32.

        `skips`, two tensors a level, are added to it before the next level reads it (cross-stage aggregation).
        """
        features = []
        for level, layer in enumerate(self.children()):
            x = layer(x)
            x = x if skips is None else sum(skips[level], x)
            features.append(x)
        return features


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1, relu: bool = True) -> nn.Sequential:
    """Build a convolution with bias, batch norm and, unless `relu` is False, ReLU."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), bn=nn.BatchNorm2d(outputs)
    )
    if relu:
        layers["relu"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    same = stride == 1 and inputs == outputs
    return nn.Identity() if same else conv_norm(inputs, outputs, 1, stride, relu=False)


class Bottleneck(nn.Module):
    """Block of ResNet-50. The release strides on the 3x3, the printed FLOPs need the stride on the first 1x1."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int, stride_on: str):
        super().__init__()
        first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
        self.conv_bn_relu1 = conv_norm(inputs, planes, 1, first)
        self.conv_bn_relu2 = conv_norm(planes, planes, 3, second)
        self.conv_bn_relu3 = conv_norm(planes, 4 * planes, 1, relu=False)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, 4 * planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.conv_bn_relu3(self.conv_bn_relu2(self.conv_bn_relu1(x)))
        return self.relu(branch + self.downsample(x))


class Basic(nn.Module):
    """Block of ResNet-18."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int, stride_on: str):
        super().__init__()
        self.conv_bn_relu1 = conv_norm(inputs, planes, 3, stride)
        self.conv_bn_relu2 = conv_norm(planes, planes, 3, relu=False)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.conv_bn_relu2(self.conv_bn_relu1(x))
        return self.relu(branch + self.downsample(x))


def _separable(inputs: int, outputs: int, stride: int = 1, relu: bool = True) -> nn.Sequential:
    """Build a depthwise 3x3 and a pointwise 1x1 without biases, batch norm and, unless `relu` is False, ReLU."""
    layers = [
        nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class Xception(nn.Module):
    """Block of three separable convolutions and a shortcut. The paper does not describe its Xceptions."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int, stride_on: str):
        super().__init__()
        self.branch = nn.Sequential(
            _separable(inputs, planes, stride), _separable(planes, planes), _separable(planes, planes, relu=False)
        )
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != planes:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, planes, 1, stride, bias=False), nn.BatchNorm2d(planes)
            )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.branch(x) + self.shortcut(x))


BACKBONES = {
    "resnet18": Backbone(Basic, (2, 2, 2, 2), 64),
    "resnet50": Backbone(Bottleneck, (3, 4, 6, 3), 64),
    "resnet101": Backbone(Bottleneck, (3, 4, 23, 3), 64),
    "resnet152": Backbone(Bottleneck, (3, 8, 36, 3), 64),
    # 254 = 3 x 84 + 2: 34 blocks more than ResNet-152. The FLOPs fit any level; 101 and 152 grew at 1/16.
    "resnet254": Backbone(Bottleneck, (3, 8, 70, 3), 64),
    # Widths and counts chosen to give the printed FLOPs (6.1; 5.7 for four stages): the paper says nothing else.
    "xception-large": Backbone(Xception, (3, 4, 6, 3), 192),
    "xception-small": Backbone(Xception, (3, 6, 11, 3), 64),
}


def down_path(name: str, inputs: int, stride_on: str, width: float) -> DownPath:
    """Build the backbone called `name` on `inputs` channels at 1/4; `stride_on` is "1x1" or "3x3"."""
    if name not in BACKBONES:
        raise ArchitectureError(f"There is no backbone {name!r}; choose from {', '.join(BACKBONES)}.")
    if stride_on not in ("1x1", "3x3"):
        raise ArchitectureError(f'stride_on is "1x1" or "3x3", not {stride_on!r}.')
    return DownPath(BACKBONES[name], inputs, stride_on, width)
