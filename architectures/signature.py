"""Signature of a builder, read from its source: a wrong option is refused without importing torch."""

import ast
from functools import cache
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any


def signature(builder: str) -> Signature | None:
    """Return the signature of the builder that "module:function" or "file.py:function" names.

    None if the source does not show it: no such file, no such function in it, or a decorated one.
    """
    name, _, function = builder.rpartition(":")
    path = Path(name) if name.endswith(".py") else Path(__file__).with_name(f"{name}.py")
    try:
        modified = path.stat().st_mtime_ns
    except OSError:
        return None
    return _read(path.absolute(), function, modified)


@cache
def _read(path: Path, function: str, modified: int) -> Signature | None:
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
    """Return a literal default; Parameter.empty if there is none, or an expression."""
    try:
        return Parameter.empty if default is None else ast.literal_eval(default)
    except ValueError:
        return Parameter.empty
