"""The questions of claims, asked of a made-up paper with two small tables: answers follow from its numbers."""

import pytest

from bench.results.snapshot import Snapshot
from reports.data.published import Column, Paper, Row, Statement, Table
from reports.ledger import printed_checks as checks
from reports.ledger.evidence import Evidence
from reports.ledger.evidence import table as printed_table

JOINTS = ("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle")
PLACE = printed_table("made2000", "Table 1")


def table(name: str, columns: tuple[str, ...], rows: dict[str, tuple[float, ...]], **more) -> Table:
    found = tuple(Column(column, "AUC" if column == "AUC" else "PCKh@0.5", column.lower()) for column in columns)
    lines = tuple(Row(row, "own", values) for row, values in rows.items())
    return Table(name, "", "", "mpii-pckh", "mpii", "test", "%", 1, found, lines, **more)


def evidence_of(*tables: Table, statements: tuple[Statement, ...] = ()) -> Evidence:
    paper = Paper("made2000", "", "Made 2000", tables, statements=statements)
    return Evidence({"made2000": paper}, Snapshot([], [], [], []))


# Ours gains 1.5 at the head, 0.5 at the knee, 3.0 at the ankle; nothing in the mean.
SMALL = evidence_of(
    table("Table 1", ("Head", "Knee", "Ankle", "Mean"), {
        "ours": (96.5, 84.0, 80.0, 90.0), "theirs": (95.0, 83.5, 77.0, 90.0), "third": (94.0, 85.0, 70.0, 80.0),
    }),
)  # fmt: skip


def test_half_a_unit_of_the_last_digit():
    assert [checks.half_unit(decimals) for decimals in (0, 1, 2)] == pytest.approx([0.5, 0.05, 0.005])


@pytest.mark.parametrize(
    ("stated", "holds", "words"),
    [
        (1.5, "yes", "as stated"),
        (1.6, "yes", "within rounding"),  # 96.549 - 94.951 prints as these, and is 1.6 to a digit
        (1.4, "yes", "within rounding"),
        (1.61, "no", "stated"),
        (1.39, "no", "stated"),
        (None, "yes", "+1.5."),
    ],
)
def test_a_stated_gain_holds_within_the_rounding_of_both_numbers(stated, holds, words):
    found = checks.gain(PLACE, "ours", "theirs", "Head", stated)(SMALL)
    assert found.holds == holds and words in found.words and "96.5 − 95.0 = +1.5" in found.words


def test_of_errors_the_lower_one_is_better():
    assert checks.gain(PLACE, "theirs", "ours", "Head", 1.5, lower=True)(SMALL).holds == "yes"
    assert checks.gain(PLACE, "ours", "theirs", "Head", lower=True)(SMALL).holds == "no"


def test_an_equal_number_is_no_gain():
    assert checks.gain(PLACE, "ours", "theirs", "Mean")(SMALL).holds == "no"
    assert checks.gain(PLACE, "ours", "third", "Knee")(SMALL).holds == "no"


def test_best_in_all_in_some_in_none():
    assert checks.best(PLACE, "ours", ["Head", "Ankle"])(SMALL).holds == "yes"
    some = checks.best(PLACE, "ours")(SMALL)  # behind third at the knee, equal to theirs in the mean
    assert some.holds == "undecided" and "2 of 4 columns" in some.words
    assert "ours (84.0) is behind third (85.0)" in some.words and "equals theirs (90.0)" in some.words
    assert checks.best(PLACE, "ours", ["Knee", "Mean"])(SMALL).holds == "no"
    assert checks.best(PLACE, "ours", ["Knee"], rivals=["theirs"])(SMALL).holds == "yes"


def test_best_of_errors_is_the_lowest():
    assert checks.best(PLACE, "third", ["Head", "Ankle", "Mean"], lower=True)(SMALL).holds == "yes"
    assert checks.best(PLACE, "theirs", ["Head"], lower=True)(SMALL).holds == "no"


@pytest.mark.parametrize(
    ("columns", "holds"),
    [(["Ankle"], ["yes"]), (["Head"], ["no"]), (["Knee"], ["no"]), (["Ankle", "Head"], ["yes", "yes"])],
)
def test_largest_gains_are_above_every_joint_that_is_not_named(columns, holds):
    found = checks.largest(PLACE, "ours", "theirs", columns)(SMALL)
    assert [item.holds for item in found] == holds


