"""CIFAR-10 classifiers of Yang 2017, table 3: WRN-28 and ResNeXt-29, each also with a pyramid beside every block.

No code was released for them; place and width of the pyramids are those that reproduce the table.
"""

from torch import Tensor, nn

from architectures.layers import BranchSum, channels, norm_relu, total
from architectures.pyramid import Levels


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Build a convolution without bias that keeps the size at stride 1."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)


class PyramidBranch(nn.Module):
    """Pyramid of four levels with a kernel each: N x inputs x h x w -> N x outputs x h/stride x w/stride."""

    def __init__(self, inputs: int, narrow: int, outputs: int, stride: int):
        super().__init__()
        self.reduce = nn.Sequential(conv(inputs, narrow, 1, stride), norm_relu(narrow))
        self.levels = Levels(narrow, scales=4, bias=False)
        self.expand = nn.Sequential(norm_relu(narrow), BranchSum(narrow, outputs, branches_in=4, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.expand(total(self.levels([self.reduce(x)])))


class WideBlock(nn.Module):
    """Pre-activation block of two 3x3 convolutions; where the shape changes, the shortcut reads the activated input."""

    def __init__(self, inputs: int, outputs: int, stride: int, narrow: int):
        super().__init__()
        self.activate = norm_relu(inputs)
        self.block = nn.Sequential(conv(inputs, outputs, 3, stride), norm_relu(outputs), conv(outputs, outputs, 3))
        self.shortcut = conv(inputs, outputs, 1, stride) if inputs != outputs else None
        self.pyramid = PyramidBranch(inputs, narrow, outputs, stride) if narrow else None

    def forward(self, x: Tensor) -> Tensor:
        activated = self.activate(x)
        y = self.block(activated) + (x if self.shortcut is None else self.shortcut(activated))
        return y if self.pyramid is None else y + self.pyramid(x)  # N x outputs x h/stride x w/stride


class AggregatedBlock(nn.Module):
    """ResNeXt bottleneck with a grouped 3x3 and ReLU after the addition."""

    def __init__(self, inputs: int, middle: int, outputs: int, stride: int, groups: int, narrow: int):
        super().__init__()
        self.block = nn.Sequential(
            conv(inputs, middle, 1),
            norm_relu(middle),
            conv(middle, middle, 3, stride, groups),
            norm_relu(middle),
            conv(middle, outputs, 1),
            nn.BatchNorm2d(outputs),
        )
        changes = inputs != outputs
        self.shortcut = (
            nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)) if changes else nn.Identity()
        )
        self.pyramid = PyramidBranch(inputs, narrow, outputs, stride) if narrow else None
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.block(x) + self.shortcut(x)
        return self.relu(y if self.pyramid is None else y + self.pyramid(x))


class Classifier(nn.Module):
    """Features, mean over the pixels and a linear layer: N x 3 x h x w -> a tuple of N x classes logits."""

    def __init__(self, features: nn.Sequential, width: int, classes: int):
        super().__init__()
        self.features = features
        self.classify = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        pooled = self.features(images).mean((2, 3))  # N x width
        return (self.classify(pooled),)


def wide_resnet(*, classes: int = 10, width: float = 1.0, widen: int = 10, pyramid: int = 0) -> nn.Module:
    """Build WRN-28-`widen`: three groups of four blocks with 16, 32, 64 times `widen` channels at h, h/2, h/4.

    `pyramid` is the width of the pyramid beside each block of the first group, doubled from group to group; 0 is none.
    """
    inputs = channels(16, width, multiple=1)
    layers: list[nn.Module] = [conv(3, inputs, 3)]  # N x 16 x h x w
    for group in range(3):
        outputs = channels(16 * widen * 2**group, width, multiple=1)
        narrow = channels(pyramid * 2**group, width, multiple=1) if pyramid else 0
        for block in range(4):
            layers.append(WideBlock(inputs, outputs, 2 if group and not block else 1, narrow))
            inputs = outputs
    return Classifier(nn.Sequential(*layers, norm_relu(inputs)), inputs, classes)  # N x 64 widen x h/4 x w/4


def resnext(*, classes: int = 10, width: float = 1.0, cardinality: int = 8, pyramid: int = 0) -> nn.Module:
    """Build ResNeXt-29, `cardinality` x 64d: three stages of three blocks with 256, 512, 1024 channels at h, h/2, h/4.

    `pyramid` is the width of the pyramid beside each block of the first stage, doubled from stage to stage; 0 is none.
    """
    inputs = channels(64, width, multiple=1)
    layers: list[nn.Module] = [conv(3, inputs, 3), norm_relu(inputs)]  # N x 64 x h x w
    for stage in range(3):
        middle = cardinality * channels(64 * 2**stage, width, multiple=1)
        outputs = channels(256 * 2**stage, width, multiple=1)
        narrow = channels(pyramid * 2**stage, width, multiple=1) if pyramid else 0
        for block in range(3):
            stride = 2 if stage and not block else 1
            layers.append(AggregatedBlock(inputs, middle, outputs, stride, cardinality, narrow))
            inputs = outputs
    return Classifier(nn.Sequential(*layers), inputs, classes)  # N x 1024 x h/4 x w/4
