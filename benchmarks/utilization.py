"""Utilization of the device in training and evaluation, and the share of a step outside the network.

Networks as in the papers on an accelerator, in bfloat16; narrow ones in float32 on a CPU.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

import architectures
from architectures import Architecture
from bench.cells import recipe as recipes
from bench.steps.predict import decoded, heatmaps
from bench.store.provenance import device_name
from bench.training.batches import normalised
from bench.training.examples import Training, people_examples
from bench.training.optimizers import optimizer_of
from bench.training.prepare import MARGIN, Crops
from benchmarks.rounds import Line, device_to_use, in_turn, main, synchronized
from protocols.network import complexity
from protocols.pose.people import VISIBLE
from protocols.pose.skeletons import SKELETONS

NETWORKS = ("hourglass-8", "pyranet-bstar-8", "mspn-4", "liu-cjn")
NARROW = {"width": 0.25, "input": 64}
BATCH = {"cpu": 2, "cuda": 16}  # people
SIDE = {"cpu": 1024, "cuda": 8192}  # of the matrices whose product is the peak
BACKWARD = 2  # passes forward that a pass backward costs: one product for the inputs, one for the weights


def peak(device: str, rounds: int) -> float:
    """Measure the FLOP/s of a product of two large matrices, in the precision of the networks."""
    side = SIDE[device]
    left = torch.randn(side, side, device=device, dtype=torch.float32 if device == "cpu" else torch.bfloat16)
    (found,) = in_turn(synchronized(lambda: left @ left, device), rounds=rounds)
    return 2 * side**3 / found


def flops(row: Architecture) -> float:
    """Count the FLOPs of one image through the network."""
    with torch.device("meta"):
        network = architectures.create(row)
    return 2 * next(value.value for value in complexity.measure(network, row.input) if value.metric == "macs")


def people(row: Architecture, count: int) -> Crops:
    """Draw random people as in the prepared cache."""
    rng, size = np.random.default_rng(0), [round(side * MARGIN) for side in row.input]
    joints = len(SKELETONS[row.skeleton])
    points = rng.uniform(0, min(size), (count, joints, 2)).astype(np.float32)
    visibility = np.full((count, joints), VISIBLE, np.uint8)
    return Crops(rng.integers(0, 256, (count, *size, 3), np.uint8), points, visibility)


Way = Callable[[], object]


def training(row: Architecture, network: nn.Module, device: str) -> tuple[Way, Way]:
    """Return a step of training, and the forward and backward pass of the network alone."""
    recipe, count, size = recipes.load(row.recipe), BATCH[device], row.input
    training = Training(recipe, "full", size, SKELETONS[row.skeleton], 0, device)
    examples, rows = people_examples(people(row, count), network, training), np.arange(count)
    optimizer, ready = optimizer_of(network, training.hyper), torch.rand(count, 3, *size, device=device)

    def forward(images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with torch.autocast(device, torch.bfloat16, enabled=device != "cpu"):
            return network.train()(images.contiguous(memory_format=torch.channels_last))

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        images, truth = examples.batch(rows, slice(0, count), examples.load(rows), torch.Generator().manual_seed(0))
        examples.loss(forward(images), truth).backward()
        optimizer.step()

    def alone() -> None:
        network.zero_grad(set_to_none=True)
        torch.stack([output.float().sum() for output in forward(ready)]).sum().backward()

    return step, alone


def views(recipe: recipes.Recipe) -> int:
    """Count the forward passes of a person in a test: one for every scale, twice with a flip test."""
    return len(recipe.testing.scales) * (1 + recipe.testing.flip)


def evaluation(row: Architecture, network: nn.Module, device: str) -> tuple[Way, Way]:
    """Return a step from crops to keypoints, and the forward passes of the network alone."""
    recipe, skeleton = recipes.load(row.recipe), SKELETONS[row.skeleton]
    crops = np.random.default_rng(0).integers(0, 256, (BATCH[device], *row.input, 3), np.uint8)
    ready = torch.rand(len(crops), 3, *row.input, device=device).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def step() -> None:
        images = torch.from_numpy(crops).to(device).permute(0, 3, 1, 2).float() / 255
        with torch.autocast(device, torch.bfloat16, enabled=device != "cpu"):
            maps = [heatmaps(network.eval(), normalised(images, recipe.pixels), recipe) for _ in recipe.testing.scales]
        decoded(maps, recipe, skeleton, row.input)

    @torch.inference_mode()
    def alone() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=device != "cpu"):
            for _ in range(views(recipe)):
                network.eval()(ready)

    return step, alone


def lines(tiny: bool) -> Iterator[Line]:
    """Yield the comparisons, `tiny` ones to check that they run."""
    device, rounds = device_to_use(), 1 if tiny else 5
    most = peak(device, rounds)
    for name in NETWORKS[:2] if tiny else NETWORKS:
        row = architectures.describe(name, **(NARROW if device == "cpu" else {}))
        once, seen = flops(row) * BATCH[device], views(recipes.load(row.recipe))
        for mode, make, passes in (("training", training, 1 + BACKWARD), ("evaluation", evaluation, seen)):
            torch.manual_seed(0)
            network = architectures.create(row).to(device)
            # torch accepts memory_format alone, which its types leave out.
            network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            step, alone = in_turn(*(synchronized(way, device) for way in make(row, network, device)), rounds=rounds)
            note = (
                f"the network reaches {once * passes / alone / 1e9:.3g} GFLOP/s, {once * passes / alone / most:.0%} of "
                f"the {most / 1e9:.3g} of a matrix product; {max(0, 1 - alone / step):.0%} of the step is outside it"
            )
            what = f"{row.name}, a step of {mode} with {BATCH[device]} people, on {device_name(device)}"
            yield Line(what, step, rounds, "the network alone", alone, note=note)


if __name__ == "__main__":
    main("utilization", lines)
