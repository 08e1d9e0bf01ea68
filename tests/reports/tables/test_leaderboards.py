"""Tables: ranks, what is bold, what a printed value may be compared with."""

import math

import pytest
from msgspec.structs import replace
from snapshots import COMPLEXITY, HOSTILE, PCKH, architecture, cell, counts, pckh, row, small
from typed import present

from bench.results.snapshot import Snapshot
from protocols import PROTOCOLS
from reports import formats
from reports.data import published
from reports.data.published import papers
from reports.tables import leaderboards
from reports.tables.published_vs_measured import compare

YANG = papers()["yang2017"]


def board(cells, rows, protocol=PCKH):
    return leaderboards.leaderboards(Snapshot(rows, cells, [], [protocol]), protocol)


def test_ranks_are_ranges_where_intervals_overlap():
    bounds = [(90.0, 92.0), (89.0, 91.0), (85.0, 88.0), (70.0, 71.0)]
    assert leaderboards.ranks(bounds, higher_is_better=True) == [(1, 2), (1, 2), (3, 3), (4, 4)]
    assert leaderboards.ranks(bounds, higher_is_better=False) == [(3, 4), (3, 4), (2, 2), (1, 1)]
    assert leaderboards.ranks([(1, 1), (1, 1)], higher_is_better=True) == [(1, 2), (1, 2)]


def test_bold_only_beyond_the_interval():
    clear = [cell("a", "mpii-pckh", "mpii", "val"), cell("b", "mpii-pckh", "mpii", "val")]
    [found] = board(clear, pckh(clear[0], 90, 0.4) + pckh(clear[1], 89, 0.4))
    assert [present(entry.scores[0]).best for entry in found.entries] == [True, False]
    [found] = board(clear, pckh(clear[0], 90, 0.6) + pckh(clear[1], 89, 0.6))
    assert not any(present(entry.scores[0]).best for entry in found.entries)
    [found] = board(clear, pckh(clear[0], 90, 0.5) + pckh(clear[1], 89, 0.5))  # both reach 89.5
    assert not any(present(entry.scores[0]).best for entry in found.entries)
    parts = [column[:2] for column in found.columns].index(("PCKh@0.5", "head"))
    assert not present(found.entries[0].scores[parts]).best, "a score without interval proves nothing"


def test_a_score_without_interval_is_beaten_by_nobody_and_ranks_by_its_value():
    cells = [cell(name, "mpii-pckh", "mpii", "val") for name in ("a", "b", "c")]
    sure, bare = pckh(cells[0], 90, 0.5), [row(made, "PCKh@0.5", "mean", 80.0 - i) for i, made in enumerate(cells[1:])]
    [found] = board(cells, sure + bare)
    assert [entry.rank for entry in found.entries] == [(1, 1), (2, 2), (3, 3)]
    assert not any(present(entry.scores[0]).best for entry in found.entries)


def test_what_a_page_cannot_hold_is_counted(monkeypatch):
    cells = [cell(name, "mpii-pckh", "mpii", "val") for name in "abcde"]
    rows = [line for i, made in enumerate(cells) for line in pckh(made, 50 + i)]
    monkeypatch.setattr(leaderboards, "LONGEST", 3)
    monkeypatch.setattr(leaderboards, "LARGEST", 2 * (1 + 1 / 8 + 1))  # two lines of one column and one cell
    [found] = board(cells, rows)
    assert [entry.cell.architecture for entry in found.entries] == ["e", "d", "c"] and found.left_out == 2
    matrix = leaderboards.matrix(Snapshot(rows, cells, [], [PCKH]))
    assert (len(matrix.lines), matrix.left_out) == (2, 3)


def test_columns_of_numbers_fit_beside_those_of_other_protocols(monkeypatch):
    made = cell("a", "mpii-pckh", "mpii", "val")
    monkeypatch.setattr(leaderboards, "NUMBERS", 9)
    [found] = board([made], pckh(made, 50))
    assert [column.name for column in found.side] == ["parameters", "MACs", "latency"]
    assert found.main == 9 - 3 and len(found.columns) == 10


def test_a_column_is_called_by_what_it_does_not_share_with_the_headline():
    made = cell("a", "mpii-pckh", "mpii", "val")
    [found] = board([made], pckh(made, 50))
    assert found.heading("PCKh@0.5", "ankle") == "ankle" and found.heading("AUC", "mean") == "AUC"
    assert found.heading("AUC", "ankle") == "AUC, ankle"


def test_a_unit_that_varies_is_not_told_for_the_column():
    cells = [cell(name, "mpii-pckh", "mpii", "val") for name in ("a", "b")]
    odd = [row(made, "PCKh@0.2", "mean", 1.0, unit=unit) for made, unit in zip(cells, ("%", "points"), strict=True)]
    [found] = board(cells, pckh(cells[0], 50) + pckh(cells[1], 50) + odd)
    assert {metric: unit for metric, _, unit in found.columns} == {
        "PCKh@0.5": "%", "PCKh@0.1": "%", "AUC": "%", "PCKh@0.2": "",
    }  # fmt: skip


