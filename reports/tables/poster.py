"""Poster of the tables of a paper: one picture to send, or to compare with the printed page.

Drawn with the fonts that matplotlib brings, so that the same tables give the same bytes wherever it is installed.
"""

import io
import textwrap
from functools import cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from reports.tables.sheets import Sheet

INK, FAINT, LINE, ACCENT = "#1f2123", "#5f6368", "#dfdbd1", "#0b5a8a"
SIZE, LEADING, MARGIN, GAP = 15, 21, 40, 22  # pixels: letters, lines, the border, between columns
WORDS = 56  # letters of a column of words before the next line begins
COLOURS = {"measured": ACCENT, "difference": FAINT}  # by the last word of a column's name, as on the page

Cell = list[str]  # its lines


def poster(title: str, sheets: dict[str, Sheet]) -> bytes:
    """The tables (caption -> table) below each other, as PNG."""
    tables = [_Table(caption, sheet) for caption, sheet in sheets.items()]
    width = max((table.width for table in tables), default=0) + 2 * MARGIN
    width = max(width, round(_font(2).getlength(title)) + 2 * MARGIN)
    height = 2 * MARGIN + 3 * LEADING + sum(table.height for table in tables)
    canvas = Image.new("RGB", (width, height), "#ffffff")
    brush = ImageDraw.Draw(canvas)
    brush.text((MARGIN, MARGIN), title, INK, _font(2))
    top = MARGIN + 3 * LEADING
    for table in tables:
        table.draw(brush, top)
        top += table.height
    file = io.BytesIO()
    canvas.quantize(64, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(file, "PNG")
    return file.getvalue()


class _Table:
    """A table with the places of its lines and columns worked out."""

    def __init__(self, caption: str, sheet: Sheet):
        self.caption = textwrap.wrap(caption, 110)
        self.head = [_lines(name, 12) for name in sheet.columns]
        self.rows = [[_lines(text, WORDS) for text in row] for row in sheet.texts]
        self.right = sheet.right
        self.colours = [COLOURS.get(name.rpartition(" ")[2], INK) for name in sheet.columns]
        columns = zip(self.head, *self.rows, strict=True)
        self.widths = [max(_width(cell) for cell in column) for column in columns]
        self.heights = [LEADING * max(len(cell) for cell in row) + 9 for row in (self.head, *self.rows)]
        words = max(round(_font(1).getlength(line)) for line in self.caption)
        self.width = max(words, sum(self.widths) + GAP * (len(self.widths) - 1))
        self.height = LEADING * (len(self.caption) + 3) + sum(self.heights)

    def draw(self, brush: ImageDraw.ImageDraw, top: int) -> None:
        """Caption, head and rows, from a line of the picture on."""
        for line in self.caption:
            brush.text((MARGIN, top), line, INK, _font(1))
            top += LEADING
        top += LEADING // 2
        end = MARGIN + sum(self.widths) + GAP * (len(self.widths) - 1)
        brush.line((MARGIN, top, end, top), INK, 2)
        for number, (row, height) in enumerate(zip((self.head, *self.rows), self.heights, strict=True)):
            left = MARGIN
            for cell, width, right, colour in zip(row, self.widths, self.right, self.colours, strict=True):
                for index, line in enumerate(cell):
                    start = left + (width - round(_font(not number).getlength(line)) if right else 0)
                    brush.text((start, top + 5 + LEADING * index), line, colour, _font(not number))
                left += width + GAP
            top += height
            brush.line((MARGIN, top, end, top), LINE if number else INK, 1)


def _lines(text: str, most: int) -> Cell:
    return textwrap.wrap(text, most, break_long_words=False, break_on_hyphens=False) or [""]


def _width(cell: Cell) -> int:
    return max(round(_font(1).getlength(line)) for line in cell)


@cache
def _font(weight: int) -> ImageFont.FreeTypeFont:
    """0: text, 1: bold, 2: the title."""
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(fonts / ("DejaVuSans-Bold.ttf" if weight else "DejaVuSans.ttf"), (SIZE, SIZE, 24)[weight])
