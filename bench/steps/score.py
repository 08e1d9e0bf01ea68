"""Scoring: predictions or a network under a protocol, and the files that a cell keeps of it."""

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

# What a function of a protocol may take beside its options, by the name of the argument; `initialize`: see below.
ARGUMENTS: dict[str, Callable[[Cell, str], Any]] = {
    "convention": lambda cell, device: architectures.counting_rule(cell.row),
    "device": lambda cell, device: device,
}


def function_of(rules: Protocol) -> Callable[..., Any]:
    """The function that yields the values of a protocol; imports its module."""
    return getattr(importlib.import_module(rules.module), rules.function)


def scoring_options(rules: Protocol, options: dict[str, Any]) -> dict[str, Any]:
    """The options that the function of a protocol takes; the others have decided which people were read, and how."""
    taken = {name: value for name, value in options.items() if name not in rules.reading_options}
    return taken | ({"preset": PRESETS[taken["preset"]]} if "preset" in taken else {})


def score_predictions(rules: Protocol, predictions: Predictions, people: People, options: dict[str, Any]) -> Scores:
    """Score one prediction a person."""
    return function_of(rules)(predictions, people, **scoring_options(rules, options))


def measure_network(cell: Cell, network: nn.Module, device: str) -> list[Value]:
    """Measure a network alone."""
    rules, size = cell.rules, cell.row.input
    if rules.largest_input:
        size = tuple(min(side, rules.largest_input) for side in size)
    measure = partial(function_of(rules), fold_batch_norm(network) if cell.fast else network, size)
    if "initialize" in rules.takes:
        return list(_by_initialization(partial(measure, **cell.options)))
    return list(measure(**{name: ARGUMENTS[name](cell, device) for name in rules.takes} | cell.options))


def _by_initialization(measure: Callable[..., Iterable[Value]]) -> Iterator[Value]:
    """Measure with each of the initializations; the metric of each value says which."""
    for name in initialization.NAMES:

        def draw(fresh: nn.Module, seed: int, name: str = name) -> None:
            initialization.initialize(fresh, name, seed=seed)

        for value in measure(initialize=draw):
            yield replace(value, metric=f"{value.metric} {name}")
