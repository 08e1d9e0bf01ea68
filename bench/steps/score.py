"""Scoring: predictions or a network under a protocol, and the files that a cell keeps of it."""

import importlib
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

from torch import nn

from architectures import initialization
from bench.cells.cell import Cell
from protocols import PROTOCOLS, Value
from protocols.coco.top_down import PRESETS
from protocols.network.bn_folding import fold_batch_norm
from protocols.pose.people import People, Predictions
from protocols.statistics.scores import Scores

# The convention behind the FLOPs that a paper prints; a paper without an entry prints none.
PRINTED_FLOPS = {"yang2017": "opc", "li2019": "gibi-macs-inference"}
VARIANCE_SIDE = 128  # pixels: variances at initialization hardly depend on the size, their cost does


def score_predictions(protocol: str, predictions: Predictions, people: People, options: dict[str, Any]) -> Scores:
    """What a protocol makes of one prediction a person."""
    module = importlib.import_module(PROTOCOLS[protocol].module)
    if protocol != "coco-ap":
        return module.score(predictions, people, **options)
    options = {name: value for name, value in options.items() if name != "detections"}  # which made the people
    if "preset" in options:
        options["preset"] = PRESETS[options["preset"]]
    return module.score_people(predictions, people, **options)


def measure_network(cell: Cell, network: nn.Module, device: str) -> list[Value]:
    """What a protocol makes of a network alone."""
    module = importlib.import_module(cell.rules.module)
    row = cell.row
    if cell.protocol == "complexity":
        return list(module.measure(network, row.input, convention=PRINTED_FLOPS.get(row.paper), **cell.options))
    if cell.protocol == "init-variance":
        return list(_variances(module, network, row.input, **cell.options))
    if cell.protocol == "speed":
        network = fold_batch_norm(network) if cell.fast else network
        return list(module.measure(network, row.input, device=device, **cell.options))
    return list(module.measure(network, row.input, **cell.options))


def _variances(module: ModuleType, network: nn.Module, size: tuple[int, int], **options: Any) -> Iterator[Value]:
    """Initialization variance under each of the initializations; the metric of each says which."""
    size = tuple(min(side, VARIANCE_SIDE) for side in size)
    for name in initialization.NAMES:

        def draw(fresh: nn.Module, seed: int, name: str = name) -> None:
            initialization.initialize(fresh, name, seed=seed)

        for value in module.measure(network, size, initialize=draw, **options):
            yield replace(value, metric=f"{value.metric} {name}")
