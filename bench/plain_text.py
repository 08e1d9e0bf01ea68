"""Text of strangers (names of files, arrays and joints, exceptions) made harmless for terminals and documents."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import msgspec

LONGEST = 2000  # characters of a line on a terminal, or of a part of a message
# Control characters but tab and line feed, marks that turn the direction of text, and halves of characters.
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def escape(text: str) -> str:
    r"""Replace what a terminal would obey or could not show by its code: ESC becomes \x1b."""
    return _HARMFUL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def shortened(text: str) -> str:
    """Cut every line of a text that is longer than LONGEST, and say how much is left out."""
    if len(text) <= LONGEST:
        return text
    lines = (
        line if len(line) <= LONGEST else f"{line[:LONGEST]} … ({len(line) - LONGEST:,} more characters)"
        for line in text.split("\n")
    )
    return "\n".join(lines)


def to_json(document: object) -> bytes:
    """Encode a record as JSON that can be read back, whatever characters its texts have."""
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:  # half of a character, as in a file name that is not UTF-8
        return msgspec.json.encode(_escaped(msgspec.to_builtins(document)))


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, Mapping):
        return {_escaped(name): _escaped(entry) for name, entry in value.items()}
    return [_escaped(entry) for entry in value] if isinstance(value, Sequence) else value


class Terminal:
    """A stream that escapes what is written to it, and cuts very long lines unless it carries a document."""

    def __init__(self, stream: TextIO, document: bool = False):
        self.stream = stream
        self._document = document
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")  # a terminal of another alphabet

    def write(self, text: str) -> int:
        return self.stream.write(escape(text if self._document else shortened(text)))

    def flush(self) -> None:
        """Flush the stream."""
        self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
