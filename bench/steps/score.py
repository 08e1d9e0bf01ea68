"""Scoring: calls the function of a protocol on predictions or a network."""

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from torch import nn

import architectures
from architectures import initialization
from bench.cells.cell import Cell
from protocols import Protocol, Value
from protocols.coco.top_down import PRESETS
from protocols.network.bn_folding import fold_batch_norm
from protocols.pose.people import People, Predictions
from protocols.statistics.scores import Scores

# Arguments that the function of a protocol may take besides its options, by name; `initialize`: see below.
ARGUMENTS: dict[str, Callable[[Cell, str], Any]] = {
    "convention": lambda cell, device: architectures.counting_rule(cell.row),
    "device": lambda cell, device: device,
}


def function_of(protocol: Protocol) -> Callable[..., Any]:
    """Import and return the function that computes the values of a protocol."""
    return getattr(importlib.import_module(protocol.module), protocol.function)


def scoring_options(protocol: Protocol, options: dict[str, Any]) -> dict[str, Any]:
    """Select the options for the function of a protocol; the others decide how people are read."""
    taken = {name: value for name, value in options.items() if name not in protocol.reading_options}
    return taken | ({"preset": PRESETS[taken["preset"]]} if "preset" in taken else {})


def score_predictions(protocol: Protocol, predictions: Predictions, people: People, options: dict[str, Any]) -> Scores:
    """Score predictions, one per person."""
    return function_of(protocol)(predictions, people, **scoring_options(protocol, options))


def measure_network(cell: Cell, network: nn.Module, device: str) -> list[Value]:
    """Run a network protocol on the network of a cell."""
    protocol, size = cell.rules, cell.row.input
    if protocol.largest_input:
        size = (min(size[0], protocol.largest_input), min(size[1], protocol.largest_input))
    measure = partial(function_of(protocol), fold_batch_norm(network) if cell.fast else network, size)
    if "initialize" in protocol.takes:
        return list(_by_initialization(partial(measure, **cell.options)))
    return list(measure(**{name: ARGUMENTS[name](cell, device) for name in protocol.takes} | cell.options))


def _by_initialization(measure: Callable[..., Iterable[Value]]) -> Iterator[Value]:
    """Measure with each initialization, and append its name to the metrics."""
    for name in initialization.NAMES:

        def draw(fresh: nn.Module, seed: int, name: str = name) -> None:
            initialization.initialize(fresh, name, seed=seed)

        for value in measure(initialize=draw):
            yield replace(value, metric=f"{value.metric} {name}")
