"""Rows of arrays and texts: a few numbers that change with any element, its place or its sign."""

import zlib
from collections.abc import Iterator

import numpy as np
import torch

from bench.gate.fixed import Row
from protocols import Value


def of_array(metric: str, array: np.ndarray | torch.Tensor) -> Iterator[Row]:
    """Mean of what lies above zero, and mean size weighted by place; n: the elements that are no NaN.

    Neither is a difference of large numbers, so that a relative tolerance fits both.
    """
    numbers = array.detach().double().cpu().numpy() if isinstance(array, torch.Tensor) else np.asarray(array, float)
    flat = numbers.ravel()
    count = int((~np.isnan(flat)).sum())
    weights = np.random.RandomState(0).rand(flat.size)
    flat = np.nan_to_num(flat)
    yield Row(metric, "above zero", float(np.maximum(flat, 0).sum() / max(count, 1)), count)
    yield Row(metric, "weighted", float((np.abs(flat) * weights).sum() / max(count, 1)), count)


def of_text(metric: str, text: str) -> Row:
    """Checksum of a text."""
    return Row(metric, "checksum", float(zlib.crc32(text.encode()) % 10**9), len(text))


def of_value(value: Value, intervals: bool = True) -> Iterator[Row]:
    """A value of a protocol, and its interval if it has one."""
    yield Row(value.metric, value.part, value.value, value.n)
    if intervals and value.low is not None and value.high is not None:
        yield Row(value.metric, f"{value.part}, low", value.low, value.n)
        yield Row(value.metric, f"{value.part}, high", value.high, value.n)
