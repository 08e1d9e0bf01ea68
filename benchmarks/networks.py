"""What makes a network faster in evaluation here, against eager float32; `bench` itself uses channels_last."""

import copy
from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.fx.experimental.optimization import fuse

import architectures
from benchmarks.rounds import Line, in_turn, main

NETWORK, SIDE, BATCH = "hourglass-1", 256, 4


def variants(network: nn.Module, images: torch.Tensor) -> dict[str, Callable[[], torch.Tensor]]:
    """Name -> a call that returns the prediction for the images."""
    spread = copy.deepcopy(network).to(memory_format=torch.channels_last)
    pixels = images.contiguous(memory_format=torch.channels_last)
    folded = fuse(_plain(network))
    compiled = torch.compile(_plain(network))

    def bfloat16() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return spread(pixels)[-1].float()

    return {
        "channels_last": lambda: spread(pixels)[-1],
        "batch normalisation folded into convolutions": lambda: folded(images)[-1],
        "compiled": lambda: compiled(images)[-1],
        "bfloat16, channels_last": bfloat16,
    }


def _plain(network: nn.Module) -> nn.Module:
    """A copy without the check of the image size, which cannot be traced."""
    network = copy.deepcopy(network)
    network._forward_pre_hooks.clear()
    return network


@torch.inference_mode()
def lines(tiny: bool) -> Iterator[Line]:
    torch.manual_seed(0)
    side, batch, width = (64, 1, 0.0625) if tiny else (SIDE, BATCH, 1.0)
    network = architectures.create(NETWORK, width=width).eval()
    images = torch.randn(batch, 3, side, side)
    ways = variants(network, images)
    if tiny:
        del ways["compiled"]  # a compiler works for a minute, whatever the size
    truth = network(images)[-1]
    rounds = 1 if tiny else 5
    plain, *found = in_turn(lambda: network(images), *ways.values(), rounds=rounds)
    for (name, way), seconds in zip(ways.items(), found, strict=True):
        off = float((way() - truth).abs().max() / truth.abs().max())
        what = f"{NETWORK} in evaluation, {batch} images of {side} x {side}: {name}"
        note = f"differs by {off:.1g} of the largest value"
        yield Line(what, seconds, rounds, "eager float32", plain, note=note)


if __name__ == "__main__":
    main("networks", lines)
