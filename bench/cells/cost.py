"""Cost of the trainings of a matrix: operations are counted, hours follow from a measured rate.

The hours are an estimate: they take the operations a second that one network reaches for those of all.
"""

from collections.abc import Iterable
from typing import Any

import torch

import architectures
from bench import progress
from bench.cells import recipe as recipes
from bench.cells.cell import Cell
from bench.cells.training_sets import parts_of
from bench.store.digests import content_key
from protocols.datasets import DATASETS
from protocols.network import complexity

OPERATIONS = 2 * 3  # of a MAC, in training: a multiplication and an addition, forward once and backward twice


def images(cell: Cell) -> int:
    """Number of images that the training of a cell processes, repetitions included."""
    hyper = recipes.load(cell.recipe_name).budgeted(cell.budget)
    people = sum(DATASETS[name].splits[split] for name, split in parts_of(cell.training_data))
    return hyper.total_steps(hyper.people or people) * hyper.batch


def hours(cells: Iterable[Cell], network: architectures.Architecture, rate: float) -> dict[str, Any]:
    """Estimate trainings, operations and hours by recipe and in total; `network` trains on `rate` images a second.

    A training that several cells share counts once; released weights and untrained networks cost nothing.
    """
    counted: dict[str, int] = {}
    speed = OPERATIONS * _macs(network, counted) * rate
    trained = {
        (cell.row.name, cell.recipe_name, cell.budget, cell.training_data, cell.seed, cell.drop_invalid): cell
        for cell in cells
        if cell.dataset and not cell.weights
    }
    found: dict[str, dict[str, float]] = {}
    with progress.step("counting operations") as update:
        for done, cell in enumerate(trained.values(), start=1):
            if macs := _macs(cell.row, counted):  # 0 for the mean pose
                entry = found.setdefault(cell.recipe_name, {"trainings": 0, "operations": 0, "hours": 0.0})
                entry["trainings"] += 1
                entry["operations"] += OPERATIONS * macs * images(cell)
            update(done, len(trained))
    for entry in found.values():
        entry["hours"] = entry["operations"] / speed / 3600
    total = {name: sum(entry[name] for entry in found.values()) for name in ("trainings", "operations", "hours")}
    measured = {"network": network.name, "images a second": rate, "operations a second": speed}
    return {"measured": measured, "recipes": found, "all": total}


def _macs(row: architectures.Architecture, counted: dict[str, int]) -> int:
    """MACs of the complete graph for one image; `counted` caches them for other seeds."""
    key = content_key({"builder": row.builder, "options": row.options, "input": list(row.input)})
    if key not in counted:
        with torch.device("meta"):
            network = architectures.create(row)
        values = complexity.measure(network, row.input)
        counted[key] = int(next(value.value for value in values if (value.metric, value.part) == ("macs", "all")))
    return counted[key]


def print_hours(found: dict[str, Any]) -> None:
    """Print the estimate as a table."""
    measured = found["measured"]
    speed = f"{measured['images a second']:,.4g} images a second, {measured['operations a second']:.3g} operations"
    print(f"estimate from {measured['network']} at {speed} a second; it takes these for every network")
    for name, entry in {**found["recipes"], "all": found["all"]}.items():
        numbers = (
            f"{entry['trainings']:>4} trainings {entry['operations']:>10.3g} operations {entry['hours']:>12,.2f} h"
        )
        print(f"  {name:<24} {numbers}")
