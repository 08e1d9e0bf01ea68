"""A page of the site, and where things lie in it."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from reports import formats
from reports.figures.svg import Figure
from reports.tables.sheets import Sheet

# What cells keep to be looked at: name -> (what it is, how it was chosen and how to read it).
PICTURES = {
    "gallery": (
        "Predicted skeletons",
        "The same people for every network of the dataset, evenly spaced over the split.",
    ),
    "extremes": (
        "Best, median and worst predictions",
        "A row each of the best, the median and the worst people by the mean distance of the joints from their "
        "annotation, in heights of the crop; the annotation is white.",
    ),
    "attention": (
        "Attention maps",
        "What the network attends to, a map a row; from dark to bright as the value goes from the lowest to the "
        "highest of the row, which stand beside it.",
    ),
}


@dataclass(frozen=True)
class Page:
    """One page with the files that belong to it: its tables as data, its figures as pictures."""

    path: str  # relative to the site
    template: str
    context: dict[str, Any]
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


def cell_path(cell: dict[str, Any]) -> str:
    """Where the page of a cell lies in the site."""
    return f"cells/{formats.slug(cell['cell'])}.html"


def architecture_path(name: str) -> str:
    """Where the page of an architecture lies in the site."""
    return f"architectures/{formats.slug(name)}.html"


def picture_path(cell: dict[str, Any], name: str = "gallery") -> str:
    """Where a picture of a cell lies in the site."""
    return f"{name}/{formats.slug(cell['cell'])}.webp"


def picture(cell: dict[str, Any], name: str = "gallery") -> Path | None:
    """A picture that a cell kept, one of PICTURES; None if it did not."""
    return kept(cell, f"{name}.webp")


def kept(cell: dict[str, Any], name: str) -> Path | None:
    """A file that a cell kept beside its rows, None if it did not."""
    path = Path(cell["folder"]) / name
    return path if cell["folder"] and path.is_file() else None
