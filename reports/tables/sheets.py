"""Tables, each written once for the page and for its files in CSV, JSON, Markdown and LaTeX.

An entry is a plain value, or an Entry where its text is another one or the page shows more of it. Columns and rows
are what the files hold; `page` says which of the columns the page shows, in what order and how it calls them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

from bench.results.rows import Measurement
from reports import formats

Plain: TypeAlias = str | int | float | None  # None: nothing there


class Piece(NamedTuple):
    """Text on a page."""

    text: str
    look: str = ""  # an element (b, code, small, i), "state", "none", "bar", or classes of the style sheet
    link: str = ""  # where in the site it leads
    title: str = ""
    span: tuple[float, float] | None = None  # of a bar: start and length, per cent


class Entry(NamedTuple):
    """A value in full (CSV, JSON), its text (Markdown, LaTeX, the page), and what the page shows in its place."""

    value: Plain
    text: str = ""
    page: Sequence[Piece] = ()


class Heading(NamedTuple):
    """A column of the page."""

    column: str  # whose entries it shows
    text: str = ""  # "": the column's name
    unit: str = ""
    meaning: str = ""  # told where one points at the heading
    look: str = ""  # "more": hidden until all columns are asked for; "words": its entries are sentences
    filter: str = ""  # what one chooses from its entries
    names: bool = False  # its entries are the headings of their rows
    after: Sequence[Piece] = ()
    link: str = ""


@dataclass(frozen=True)
class Sheet:
    """A table; `name` identifies it on its page and is the stem of its files."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Entry | Plain, ...]]
    page: tuple[Heading, ...] = ()  # (): all columns by their names, the first one names the rows

    @cached_property
    def values(self) -> list[list[Plain]]:
        """The entries in full."""
        return [[entry.value if isinstance(entry, Entry) else entry for entry in row] for row in self.rows]

    @cached_property
    def texts(self) -> list[list[str]]:
        """The entries as text."""
        return [[text(entry) for entry in row] for row in self.rows]

    @cached_property
    def right(self) -> list[bool]:
        """Columns that hold nothing but numbers, some of them perhaps as text, and are set to the right."""
        return [all(_numeric(row[at]) for row in self.values) for at in range(len(self.columns))]

    @cached_property
    def headings(self) -> list[tuple[Heading, int, bool]]:
        """The columns of the page: heading, place in a row, and whether they hold values and not words."""
        page = self.page or [Heading(name, names=not at) for at, name in enumerate(self.columns)]
        places = [self.columns.index(heading.column) for heading in page]
        words = [any(isinstance(row[at], str) for row in self.values) for at in places]
        return [
            (heading._replace(look=f"{heading.look} text".strip()) if is_text else heading, at, not is_text)
            for heading, at, is_text in zip(page, places, words, strict=True)
        ]

    @property
    def lines(self) -> Iterator[list[tuple[Heading, bool, Plain, Sequence[Piece]]]]:
        """The rows of the page: heading of the column, whether it holds values, the value, how it is shown."""
        for row, values in zip(self.rows, self.values, strict=True):
            yield [(heading, is_value, values[at], pieces(row[at])) for heading, at, is_value in self.headings]


def text(entry: Entry | Plain) -> str:
    """An entry as text."""
    if isinstance(entry, Entry):
        return entry.text or text(entry.value)
    if isinstance(entry, float):
        return f"{entry:.4g}"
    return "–" if entry is None else str(entry)


def pieces(entry: Entry | Plain) -> Sequence[Piece]:
    """An entry on its page."""
    if isinstance(entry, Entry) and entry.page:
        return entry.page
    shown = text(entry)
    return (nothing(),) if shown == "–" else (Piece(shown),)


def nothing(why: str = "", title: str = "") -> Piece:
    """The dash of an entry that is not there; `why` is read out."""
    return Piece(why, "none", title=title)


def absent(why: str, title: str = "") -> Entry:
    """An entry that is not there; the page reads out why."""
    return Entry(None, page=(nothing(why, title),))


def number(row: Measurement | None, key: Literal["value", "low", "high"] = "value") -> Entry | None:
    """The value, or a bound, of a measurement row; None where there is none."""
    value: float | None = getattr(row, key) if row else None
    return None if row is None or value is None else Entry(value, formats.shown(row, key))


def count(value: int) -> Entry:
    """Count of things, with commas between thousands on the page."""
    return Entry(value, page=(Piece(f"{value:,}"),))


def link(name: str, path: str, *more: Piece) -> Entry:
    """A name that leads somewhere, and what the page shows behind it."""
    return Entry(name, page=(Piece(formats.breakable(name), link=path), *more))


def _numeric(value: Plain) -> bool:
    return not isinstance(value, str) or bool(re.fullmatch(r"[-+−±]?[\d.,–]+", value))
