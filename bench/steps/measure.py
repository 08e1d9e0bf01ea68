"""Measuring: calls the function of a protocol that looks at a network."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from torch import nn

import architectures
from architectures import initialization
from bench.cells.cell import Cell
from bench.steps.score import function_of
from protocols import Value
from protocols.network.bn_folding import fold_batch_norm

# Arguments that the function of a protocol may take besides its options, by name; `initialize`: see below.
ARGUMENTS: dict[str, Callable[[Cell, str], Any]] = {
    "convention": lambda cell, device: architectures.counting_rule(cell.row),
    "device": lambda cell, device: device,
}


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
