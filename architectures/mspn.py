"""Multi-stage pose network (Li et al. 2019, arXiv 1901.00148), layers as in the authors' release.

Modules carry the names of the release and register in its order, so that its checkpoints load as they are.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from architectures.backbones import conv_norm, down_path
from architectures.errors import ArchitectureError
from architectures.layers import channels

KERNELS = (15, 11, 9, 7, 5)  # sides of the Gaussians that blur the targets, coarse to fine


def mspn(
    *,
    joints: int = 17,
    width: float = 1.0,
    stages: int = 2,
    backbone: str = "resnet50",
    stride_on: str = "1x1",
    aggregation: bool = True,
    multi_scale: bool = True,
    finest_kernels: Sequence[int] | None = None,
    resize_last: bool = False,
) -> "MSPN":
    """Build MSPN for images N x 3 x H x W, H and W multiples of 32.

    stride_on: the convolution of a bottleneck that halves the resolution: "1x1", as the printed FLOPs need,
        or "3x3", as released. Parameters are the same.
    aggregation: features of a stage are added to those of the next (CSFA, section 3.2).
    multi_scale: supervise 1/32, 1/16, 1/8 and 1/4 in each stage (section 3.3), not 1/4 alone.
    finest_kernels: for each stage, the blur of the 1/4 targets, 7 or 5 (Table 7); coarser scales follow.
        The default is 7, and 5 in the last stage.
    resize_last: in the up path, convolve before the bilinear resize instead of after it: the same function in
        evaluation with fewer operations, as the printed FLOPs of 2 x Res-18 need.
    """
    if stages < 1:
        raise ArchitectureError(f"MSPN has 1 stage or more, not {stages}.")
    kernels = target_kernels(stages, multi_scale, finest_kernels)
    return MSPN(joints, width, stages, backbone, stride_on, aggregation, resize_last, kernels)


def target_kernels(
    stages: int, multi_scale: bool = True, finest: Sequence[int] | None = None
) -> tuple[tuple[int, ...], ...]:
    """Return for each stage the blur of the targets at each supervised scale, coarsest first, in heatmap pixels.

    `finest` gives it for the 1/4 targets, 7 or 5; by default 7, and 5 in the last stage.
    """
    finest = [7] * (stages - 1) + [5] if finest is None else list(finest)
    if len(finest) != stages or not set(finest) <= {7, 5}:
        raise ArchitectureError(f"finest_kernels gives 7 or 5 for each of the {stages} stages, not {finest}.")
    scales = 4 if multi_scale else 1
    return tuple(KERNELS[end - scales : end] for end in (KERNELS.index(kernel) + 1 for kernel in finest))


class MSPN(nn.Module):
    """Stem and stages; `target_kernels` are the sides of the Gaussians for the targets, one an output."""

    def __init__(
        self,
        joints: int,
        width: float,
        stages: int,
        backbone: str,
        stride_on: str,
        aggregation: bool,
        resize_last: bool,
        kernels: Sequence[tuple[int, ...]],
    ):
        super().__init__()
        stem, features = channels(64, width), channels(256, width)
        self.target_kernels = tuple(kernel for stage in kernels for kernel in stage)
        self.heads_per_stage = len(kernels[0])
        self.top = nn.Sequential()
        self.top.add_module("conv", conv_norm(3, stem, 7, stride=2))  # N x 64 x h/2 x w/2
        self.top.add_module("maxpool", nn.MaxPool2d(3, 2, 1))  # N x 64 x h/4 x w/4
        for index in range(stages):
            last = index == stages - 1
            down = down_path(backbone, stem, stride_on, width)
            up = UpPath(
                down.channels,
                features,
                joints,
                scales=len(kernels[index]),
                aggregation=aggregation and not last,
                cross=None if last else stem,
                resize_last=resize_last,
            )
            self.add_module(f"stage{index}", Stage(down, up))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return heatmaps, each N x K x h/4 x w/4: stage by stage, in a stage from the scale 1/32 to 1/4."""
        top, *stages = self.children()
        x, skips, outputs = top(images), None, []  # N x 64 x h/4 x w/4
        for stage in stages:
            heatmaps, skips, x = stage(x, skips)
            outputs += heatmaps
        return tuple(outputs)


Skips = list[tuple[Tensor, Tensor]]  # two tensors a level, finest first, that the next stage adds to its backbone


