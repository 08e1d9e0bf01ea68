"""The page of the ablations: what it shows of made-up rows, and the answers that it computes."""

from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace
from typed import present

from bench.cells.conditions import Conditions
from bench.results.fragment import CellLine, Fragment, PairLine, ShortValue
from bench.store.provenance import Provenance
from protocols import Value
from reports.data.ablations import Committed
from reports.pages import ablations as ablation_page

SHARED = "input=64,width=0.25"
MADE = Provenance(
    seconds={"train": 90.0}, device="a test", versions={"torch": "2.13.0"}, commit="abcdef123456"
)  # fmt: skip


def value(metric: str, part: str, middle: float, half: float, unit: str = "%") -> ShortValue:
    return ShortValue(metric, part, middle, unit, middle - half, middle + half, 900)


def cell(
    name: str, protocol: str, seed: int, values: list, recipe: str | None = "ablation", dataset: str = "lspet"
) -> CellLine:
    about = Conditions(protocol, 1, dataset, "holdout" if dataset else "", recipe=recipe, budget="quick")
    made = replace(MADE, date=f"2026-01-0{seed + 1}T00:00:00Z")
    return CellLine(f"{name} {protocol} {seed}", f"{name}@{SHARED}", about, tuple(values), seed, provenance=made)


def mean(cells: list[CellLine], values: Iterable[ShortValue]) -> CellLine:
    first, keys = cells[0], tuple(one.cell for one in cells)
    return CellLine(f"mean of {keys}", first.architecture, first.conditions, tuple(values), seeds=keys)


def committed(name: str = "cpu", recipes: dict[str, str | None] = {}, more: tuple = ()) -> Committed:  # noqa: B006
    """Two networks with two seeds under PCK, one of them under occlusion, and the size of one."""
    scores = {"liu-res": (10.0, 12.0), "liu-ioi": (15.0, 16.0), **dict(more)}
    lines, means = [], {}
    for network, middles in scores.items():
        cells = [cell(network, "lsp-pck", seed, [value("PCK@0.2", "mean", middle, 1)], recipes.get(network, "ablation"))
                 for seed, middle in enumerate(middles)]  # fmt: skip
        means[network] = mean(cells, [value("PCK@0.2", "mean", sum(middles) / 2, 1.5)])
        lines += [*cells, means[network]]
    size = ShortValue("parameters", "all", 542_912, "parameters", None, None, 1)
    covered = cell("liu-ioi", "occluded-limb", 0, [value("drop", "ankle covered", 3.0, 1, "points")])
    lines += [cell("liu-ioi", "complexity", 0, [size], dataset=""), covered, mean([covered], covered.values)]
    pair = PairLine(means["liu-ioi"].cell, means["liu-res"].cell, (value("PCK@0.2", "mean", 4.5, 2, "points"),))
    return Committed(Fragment(name, (*lines, pair)))


@pytest.mark.parametrize(
    ("low", "high", "better", "expected"),
    [(0.1, 2, "higher", "yes"), (-2, -0.1, "higher", "no"), (-1, 1, "higher", "cannot tell"),
     (0, 1, "higher", "cannot tell"), (None, None, "higher", "cannot tell"),
     (-2, -0.1, "lower", "yes"), (0.1, 2, "lower", "no")],
)  # fmt: skip
def test_answers(low, high, better, expected):
    assert ablation_page.answer(Value("drop", "mean", 0, "points", 9, low, high), better) == expected


def test_a_smaller_drop_is_better():
    found = committed()
    assert [found.direction(metric) for metric in ablation_page.COLUMNS.values()] == ["higher"] * 6 + ["lower"]


def test_a_trial_shows_what_was_measured_and_nothing_else():
    ranking, trial = ablation_page.trials(committed())
    assert ranking.ranks == {"liu-ioi": (1, 1), "liu-res": (2, 2)}  # 14–17 and 9.5–12.5 do not overlap
    assert not trial.ranks and not list(ranking.answers())
    assert (trial.name, trial.dataset, trial.networks) == ("cpu-scales-lspet", "lspet", ["liu-res", "liu-ioi"])
    assert list(trial.columns) == ["PCK@0.2", "drop"]
    ((item, told),) = trial.answers()
    assert (item.ours, item.theirs) == ("liu-ioi", "liu-res")
    assert [says for _, says in told] == ["yes", ""] and present(told[0][0]).value == 4.5
    scores = ablation_page.scores(trial)
    entries: list[Any] = [dict(zip(scores.columns, row, strict=True)) for row in scores.rows]
    res, ioi = entries
    assert [piece.text for piece in res["PCK@0.2"].page] == ["11.0", "9.5–12.5", "10.0 · 12.0"]
    assert res["drop"].value is res["parameters"].value is None
    assert (ioi["parameters"].value, ioi["drop low"].value, ioi["seeds"]) == (542_912, 2.0, 2)


def test_facts_come_from_the_cells():
    """Two networks with two seeds of 90 seconds each; a cell without a dataset trains nothing."""
    found = ablation_page.facts(committed())
    assert found["Trained"] == "4 networks in 6 min 0 s of one process"
    assert (found["Networks"], found["Seeds"]) == ("input=64, width=0.25", "0, 1")
    assert (found["Matrix"], found["Date"]) == ("matrix.cpu.toml", "2026-01-02 00:00")


def test_no_ranking_mixes_two_ways_of_training():
    """One network by another recipe: the ranking leaves it out, and beside others its recipe is told."""
    (trial,) = ablation_page.trials(committed(recipes={"liu-res": "other"}))  # no ranking of a single network
    assert trial.ways == {"liu-res": "other, quick budget", "liu-ioi": "ablation, quick budget"}
    assert [row[3] for row in ablation_page.scores(trial).values] == list(trial.ways.values())
    more = (("liu-aioi", (20.0, 22.0)),)
    ranking, _ = ablation_page.trials(committed(recipes={"liu-res": "other"}, more=more))
    assert ranking.ablation.title == "All networks by recipe ablation, quick budget, ranked"
    assert ranking.networks == ["liu-aioi", "liu-ioi"] and not ranking.ways


def test_the_baseline_stands_beside_all_and_ranks_last():
    found = committed(recipes={"mean-pose": None}, more=(("mean-pose", (4.0, 4.0)),))
    ranking, trial = ablation_page.trials(found)
    assert ranking.networks == ["liu-ioi", "liu-res", "mean-pose"] and ranking.ranks["mean-pose"] == (3, 3)
    assert trial.networks == ["mean-pose", "liu-res", "liu-ioi"] and not trial.ways


def test_two_matrices_never_share_a_table():
    page = ablation_page.page((committed("cpu"), committed("gpu")))
    assert len(page.sheets) == 6  # for each: all networks ranked, those of a question, the answer
    for name in ("cpu", "gpu"):
        assert sum(f"matrix.{name}.toml" in sheet.caption for sheet in page.sheets) == 3
    scores = next(sheet for sheet in page.sheets if sheet.name == "cpu-scales-lspet-scores")
    assert [row[2] for row in scores.values] == ["liu-res", "liu-ioi"]
