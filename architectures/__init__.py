"""Catalogue of networks: the rows of catalogue.toml, and `create`, which builds the network of a row.

Reading the catalogue does not import torch; `create` does.

Every network takes images (N x 3 x H x W) and returns a tuple of its supervised outputs in order,
each N x joints x h x w heatmaps; the last one is the prediction.
"""

import difflib
import importlib
import inspect
import math
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from architectures.errors import ArchitectureError
from architectures.signature import signature

if TYPE_CHECKING:
    from torch import nn

T = TypeVar("T")
CATALOGUE = Path(__file__).with_name("catalogue.toml")
Option = bool | int | float | str | Sequence[int] | None  # a keyword argument of a builder
Options = dict[str, Option]


class Family(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Table of the catalogue: rows that share a builder, a paper and an input."""

    builder: str
    paper: str
    input: tuple[int, int]
    multiple: int
    skeleton: str
    recipe: str
    rows: dict[str, "Row"]
    checkpoint_keys: str = ""


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Line of a family: one network."""

    summary: str
    kind: str
    options: dict[str, bool | int | float | str | list[int]] = {}


@dataclass(frozen=True)
class Architecture:
    """Network of the catalogue: a builder function plus its options."""

    name: str  # with changed options in it, so that a changed network never passes for the original
    builder: str  # "module:function" below this package, or "path/to/file.py:function"
    paper: str  # "" for a network from outside
    summary: str
    kind: str  # published | released | reconstruction | control | baseline | external
    input: tuple[int, int]  # height, width of the crop, pixels
    multiple: int  # height and width must be multiples of this
    skeleton: str  # mpii | lsp | coco | cifar10 (ten classes instead of joints)
    recipe: str
    options: Options = field(default_factory=dict)
    checkpoint_keys: str = ""  # "module:function" that renames the keys of the authors' checkpoint


class Paper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Facts of a paper that its networks share."""

    counting: str  # rule behind the operations that it prints, a variant of the protocol complexity; "": it prints none


@cache
def papers() -> dict[str, Paper]:
    """Papers of the catalogue, by key."""
    return _convert(_tables()["papers"], dict[str, Paper])


@cache
def catalogue() -> dict[str, Architecture]:
    """Rows of all families, by name, in the order of the file."""
    families = _convert({name: table for name, table in _tables().items() if name != "papers"}, dict[str, Family])
    rows = {}
    for key, family in families.items():
        if family.paper and family.paper not in papers():
            raise ArchitectureError(f"{CATALOGUE.name}: {key} is of {family.paper}, which is not in [papers].")
        shared = {name: getattr(family, name) for name in Family.__struct_fields__ if name != "rows"}
        for name, row in family.rows.items():
            rows[name] = Architecture(name, summary=row.summary, kind=row.kind, options={**row.options}, **shared)
    return rows


def counting_rule(row: Architecture) -> str | None:
    """Rule by which the paper of a network counts operations; None if it prints none."""
    return papers()[row.paper].counting or None if row.paper else None


@cache
def _tables() -> dict[str, object]:
    return tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))


def _convert(tables: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(tables, kind)
    except msgspec.ValidationError as error:
        raise ArchitectureError(f"{CATALOGUE.name}: {error}.") from error


def describe(name: str, **overrides: Option) -> Architecture:
    """Return the row called `name`, or one for a builder in a file, with some options changed.

    `overrides` are options of the builder, `input` (one side, or height and width), and `initialization`: one of
    architectures.initialization.NAMES, by which `create` draws the weights anew. Options that the builder does
    not take are refused here if its source shows them, without importing it.
    """
    row = _external(name) if ".py:" in name else catalogue().get(name)
    if row is None:
        near = difflib.get_close_matches(name, catalogue(), n=3)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise ArchitectureError(f"There is no architecture {name!r}.{hint} `bench list` shows all of them.")
    if not overrides:
        return row
    options = dict(overrides)
    side = options.pop("input", row.input)
    size = _check_size(row, tuple(side) if isinstance(side, list | tuple) else (side, side))
    if parameters := signature(row.builder):
        _check_options(row, parameters, {key: value for key, value in options.items() if key != "initialization"})
    changed = ",".join(f"{key}={_text(value)}" for key, value in sorted(overrides.items()))
    return replace(row, name=f"{name}@{changed}", input=size, options={**row.options, **options})


def create(row: Architecture | str, **overrides: Option) -> "nn.Module":
    """Build the network of a row, in training mode, on torch's current default device.

    The network raises ArchitectureError for images whose size is no multiple of the row's.
    """
    if isinstance(row, str):
        row = describe(row, **overrides)
        overrides = {}
    build = _function(row.builder)
    options = {**row.options, **overrides}
    initialization = options.pop("initialization", "")
    _check_options(row, inspect.signature(build), options)
    network = build(**options)
    if not hasattr(network, "register_forward_pre_hook"):
        raise ArchitectureError(f"{row.builder} returned {type(network).__name__}; a builder returns an nn.Module.")
    if initialization:
        import torch

        from architectures.initialization import initialize

        initialize(network, str(initialization), seed=torch.initial_seed())
    network.register_forward_pre_hook(partial(_check_images, row))
    return network


def checkpoint_renamer(row: Architecture) -> Callable[[str], str] | None:
    """Return the function that turns keys of the authors' checkpoint into ours; None where the keys are the same."""
    return _function(row.checkpoint_keys) if row.checkpoint_keys else None


_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}