class Stage(nn.Module):
    """Backbone from 1/4 to 1/32 of the image, and the up path back to 1/4."""

    def __init__(self, downsample: nn.Module, upsample: nn.Module):
        super().__init__()
        self.downsample = downsample
        self.upsample = upsample

    def forward(self, x: Tensor, skips: Skips | None) -> tuple[list[Tensor], Skips | None, Tensor | None]:
        """Return heatmaps, coarsest first, and skips and input of the next stage."""
        return self.upsample(self.downsample(x, skips))


class UpPath(nn.Module):
    """Four units from 1/32 to 1/4, `up1` to `up4`; the `scales` finest of them have heatmaps."""

    def __init__(
        self,
        inputs: Sequence[int],
        features: int,
        joints: int,
        *,
        scales: int,
        aggregation: bool,
        cross: int | None,
        resize_last: bool,
    ):
        super().__init__()
        for level in range(4):  # 0 is 1/32
            unit = Unit(
                inputs[3 - level],
                features,
                below=level > 0,
                aggregation=aggregation,
                cross=cross if level == 3 else None,
                joints=joints if level >= 4 - scales else None,
                resize_last=resize_last,
            )
            self.add_module(f"up{level + 1}", unit)

    def forward(self, features: list[Tensor]) -> tuple[list[Tensor], Skips | None, Tensor | None]:
        """Map levels of the backbone, finest first, to heatmaps, coarsest first, and skips and input of the next."""
        heatmaps, skips, merged, cross = [], [], None, None
        size = features[0].shape[-2:]
        for unit, x in zip(self.children(), reversed(features), strict=True):
            merged, heatmap, skip, cross = unit(x, merged, size)  # N x 256 x h/32 x w/32 ... h/4 x w/4
            heatmaps += [] if heatmap is None else [heatmap]
            skips += [] if skip is None else [skip]
        return heatmaps, skips[::-1] or None, cross


class Unit(nn.Module):
    """One scale of the up path; modules in the order of the release, None where a stage does without."""

    def __init__(
        self,
        inputs: int,
        features: int,
        *,
        below: bool,
        aggregation: bool,
        cross: int | None,
        joints: int | None,
        resize_last: bool,
    ):
        super().__init__()
        self.resize_last: bool = resize_last
        self.u_skip = conv_norm(inputs, features, 1, relu=False)
        self.up_conv = conv_norm(features, features, 1, relu=False) if below else None
        self.skip1 = conv_norm(inputs, inputs, 1) if aggregation else None
        self.skip2 = conv_norm(features, inputs, 1) if aggregation else None
        self.cross_conv = conv_norm(features, cross, 1) if cross else None
        self.res_conv1 = conv_norm(features, features, 1) if joints else None
        self.res_conv2 = conv_norm(features, joints, 3, relu=False) if joints else None

    def forward(
        self, x: Tensor, below: Tensor | None, size: torch.Size
    ) -> tuple[Tensor, Tensor | None, tuple[Tensor, Tensor] | None, Tensor | None]:
        """Return the merged features, heatmaps of `size`, two skips and the input of the next stage."""
        merged = self.merge(x, below)  # N x 256 x as x
        heatmaps = skips = cross = None
        if self.res_conv1 is not None and self.res_conv2 is not None:
            heatmaps = resize(self.res_conv2(self.res_conv1(merged)), size)  # N x K x h/4 x w/4
        if self.skip1 is not None and self.skip2 is not None:
            skips = self.skip1(x), self.skip2(merged)  # both as x
        if self.cross_conv is not None:
            cross = self.cross_conv(merged)  # N x 64 x h/4 x w/4
        return merged, heatmaps, skips, cross

    def merge(self, x: Tensor, below: Tensor | None) -> Tensor:
        """Return the lateral features plus, if any, those of the next coarser scale: N x 256 x as x."""
        lateral = self.u_skip(x)
        if below is None or self.up_conv is None:
            return F.relu(lateral)
        size = x.shape[-2:]
        if self.resize_last:
            return F.relu(lateral + resize(self.up_conv(below), size))
        return F.relu(lateral + self.up_conv(resize(below, size)))


def resize(x: Tensor, size: torch.Size) -> Tensor:
    """Resize bilinearly to (h, w), corners aligned."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)
