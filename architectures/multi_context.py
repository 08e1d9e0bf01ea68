"""Multi-context attention (Chu, Yang, Ouyang, Ma, Yuille, Wang 2017).

Stacked hourglasses whose features are multiplied by attention maps, from several resolutions, of the whole body and
then of each joint.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from architectures.errors import ArchitectureError
from architectures.layers import (
    Hourglass,
    Residual,
    StackedNetwork,
    channels,
    conv_norm_relu,
    newell_stem,
    norm_relu,
    total,
)

KERNEL = 11  # of the messages in the conditional random field, as in the authors' script (the option's default is 1)
STEPS = 3  # mean-field iterations of the random field


class HourglassResidual(nn.Module):
    """Hourglass residual unit, HRU: a residual unit and a third branch at half the resolution (figure 5).

    The receptive fields of the branches are 1, 3x3 and 10x10 pixels. In the figure the third branch ends with a
    deconvolution, in the released code, as here, with nearest upsampling.
    """

    def __init__(self, features: int):
        super().__init__()
        self.residual = Residual(features, features)
        self.context = nn.Sequential(
            norm_relu(features),
            nn.MaxPool2d(2),  # N x F x h/2 x w/2
            nn.Conv2d(features, features, 3, padding=1),
            norm_relu(features),
            nn.Conv2d(features, features, 3, padding=1),
            nn.Upsample(scale_factor=2),  # N x F x h x w
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + self.context(x)  # N x F x h x w


class Attention(nn.Module):
    """Attention map, N x F x h x w -> N x 1 x h x w, by a conditional random field or, as a baseline, by softmax.

    The random field iterates q <- sigmoid(k * q + u) from q = u, as the released code does; equation 7 has the unary
    term u in each iteration, equation 8 does not. Its values lie in (0, 1), those of the softmax sum to 1.
    """

    def __init__(self, features: int, normalize: str):
        super().__init__()
        self.unary = nn.Conv2d(features, 1, 3, padding=1)
        self.message = nn.Conv2d(1, 1, KERNEL, padding=KERNEL // 2) if normalize == "crf" else None

    def forward(self, features: Tensor) -> Tensor:
        unary = self.unary(features)  # N x 1 x h x w
        if self.message is None:
            return unary.flatten(2).softmax(2).view_as(unary)
        q = unary
        for _ in range(STEPS):
            q = torch.sigmoid(self.message(q) + unary)
        return q


class PartAttention(nn.Module):
    """Heatmap of each joint from features times the joint's attention map: N x F x h x w -> N x K x h x w."""

    def __init__(self, features: int, joints: int, normalize: str):
        super().__init__()
        self.attentions = nn.ModuleList(Attention(features, normalize) for _ in range(joints))
        self.scores = nn.ModuleList(nn.Conv2d(features, 1, 1) for _ in range(joints))

    def forward(self, x: Tensor) -> Tensor:
        parts = zip(self.attentions, self.scores, strict=True)
        return torch.cat([score(x * attention(x)) for attention, score in parts], 1)