def test_groups_in_order_are_apart_by_their_closest_members():
    assert [item.holds for item in checks.ordered(PLACE, "ours", [["Head"], ["Knee", "Ankle"]])(SMALL)] == ["yes"]
    (mixed,) = checks.ordered(PLACE, "ours", [["Head", "Ankle"], ["Knee"]])(SMALL)  # 80.0 is not above 84.0
    assert mixed.holds == "no" and "Ankle 80.0 ≤ Knee 84.0" in mixed.words


def test_the_lead_is_over_the_best_of_the_others():
    assert checks.lead(PLACE, "ours", "Ankle", 3.0)(SMALL).holds == "yes"
    assert checks.lead(PLACE, "ours", "Ankle", 10.0)(SMALL).holds == "no"  # over the worst of them
    assert "Best of the others is third" in checks.lead(PLACE, "ours", "Knee", -1.0)(SMALL).words


def test_numbers_of_the_text_are_those_of_the_table():
    assert checks.as_stated(PLACE, "ours", "Knee", 84.0)(SMALL).holds == "yes"
    assert checks.as_stated(PLACE, "ours", "Knee", 84.1)(SMALL).holds == "no"
    knee, mean = (PLACE, "ours", "Knee"), (PLACE, "ours", "Mean")
    assert [checks.exceeds(*pair)(SMALL).holds for pair in ((mean, knee), (knee, mean))] == ["yes", "no"]
    equal = (PLACE, "theirs", "Mean")
    assert checks.exceeds(mean, equal)(SMALL).holds == "no" and checks.same(mean, equal)(SMALL).holds == "yes"
    assert checks.same((PLACE, "theirs", "Knee"), knee)(SMALL).holds == "no"  # 83.5 and 84.0


@pytest.mark.parametrize(("stated", "holds"), [(1.1, "yes"), (1.2, "yes"), (1.0, "no"), (1.3, "no")])
def test_a_ratio_of_rounded_numbers(stated, holds):
    """Printed 2.1 and 1.9: from 2.05 / 1.95 = 1.051 to 2.15 / 1.85 = 1.162, which a digit says as 1.1 or 1.2."""
    told = evidence_of(table("Table 1", ("Head", "Knee"), {"ours": (2.1, 1.9)}))
    one, two = (told.printed(PLACE, "ours", column) for column in ("Head", "Knee"))
    assert checks.ratio(told, one, two, stated, 1).holds == holds


@pytest.mark.parametrize(("rule", "right", "other"), [("lsp", 70.0, 71.3), ("mpii", 71.3, 70.0)])
def test_means_follow_their_rule(rule, right, other):
    """Head 100, ankle 40, the rest 70: 70 plain; weighted (38430 x 70 + 5864 x 30 - 4234 x 30) / 38430 = 71.27."""
    weighted = 70 + 30 * (5864 - 4234) / (5864 + 5888 + 5867 + 5837 + 5777 + 4963 + 4234)
    assert weighted == pytest.approx(71.272, abs=1e-3)
    values = (100.0, 70.0, 70.0, 70.0, 70.0, 70.0, 40.0)
    for printed, holds in ((right, "yes"), (right + 0.1, "no"), (other, "no")):
        told = evidence_of(table("Table 1", (*JOINTS, "Mean", "AUC"), {"ours": (*values, printed, 60.0)}, mean=rule))
        (found,) = checks.means("made2000")(told)
        assert found.holds == holds, found.words
    assert checks.means("made2000", "lsp" if rule == "mpii" else "mpii")(told) == []


@pytest.mark.parametrize(
    ("said", "agree"), [(("two", "two"), "yes"), (("two", "three"), "no"), (("two", "three", "four"), "no")]
)
def test_places_that_say_the_same(said, agree):
    quotes = tuple(Statement("Q01", f"section {i}", "...", says, float(i)) for i, says in enumerate(said))
    told = evidence_of(table("Table 1", ("Head",), {"ours": (1.0,)}), statements=quotes)
    assert checks.agree("Q01")(told).holds == agree
    assert checks.differ("Q01")(told).holds == {"yes": "no", "no": "yes"}[agree]
    assert checks.numbers(told, "Q01") == [float(i) for i in range(len(said))]
