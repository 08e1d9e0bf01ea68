"""What a test knows about a value and its type does not say."""

from pathlib import Path
from typing import Any, TypeVar

import h5py
from torch import nn

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return a value that is there."""
    assert value is not None
    return value


def interval(row: Any) -> tuple[float, float, float]:
    """Return low, value and high of a measurement that has an interval."""
    return present(row.low), present(row.value), present(row.high)


def layer(network: nn.Module, path: str) -> Any:
    """Return the layer at `path`, as "stacks.0.hourglass"; torch does not know the type of what a layer consists of."""
    return network.get_submodule(path)


def h5_arrays(path: Path) -> dict[str, Any]:
    """Return the arrays of an HDF5 file without groups by their names."""
    with h5py.File(path) as file:
        return {name: item[()] for name, item in file.items() if isinstance(item, h5py.Dataset)}
