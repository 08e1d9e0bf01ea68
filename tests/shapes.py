"""Networks by shape alone: tests that count need neither memory nor weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from protocols.network.graph import trace_inference


@contextmanager
def by_shape() -> Iterator[None]:
    """Build networks on the meta device; their convolutions draw no weights, which takes most of the time there."""
    with torch.device("meta"), mock.patch.object(_ConvNd, "reset_parameters", lambda layer: None):
        yield


def output_shapes(network: nn.Module, *size: int) -> list[tuple[int, ...]]:
    """The shapes of a network's outputs for one image of channels x height x width."""
    found = []
    hook = network.register_forward_hook(lambda network, images, outputs: found.extend(tuple(o.shape) for o in outputs))
    trace_inference(network, size)
    hook.remove()
    return found
