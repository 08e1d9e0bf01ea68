"""Choices by name: the words that a field of a recipe may be are the keys of the table that the code looks them up in.

The table is read from the source of its module, so that a wrong word is refused without importing torch, and a new
entry of the table is a new word.
"""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def words(table: str) -> tuple[str, ...]:
    """Keys of a table: "bench.training.optimizers:OPTIMIZERS". Raises LookupError for one that is not there."""
    module, _, name = table.partition(":")
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    for node in ast.parse(path.read_bytes()).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if isinstance(value, ast.Dict) and any(isinstance(place, ast.Name) and place.id == name for place in targets):
            return tuple(ast.literal_eval(key) for key in value.keys if key is not None)
    raise LookupError(f"{path} has no table {name} with its keys written out.")
