"""The settings of a cell as options of the command line: declared once, at the fields of Cell."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from bench.cells.cell import Cell
from bench.cells.settings import Setting, default, settings
from bench.cli.options import pairs


def settings_of_cells(*only: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that gives a verb an option for every setting of a cell, or for `only` these, in place of `**cell`.

    Name, type, default and help text are those of the field of Cell; the verb gets the values by the fields' names.
    """

    def give(verb: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(verb, eval_str=True)
        first = [p for p in own.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        at = next((i for i, parameter in enumerate(first) if parameter.name == "store"), len(first))
        added = [_parameter(field, about) for field, about in settings(Cell) if not only or field.name in only]

        @functools.wraps(verb)
        def called(**given: Any) -> None:
            texts = given.get("options")
            verb(**given if texts is None else given | {"options": pairs(texts)})

        keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in first]
        called.__signature__ = own.replace(parameters=[*keyword[:at], *added, *keyword[at:]])  # pyright: ignore[reportAttributeAccessIssue] - read by typer
        called.__annotations__ = {p.name: p.annotation for p in called.__signature__.parameters.values()}
        return called

    return give


def _parameter(field: dataclasses.Field, about: Setting) -> inspect.Parameter:
    """A setting as a parameter of a verb; a table of options is a flag that may be repeated."""
    name, usual = field.name, default(field)
    flag = about.flag or f"--{name.replace('_', '-')}"
    many = isinstance(usual, dict)
    kind = list[str] if many else type(usual)
    option = typer.Option(flag, help=about.help, min=0) if kind is int else typer.Option(flag, help=about.help)
    shown = Annotated[kind, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=[] if many else usual, annotation=shown)