def test_datasets_never_share_a_ranking(tmp_path):
    snapshot = small(tmp_path)
    boards = leaderboards.leaderboards(snapshot, PCKH)
    assert [(found.dataset, found.split) for found in boards] == [("mannequin", "val"), ("mpii", "val")]
    assert [len(found.entries) for found in boards] == [4, 3]
    assert [entry.external for entry in boards[1].entries] == [False, True, True]
    assert {found.state for found in boards[0].unmeasured} == {"missing", "failed"}


def test_leaderboard_starts_with_the_headline_and_shows_the_whole_cost_of_a_network(tmp_path):
    first = leaderboards.leaderboards(small(tmp_path), PCKH)[1]
    assert [column[1] for column in first.columns[:3]] == ["mean", "head", "shoulder"]
    assert first.entries[0].side["parameters"].value == 25_434_112
    assert not first.entries[1].side, "nobody counted the network behind a file"


def test_main_columns_are_those_of_the_papers_tables():
    made = cell("a", "mpii-pckh", "mpii", "val")
    odd = [row(made, "PCKh@0.5", "left wrist", 50.0), row(made, "PCKh@0.5 unweighted", "mean", 50.0)]
    rules = replace(PCKH, variants={"PCKh@0.5 unweighted": "plain mean"})
    [found] = board([made], odd + pckh(made, 50), rules)
    names = [found.heading(metric, part) for metric, part, _ in found.columns]
    papers = ["mean", "head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"]
    assert names == [*papers, "AUC", "PCKh@0.1", "left wrist", "PCKh@0.5 unweighted"]
    assert found.main == 10
    [named] = board([made], odd + pckh(made, 50), replace(rules, columns=(("PCKh@0.1", "ankle"), ("AUC", "mean"))))
    assert named.main == 2 and named.columns[1][:2] == ("AUC", "mean"), "a column that nobody has is left out"


@pytest.mark.parametrize("metric", ["drop", "left-right confusion", "confusion of errors"])
def test_a_small_drop_is_the_good_one(metric):
    cells = [cell(name, "occluded-limb", "mpii", "val") for name in ("a", "b")]
    rows = [line for made, drop in zip(cells, (9.0, 2.0), strict=True) for line in
            (row(made, "PCKh@0.5", "ankle covered", 50.0, 49.0, 51.0),
             row(made, metric, "ankle covered", drop, drop - 1, drop + 1, unit="points"))]  # fmt: skip
    [found] = board(cells, rows, PROTOCOLS["occluded-limb"])
    place = [column[0] for column in found.columns].index(metric)
    best = {entry.cell.architecture: present(entry.scores[place]).best for entry in found.entries}
    assert best == {"a": False, "b": True}


def test_settings_are_told_once_where_all_share_them():
    cells = [
        cell("a", "mpii-pckh", "mpii", "val", settings={"flip": "yes", "scales": "1"}),
        cell("b", "mpii-pckh", "mpii", "val", settings={"flip": "yes", "scales": "6"}),
        cell("file", "mpii-pckh", "mpii", "val", settings={}),
    ]
    rows = pckh(cells[0], 50) + pckh(cells[1], 50) + pckh(cells[2], 50, source="predictions")
    [found] = board(cells, rows)
    assert found.common == {"flip": "yes"}


def test_layers_are_no_columns():
    made = cell("a", "complexity")
    [found] = board([made], counts(made, 1000, 5000), COMPLEXITY)
    assert [column[:2] for column in found.columns] == [("parameters", "all"), ("macs", "all")]


def test_matrix_has_every_cell_once(tmp_path):
    snapshot = small(tmp_path)
    matrix = leaderboards.matrix(snapshot)
    shown = [made.cell for _, line in matrix.lines for entry in line for made, _ in entry]
    assert sorted(shown) == sorted(made.cell for made in snapshot.cells)
    assert sum(width for _, width in matrix.groups) == len(matrix.columns)


def compared(name, protocol, rows_of, table, line, column, **cell_fields):
    """The comparison of one printed value with one made-up cell."""
    made = cell(name, protocol, **cell_fields)
    snapshot = Snapshot(rows_of(made), [made], [architecture(name)], [PCKH, COMPLEXITY])
    found = compare(YANG.values(), snapshot)
    wanted = (table, line, column)
    [item] = [i for i in found if (i.published.table, i.published.row, i.published.column) == wanted]
    return item


def test_counts_are_compared_in_the_unit_of_the_paper():
    def rows(made):
        return counts(made, 26_910_000, 22.829e9, 45.942)

    size = compared("pyranet-bstar-8", "complexity", rows, "Complexity", "Ours", "Parameters")
    assert size.delta == pytest.approx(26.91 - 26.9)
    assert size.verdict == "reproduced"  # 26.910 rounds to 26.9
    operations = compared("pyranet-bstar-8", "complexity", rows, "Complexity", "Ours", "GFLOPs")
    assert (operations.verdict, formats.signed(present(operations.delta), 2)) == ("reproduced", "+0.04")


