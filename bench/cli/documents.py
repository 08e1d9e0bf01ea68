"""Documents of `--json`."""

import json

import msgspec


def print_json(document: object) -> None:
    """Print one document on stdout; the fields of rows and of records in alphabetical order."""
    print(json.dumps(document, default=_plain))


def _plain(entry: object) -> object:
    return msgspec.to_builtins(entry, order="sorted" if isinstance(entry, msgspec.Struct) else None)
