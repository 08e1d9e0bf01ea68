"""Layers that networks of several papers share: pre-activation residual unit, hourglass, stacks of hourglasses.

Shapes stand at the ends of lines: N images, F features, K joints, h x w pixels of the tensor.
"""

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn import functional

from architectures.errors import ArchitectureError


def channels(count: int, width: float, multiple: int = 2) -> int:
    """Scale the paper's `count` of channels by `width`; refuse what is no positive multiple of `multiple`."""
    scaled = round(count * width, 6)  # 30 * 0.1 is 3, also in binary fractions
    if scaled <= 0 or scaled % multiple:
        raise ArchitectureError(
            f"width={width:g} turns {count} channels into {scaled:g}; allowed are widths that give "
            f"a positive multiple of {multiple}, for instance {multiple * max(1, count // multiple // 4) / count:g}."
        )
    return int(scaled)


def norm_relu(features: int) -> nn.Sequential:
    """Build the pre-activation: BN, ReLU."""
    return nn.Sequential(nn.BatchNorm2d(features), nn.ReLU())


def conv_norm_relu(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    """Build a convolution with bias that keeps the size at stride 1, BN, ReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def total(tensors: Sequence[Tensor]) -> Tensor:
    """Add tensors of one shape."""
    return sum(tensors[1:], start=tensors[0])


class BranchSum(nn.Conv2d):
    """Convolution of 1x1 that reads the sum of `branches_in` tensors, a number that branch-aware weights depend on."""

    def __init__(self, inputs: int, outputs: int, branches_in: int, bias: bool = True):
        super().__init__(inputs, outputs, 1, bias=bias)
        self.branches_in: int = branches_in


class Residual(nn.Module):
    """Pre-activation bottleneck with biases, without ReLU after the addition (Newell 2016, pose-hg-train).

    The skip is the identity, or a bare 1x1 convolution where the channels change, unless `skip` is given.
    Without `preactivate` the branch starts at its first convolution (Yang 2017, first unit of the stem).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        middle: int | None = None,
        preactivate: bool = True,
        skip: nn.Module | None = None,
    ):
        super().__init__()
        middle = middle or outputs // 2
        if skip is None:
            skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        self.skip = skip
        self.preactivation = norm_relu(inputs) if preactivate else nn.Identity()
        self.reduce = nn.Conv2d(inputs, middle, 1)
        self.convolve = nn.Sequential(norm_relu(middle), nn.Conv2d(middle, middle, 3, padding=1))
        self.expand = nn.Sequential(norm_relu(middle), nn.Conv2d(middle, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        branch = self.reduce(self.preactivation(x))  # N x middle x h x w
        branch = self.convolve(branch)  # N x middle x h x w
        return self.skip(x) + self.expand(branch)  # N x outputs x h x w


class Hourglass(nn.Module):
    """Hourglass of `depth` halvings, with a side branch at every resolution (Newell 2016, figure 3).

    `unit(place, level)` builds the unit of each place: "side", "down", "bottom" or "up". The level runs from
    `depth` at the resolution of the input to 1, the last one before the bottom; "down", "bottom" and "up" of a
    level work at half its resolution.
    """

    def __init__(self, unit: Callable[[str, int], nn.Module], depth: int = 4):
        super().__init__()
        levels = range(depth, 0, -1)
        self.side = nn.ModuleList(unit("side", level) for level in levels)
        self.down = nn.ModuleList(unit("down", level) for level in levels)
        self.bottom = unit("bottom", 1)
        self.up = nn.ModuleList(unit("up", level) for level in levels)

    def forward(self, x: Tensor, carried: Sequence[Tensor] = ()) -> tuple[list[Tensor], list[Tensor]]:
        """Return the input and the output of every level, both finest first: N x F x h/2^i x w/2^i.

        `carried`, one tensor a level, is added to the inputs (Li 2019, cross-stage aggregation).
        """
        entries, sides = [], []
        for i, (side, down) in enumerate(zip(self.side, self.down, strict=True)):
            if carried:
                x = x + carried[i]
            entries.append(x)  # N x F x h/2^i x w/2^i
            sides.append(side(x))
            x = down(functional.max_pool2d(x, 2))  # N x F x h/2^(i+1) x w/2^(i+1)
        x = self.bottom(x)
        merges = []
        for side, up in zip(reversed(sides), reversed(self.up), strict=True):
            x = side + functional.interpolate(up(x), scale_factor=2.0, mode="nearest")
            merges.append(x)
        return entries, merges[::-1]


def newell_stem(first: int, *units: nn.Module) -> nn.Sequential:
    """Build the stem from images to features at a quarter of their size; `first` channels enter units[0]."""
    return nn.Sequential(
        nn.Conv2d(3, first, 7, stride=2, padding=3),  # N x 64 x h/2 x w/2
        norm_relu(first),
        units[0],  # N x 128 x h/2 x w/2
        nn.MaxPool2d(2),  # N x 128 x h/4 x w/4
        *units[1:],  # N x F x h/4 x w/4
    )


class Stack(nn.Module):
    """Hourglass with its head and heatmaps, both added to the input of the next stack."""

    def __init__(self, hourglass: Hourglass, head: nn.Module, features: int, joints: int, last: bool):
        super().__init__()
        self.hourglass = hourglass
        self.head = head
        self.score = nn.Conv2d(features, joints, 1)
        self.features_back = None if last else nn.Conv2d(features, features, 1)
        self.heatmaps_back = None if last else nn.Conv2d(joints, features, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return heatmaps, N x K x h x w, and the input of the next stack, N x F x h x w (None after the last)."""
        _, merges = self.hourglass(x)
        features = self.head(merges[0])  # N x F x h x w
        heatmaps = self.score(features)  # N x K x h x w
        if self.features_back is None or self.heatmaps_back is None:
            return heatmaps, None
        return heatmaps, x + self.features_back(features) + self.heatmaps_back(heatmaps)


class StackedNetwork(nn.Module):
    """Stem and a sequence of supervised stacks; a stack maps its input to (heatmaps, input of the next)."""

    def __init__(self, stem: nn.Module, stacks: Sequence[nn.Module]):
        super().__init__()
        if not stacks:
            raise ArchitectureError("A stacked network has 1 stack or more.")
        self.stem = stem
        self.stacks = nn.ModuleList(stacks)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        x = self.stem(images)  # N x F x h/4 x w/4
        outputs = []
        for stack in self.stacks:
            heatmaps, x = stack(x)  # N x K x h/4 x w/4
            outputs.append(heatmaps)
        return tuple(outputs)
