"""Costs and accuracies are counted apart, and each table says in one sentence what is reproduced of it."""

import pytest
from snapshots import COMPLEXITY, PCKH, cell, network_alone, pckh

from bench.results.rows import Source
from bench.results.snapshot import Snapshot
from reports.data.published import Value, papers
from reports.tables.counts import count, counts_sheet, sentence, summary
from reports.tables.published_vs_measured import compare

LI, TABLE_3 = papers()["li2019"], "Table 3"


def operations(**changed: float) -> Snapshot:
    """All networks of Table 3 of Li, counted as printed but for what is `changed`."""
    cells, rows = [], []
    for value in of_table_3():
        if value.protocol == "complexity":
            number = changed.get(value.architecture.replace("-", "_"), value.value)
            made, lines = network_alone(value.architecture, "complexity", [(value.metric, value.part, number, "G")])
            cells.append(made)
            rows += lines
    return Snapshot(rows, cells, [], [COMPLEXITY])


def of_table_3() -> list[Value]:
    return [value for value in LI.values() if value.table == TABLE_3]


def scored(source: Source, **other) -> Snapshot:
    """The authors' predictions, or a network here, on MPII: 89.4 in the mean, as Chu prints for HP."""
    made = cell("attention-8-hp", "mpii-pckh", "mpii", "val", **other)
    return Snapshot(pckh(made, 89.4, source=source), [made], [], [PCKH])


def chu(snapshot: Snapshot):
    values = [value for value in papers()["chu2017"].values() if value.table == "Ablation"]
    return count(compare(values, snapshot))


def test_a_table_of_counted_networks_is_not_a_reproduced_table():
    counts = count(compare(of_table_3(), operations()))
    assert counts["costs"].row == (8, 8, 8, 8, 0, 0, 0) and counts["accuracies"].row == (8, 8, 0, 0, 0, 0, 0)
    words = "All 8 operation counts are rebuilt to within 0.00 G; none of 8 accuracies was measured"
    assert sentence(counts) == words and len(counts["accuracies"].open) == 8
    assert summary(counts) == words.replace("; n", ". N") + "."


def test_a_count_that_is_off_is_told_with_the_largest_difference():
    counts = count(compare(of_table_3(), operations(mspn_4=20.4)))  # printed 19.9
    assert sentence(counts).startswith(
        "All 8 operation counts are rebuilt to within 0.50 G, 7 of them to the last printed"
    )


def test_nothing_counted_is_none():
    words = "None of the 8 operation counts was counted here; none of 8 accuracies was measured"
    assert sentence(count(compare(of_table_3(), Snapshot([], [], [], [])))) == words
    facts = [value for value in LI.values() if value.table == "Table 1"]
    assert sentence(count(compare(facts, operations()))) == "", "no protocol measures them"


@pytest.mark.parametrize("source", ("measured", "predictions"))
def test_what_was_measured_under_other_conditions_is_no_reproduction(source):
    counts = chu(scored(source, method="chu2017", limit=10))["accuracies"]
    assert (counts.reproduced("measured"), counts.reproduced("predictions")) == (0, 0)
    assert counts.under_other_conditions >= 1


def test_the_authors_predictions_are_counted_beside_networks():
    values = [
        value for value in papers()["liu2018"].values() if value.row == "Newell et al." and value.column == "Mean"
    ]
    made = cell("theirs", "mpii-pckh", "mpii", "test", seed=None, settings={}, recipe="", method="newell2016")
    counts = count(compare(values, Snapshot(pckh(made, 90.9, source="predictions"), [made], [], [PCKH])))
    assert counts["accuracies"].row == (1, 1, 0, 0, 0, 1, 1)
    words = "1 of 1 accuracy is scored from the authors’ own predictions, 1 of these reproduced"
    assert sentence(counts) == f"{words}; none was measured with a network here as printed"


def test_the_sheet_has_a_line_a_paper_and_kind():
    sheet = counts_sheet({"li2019": LI}, {"li2019": compare(LI.values(), operations())})
    assert [row[:3] for row in sheet.rows] == [("Li 2019", "costs", 16), ("Li 2019", "accuracies", 186)]
