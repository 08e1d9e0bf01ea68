"""What a builder takes, read from its source: nothing is imported, so that a wrong option is known before torch is."""

import ast
from functools import cache
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any


def signature(place: str) -> Signature | None:
    """The signature of the builder that "module:function" or "file.py:function" names.

    None where the text does not tell: no such file, no such function in it, or one that is decorated.
    """
    name, _, function = place.rpartition(":")
    path = Path(name) if name.endswith(".py") else Path(__file__).with_name(f"{name}.py")
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        return None
    return _read(path.absolute(), function, changed)


@cache
def _read(path: Path, function: str, changed: int) -> Signature | None:
    try:
        body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return None
    found = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == function]
    if len(found) != 1 or found[0].decorator_list:
        return None
    given = found[0].args
    ordered = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(ordered) - len(given.defaults)) + given.defaults
    parameters = [
        Parameter(argument.arg, kind, default=_value(default))
        for arguments, values, kind in (
            (ordered, defaults, Parameter.POSITIONAL_OR_KEYWORD),
            (given.kwonlyargs, given.kw_defaults, Parameter.KEYWORD_ONLY),
        )
        for argument, default in zip(arguments, values, strict=True)
    ]
    if given.kwarg:
        parameters.append(Parameter(given.kwarg.arg, Parameter.VAR_KEYWORD))
    return Signature(parameters)


def _value(default: ast.expr | None) -> Any:
    """A default that is written out; none where there is none, or an expression."""
    try:
        return Parameter.empty if default is None else ast.literal_eval(default)
    except ValueError:
        return Parameter.empty
