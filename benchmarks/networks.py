"""Ways to speed up a network in evaluation on this device, compared with eager float32.

`bench` itself uses channels_last; `--fast` combines those that help on every machine within the stated tolerance.
"""

import copy
from collections.abc import Callable, Iterator

import torch

import architectures
from bench.steps.predict import TOLERANCE, faster
from bench.store.provenance import device_name
from benchmarks.rounds import Line, device_to_use, in_turn, main, synchronized
from protocols.network.bn_folding import fold_batch_norm

NETWORK, SIDE, BATCH = "hourglass-1", 256, 4
Way = Callable[[], torch.Tensor]


def variants(network: torch.nn.Module, images: torch.Tensor, device: str) -> dict[str, Way]:
    """Return name -> a call that predicts for the images."""
    # torch accepts memory_format alone, which its types leave out.
    spread = copy.deepcopy(network).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    pixels = images.contiguous(memory_format=torch.channels_last)
    fold, fast, compiled = fold_batch_norm(network), faster(network, device), torch.compile(fold_batch_norm(network))

    def bfloat16() -> torch.Tensor:
        with torch.autocast(device, torch.bfloat16):
            return spread(pixels)[-1]

    return {
        "channels_last": lambda: spread(pixels)[-1],
        "batch normalisation folded into convolutions": lambda: fold(images)[-1],
        "bfloat16, channels_last": bfloat16,
        "--fast": lambda: fast(pixels)[-1],
        "folded and compiled": lambda: compiled(images)[-1],
    }


@torch.inference_mode()
def lines(tiny: bool) -> Iterator[Line]:
    """Yield the comparisons, `tiny` ones to check that they run."""
    torch.manual_seed(0)
    device, rounds = device_to_use(), 1 if tiny else 5
    side, batch, width = (64, 1, 0.0625) if tiny else (SIDE, BATCH, 1.0)
    network = architectures.create(NETWORK, width=width).to(device).eval()
    images = torch.randn(batch, 3, side, side, device=device)
    ways = variants(network, images, device)
    if tiny:
        del ways["folded and compiled"]  # a compiler works for a minute, whatever the size
    truth = network(images)[-1]
    calls = (synchronized(way, device) for way in (lambda: network(images), *ways.values()))
    plain, *found = in_turn(*calls, rounds=rounds)
    for (name, way), seconds in zip(ways.items(), found, strict=True):
        off = float((way().float() - truth).abs().max() / truth.abs().max())
        assert name != "--fast" or off <= TOLERANCE[device]
        what = f"{NETWORK} in evaluation, {batch} images of {side} x {side}, on {device_name(device)}: {name}"
        note = f"differs by {off:.1g} of the largest value"
        yield Line(what, seconds, rounds, "eager float32", plain, note=note)


if __name__ == "__main__":
    main("networks", lines)
