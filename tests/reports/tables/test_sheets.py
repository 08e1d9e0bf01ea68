"""Tables of pages: which columns a page shows, in what order, and what it shows of an entry."""

from reports.tables.sheets import Entry, Heading, Piece, Sheet, nothing, pieces, text

SCORED = Entry(88.04999, "88.0", (Piece("88.0", "b"), Piece("87.1–89.0", "small")))
ROWS = [("a", SCORED, 0), ("b", None, 1)]
SHEET = Sheet("scores", "A caption", ("network", "mean", "seed"), ROWS, (Heading("mean", "PCKh"), Heading("network")))


def test_files_hold_all_columns_and_the_page_its_own():
    assert SHEET.values == [["a", 88.04999, 0], ["b", None, 1]]
    assert SHEET.texts == [["a", "88.0", "0"], ["b", "–", "1"]]
    assert [(heading.column, at, values) for heading, at, values in SHEET.headings] == [
        ("mean", 1, True), ("network", 0, False),
    ]  # fmt: skip
    first, second = SHEET.lines
    assert [(value, shown) for _, _, value, shown in first] == [(88.04999, SCORED.page), ("a", (Piece("a"),))]
    assert second[0][2:] == (None, (nothing(),))


def test_without_headings_the_first_column_names_the_rows():
    plain = Sheet("x", "", ("part", "value"), [("head", 1.5)])
    assert [(heading.column, heading.names) for heading, _, _ in plain.headings] == [("part", True), ("value", False)]


def test_what_is_shown_of_a_value():
    assert [text(entry) for entry in (Entry(2.0, "2.00"), Entry(5712), 0.123456, None, "")] == [
        "2.00", "5712", "0.1235", "–", "",
    ]  # fmt: skip
    assert pieces("–") == pieces(None) == (nothing(),) and pieces(7) == (Piece("7"),)
