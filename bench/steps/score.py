"""Scoring: calls the function of a protocol on predictions."""

import importlib
from collections.abc import Callable
from typing import Any

from protocols import Options, Protocol
from protocols.coco.top_down import PRESETS
from protocols.pose.people import People, Predictions
from protocols.statistics.scores import Scores


def function_of(protocol: Protocol) -> Callable[..., Any]:
    """Import and return the function that computes the values of a protocol."""
    return getattr(importlib.import_module(protocol.module), protocol.function)


def scoring_options(protocol: Protocol, options: Options) -> Options:
    """Select the options for the function of a protocol; the others decide how people are read."""
    taken = {name: value for name, value in options.items() if name not in protocol.reading_options}
    return taken | ({"preset": PRESETS[taken["preset"]]} if "preset" in taken else {})


def score_predictions(protocol: Protocol, predictions: Predictions, people: People, options: Options) -> Scores:
    """Score predictions, one per person."""
    return function_of(protocol)(predictions, people, **scoring_options(protocol, options))
