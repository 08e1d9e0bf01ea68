"""A page of the site, and paths in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from bench.cells.record import CellRecord
from reports import formats
from reports.figures.svg import Figure
from reports.tables.sheets import Entry, Piece, Sheet


@dataclass(frozen=True)
class Page:
    """One page with the files that belong to it: its tables as data, its figures as pictures."""

    path: str  # relative to the site
    template: str
    context: Mapping[str, object]
    sheets: tuple[Sheet, ...] = ()
    figures: dict[str, Figure] = field(default_factory=dict)  # id on the page -> figure
    pictures: dict[str, bytes] = field(default_factory=dict)  # file name -> content
    embed: bool = False  # tables as data inside the page: files cost, and there are thousands of such pages

    @cached_property
    def all_sheets(self) -> dict[str, Sheet]:
        """name -> table, those behind the figures included."""
        drawn = [Sheet(name, item.title, item.columns, item.rows) for name, item in self.figures.items()]
        return {sheet.name: sheet for sheet in (*self.sheets, *drawn)}

    @property
    def files(self) -> str:
        """Folder of its files, relative to the site."""
        return f"files/{self.path.removesuffix('.html')}"


def numbered(figures: list[Figure], name: str = "figure") -> dict[str, Figure]:
    """Figures by an id of their own."""
    return {f"{name}-{index}": figure for index, figure in enumerate(figures, start=1)}


def cell_path(cell: CellRecord) -> str:
    """Path of the page of a cell in the site."""
    return f"cells/{formats.slug(cell.cell)}.html"


def architecture_path(name: str) -> str:
    """Path of the page of an architecture in the site."""
    return f"architectures/{formats.slug(name)}.html"


def picture_path(cell: CellRecord, name: str = "gallery") -> str:
    """Path of a picture of a cell in the site."""
    return f"{name}/{formats.slug(cell.cell)}.webp"


def tags(cell: CellRecord) -> list[Piece]:
    """Tags of a cell, shown behind its name."""
    return [Piece(words, "tag") for words in cell.tags]


def place(cell: CellRecord, alone: str = "") -> tuple[Entry, str]:
    """Dataset and split of a cell, one column on a page; `alone`: its text for a network alone."""
    shown = formats.place(cell.dataset, cell.split) or alone
    return Entry(formats.dataset(cell.dataset), page=(Piece(shown),)), cell.split
