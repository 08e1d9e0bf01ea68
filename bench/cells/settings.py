"""Settings: the fields of a cell that a matrix and the command line offer, each declared once beside its field."""

import dataclasses
from functools import cache
from typing import Any, Literal

import msgspec

Step = Literal["weights", "predictions", "scores"]


class Setting(msgspec.Struct, frozen=True):
    """Everything about a field of Cell beside its name, type and default."""

    help: str
    enters: Step  # the first step whose key it changes
    tag: str = "{name} {value}"  # how tables say that a cell differs from the usual one
    by_content: bool = False  # the key holds what the value stands for (a file, people), not the value
    flag: str = ""  # the option of the command line; "" for --field-name


def setting(default: Any, help: str, enters: Step, **more: Any) -> Any:
    """A field of Cell with its Setting; `default` may be a type that makes the value, as dict does."""
    value = {"default_factory": default} if isinstance(default, type) else {"default": default}
    return dataclasses.field(**value, metadata={"setting": Setting(help, enters, **more)})


@cache  # asked several times a cell
def settings(cell: type) -> tuple[tuple[dataclasses.Field, Setting], ...]:
    """The fields of a class of cells that are settings, in their order."""
    return tuple(
        (field, field.metadata["setting"]) for field in dataclasses.fields(cell) if "setting" in field.metadata
    )


def default(field: dataclasses.Field) -> Any:
    """The value that a field has if nobody chooses."""
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def chosen(cell: Any, *enters: Step) -> dict[str, Any]:
    """name -> value of the settings of a cell that are not at their default; only those that enter such a step."""
    return {
        field.name: value
        for (field, about), usual in zip(settings(type(cell)), _defaults(type(cell)), strict=True)
        if (not enters or about.enters in enters) and (value := getattr(cell, field.name)) != usual
    }


@cache
def _defaults(cell: type) -> tuple[Any, ...]:
    return tuple(default(field) for field, _ in settings(cell))


def key_values(cell: Any, step: Step) -> dict[str, Any]:
    """What the settings of a cell add to the key of a step as they stand."""
    by_content = {field.name for field, about in settings(type(cell)) if about.by_content}
    return {name: value for name, value in chosen(cell, step).items() if name not in by_content}


def tag(cell: type, name: str, value: Any) -> str:
    """A setting as tables say it beside the name of a network."""
    about = next(about for field, about in settings(cell) if field.name == name)
    return about.tag.format(name=name.replace("_", " "), value=value)