class AttentionStack(nn.Module):
    """Hourglass, two linear layers, attention, heatmaps, and the input of the next stack."""

    def __init__(
        self,
        hourglass: Hourglass,
        features: int,
        inner: int,
        joints: int,
        *,
        maps: int,
        normalize: str,
        multi_resolution: bool,
        parts: bool,
        last: bool,
    ):
        super().__init__()
        self.hourglass = hourglass
        self.first = conv_norm_relu(features, inner)
        self.second = conv_norm_relu(inner, inner)
        self.resolutions = nn.ModuleList(Attention(features, normalize) for _ in range(4 if multi_resolution else 0))
        maps = min(maps, 1) if parts else maps  # part attention replaces the refined map
        single = maps - 1 if multi_resolution else maps  # maps of four resolutions replace the first one
        self.holistic = nn.ModuleList(Attention(inner, normalize) for _ in range(single))
        self.score = PartAttention(inner, joints, normalize) if parts else nn.Conv2d(inner, joints, 1)
        self.features_back = None if last else conv_norm_relu(features, features)
        self.heatmaps_back = None if last else nn.Conv2d(joints, features, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return heatmaps, N x K x h x w, and the input of the next stack, N x F x h x w (None after the last)."""
        _, merges = self.hourglass(x)  # N x F x h/2^i x w/2^i, finest first
        first = self.first(merges[0])
        attended = self.second(first)  # N x inner x h x w
        if self.resolutions:
            maps = [attention(merge) for attention, merge in zip(self.resolutions, merges, strict=True)]
            attended = attended * total([functional.interpolate(m, size=x.shape[-2:]) for m in maps])
        for attention in self.holistic:
            attended = attended * attention(attended)
        heatmaps = self.score(attended)  # N x K x h x w
        if self.features_back is None or self.heatmaps_back is None:
            return heatmaps, None
        return heatmaps, x + self.features_back(first) + self.heatmaps_back(heatmaps)


def released_stem(first: int, second: int, features: int) -> nn.Sequential:
    """Build the stem of the authors' code, whose first convolution keeps the resolution of the image."""
    return nn.Sequential(
        conv_norm_relu(3, first, 7),  # N x 64 x h x w
        Residual(first, first),
        nn.MaxPool2d(2),  # N x 64 x h/2 x w/2
        Residual(first, first),
        Residual(first, second),
        nn.MaxPool2d(2),  # N x 128 x h/4 x w/4
        Residual(second, second),
        Residual(second, second),
        Residual(second, features),  # N x F x h/4 x w/4
    )


def multi_context(
    *,
    stacks: int = 8,
    joints: int = 16,
    width: float = 1.0,
    layout: str = "paper",
    hru: bool = True,
    maps: int = 2,
    normalize: str = "crf",
    multi_resolution: bool = True,
    part_stacks: int = 4,
    last_features: int = 256,
) -> StackedNetwork:
    """Map images N x 3 x h x w to `stacks` heatmaps N x joints x h/4 x w/4; h and w are multiples of 64.

    The layout "paper" has Newell's stem and one unit on every side branch; "released" has the code's stem and, after
    the residual unit of a side branch, two more units at h/4 and one at h/8. `hru` makes these units HRUs instead of
    residual units. A stack multiplies its features by `maps` holistic attention maps in turn (0, 1, or 2 with the
    refined map); `multi_resolution` sums the first one over the four resolutions of the hourglass. In the last
    `part_stacks` stacks part attention replaces the refined map. `last_features` is the width of the linear layers
    in the last stack (512 in the released code).
    """
    if layout not in ("paper", "released"):
        raise ArchitectureError(f"There is no layout {layout!r}; allowed are 'paper' and 'released'.")
    if normalize not in ("crf", "softmax"):
        raise ArchitectureError(f"There is no attention normalized by {normalize!r}; allowed are 'crf' and 'softmax'.")
    if maps not in (0, 1, 2) or (multi_resolution and maps == 0):
        raise ArchitectureError(
            f"maps={maps} does not work; allowed are 0, 1 and 2, and at least 1 if multi_resolution."
        )
    first, second, features = channels(64, width), channels(128, width), channels(256, width)

    def context_unit() -> nn.Module:
        return HourglassResidual(features) if hru else Residual(features, features)

    def unit(place: str, level: int) -> nn.Module:
        if place != "side":
            return Residual(features, features)
        if layout == "paper":
            return context_unit()
        return nn.Sequential(Residual(features, features), *(context_unit() for _ in range(level - 2)))

    def stack(index: int) -> AttentionStack:
        last = index == stacks - 1
        return AttentionStack(
            Hourglass(unit),
            features,
            channels(last_features, width) if last else features,
            joints,
            maps=maps,
            normalize=normalize,
            multi_resolution=multi_resolution,
            parts=index >= stacks - part_stacks,
            last=last,
        )

    if layout == "released":
        stem = released_stem(first, second, features)
    else:
        stem = newell_stem(first, Residual(first, second), Residual(second, second), Residual(second, features))
    return StackedNetwork(stem, [stack(index) for index in range(stacks)])