def test_beyond_rounding_is_said():
    rows = lambda made: counts(made, 23_722_000, 20e9, 41.133)  # noqa: E731
    item = compared("prm-baseline-8", "complexity", rows, "Complexity", "Eight-stack hourglass", "GFLOPs")
    assert item.verdict == "below"  # 41.133 would be printed 41.1, the paper prints 41.2
    assert formats.signed(present(item.delta), 2) == "−0.07"


ABLATION = {
    "dataset": "mpii",
    "split": "val",
    "recipe": "yang2017",
    "settings": {"input": "256x256", "flip": "yes", "scales": "6", "training data": "mpii/train"},
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ""),
        ({"split": "test"}, "split test, in the paper val"),
        ({"budget": "quick"}, "budget quick, in the paper full"),
        ({"recipe": "yang2017-released"}, "recipe yang2017-released, in the paper yang2017"),
        ({"limit": 10}, "people first 10, in the paper all"),
        ({"settings": ABLATION["settings"] | {"scales": "1"}}, "scales 1, in the paper 6"),
        ({"settings": {}}, "flip unknown, in the paper yes"),
        ({"state": "stale"}, "the measurement is stale"),
    ],
)
def test_a_difference_needs_equal_conditions(change, said):
    row_name = "Baseline (two-stack hourglass)"
    item = compared(
        "prm-baseline-2", "mpii-pckh", lambda c: pckh(c, 87.9), "Ablation", row_name, "Mean", **ABLATION | change
    )
    if said:
        assert item.delta is None and said in item.reason and item.verdict == "not comparable"
    else:
        assert item.delta == pytest.approx(0.3) and item.verdict == "reproduced"


def test_mannequins_and_prediction_files_are_never_compared():
    row_name = "Baseline (two-stack hourglass)"
    drawn = ABLATION | {"dataset": "mannequin"}
    item = compared("prm-baseline-2", "mpii-pckh", lambda c: pckh(c, 87.9), "Ablation", row_name, "Mean", **drawn)
    assert item.verdict == "not measured" and item.delta is None
    from_file = lambda c: pckh(c, 87.9, source="predictions")  # noqa: E731
    item = compared("prm-baseline-2", "mpii-pckh", from_file, "Ablation", row_name, "Mean", **ABLATION)
    assert item.verdict == "not measured"


def test_yang_2017_as_printed():
    assert YANG.value("Table 1", "Ours-B", "Ank.") == 86.0
    assert YANG.value("Table 2", "Ours", "Mean") == 93.9
    assert YANG.value("Table 3", "Ours-29, 16 × 64d", "GFLOPs") == 186.1
    sizes = [YANG.value("Complexity", line, "Parameters") for line in ("Eight-stack hourglass", "Ours")]
    assert round(100 * (sizes[1] / sizes[0] - 1), 1) == 13.5  # the increase the text states
    assert len(list(YANG.values())) == 15 * 8 + 7 * 8 + 7 * 3 + 2 * 2 + 3


def test_a_broken_file_says_where(tmp_path):
    text = (published.FOLDER / "yang2017.toml").read_text(encoding="utf-8")
    for old, new, said in (
        ('source = "quoted"', 'source = "heard"', "tables"),
        ("values = [74.3, ", "values = [", "Pishchulin et al. [41] has 7 values for 8 columns"),
        ('place = "section', 'plaice = "section', "plaice"),
        ('name = "Table 2"', 'name = "Table 1"', "'Table 1' occurs twice"),
        ('draw = "variances"', "", "Figure 5: give one of `draw`, `picture`, `diagrams`, `absent`"),
    ):
        folder = tmp_path / said[:4]
        folder.mkdir()
        (folder / "yang2017.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(ValueError, match="yang2017") as error:
            published.papers(folder)
        assert said in str(error.value)


def test_numbers_are_written_with_their_unit_in_mind():
    assert formats.number(88.04, 1) == "88.0"
    assert formats.number(25_434_112, 0) == "25.43 M"
    assert formats.number(20.461e9, 0) == "20.46 G"
    assert formats.number(5_712, 0) == "5,712"
    assert formats.number(math.nan, 1) == formats.number(None, 0) == "–"
    assert formats.signed(-0.004, 2) == "±0.00"
    assert formats.duration(112.4) == "1 min 52 s"
    assert formats.duration(59.97) == "1 min 0 s"


def test_names_become_safe_file_names():
    assert formats.slug("mpii-pckh") == "mpii-pckh"
    names = {formats.slug(name) for name in (HOSTILE, "../../etc/passwd", "a b", "a/b", "A B", "")}
    assert len(names) == 6
    assert all(name.replace("-", "").isalnum() for name in names)


def test_rows_without_a_value_are_left_out():
    made = cell("a", "mpii-pckh", "mpii", "val")
    [found] = board([made], [row(made, "PCKh@0.5", "mean", None)])
    assert not found.entries and found.unmeasured == [made]
