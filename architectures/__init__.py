"""The catalogue of networks, and how a row of it becomes a module.

Reading the catalogue does not import torch; `create` does.

Every network takes images (N x 3 x H x W) and returns a tuple of its supervised outputs in order,
each N x joints x h x w heatmaps; the last one is the prediction.
"""

import difflib
import importlib
import importlib.util
import inspect
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

CATALOGUE = Path(__file__).with_name("catalogue.toml")


class ArchitectureError(ValueError):
    """A name, an option or an input size that no network can have; the message says what is allowed."""


@dataclass(frozen=True)
class Architecture:
    """A row of the catalogue: a builder function plus its options."""

    name: str
    builder: str  # "module:function" below this package, or "path/to/file.py:function"
    paper: str  # "" for a network from outside
    summary: str
    kind: str  # published | released | reconstruction | control | baseline | external
    input: tuple[int, int]  # height, width of the crop, pixels
    multiple: int  # height and width must be multiples of this
    skeleton: str  # mpii | lsp | coco | cifar10 (ten classes instead of joints)
    recipe: str
    options: dict[str, Any] = field(default_factory=dict)
    released: str = ""  # "module:function" that renames the keys of the authors' checkpoint

    @property
    def label(self) -> str:
        """The name that tables show: a changed row never passes for the original."""
        return self.name


_FAMILY = ("builder", "paper", "input", "multiple", "skeleton", "recipe", "released")
_ROW = ("summary", "kind", "options")


@cache
def catalogue() -> dict[str, Architecture]:
    """All rows, by name, in the order of the file."""
    families = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
    rows = {}
    for family in families.values():
        shared = {key: family[key] for key in _FAMILY if key in family}
        for name, row in family["rows"].items():
            if unknown := set(row) - set(_ROW) or set(family) - set(_FAMILY) - {"rows"}:
                raise ArchitectureError(f"{CATALOGUE.name}: {name} has the unknown keys {sorted(unknown)}.")
            fields = {**shared, **row, "input": tuple(family["input"])}
            rows[name] = Architecture(name=name, **fields)
    return rows


def describe(name: str, **overrides: Any) -> Architecture:
    """The row called `name`, or of a builder in a file, with some options changed.

    `overrides` are options of the builder, and `input` (one side, or height and width).
    """
    row = _external(name) if ".py:" in name else catalogue().get(name)
    if row is None:
        near = difflib.get_close_matches(name, catalogue(), n=3)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise ArchitectureError(f"There is no architecture {name!r}.{hint} `bench list` shows all of them.")
    if not overrides:
        return row
    options = dict(overrides)
    size = options.pop("input", row.input)
    size = (size, size) if isinstance(size, int) else tuple(size)
    if len(size) != 2 or any(side <= 0 or side % row.multiple for side in size):
        raise ArchitectureError(
            f"{name}: an input of {'x'.join(map(str, size))} does not work; "
            f"height and width must be multiples of {row.multiple}, for instance {row.multiple * 2}."
        )
    changed = ",".join(f"{key}={_text(value)}" for key, value in sorted(overrides.items()))
    return replace(row, name=f"{name}@{changed}", input=size, options={**row.options, **options})


def create(row: Architecture | str, **overrides: Any) -> "nn.Module":
    """Build the network of a row, in training mode, on torch's current default device."""
    if isinstance(row, str):
        row = describe(row, **overrides)
        overrides = {}
    build = _builder(row.builder)
    options = {**row.options, **overrides}
    allowed = inspect.signature(build).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in allowed.values())
    unknown = [key for key in options if key not in allowed]
    if unknown and not takes_any:
        raise ArchitectureError(
            f"{row.name}: there is no option {unknown[0]!r}; {build.__name__} takes {', '.join(allowed)}."
        )
    return build(**options)


def _builder(place: str) -> Callable[..., "nn.Module"]:
    """The function that "module:function" or "file.py:function" names."""
    path, _, function = place.rpartition(":")
    if path.endswith(".py"):
        spec = importlib.util.spec_from_file_location(Path(path).stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(f"architectures.{path}")
    if not hasattr(module, function):
        raise ArchitectureError(f"{path} has no function {function!r}.")
    return getattr(module, function)


def _external(place: str) -> Architecture:
    """A row for a builder that somebody keeps in a file of their own."""
    path = place.rpartition(":")[0]
    if not Path(path).is_file():
        raise ArchitectureError(
            f"{path}: there is no such file; an outside network is given as path/to/net.py:builder."
        )
    return Architecture(
        name=place,
        builder=place,
        paper="",
        summary=f"a network from {Path(path).name}",
        kind="external",
        input=(256, 256),
        multiple=1,
        skeleton="mpii",
        recipe="newell2016",
    )


def _text(value: Any) -> str:
    """An option as a short text for names: 0.25, 64x64, true."""
    if isinstance(value, list | tuple):
        return "x".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
