"""Does training wait for its data? The step rate from the prepared cache beside that of a batch kept in memory."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import torch

import architectures
from bench import recipe as recipes
from bench.examples import Examples, Training, of_people
from bench.prepare import prepare
from bench.sources import Source
from bench.store import Store
from bench.train import HISTORY_EVERY, fit
from protocols.keypoints import SKELETONS

PEOPLE, BATCH, STEPS, ROUNDS = 256, 16, 30, 3
TARGET = 90.0  # per cent


def throughput(
    store: Store,
    data: Path,
    device: str,
    name: str,
    overrides: dict[str, Any],
    progress: Callable[[int, int, str], None],
) -> dict[str, Any]:
    """Images a second from the cache and from memory, and the first in per cent of the second.

    Both train the same network by the same loop; the rates are those of the fastest of some alternating rounds, the
    first steps left out, so that other programs on the machine disturb both alike.
    """
    row = architectures.describe(name, **overrides)
    recipe = recipes.load(row.recipe)
    plan = msgspec.structs.replace(recipe.budgeted("quick"), batch=BATCH, steps=STEPS, people=0)
    recipe = msgspec.structs.replace(recipe, training=plan)
    task = Training(recipe, "full", row.input, SKELETONS[row.skeleton], 0, device)
    crops = prepare(store, Source("mannequin", "train", data, row.skeleton, PEOPLE), row.input, lambda *said: None)
    rates: dict[str, list[float]] = {"cache": [], "memory": []}
    for turn in range(2 * ROUNDS):
        kind = ("cache", "memory")[turn % 2]
        network = architectures.create(row)
        examples = of_people(crops, network, task)
        rates[kind].append(_rate(network, examples if kind == "cache" else _constant(examples), task))
        progress(turn + 1, 2 * ROUNDS, f"{kind}: {rates[kind][-1]:.1f} images a second")
    best = {kind: max(found) for kind, found in rates.items()}
    share = 100 * best["cache"] / best["memory"]
    return {
        "network": row.name,
        "device": device,
        "images a second from the cache": round(best["cache"], 1),
        "images a second from memory": round(best["memory"], 1),
        "per cent": round(share, 1),
        "target": TARGET,
        "reached": share >= TARGET,
    }


def _rate(network: torch.nn.Module, examples: Examples, task: Training) -> float:
    """Images a second of a short training."""
    with TemporaryDirectory() as work:
        history = fit(network, examples, task, Path(work), lambda *said: None).history
    seconds = {step: seconds for step, seconds, *_ in history}
    return BATCH * (STEPS - HISTORY_EVERY) / (seconds[STEPS] - seconds[HISTORY_EVERY])


def _constant(examples: Examples) -> Examples:
    """The same batch again and again, ready on the device: no reading, no augmentation."""
    rows = np.arange(BATCH)
    ready = examples.batch(rows, slice(0, BATCH), examples.load(rows), torch.Generator().manual_seed(0))
    return replace(examples, load=lambda rows: rows, batch=lambda *asked: ready)
