"""Stacked hourglasses of pyramid residual modules (Yang, Li, Ouyang, Li, Wang 2017), PyraNet, and its baseline."""

from collections.abc import Sequence
from math import floor

import torch
from torch import Tensor, nn
from torch.nn import functional

from architectures.errors import ArchitectureError
from architectures.layers import (
    BranchSum,
    Hourglass,
    Residual,
    Stack,
    StackedNetwork,
    channels,
    conv_norm_relu,
    newell_stem,
    norm_relu,
    total,
)

UNITS = ("residual", "prm-a", "prm-b", "prm-bstar", "prm-c", "prm-d")


def fractional_max_pool(x: Tensor, ratio: float, random: bool) -> Tensor:
    """Take the maximum over overlapping 2x2 windows, N x D x h x w -> N x D x floor(h ratio) x floor(w ratio).

    The windows of every image and channel start at an offset u: random, or 1/2 where not `random` (the
    authors' code draws it at test time too, so that two predictions of one image differ).
    """
    size = [floor(side * ratio + 1e-9) for side in x.shape[-2:]]
    offsets = None if random else x.new_full((*x.shape[:2], 2), 0.5)
    return functional.fractional_max_pool2d(x, 2, output_size=size, _random_samples=offsets)


class Levels(nn.Module):
    """Levels of the pyramid: pool by 2^(-c/C) for c = 1..C, convolve 3x3, resize to the size of the input.

    `shared` uses one kernel for all levels; `dilated` replaces pooling by dilation 2..C+1 (PRM-D; the paper gives
    no dilations).
    """

    def __init__(self, features: int, scales: int, *, shared: bool = False, dilated: bool = False, bias: bool = True):
        super().__init__()
        self.scales = scales
        self.dilated = dilated
        dilations = [level + 1 if dilated else 1 for level in range(1, 2 if shared else scales + 1)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(features, features, 3, padding=dilation, dilation=dilation, bias=bias) for dilation in dilations
        )

    def forward(self, reduced: Sequence[Tensor]) -> list[Tensor]:
        """Map one tensor for all levels, or one for each, to the levels, all of them N x D x h x w."""
        levels = []
        for i in range(self.scales):
            x = reduced[i % len(reduced)]
            size = x.shape[-2:]
            convolve = self.convolutions[i % len(self.convolutions)]
            if self.dilated:
                levels.append(convolve(x))
                continue
            x = fractional_max_pool(x, 2 ** (-(i + 1) / self.scales), random=self.training)
            x = convolve(x)  # N x D x floor(h s) x floor(w s)
            levels.append(functional.interpolate(x, size=size, mode="bilinear", align_corners=True))
        return levels


class PyramidResidual(nn.Module):
    """Pyramid residual module: a bottleneck whose 3x3 works at full size and on a pyramid beside it (figure 3).

    Variant "a" has a separate reduction for each level, "b" one for all, "bstar" also one 3x3 kernel for all levels,
    "c" concatenates the levels instead of adding them, "d" dilates instead of pooling. The paper does not define B*:
    one kernel gives its 26.9 M parameters, the released code has a kernel for each level.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        variant: str,
        scales: int,
        narrow: int,
        skip: nn.Module,
        preactivate: bool = True,
    ):
        super().__init__()
        middle = outputs // 2

        def reduction(width: int) -> nn.Sequential:
            return nn.Sequential(
                norm_relu(inputs) if preactivate else nn.Identity(), nn.Conv2d(inputs, width, 1), norm_relu(width)
            )

        self.skip = skip
        self.main = nn.Sequential(reduction(middle), nn.Conv2d(middle, middle, 3, padding=1))
        self.reductions = nn.ModuleList(reduction(narrow) for _ in range(scales if variant == "a" else 1))
        self.levels = Levels(narrow, scales, shared=variant == "bstar", dilated=variant == "d")
        self.join = (lambda levels: torch.cat(levels, 1)) if variant == "c" else total
        joined = narrow * scales if variant == "c" else narrow
        addends = 1 if variant == "c" else scales  # the authors' code tags this layer only
        self.widen = nn.Sequential(norm_relu(joined), BranchSum(joined, middle, branches_in=addends))
        self.expand = nn.Sequential(norm_relu(middle), nn.Conv2d(middle, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        levels = self.levels([reduction(x) for reduction in self.reductions])  # C times N x D x h x w
        pyramid = self.widen(self.join(levels))  # N x middle x h x w
        return self.skip(x) + self.expand(self.main(x) + pyramid)  # N x outputs x h x w


def pyranet(
    *,
    stacks: int = 8,
    joints: int = 16,
    width: float = 1.0,
    unit: str = "prm-bstar",
    variance_control: bool = True,
    scales: int = 4,
    base_width: int = 9,
    bottleneck: int = 128,
) -> StackedNetwork:
    """Map images N x 3 x h x w to `stacks` heatmaps N x joints x h/4 x w/4; h and w are multiples of 64.

    `unit` is one of UNITS. `variance_control` replaces the identity of every unit on the way up by BN-ReLU-Conv1x1
    (section 4.2). A pyramid has `scales` levels, each with 1/`base_width` of the unit's channels (4 and 9 in the
    authors' script; the defaults of its options, 30 and 6, are another network). `bottleneck` is the number of
    channels inside the residual units of the hourglasses.
    """
    if unit not in UNITS:
        raise ArchitectureError(f"There is no unit {unit!r}; allowed are {', '.join(UNITS)}.")
    first, second, features = channels(64, width), channels(128, width), channels(256, width)

    def make_unit(
        kind: str,
        inputs: int,
        outputs: int,
        *,
        middle: int | None = None,
        new_skip: bool = False,
        preactivate: bool = True,
    ) -> nn.Module:
        changes = new_skip or inputs != outputs
        skip = nn.Sequential(norm_relu(inputs), nn.Conv2d(inputs, outputs, 1)) if changes else nn.Identity()
        if kind == "residual":
            return Residual(inputs, outputs, middle=middle, preactivate=preactivate, skip=skip)
        narrow = outputs // base_width
        if narrow < 1:
            raise ArchitectureError(
                f"width={width:g} leaves a pyramid of {outputs}/{base_width} channels, less than one; "
                f"allowed are widths of at least {base_width / 128:.3g}."
            )
        return PyramidResidual(
            inputs,
            outputs,
            variant=kind.removeprefix("prm-"),
            scales=scales,
            narrow=narrow,
            skip=skip,
            preactivate=preactivate,
        )

    def hourglass_unit(where: str, level: int) -> nn.Module:
        # Pyramids work down to 1/16 of the image's resolution; coarser units are residual.
        coarse = where == "bottom" or level < (2 if where == "side" else 3)
        new_skip = variance_control and where == "up"
        kind = "residual" if coarse else unit
        return make_unit(kind, features, features, middle=round(bottleneck * width), new_skip=new_skip)

    def stack(last: bool) -> Stack:
        head = nn.Sequential(norm_relu(features), conv_norm_relu(features, features))
        return Stack(Hourglass(hourglass_unit), head, features, joints, last)

    stem = newell_stem(
        first,
        make_unit(unit, first, second, preactivate=False),
        make_unit(unit, second, second),
        make_unit(unit, second, features),
    )
    return StackedNetwork(stem, [stack(last=i == stacks - 1) for i in range(stacks)])
