"""Stacked hourglass (Newell, Yang, Deng 2016), as its training repository pose-hg-train builds it."""

import re

from torch import nn

from architectures.errors import ArchitectureError
from architectures.layers import Hourglass, Residual, Stack, StackedNetwork, channels, conv_norm_relu, newell_stem


def stacked_hourglass(
    *, stacks: int = 8, joints: int = 16, width: float = 1.0, blocks: int = 1, stem: str = "newell"
) -> StackedNetwork:
    """Map images N x 3 x h x w to `stacks` heatmaps N x joints x h/4 x w/4; h and w are multiples of 64.

    `blocks` is the number of residual units at each place of an hourglass. The stem "pytorch-pose" widens one unit
    earlier, as the PyTorch port of that name does; everything else in that port equals the original.
    """
    if stem not in ("newell", "pytorch-pose"):
        raise ArchitectureError(f"There is no stem {stem!r}; allowed are 'newell' and 'pytorch-pose'.")
    first, second, features = channels(64, width), channels(128, width), channels(256, width)
    third = second if stem == "newell" else features

    def units() -> nn.Sequential:
        return nn.Sequential(*(Residual(features, features) for _ in range(blocks)))

    return StackedNetwork(
        newell_stem(first, Residual(first, second), Residual(second, third), Residual(third, features)),
        [
            Stack(
                Hourglass(lambda place, level: units()),
                head=nn.Sequential(units(), conv_norm_relu(features, features)),
                features=features,
                joints=joints,
                last=i == stacks - 1,
            )
            for i in range(stacks)
        ],
    )


# Names in pytorch-pose are hg.STACK.hg.LEVEL.PLACE.BLOCK, levels counted from the innermost of four.
_PLACES = {"0": "side", "1": "down", "2": "up", "3": "bottom"}
_RESIDUAL = {
    "bn1": "preactivation.0",
    "conv1": "reduce",
    "bn2": "convolve.0.0",
    "conv2": "convolve.1",
    "bn3": "expand.0.0",
    "conv3": "expand.1",
    "downsample.0": "skip",
}
_PARTS = (
    (r"conv1", r"stem.0"),
    (r"bn1", r"stem.1.0"),
    (r"layer1\.0", r"stem.2"),
    (r"layer2\.0", r"stem.4"),
    (r"layer3\.0", r"stem.5"),
    (r"res\.(\d+)\.(\d+)", r"stacks.\1.head.0.\2"),
    (r"fc\.(\d+)\.(\d+)", r"stacks.\1.head.1.\2"),
    (r"score\.(\d+)", r"stacks.\1.score"),
    (r"fc_\.(\d+)", r"stacks.\1.features_back"),
    (r"score_\.(\d+)", r"stacks.\1.heatmaps_back"),
)


def pytorch_pose_key(key: str) -> str:
    """Translate a checkpoint key of pytorch-pose (pose/models/hourglass.py) into the key of our network.

    Keys are matched by name: pytorch-pose registers levels and places in another order than they run.
    """
    unit, _, tensor = key.rpartition(".")
    residual = re.fullmatch(r"(layer\d\.0|(?:hg|res)\..+?)\.(bn\d|conv\d|downsample\.0)", unit)
    if residual:
        unit, tensor = residual[1], f"{_RESIDUAL[residual[2]]}.{tensor}"
    place = re.fullmatch(r"hg\.(\d+)\.hg\.([0-3])\.([0-3])\.(\d+)", unit)
    if place:
        stack, level, kind, block = place.groups()
        index = "" if kind == "3" else f".{3 - int(level)}"
        return f"stacks.{stack}.hourglass.{_PLACES[kind]}{index}.{block}.{tensor}"
    for theirs, ours in _PARTS:
        if re.fullmatch(theirs, unit):
            return re.sub(theirs, ours, unit) + f".{tensor}"
    return key
