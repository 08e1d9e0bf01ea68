"""JSON files in COCO's formats, decoded into typed records or refused with the place of the error."""

import json
import re
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from protocols.errors import DataError

Record = TypeVar("Record")
Id = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Box = tuple[float, float, float, float]  # x, y, width, height
MAX_BYTES = 2**30  # bytes; COCO's largest keypoint file has 0.25e9


def decode(path: Path, kind: type[Record], cause: str, strict: bool = True) -> Record:
    """Decode a file as `kind`. NaN and Infinity are accepted, as by pycocotools; numbers as text unless `strict`.

    Raises DataError, with `cause` as the likely cause if the content does not fit `kind`.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file.", next_step="check the path")
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path}: {path.stat().st_size:,} bytes are too many.", f"at most {MAX_BYTES:,} bytes of JSON")
    raw = path.read_bytes()
    try:
        return msgspec.json.decode(raw, type=kind, strict=strict)
    except msgspec.ValidationError as error:
        raise _misfit(error, path.name, cause) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # not strict JSON: perhaps NaN or Infinity, which Python writes and reads
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: this is not JSON: {error}.", "a JSON file", "cut off or of another format") from None
    return convert(content, kind, path.name, cause, strict)


def content(path: Path) -> object:
    """Return the content of a JSON file of any layout; None if it cannot be read."""
    try:
        return json.loads(path.read_bytes()) if path.is_file() and path.stat().st_size <= MAX_BYTES else None
    except (ValueError, RecursionError):
        return None


def convert(content: object, kind: type[Record], source: str, cause: str, strict: bool = True) -> Record:
    """Convert Python lists and dicts to `kind`. Raises DataError."""
    try:
        return msgspec.convert(content, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise _misfit(error, source, cause) from None


def _misfit(error: msgspec.ValidationError, source: str, cause: str) -> DataError:
    """Translate msgspec's "Expected `float`, got `str` - at `$[3].score`" into file and entry number."""
    message, _, place = str(error).partition(" - at ")
    place = place.strip("`").removeprefix("$").removeprefix(".")
    entry = re.fullmatch(r"(\w*)\[(\d+)\]\.?(.*)", place)
    if entry:
        place = f"{entry[1] or 'entry'} {entry[2]} (the first is 0){', ' + entry[3] if entry[3] else ''}"
    what = f"{source}: {place}: {message}." if place else f"{source}: {message}."
    return DataError(what.replace("`", ""), cause=cause)
