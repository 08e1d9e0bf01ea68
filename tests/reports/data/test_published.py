"""The papers' tables as data: complete, and in keeping with the papers' own arithmetic and with the spec sheets."""

import math
import re
import unicodedata
from pathlib import Path

import pytest

from reports.data.published import papers

PAPERS = papers()
# Annotated joints of the MPII validation set, Head counted as head top and neck (spec: inception, section 6).
JOINTS = {
    "head": 5864, "shoulder": 5888, "elbow": 5867, "wrist": 5837, "hip": 5777, "knee": 4963, "ankle": 4234,
}  # fmt: skip
# Printed numbers a table, counted by hand: rows x columns, less the cells that the paper leaves blank.
SIZES = {
    "liu2018": {
        "Table 1": 3 * 8, "Table 2": 2 * 4, "Table 3": 2 * 8, "Table 4": 4 * 8, "Table 5": 4 * 8, "Table 6": 8 * 8,
        "Table 7": 10 * 9,
    },
    "chu2017": {"Table 1": 14 * 8, "Table 2": 7 * 8, "Ablation": 2},
    "yang2017": {"Table 1": 15 * 8, "Table 2": 7 * 8, "Table 3": 7 * 3, "Complexity": 4, "Ablation": 3},
    "li2019": {
        "Table 1": 4 * 4, "Table 2": 4 * 2, "Table 3": 8 * 2, "Table 4": 4 * 2, "Table 5": 11 * 10 - 5 - 4,
        "Table 6": 3 * 2, "Table 7": 3 * 3, "Table 8": 6 * 10,
    },
    "nie2019": {"Text, MPII": 2, "Text, LSP": 2},
}  # fmt: skip


def value(paper, table, row, column):
    return PAPERS[paper].value(table, row, column)


@pytest.mark.parametrize("paper", SIZES)
def test_every_cell_of_every_table_is_there(paper):
    found = {}
    for item in PAPERS[paper].values():
        found[item.table] = found.get(item.table, 0) + 1
    assert found == SIZES[paper]


def test_tables_that_are_missing_say_why():
    missing = [table for table in PAPERS["nie2019"].tables if table.missing]
    assert [table.name for table in missing] == [f"Table {number}" for number in range(1, 7)]
    assert all("image" in table.missing and not table.rows for table in missing)


MEANS = [
    pytest.param(table.mean, parts, row.values, id=f"{key}-{table.name}-{row.name}")
    for key, paper in PAPERS.items()
    for table in paper.tables
    if table.mean
    for parts in [[column.part if column.metric != "AUC" else "auc" for column in table.columns]]
    for row in table.rows
]


@pytest.mark.parametrize(("rule", "parts", "values"), MEANS)
def test_printed_means_follow_from_their_columns(rule, parts, values):
    numbers = dict(zip(parts, values, strict=True))
    weights = JOINTS if rule == "mpii" else dict.fromkeys(JOINTS, 1)
    mean = sum(numbers[part] * weight for part, weight in weights.items()) / sum(weights.values())
    assert abs(mean - numbers["mean"]) <= 0.06


def test_all_tables_with_joints_and_a_mean_are_checked():
    for paper in PAPERS.values():
        for table in paper.tables:
            has = {column.part for column in table.columns} >= {*JOINTS, "mean"}
            assert has == bool(table.mean), (paper.key, table.name)


def test_differences_that_the_texts_state():
    for paper, table, ours, theirs, column, stated in (
        ("liu2018", "Table 1", "IOI", "Res", "Mean", 1.5),
        ("liu2018", "Table 1", "IOI", "Res", "Ank.", 2.8),
        ("liu2018", "Table 1", "IOI", "Res", "Wri.", 2.0),
        ("liu2018", "Table 7", "AIOI+CJN", "Chu et al.", "AUC", 0.8),
        ("chu2017", "Table 1", "Ours", "Newell et al. [29]", "Wri.", 1.0),
        ("chu2017", "Table 1", "Ours", "Newell et al. [29]", "Ank.", 1.4),
        ("chu2017", "Table 2", "Ours", "Bulat&Tzimiropoulos [5]", "Mean", 1.9),
        ("yang2017", "Table 2", "Ours", "Bulat&Tzimiropoulos [5]", "Mean", 3.2),
        ("li2019", "Table 2", "Res-101", "Res-50", "AP", 1.6),
        ("li2019", "Table 2", "Res-101", "Res-50", "Flops(G)", 3.1),
        ("li2019", "Table 2", "Res-152", "Res-101", "AP", 0.5),
        ("li2019", "Table 2", "Res-254", "Res-152", "AP", 0.4),
        ("li2019", "Table 3", "MSPN, 2", "MSPN, 1", "AP", 3.0),
        ("li2019", "Table 4", "4×S-XCP", "L-XCP", "AP", 1.0),
        ("li2019", "Table 5", "Ours (MSPN*)", "Ours (MSPN)", "AP", 1.0),
        ("li2019", "Table 6", "BaseNet + CTF", "BaseNet", "Hourglass", 1.2),
        ("li2019", "Table 6", "BaseNet + CTF + CSFA", "BaseNet + CTF", "MSPN", 0.3),
        ("li2019", "Table 8", "Ours (MSPN+*)", "CPN+ [8]", "AP", 4.3),
        ("li2019", "Table 8", "Ours (MSPN+*)", "MSRA SB+* [39]", "AP", 1.9),
    ):
        difference = value(paper, table, ours, column) - value(paper, table, theirs, column)
        assert difference == pytest.approx(stated), (paper, table, ours, column)


