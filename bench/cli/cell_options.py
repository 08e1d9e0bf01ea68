"""Command-line options made from the settings of a cell, which are declared once, at the fields of Cell."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from bench.cells.cell import Cell
from bench.cells.settings import Setting, default, settings
from bench.cli.options import pairs


def cell_settings(*only: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a verb: in place of `**cell` it gets an option for every setting of a cell, or `only` for these.

    Name, type, default and help text come from the field of Cell; the verb receives the values by field name.
    """

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(verb, eval_str=True)
        kept = [p for p in own.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        at = next((i for i, parameter in enumerate(kept) if parameter.name == "store"), len(kept))
        added = [_parameter(field, about) for field, about in settings(Cell) if not only or field.name in only]

        @functools.wraps(verb)
        def wrapper(**given: Any) -> None:
            texts = given.get("options")
            verb(**given if texts is None else given | {"options": pairs(texts)})

        keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in kept]
        signature = own.replace(parameters=[*keyword[:at], *added, *keyword[at:]])
        wrapper.__signature__ = signature  # pyright: ignore[reportAttributeAccessIssue] - read by typer
        wrapper.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
        return wrapper

    return decorate


def _parameter(field: dataclasses.Field, about: Setting) -> inspect.Parameter:
    """Convert a setting to a parameter of a verb; a setting that is a dict becomes an option that may be repeated."""
    name, usual = field.name, default(field)
    flag = about.flag or f"--{name.replace('_', '-')}"
    many = isinstance(usual, dict)
    kind = list[str] if many else type(usual)
    option = typer.Option(flag, help=about.help, min=0) if kind is int else typer.Option(flag, help=about.help)
    shown = Annotated[kind, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=[] if many else usual, annotation=shown)
