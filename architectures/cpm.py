"""Convolutional pose machines (Wei et al. 2016), layers as in the authors' LSP and MPII prototxts.

Outputs are heatmaps at 1/8 of the image: one a joint, and the background as the last channel.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from architectures.errors import ArchitectureError
from architectures.layers import channels

CENTRE_SIGMA = 21.0  # pixels of the crop


def cpm(*, joints: int = 14, width: float = 1.0, stages: int = 6) -> "CPM":
    """Map images N x 3 x H x W to heatmaps N x (joints + 1) x H/8 x W/8 of each stage; H and W are multiples of 8."""
    return CPM(joints + 1, width, _checked(stages))


def cpm_vgg(*, joints: int = 14, width: float = 1.0, stages: int = 6) -> "VGGCPM":
    """Build the authors' lighter variant: one trunk from VGG-19 for all stages, and 7x7 kernels."""
    return VGGCPM(joints + 1, width, _checked(stages))


def _checked(stages: int) -> int:
    if stages < 1:
        raise ArchitectureError(f"CPM has 1 stage or more, not {stages}.")
    return stages


class CPM(nn.Module):
    """CPM: stage 1 reads the image; further stages read features of a second trunk and the heatmaps before."""

    background = True

    def __init__(self, maps: int, width: float, stages: int):
        super().__init__()
        c32, c128, c512 = channels(32, width), channels(128, width), channels(512, width)
        self.first_trunk = trunk(c128)
        self.first_body = nn.Sequential(
            *conv(c128, c32, 5),  # N x 32 x h/8 x w/8
            *conv(c32, c512, 9),  # N x 512 x h/8 x w/8
            nn.Dropout(0.5),
        )
        self.first_head = nn.Sequential(*conv(c512, c512, 1), nn.Dropout(0.5), nn.Conv2d(c512, maps, 1))
        self.trunk = trunk(c128) if stages > 1 else nn.Sequential()
        self.reduce = nn.ModuleList(nn.Sequential(*conv(c128, c32, 5)) for _ in range(stages - 1))
        self.bodies = nn.ModuleList(
            nn.Sequential(*conv(c32 + maps + 1, c128, 11), *conv(c128, c128, 11), *conv(c128, c128, 11))
            for _ in range(stages - 1)
        )
        self.heads = nn.ModuleList(
            nn.Sequential(*conv(c128, c128, 1), nn.Conv2d(c128, maps, 1)) for _ in range(stages - 1)
        )
        gaussian(self, width)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the heatmaps of each stage, each N x (joints + 1) x h/8 x w/8."""
        maps = self.first_head(self.first_body(self.first_trunk(images)))  # N x 15 x h/8 x w/8
        outputs = [maps]
        if not self.bodies:
            return tuple(outputs)
        features = self.trunk(images)  # N x 128 x h/8 x w/8
        centre = centre_map(images)  # N x 1 x h/8 x w/8
        for reduce, body, head in zip(self.reduce, self.bodies, self.heads, strict=True):
            x = torch.cat([reduce(features), maps, centre], 1)  # N x (32 + 15 + 1) x h/8 x w/8
            maps = head(body(x))
            outputs.append(maps)
        return tuple(outputs)


class VGGCPM(nn.Module):
    """CPM on VGG-19 to conv4_2 and five more layers; stages read their features and the heatmaps before."""

    background = True

    def __init__(self, maps: int, width: float, stages: int):
        super().__init__()
        c64, c128, c256, c512 = (channels(count, width) for count in (64, 128, 256, 512))
        self.vgg = nn.Sequential(
            *conv(3, c64, 3),
            *conv(c64, c64, 3),
            nn.MaxPool2d(2),  # N x 64 x h/2 x w/2
            *conv(c64, c128, 3),
            *conv(c128, c128, 3),
            nn.MaxPool2d(2),  # N x 128 x h/4 x w/4
            *conv(c128, c256, 3),
            *(layer for _ in range(3) for layer in conv(c256, c256, 3)),
            nn.MaxPool2d(2),  # N x 256 x h/8 x w/8
            *conv(c256, c512, 3),
            *conv(c512, c512, 3),  # N x 512 x h/8 x w/8
        )
        self.trunk = nn.Sequential(
            *conv(c512, c256, 3),
            *(layer for _ in range(3) for layer in conv(c256, c256, 3)),
            *conv(c256, c128, 3),  # N x 128 x h/8 x w/8
        )
        self.first = nn.Sequential(*conv(c128, c512, 1), nn.Conv2d(c512, maps, 1))
        self.refine = nn.ModuleList(
            nn.Sequential(
                *conv(maps + c128 + 1, c128, 7),
                *(layer for _ in range(4) for layer in conv(c128, c128, 7)),
                *conv(c128, c128, 1),
                nn.Conv2d(c128, maps, 1),
            )
            for _ in range(stages - 1)
        )
        gaussian(self, width)
        self.vgg.apply(he)  # pre-trained in the release; with Gaussians of 0.01 the signal of ten 3x3 layers vanishes

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the heatmaps of each stage, each N x (joints + 1) x h/8 x w/8."""
        features = self.trunk(self.vgg(images))  # N x 128 x h/8 x w/8
        centre = centre_map(images)  # N x 1 x h/8 x w/8
        outputs = [self.first(features)]  # N x 15 x h/8 x w/8
        for refine in self.refine:
            outputs.append(refine(torch.cat([outputs[-1], features, centre], 1)))
        return tuple(outputs)


def conv(inputs: int, outputs: int, kernel: int) -> tuple[nn.Module, nn.Module]:
    """Build a convolution that keeps the size, and a ReLU."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU(inplace=True)


def trunk(features: int) -> nn.Sequential:
    """Build three 9x9 convolutions, each with Caffe's pooling: no padding, the last window clipped."""
    layers, inputs = [], 3
    for _ in range(3):
        layers += [*conv(inputs, features, 9), nn.MaxPool2d(3, 2, ceil_mode=True)]  # N x 128 x h/2 ... h/8
        inputs = features
    return nn.Sequential(*layers)


def centre_map(images: Tensor) -> Tensor:
    """Return N x 1 x H/8 x W/8: a Gaussian at pixel (W/2, H/2) of the crop, averaged over 9x9 windows with stride 8.

    The windows at the right and lower border are clipped, and divided by their clipped size.
    """
    height, width = images.shape[-2:]
    kind = {"device": images.device, "dtype": torch.promote_types(images.dtype, torch.float32)}
    y = torch.arange(height, **kind) - height / 2
    x = torch.arange(width, **kind) - width / 2
    peak = torch.exp(-(y[:, None] ** 2 + x**2) / (2 * CENTRE_SIGMA**2))  # H x W
    pooled = F.avg_pool2d(peak[None, None], 9, 8, ceil_mode=True)  # 1 x 1 x H/8 x W/8
    return pooled.to(images.dtype).expand(len(images), -1, -1, -1)


def gaussian(network: nn.Module, width: float) -> None:
    """Initialize as the prototxts do: weights N(0, 0.01^2), biases 0.

    A narrower network gets larger weights, so that the variance of its signal is that of the full network.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=0.01 / width**0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def he(module: nn.Module) -> None:
    """Initialize so that the variance passes ReLUs unchanged (He 2015), biases 0."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
