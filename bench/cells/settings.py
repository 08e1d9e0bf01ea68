"""Settings: the fields of a cell that a matrix and the command line offer, each declared once, at its field."""

import dataclasses
from functools import cache
from typing import Any, Literal

import msgspec

Step = Literal["weights", "predictions", "scores"]


class Setting(msgspec.Struct, frozen=True):
    """Metadata of a field of Cell: help text, key, tag and option."""

    help: str
    enters: Step  # the first step whose key it changes
    tag: str = "{name} {value}"  # shown beside the name where it is not at its default
    by_content: bool = False  # the key holds the content behind the value (a file, people), not the value
    flag: str = ""  # the option of the command line; "" for --field-name


def setting(default: Any, help: str, enters: Step, **more: Any) -> Any:
    """Declare a field of Cell with its Setting; `default` may be a factory such as dict."""
    metadata = {"setting": Setting(help, enters, **more)}
    if isinstance(default, type):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@cache  # asked several times a cell
def settings(cell: type) -> tuple[tuple[dataclasses.Field, Setting], ...]:
    """Return the fields of a cell class that are settings, in order."""
    return tuple(
        (field, field.metadata["setting"]) for field in dataclasses.fields(cell) if "setting" in field.metadata
    )


def default(field: dataclasses.Field) -> Any:
    """Return the default value of a field."""
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def chosen(cell: object, *enters: Step) -> dict[str, object]:
    """Return the settings that are not at their default by name, of the given steps only."""
    return {
        field.name: value
        for (field, about), usual in zip(settings(type(cell)), _defaults(type(cell)), strict=True)
        if (not enters or about.enters in enters) and (value := getattr(cell, field.name)) != usual
    }


@cache
def _defaults(cell: type) -> tuple[Any, ...]:
    return tuple(default(field) for field, _ in settings(cell))


def key_values(cell: object, step: Step) -> dict[str, object]:
    """Return the settings that enter the key of a step by their value."""
    by_content = {field.name for field, about in settings(type(cell)) if about.by_content}
    return {name: value for name, value in chosen(cell, step).items() if name not in by_content}


def tag(cell: type, name: str, value: object) -> str:
    """Return the tag of a setting, shown beside the name of a network."""
    about = next(about for field, about in settings(cell) if field.name == name)
    return about.tag.format(name=name.replace("_", " "), value=value)