def test_drops_that_the_text_of_liu_states():
    clean = {"Res": "Table 1", "Incep-Res": "Table 1", "IOI": "Table 1", "AIOI": "Table 3"}
    drops = [value("liu2018", clean[row], row, "Ank.") - value("liu2018", "Table 4", row, "Ank.") for row in clean]
    assert drops == pytest.approx([12.7, 11.5, 11.5, 9.6])


def test_average_precision_lies_between_its_parts():
    """AP is a mean over thresholds, so it lies below AP50; medium and large people surround all people."""
    for name in ("Table 5", "Table 8"):
        rows = {row.name: row.values for table in PAPERS["li2019"].tables if table.name == name for row in table.rows}
        for row, (ap, ap50, ap75, medium, large, ar, ar50, ar75, *_) in rows.items():
            assert medium < ap < large and ap < ap75 < ap50, row
            assert math.isnan(ar) or ap < ar, row
            assert math.isnan(ar75) or ar < ar75 < ar50, row


def test_rows_that_papers_share_are_the_same():
    """Newell, Wei and Chu as three papers print them."""
    liu = {row.name: row.values for table in PAPERS["liu2018"].tables if table.name == "Table 7" for row in table.rows}
    for key in ("chu2017", "yang2017"):
        others = {row.name.split()[0]: row.values for row in PAPERS[key].tables[0].rows}
        for author in ("Newell", "Wei", "Rafi", "Lifshitz", "Insafutdinov", "Gkioxary"):
            assert liu[f"{author} et al."][:8] == others[author], (key, author)
    own = next(row.values for row in PAPERS["chu2017"].tables[0].rows if row.name == "Ours")
    assert liu["Chu et al."][:8] == own


def test_networks_are_rows_of_the_catalogue():
    """The names that tables use for our networks exist; a wrong one would only look like something unmeasured."""
    import architectures

    known = architectures.catalogue()
    used = {item.architecture for paper in PAPERS.values() for item in paper.values()} - {""}
    used |= {network for paper in PAPERS.values() for table in paper.tables for network in table.networks}
    assert used <= set(known), used - set(known)


def test_tables_of_liu_are_those_of_the_sheet(real_data):
    sheet = real_data.parent / "spec" / "architectures_inception.md"
    if not sheet.is_file():
        pytest.skip(f"the sheet {sheet.name} is not beside the real data")
    text = sheet.read_text("utf-8").partition("## 6. Published tables")[2].partition("\n## 7")[0]
    parts = re.split(r"\nTable (\d)", text)[1:]
    for number, body in zip(parts[::2], parts[1::2], strict=True):
        lines = [line.strip("| ").split("|") for line in body.splitlines() if line.startswith("| ")]
        numbers = [tuple(float(cell) for cell in line[1:]) for line in lines if re.match(r" *\d", line[1])]
        printed = next(table for table in PAPERS["liu2018"].tables if table.name == f"Table {number}")
        assert [row.values for row in printed.rows] == numbers, number


@pytest.mark.parametrize(("key", "file"), [
    ("chu2017", "chu2017_multi_context_attention.txt"),
    ("li2019", "li2019_mspn.txt"),
    ("yang2017", "yang2017_feature_pyramids.txt"),
])  # fmt: skip
def test_rows_stand_in_the_text_of_the_paper(real_data, key, file):
    """Every row of every table is found in the paper's text, number by number in their order."""
    path: Path = real_data.parent / "papers" / file
    if not path.is_file():
        pytest.skip(f"the text {file} is not beside the real data")
    digits = re.sub(r"[^\d]", "", path.read_text("utf-8"))
    for table in PAPERS[key].tables:
        if len(table.columns) < 7:
            continue  # small tables are transposed in the text, or part of it
        for row in table.rows:
            wanted = "".join(f"{number:.{table.decimals}f}" for number in row.values if not math.isnan(number))
            assert wanted.replace(".", "") in digits, (table.name, row.name)


TEXTS = {
    "chu2017": "chu2017_multi_context_attention.txt",
    "li2019": "li2019_mspn.txt",
    "liu2018": "liu2018_inception_of_inception.txt",
    "nie2019": "nie2019_convolution_machine.txt",
    "yang2017": "yang2017_feature_pyramids.txt",
}


def letters(text: str) -> str:
    """What survives hyphens at line ends, ligatures, lost spaces and citations: letters and digits alone."""
    plain = unicodedata.normalize("NFKC", re.sub(r"\s\[\d+\]", "", text)).lower().replace("×", "x")
    return re.sub(r"[^a-z0-9]", "", plain)


@pytest.mark.parametrize("key", TEXTS)
def test_quotations_stand_in_the_text_of_the_paper(real_data, key):
    """Word by word between the dots; formulas, which the texts have lost, are quoted from equations alone."""
    path: Path = real_data.parent / "papers" / TEXTS[key]
    if not path.is_file():
        pytest.skip(f"the text {path.name} is not beside the real data")
    text = letters(path.read_text("utf-8"))
    for item in PAPERS[key].statements:
        formula = item.place.startswith("equation") and "=" in item.quote
        for part in item.quote.split(" ... "):
            assert formula or letters(part) in text, (item.claim, item.place, part)