def _check_options(row: Architecture, of_builder: inspect.Signature, options: Options) -> None:
    """Refuse options that the builder does not take, and values of another type than their default."""
    parameters, name = of_builder.parameters, row.name
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    for key, value in options.items():
        if key not in parameters:
            if takes_any:
                continue
            raise ArchitectureError(
                f"{name}: there is no option {key!r}; {row.builder.rpartition(':')[2]} takes {', '.join(parameters)}."
            )
        default = parameters[key].default
        kind = (int, float) if type(default) is float else type(default)
        wrong = not isinstance(value, kind) or isinstance(value, bool) != isinstance(default, bool)
        wrong = wrong or (isinstance(value, float) and not math.isfinite(value))
        if type(default) in _KINDS and wrong:
            raise ArchitectureError(
                f"{name}: {key}={value!r} does not work; it is {_KINDS[type(default)]}, for instance {default}."
            )
        if key == "joints" and not (isinstance(value, int) and value > 0):
            raise ArchitectureError(f"{name}: joints={value} does not work; a network finds one joint or more.")


def _check_size(row: Architecture, size: Sequence[object]) -> tuple[int, int]:
    """Return height and width; refuse them unless they are multiples of the row's."""
    sides = [side for side in size if type(side) is int and side > 0 and side % row.multiple == 0]
    if len(size) != 2 or len(sides) != 2:
        raise ArchitectureError(
            f"{row.name}: an input of {'x'.join(map(str, size))} does not work; "
            f"height and width must be multiples of {row.multiple}, for instance {row.multiple * 2}."
        )
    return sides[0], sides[1]


def _check_images(row: Architecture, network: "nn.Module", arguments: tuple[Any, ...]) -> None:
    """Refuse images of such a size when they reach the network."""
    import torch

    # While operations are counted, sizes are not integers. Torch documents is_tracing and does not export it.
    if arguments and not torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        _check_size(row, tuple(arguments[0].shape[-2:]))


def _function(reference: str) -> Callable[..., Any]:
    """Return the function that "module:function" or "file.py:function" names."""
    path, _, function = reference.rpartition(":")
    if path.endswith(".py"):
        module = ModuleType(Path(path).stem)
        module.__file__ = path
        try:  # compiled anew: cached bytecode looks the same for two contents of one size within one second
            exec(compile(Path(path).read_bytes(), path, "exec", dont_inherit=True), module.__dict__)
        except Exception as error:
            raise ArchitectureError(f"{path} cannot be imported: {type(error).__name__}: {error}.") from error
    else:
        module = importlib.import_module(f"architectures.{path}")
    if not callable(getattr(module, function, None)):
        own = [name for name, value in vars(module).items() if inspect.isfunction(value) and not name.startswith("_")]
        raise ArchitectureError(f"{path} has no function {function!r}; it has {', '.join(own) or 'none'}.")
    return getattr(module, function)


def _external(reference: str) -> Architecture:
    """Return a row for a builder in a file of the user: "path/to/net.py:function"."""
    path = reference.rpartition(":")[0]
    if not Path(path).is_file():
        raise ArchitectureError(
            f"{path}: there is no such file; an outside network is given as path/to/net.py:builder."
        )
    return Architecture(
        name=reference,
        builder=reference,
        paper="",
        summary=f"a network from {Path(path).name}",
        kind="external",
        input=(256, 256),
        multiple=1,
        skeleton="mpii",
        recipe="newell2016",
    )


def _text(value: Option) -> str:
    """Return an option as a short text for names: 0.25, 64x64, true."""
    if isinstance(value, list | tuple):
        return "x".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
