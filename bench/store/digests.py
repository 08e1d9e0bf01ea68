"""Digests of files and of plain data."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Inputs = dict[str, Any]  # nested plain data that decides numbers: only hashed, stored and compared


def content_key(inputs: Mapping[str, object]) -> str:
    """Key of nested plain data: twenty hexadecimal digits, independent of the order of its fields."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def unusual(values: Mapping[str, object], defaults: Mapping[str, object]) -> Inputs:
    """Values that differ from their default. Keys hold only these, so that a new field changes no key."""
    return {name: value for name, value in values.items() if name not in defaults or value != defaults[name]}


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
