"""A setting that somebody adds to a cell counts for everyone who compares two measurements."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import pytest
from ledger_fixtures import pair, scored
from snapshots import COMPLEXITY, PCKH, cell, row

from bench.cells.cell import Cell
from bench.cells.conditions import conditions
from bench.cells.settings import setting
from bench.cli.keep import _check_comparable
from bench.errors import Problem
from bench.gate.baseline import cell_key
from bench.results.fragment import CellLine
from bench.results.paired import check_comparable
from bench.results.snapshot import Snapshot
from reports.data.published import FigureSpec, Value, papers
from reports.figures import paper_plots
from reports.ledger.evidence import Evidence
from reports.ledger.measured_checks import MPII, differences
from reports.tables import side_columns
from reports.tables.published_vs_measured import compare


@dataclass(frozen=True)
class WiderCell(Cell):
    """A cell with a field that nothing here knows."""

    dummy: int = setting(0, "A setting of a test.", "weights")


USUAL = WiderCell("liu-ioi", "mpii-pckh", "mpii", "val")
OTHER = replace(USUAL, dummy=3)
ADDED: dict[str, Any] = {"others": {"dummy": 3}}  # as conditions(OTHER) has it


def evidence(theirs: dict) -> Evidence:
    """liu-ioi as usual, and liu-res with the conditions of `theirs`."""
    made = pair(scored("liu-ioi", 88.0), scored("liu-res", 80.0, **theirs))
    return Evidence(papers(), Snapshot(list(made["rows"]), list(made["cells"]), [], []))


def test_the_conditions_have_it():
    assert conditions(OTHER).others == ADDED["others"] and not conditions(USUAL).others


def test_paired_differences():
    check_comparable(("ours", "theirs"), conditions(USUAL), conditions(USUAL))
    with pytest.raises(Problem, match=r"same conditions: dummy as usual / 3\."):
        check_comparable(("ours", "theirs"), conditions(USUAL), conditions(OTHER))


def test_means_over_seeds_of_committed_rows():
    lines = [CellLine("key", "liu-ioi", conditions(one), ()) for one in (USUAL, OTHER)]
    _check_comparable(lines[:1] * 2)
    with pytest.raises(Problem, match="two ways: dummy as usual / 3"):
        _check_comparable(lines)


def test_rows_of_the_gate():
    assert cell_key(USUAL) != cell_key(OTHER) and "dummy 3" in cell_key(OTHER)[4]


def test_the_score_beside_a_score():
    def beside(**added):
        main = cell("net", "mpii-pckh", "mpii", "val")
        covered = cell("net", "occluded-limb", "mpii", "val", **added)
        rows = [row(main, "PCKh@0.5", "mean", 80.0), row(covered, "PCKh@0.5", "ankle covered", 60.0)]
        return side_columns.finder(Snapshot(rows, [main, covered], [], [PCKH, COMPLEXITY]))(main)

    assert set(beside()) == {side_columns.COVERED.name} and not beside(**ADDED)


def test_claims():
    assert len(differences(evidence({}), "liu-ioi", "liu-res", MPII, "mean")) == 1
    assert not differences(evidence(ADDED), "liu-ioi", "liu-res", MPII, "mean")


def test_claims_of_the_papers_own_conditions():
    both = pair(scored("liu-ioi", 88.0, **ADDED), scored("liu-res", 80.0, **ADDED))
    known = Evidence(papers(), Snapshot(list(both["rows"]), list(both["cells"]), [], []))
    (found,) = differences(known, "liu-ioi", "liu-res", MPII, "mean")
    assert "dummy 3" in found.restriction


def test_figures_of_papers():
    spec = FigureSpec("Figure 1", "Two", ("liu-ioi", "liu-res"), **asdict(MPII), parts=("mean",))
    assert len(list(paper_plots.comparable_rows(evidence({}), spec))) == 1
    assert not list(paper_plots.comparable_rows(evidence(ADDED), spec))


def test_tables_of_papers():
    place = ("liu2018-ioi", "liu-ioi", "mpii-pckh", "mpii", "val", "PCKh@0.5", "mean")
    settings = {"flip": "yes", "recipe": "newell2016"}  # of the made-up cells
    printed = Value("p", "Table 1", "IOI", "Mean", "own", *place, 88.0, "%", 1.0, 1, settings)
    cases: tuple[tuple[dict[str, Any], str], ...] = (({}, "reproduced"), (ADDED, "not comparable"))
    for added, verdict in cases:
        made, measured = scored("liu-ioi", 88.0, **added)
        (found,) = compare([printed], Snapshot([measured], [made], [], []))
        assert found.verdict == verdict
        assert ("dummy 3 / as usual in the paper" in found.reason) is bool(added)
