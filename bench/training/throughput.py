"""Training throughput: the step rate from the prepared cache against that of a batch held in memory."""

import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import torch

import architectures
from bench import progress
from bench.cells import recipe as recipes
from bench.cells.training_sets import Source
from bench.store.store import Store
from bench.training.examples import Examples, Training, people_examples
from bench.training.prepare import prepare
from bench.training.train import fit
from protocols.pose.skeletons import SKELETONS

PEOPLE, BATCH = 256, 16
BLOCK, BLOCKS = 6, 12  # steps; blocks of both kinds alternate, so that other programs slow both equally
KINDS = ("cache", "memory")
TARGET = 90.0  # per cent


class Throughput(msgspec.Struct, frozen=True):
    """Images per second from the cache and from memory, and their ratio in per cent."""

    network: str
    device: str
    cache: float = msgspec.field(name="images a second from cache")
    memory: float = msgspec.field(name="images a second from memory")
    share: float = msgspec.field(name="per cent")
    target: float  # per cent
    reached: bool


def measure_throughput(
    store: Store, data: Path, device: str, name: str, overrides: architectures.Options
) -> Throughput:
    """Measure images per second by the median step, which takes minutes on a CPU."""
    row = architectures.describe(name, **overrides)
    recipe = recipes.load(row.recipe)
    hyper = msgspec.structs.replace(recipe.budgeted("quick"), batch=BATCH, steps=BLOCK * BLOCKS, people=0)
    recipe = msgspec.structs.replace(recipe, training=hyper)
    training = Training(recipe, "full", row.input, SKELETONS[row.skeleton], 0, device)
    crops = prepare(store, Source("mannequin", "train", data, row.skeleton, PEOPLE), row.input, lambda *done: None)
    network = architectures.create(row)
    starts: list[float] = []
    examples = _alternating(people_examples(crops, network, training), starts, device)
    with TemporaryDirectory() as work, progress.step(f"throughput of {name}") as update:
        fit(network, examples, training, Path(work), update)
    rates = {kind: BATCH / median(seconds) for kind, seconds in _seconds(starts).items()}
    share = 100 * rates["cache"] / rates["memory"]
    cache, memory = (round(rates[kind], 1) for kind in KINDS)
    return Throughput(row.name, device, cache, memory, round(share, 1), TARGET, share >= TARGET)


def _alternating(examples: Examples, starts: list[float], device: str) -> Examples:
    """Alternate blocks of steps from the cache with blocks of one batch in memory; `starts` gets each step's start."""
    rows = np.arange(BATCH)
    ready = examples.batch(rows, slice(0, BATCH), examples.load(rows), torch.Generator().manual_seed(0))
    loaded = 0

    def load(rows: np.ndarray) -> np.ndarray:
        nonlocal loaded
        loaded += 1
        return examples.load(rows) if _kind(loaded - 1) == "cache" else rows

    def batch(*arguments: Any) -> tuple:
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        starts.append(time.perf_counter())
        return examples.batch(*arguments) if _kind(len(starts) - 1) == "cache" else ready

    return replace(examples, load=load, batch=batch)


def _kind(step: int) -> str:
    """Source of the batch of a step, one of KINDS."""
    return KINDS[step // BLOCK % 2]


def _seconds(starts: list[float]) -> dict[str, list[float]]:
    """Durations of the steps of each kind, without the first two blocks and the ends of each block."""
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for step in range(2 * BLOCK, len(starts) - 1):
        if 0 < step % BLOCK < BLOCK - 1:
            found[_kind(step)].append(starts[step + 1] - starts[step])
    return found
