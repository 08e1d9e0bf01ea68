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
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from architectures.errors import ArchitectureError
from architectures.signature import signature

if TYPE_CHECKING:
    from torch import nn

CATALOGUE = Path(__file__).with_name("catalogue.toml")


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

    `overrides` are options of the builder, `input` (one side, or height and width), and `initialization`: a name
    of architectures.initialization, with which `create` draws the network instead of its own way. Options that the
    builder does not take are refused here as far as its source tells, without importing it.
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
    size = tuple(size) if isinstance(size, list | tuple) else (size, size)
    _check_size(row, size)
    if takes := signature(row.builder):
        _check_options(row, takes, {key: value for key, value in options.items() if key != "initialization"})
    changed = ",".join(f"{key}={_text(value)}" for key, value in sorted(overrides.items()))
    return replace(row, name=f"{name}@{changed}", input=size, options={**row.options, **options})


def create(row: Architecture | str, **overrides: Any) -> "nn.Module":
    """Build the network of a row, in training mode, on torch's current default device.

    Images of a size that the row cannot have are refused when they come.
    """
    if isinstance(row, str):
        row = describe(row, **overrides)
        overrides = {}
    build = _function(row.builder)
    options = {**row.options, **overrides}
    drawn = options.pop("initialization", "")
    _check_options(row, inspect.signature(build), options)
    network = build(**options)
    if not hasattr(network, "register_forward_pre_hook"):
        raise ArchitectureError(f"{row.builder} returned {type(network).__name__}; a builder returns an nn.Module.")
    if drawn:
        import torch

        from architectures.initialization import initialize

        initialize(network, drawn, seed=torch.initial_seed())
    network.register_forward_pre_hook(partial(_check_images, row))
    return network


def renaming(row: Architecture) -> Callable[[str], str] | None:
    """What turns the keys of the authors' checkpoint into ours; None where the names are the same."""
    return _function(row.released) if row.released else None


_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}


def _check_options(row: Architecture, takes: inspect.Signature, options: dict[str, Any]) -> None:
    """Refuse what the builder does not take, and text where it takes a number."""
    parameters, name = takes.parameters, row.name
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
        if type(default) in _KINDS and wrong:
            raise ArchitectureError(
                f"{name}: {key}={value!r} does not work; it is {_KINDS[type(default)]}, for instance {default}."
            )
        if key == "joints" and not value > 0:
            raise ArchitectureError(f"{name}: joints={value} does not work; a network finds one joint or more.")


def _check_size(row: Architecture, size: tuple[int, ...]) -> None:
    """Refuse heights and widths that the row's halvings do not divide."""
    if len(size) != 2 or any(type(side) is not int or side <= 0 or side % row.multiple for side in size):
        raise ArchitectureError(
            f"{row.name}: an input of {'x'.join(map(str, size))} does not work; "
            f"height and width must be multiples of {row.multiple}, for instance {row.multiple * 2}."
        )


def _check_images(row: Architecture, network: "nn.Module", arguments: tuple[Any, ...]) -> None:
    """The same for images that reach the network."""
    import torch

    if arguments and not torch.jit.is_tracing():  # sizes are no integers while operations are counted
        _check_size(row, tuple(arguments[0].shape[-2:]))


def _function(place: str) -> Callable[..., Any]:
    """The function that "module:function" or "file.py:function" names."""
    path, _, function = place.rpartition(":")
    if path.endswith(".py"):
        spec = importlib.util.spec_from_file_location(Path(path).stem, path)
        module = importlib.util.module_from_spec(spec)
        try:
            # Not exec_module: its cached bytecode looks the same for two contents of one size within one second.
            exec(spec.loader.source_to_code(Path(path).read_bytes(), path), module.__dict__)
        except Exception as error:
            raise ArchitectureError(f"{path} cannot be imported: {type(error).__name__}: {error}.") from error
    else:
        module = importlib.import_module(f"architectures.{path}")
    if not callable(getattr(module, function, None)):
        own = [name for name, value in vars(module).items() if inspect.isfunction(value) and not name.startswith("_")]
        raise ArchitectureError(f"{path} has no function {function!r}; it has {', '.join(own) or 'none'}.")
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
