"""Cost of the trainings of a matrix: operations are counted, hours follow from a measured rate.

The hours are an estimate: they take the operations a second that one network reaches for those of all.
"""

from collections.abc import Iterable

import msgspec
import torch

import architectures
from bench import progress
from bench.cells.cell import Cell
from bench.cells.recipe import load
from bench.cells.splits import parts_of
from bench.store.digests import content_key
from protocols.datasets import DATASETS
from protocols.network import complexity

OPERATIONS = 2 * 3  # of a MAC, in training: a multiplication and an addition, forward once and backward twice


def images(cell: Cell) -> int:
    """Number of images that the training of a cell processes, repetitions included."""
    hyper = load(cell.recipe_name).budgeted(cell.budget)
    people = sum(DATASETS[name].splits[split] for name, split in parts_of(cell.training_data))
    return hyper.total_steps(hyper.people or people) * hyper.batch


class Cost(msgspec.Struct):
    """Cost of some trainings."""

    trainings: int = 0
    operations: int = 0
    hours: float = 0.0


class Measured(msgspec.Struct, frozen=True):
    """Measured rate of a training, from which hours follow."""

    network: str
    images: float = msgspec.field(name="images a second")
    operations: float = msgspec.field(name="operations a second")


class Estimate(msgspec.Struct, frozen=True):
    """Cost of the trainings of a matrix, by recipe and in total."""

    measured: Measured
    recipes: dict[str, Cost]
    all: Cost


def estimate(cells: Iterable[Cell], network: architectures.Architecture, rate: float) -> Estimate:
    """Estimate trainings, operations and hours; `network` trains on `rate` images a second.

    A training that several cells share counts once; released weights and untrained networks cost nothing.
    """
    counted: dict[str, int] = {}
    speed = OPERATIONS * _macs(network, counted) * rate
    trained = {
        (cell.row.name, cell.recipe_name, cell.budget, cell.training_data, cell.seed, cell.drop_invalid): cell
        for cell in cells
        if cell.dataset and not cell.weights
    }
    recipes: dict[str, Cost] = {}
    total = Cost()
    with progress.step("counting operations") as update:
        for done, cell in enumerate(trained.values(), start=1):
            if macs := _macs(cell.row, counted):  # 0 for the mean pose
                for cost in (recipes.setdefault(cell.recipe_name, Cost()), total):
                    cost.trainings += 1
                    cost.operations += OPERATIONS * macs * images(cell)
            update(done, len(trained))
    for cost in (*recipes.values(), total):
        cost.hours = cost.operations / speed / 3600
    return Estimate(Measured(network.name, rate, speed), recipes, total)


def _macs(row: architectures.Architecture, counted: dict[str, int]) -> int:
    """MACs of the complete graph for one image; `counted` caches them for other seeds."""
    key = content_key({"builder": row.builder, "options": row.options, "input": list(row.input)})
    if key not in counted:
        with torch.device("meta"):
            network = architectures.create(row)
        values = complexity.measure(network, row.input)
        counted[key] = int(next(value.value for value in values if (value.metric, value.part) == ("macs", "all")))
    return counted[key]


def print_hours(found: Estimate) -> None:
    """Print the estimate as a table."""
    measured = found.measured
    speed = f"{measured.images:,.4g} images a second, {measured.operations:.3g} operations"
    print(f"estimate from {measured.network} at {speed} a second; it takes these for every network")
    for name, cost in {**found.recipes, "all": found.all}.items():
        numbers = f"{cost.trainings:>4} trainings {cost.operations:>10.3g} operations {cost.hours:>12,.2f} h"
        print(f"  {name:<24} {numbers}")
