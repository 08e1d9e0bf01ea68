"""The picture of a paper's tables: the same bytes, a line a row, ours in its own colour."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from snapshots import COMPLEXITY, PCKH, architecture, cell, pckh

from bench.results.snapshot import Snapshot
from reports.data.published import papers
from reports.ledger.evidence import Evidence
from reports.pages import all as pages
from reports.tables import poster
from reports.tables.published_vs_measured import compare
from reports.tables.sheets import Entry, Plain, Sheet


def sheet(rows: int, kind: str = "measured") -> Sheet:
    entries: list[tuple[Entry | Plain, ...]] = [(f"row {index}", Entry(1.25, "1.3"), None) for index in range(rows)]
    return Sheet("table-1", "numbers", ("method", f"Mean {kind}", "Ankle"), entries)


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def test_the_same_tables_give_the_same_bytes():
    tables = {"Table 1": sheet(3), "Table 2": sheet(2)}
    assert poster.poster("A paper", tables) == poster.poster("A paper", tables)
    assert poster.poster("A paper", tables)[:8] == b"\x89PNG\r\n\x1a\n"


def test_every_row_and_every_table_takes_room():
    one, four = (opened(poster.poster("A paper", {"Table 1": sheet(rows)})) for rows in (1, 4))
    row = poster.LEADING + 9
    assert four.height - one.height == 3 * row and four.width == one.width
    both = opened(poster.poster("A paper", {"Table 1": sheet(1), "Table 2": sheet(1)}))
    table = one.height - 2 * poster.MARGIN - 3 * poster.LEADING
    assert both.height == one.height + table


@pytest.mark.parametrize(("kind", "there"), [("measured", True), ("published", False)])
def test_what_we_measured_has_a_colour_of_its_own(kind, there):
    image = np.asarray(opened(poster.poster("A paper", {"Table 1": sheet(2, kind)})), int)
    assert (image[..., 2] > image[..., 0] + 60).any() == there


def test_words_go_on_in_the_next_line():
    long = Sheet("table-1", "words", ("method", "comparison"), [("a", "no such thing was measured " * 9)])
    short = Sheet("table-1", "words", ("method", "comparison"), [("a", "nothing")])
    pictures = [opened(poster.poster("A paper", {"Table 1": table})) for table in (long, short)]
    assert pictures[0].height > pictures[1].height + 3 * poster.LEADING
    assert pictures[0].width < 900


def _pages(evidence):
    compared = {key: compare(paper.values(), evidence.snapshot) for key, paper in evidence.papers.items()}
    return {page.path: page for page in pages.pages(evidence, compared, pages.judged(evidence), "")}


def test_a_paper_shows_its_tables_in_one_picture():
    made = cell("hourglass-8", "mpii-pckh", "mpii", "val")
    snapshot = Snapshot(pckh(made, 88), [made], [architecture("hourglass-8")], [PCKH, COMPLEXITY])
    evidence = Evidence(papers(), snapshot)
    with_ours = _pages(evidence)
    without = Evidence(papers(), Snapshot([], [], [], [PCKH, COMPLEXITY]))
    empty = _pages(without)
    wide, narrow = (opened(found["papers/yang2017.html"].pictures["tables.png"]) for found in (with_ours, empty))
    assert wide.width > narrow.width, "a column of ours beside every printed one"
    said = [row[-1] for table in with_ours["papers/li2019.html"].sheets for row in table.values]
    assert not [words for words in said if re.search(r"ha(s|ve) no +yet", str(words))], "nobody measures a kernel size"
