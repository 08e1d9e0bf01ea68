"""Stacked hourglass that Li 2019 compares MSPN with (Tables 3 and 6), at 256x192.

It differs from pose-hg-train in two places, as the printed FLOPs need: a second 128-channel unit in the stem, which
the authors' older demo has, and a second 1x1 before the last heatmaps. Coarse-to-fine supervision and aggregation are
described for MSPN only; here they are reconstructed from the parts of MSPN.
"""

from torch import Tensor, nn

from architectures.errors import ArchitectureError
from architectures.layers import Hourglass, Residual, channels, conv_norm_relu, newell_stem
from architectures.mspn import resize, target_kernels


def mspn_hourglass(
    *, joints: int = 17, width: float = 1.0, stages: int = 4, coarse_to_fine: bool = False, aggregation: bool = False
) -> "MSPNHourglass":
    """Build a stacked hourglass for images N x 3 x H x W, H and W multiples of 64.

    coarse_to_fine: supervise 1/32, 1/16 and 1/8 in addition to 1/4, and blur the targets of the last stage less.
    aggregation: features of a stage are added to those of the next at these four scales.
    """
    if stages < 1:
        raise ArchitectureError(f"A stacked hourglass has 1 stage or more, not {stages}.")
    return MSPNHourglass(joints, width, stages, coarse_to_fine, aggregation)


class MSPNHourglass(nn.Module):
    """Stem and stages; `target_kernels` are the sides of the Gaussians for the targets, one an output."""

    def __init__(self, joints: int, width: float, stages: int, coarse_to_fine: bool, aggregation: bool):
        super().__init__()
        finest = None if coarse_to_fine else [7] * stages
        kernels = target_kernels(stages, multi_scale=coarse_to_fine, finest=finest)
        self.target_kernels = tuple(kernel for stage in kernels for kernel in stage)
        self.heads_per_stage = len(kernels[0])
        stem, middle, features = channels(64, width), channels(128, width), channels(256, width)
        units = Residual(stem, middle), Residual(middle, middle), Residual(middle, middle), Residual(middle, features)
        self.stem = newell_stem(stem, *units)
        self.stages = nn.ModuleList(
            Stage(features, joints, coarse_to_fine, aggregation, last=index == stages - 1) for index in range(stages)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return heatmaps, each N x K x h/4 x w/4: stage by stage, in a stage from the scale 1/32 to 1/4."""
        x, skips, outputs = self.stem(images), [], []  # N x 256 x h/4 x w/4
        for stage in self.stages:
            heatmaps, skips, x = stage(x, skips)
            outputs += heatmaps
        return tuple(outputs)


class Stage(nn.Module):
    """Hourglass with its heatmaps, and the skips and the input of the next stage."""

    def __init__(self, features: int, joints: int, coarse_to_fine: bool, aggregation: bool, last: bool):
        super().__init__()

        def skip() -> nn.ModuleList:
            scales = 4 if aggregation and not last else 0
            return nn.ModuleList(conv_norm_relu(features, features) for _ in range(scales))

        self.hourglass = Hourglass(lambda place, level: Residual(features, features), depth=4)
        self.coarse = nn.ModuleList(
            nn.Sequential(conv_norm_relu(features, features), nn.Conv2d(features, joints, 3, padding=1))
            for _ in range(3 if coarse_to_fine else 0)  # 1/8, 1/16, 1/32
        )
        linear = [conv_norm_relu(features, features) for _ in range(2 if last else 1)]
        self.head = nn.Sequential(Residual(features, features), *linear)
        self.score = nn.Conv2d(features, joints, 1)
        self.skip_down, self.skip_up = skip(), skip()
        self.features_back = None if last else nn.Conv2d(features, features, 1)
        self.heatmaps_back = None if last else nn.Conv2d(joints, features, 1)

    def forward(self, x: Tensor, skips: list[Tensor]) -> tuple[list[Tensor], list[Tensor], Tensor | None]:
        """Return heatmaps, coarsest first, and for the next stage skips, finest first, and its input."""
        entries, merges = self.hourglass(x, skips)  # each N x 256 x h/4 x w/4 ... h/32 x w/32
        features = self.head(merges[0])  # N x 256 x h/4 x w/4
        finest = self.score(features)  # N x K x h/4 x w/4
        coarse = [resize(head(y), x.shape[-2:]) for head, y in zip(self.coarse, merges[1:], strict=False)]
        heatmaps = [*reversed(coarse), finest]
        if self.features_back is None or self.heatmaps_back is None:
            return heatmaps, [], None
        levels = zip(self.skip_down, self.skip_up, entries, merges, strict=False)
        skips = [down(entry) + up(merge) for down, up, entry, merge in levels]
        return heatmaps, skips, x + self.features_back(features) + self.heatmaps_back(finest)
