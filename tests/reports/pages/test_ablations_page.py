"""The page of the ablations: what it shows of made-up rows, and the answers that it computes."""

from dataclasses import replace

import pytest

from bench.cells.conditions import Conditions
from reports.data.ablations import Collection
from reports.pages import ablations as ablation_page

PLACE = {"dataset": "lspet", "split": "holdout"}
SHARED = "input=64,width=0.25"


def value(metric: str, part: str, middle: float, half: float, unit: str = "%") -> list:
    return [metric, part, middle, unit, middle - half, middle + half, 900]


def cell(name: str, protocol: str, seed: int, values: list, **other) -> dict:
    made = {"seconds": {"train": 90.0}, "device": "a test", "versions": {"torch": "2.13.0"}, "commit": "abcdef123456",
            "date": f"2026-01-0{seed + 1}T00:00:00Z"}  # fmt: skip
    made_by = {"conditions": Conditions(protocol, 1, recipe="ablation", budget="quick"), "provenance": made}
    head = {"kind": "cell", "architecture": f"{name}@{SHARED}", "protocol": protocol, "seed": seed, **made_by}
    return {**head, "values": values, **PLACE, **other}


def collection(name: str = "cpu") -> Collection:
    """Two networks with two seeds under PCK, one of them under occlusion, and the size of one."""
    scores = {"liu-res": (10.0, 12.0), "liu-ioi": (15.0, 16.0)}
    cells = [cell(network, "lsp-pck", seed, [value("PCK@0.2", "mean", middle, 1)])
             for network, middles in scores.items() for seed, middle in enumerate(middles)]  # fmt: skip
    size = [["parameters", "all", 542_912, "parameters", None, None, 1]]
    cells.append(cell("liu-ioi", "complexity", 0, size, dataset="", split=""))
    means = []
    for network, middles in scores.items():
        found = [value("PCK@0.2", "mean", sum(middles) / 2, 1.5)]
        head = {"kind": "mean", "architecture": f"{network}@{SHARED}", "protocol": "lsp-pck", "seeds": 2}
        means.append({**head, **PLACE, "values": found})
    means.append({"kind": "mean", "architecture": f"liu-ioi@{SHARED}", "protocol": "occluded-limb", "seeds": 2, **PLACE,
                  "values": [value("drop", "ankle covered", 3.0, 1, "points")]})  # fmt: skip
    pair = {"ours": f"liu-ioi@{SHARED}", "theirs": f"liu-res@{SHARED}", "protocol": "lsp-pck", "seeds": 2, **PLACE}
    differences = [{"kind": "difference", **pair, "values": [value("PCK@0.2", "mean", 4.5, 2, "points")]}]
    return Collection(name, tuple(cells), tuple(means), tuple(differences))


@pytest.mark.parametrize(
    ("low", "high", "metric", "expected"),
    [(0.1, 2, "PCK@0.2", "yes"), (-2, -0.1, "PCK@0.2", "no"), (-1, 1, "PCK@0.2", "cannot tell"),
     (0, 1, "PCK@0.2", "cannot tell"), (None, None, "PCK@0.2", "cannot tell"),
     (-2, -0.1, "drop", "yes"), (0.1, 2, "drop", "no")],
)  # fmt: skip
def test_answers(low, high, metric, expected):
    assert ablation_page.answer({"low": low, "high": high}, metric) == expected


def test_bounds_below_0_are_told_in_words():
    assert ablation_page.bounds({"low": 12.61, "high": 17.14}) == "12.6–17.1"
    assert ablation_page.bounds({"low": -1.5, "high": -0.3}) == "−1.5 to −0.3"


def test_a_trial_shows_what_was_measured_and_nothing_else():
    ranking, trial = ablation_page.trials(collection())
    assert ranking.ranks == {"liu-ioi": (1, 1), "liu-res": (2, 2)}  # 14–17 and 9.5–12.5 do not overlap
    assert not trial.ranks and not list(ranking.answers())
    assert (trial.ablation.key, trial.dataset, trial.networks) == ("scales", "lspet", ["liu-res", "liu-ioi"])
    assert [words for *_, words in trial.columns] == ["PCK@0.2", "drop"]
    assert [row["value"] for row in trial.seeds("liu-res", trial.columns[0])] == [10.0, 12.0]
    assert trial.mean("liu-res", trial.columns[1]) is None
    assert trial.size("liu-ioi", "parameters")["value"] == 542_912 and trial.size("liu-res", "parameters") is None
    ((item, told),) = trial.answers()
    assert (item.ours, item.theirs) == ("liu-ioi", "liu-res")
    assert [says for _, says in told] == ["yes", ""] and told[0][0]["value"] == 4.5


def test_facts_come_from_the_cells():
    """Two networks with two seeds of 90 seconds each; a cell without a dataset trains nothing."""
    found = ablation_page.facts(collection())
    assert found["Trained"] == "4 networks in 6 min 0 s of one process"
    assert (found["Networks"], found["Seeds"]) == ("input=64, width=0.25", "0, 1")
    assert (found["Matrix"], found["Date"]) == ("matrix.cpu.toml", "2026-01-02 00:00")


def test_no_ranking_mixes_two_ways_of_training():
    """One network by another recipe: the ranking leaves it out, and beside others its recipe is told."""
    made = collection()
    other = {"conditions": Conditions("lsp-pck", 1, recipe="other", budget="quick")}
    cells = tuple({**cell, **other} if "liu-res" in cell["architecture"] else cell for cell in made.cells)
    (trial,) = ablation_page.trials(replace(made, cells=cells))  # no ranking of a single network
    assert trial.ways == {"liu-res": "other, quick budget", "liu-ioi": "ablation, quick budget"}
    assert [row[3] for row in ablation_page.scores(trial).values] == list(trial.ways.values())
    more = [{**cell, "architecture": f"liu-aioi@{SHARED}"} for cell in cells if "liu-ioi" in cell["architecture"]]
    mean = {**made.means[1], "architecture": f"liu-aioi@{SHARED}"}
    ranking, _ = ablation_page.trials(replace(made, cells=(*cells, *more), means=(*made.means, mean)))
    assert ranking.ablation.title == "All networks by recipe ablation, quick budget, ranked"
    assert set(ranking.networks) == {"liu-ioi", "liu-aioi"} and not ranking.ways


def test_two_matrices_never_share_a_table():
    page = ablation_page.page((collection("cpu"), collection("gpu")))
    assert len(page.sheets) == 6  # for each: all networks ranked, those of a question, the answer
    for name in ("cpu", "gpu"):
        assert sum(f"matrix.{name}.toml" in sheet.caption for sheet in page.sheets) == 3
    scores = next(sheet for sheet in page.sheets if sheet.name == "cpu-scales-lspet-scores")
    assert [row[2] for row in scores.values] == ["liu-res", "liu-ioi"]
