"""Questions asked of measurements: made-up rows change the verdicts of claims. None of them was measured."""

import math
from typing import Any

import pytest
from ledger_fixtures import check, pair, scored
from msgspec.structs import replace
from snapshots import cell

from bench.cells.conditions import Conditions
from bench.results.fragment import CellLine, Fragment, PairLine, ShortValue
from protocols import Value
from reports.data.ablations import Committed


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (88.0, 86.0, "supported"),
        (86.0, 88.0, "contradicted"),
        (86.5, 86.4, "partly"),  # the interval includes 0
    ],
)
def test_training_turns_a_claim(ours, theirs, verdict):
    assert check("C06").verdict == "not tested"
    found = check("C06", **pair(scored("attention-8-ms", ours), scored("attention-8-bl", theirs)))
    assert found.verdict == verdict
    assert {item.label for item in found.sources if item.kind == "cell"} == {"attention-8-ms", "attention-8-bl"}


def test_the_interval_of_independent_cells():
    found = check("C06", **pair(scored("attention-8-ms", 88.0, 0.3), scored("attention-8-bl", 87.5, 0.4)))
    half = math.hypot(0.3, 0.4)
    assert f"[{0.5 - half:+.2f}, {0.5 + half:+.2f}]".replace("+0.00", "±0.00") in found.sentence


def test_a_paired_difference_comes_first():
    """Intervals that overlap hide what the same people show."""
    ours, theirs = scored("attention-8-ms", 88.0, 2.0), scored("attention-8-bl", 87.5, 2.0)

    def paired(one, two):
        assert (one, two) == (ours[0].cell, theirs[0].cell)
        return [Value("PCKh@0.5", "mean", 0.5, "%", 1000, 0.2, 0.8)]

    assert check("C06", **pair(ours, theirs)).verdict == "partly"
    found = check("C06", **pair(ours, theirs), paired=paired)
    assert found.verdict == "supported" and "[+0.20, +0.80]" in found.sentence


def test_without_an_interval_nothing_is_better():
    found = check("C06", **pair(scored("attention-8-ms", 99.0, None), scored("attention-8-bl", 1.0, None)))
    assert found.verdict == "partly" and "without an interval" in found.sentence


@pytest.mark.parametrize("claim", ["A01", "C06"])  # beside a printed difference, and without one
def test_unlike_cells_are_not_compared_and_it_is_said_why(claim):
    names = {"A01": ("liu-ioi", "liu-res"), "C06": ("attention-8-ms", "attention-8-bl")}[claim]
    found = check(claim, **pair(scored(names[0], 88.0), scored(names[1], 80.0, fast=True)))
    assert found.verdict == check(claim).verdict
    assert f"Not compared: {names[0]} and {names[1]} on mpii/val, which differ in fast no / yes." in found.sentence
    alike = check(claim, **pair(scored(names[0], 88.0), scored(names[1], 80.0)))
    assert "Not compared" not in alike.sentence


@pytest.mark.parametrize("change", [{"dataset": "mannequin"}, {"budget": "quick"}, {"limit": 200}])
def test_other_conditions_than_the_papers_restrict(change):
    better = check("C06", **pair(scored("attention-8-ms", 88, **change), scored("attention-8-bl", 80, **change)))
    worse = check("C06", **pair(scored("attention-8-ms", 80, **change), scored("attention-8-bl", 88, **change)))
    assert (better.verdict, worse.verdict) == ("partly", "not tested")
    assert "the opposite" in worse.sentence
    if "dataset" in change:
        assert "mannequin (synthetic)" in better.sentence


def kept(ours: str, theirs: str, low: float, high: float) -> Committed:
    """A committed difference on photographs, in PCK@0.2, over two seeds."""
    about = Conditions("lsp-pck", 1, "lspet", "holdout")
    value = ShortValue("PCK@0.2", "mean", (low + high) / 2, "points", low, high, 9000)
    means = [CellLine(name, f"{name}{',' if '@' in name else '@'}input=64", about, (), seeds=(f"{name} 0", f"{name} 1"))
             for name in (ours, theirs)]  # fmt: skip
    return Committed(Fragment("cpu", (*means, PairLine(ours, theirs, (value,)))))


@pytest.mark.parametrize(
    ("low", "high", "verdict", "words"),
    [(0.5, 1.5, "partly", "[+0.50, +1.50]"), (-1.5, -0.5, "not tested", "the opposite"),
     (-0.5, 1.5, "not tested", "includes 0")],
)  # fmt: skip
def test_committed_ablations_restrict_and_refute_nothing(low, high, verdict, words):
    """P25 asks whether pyramids beat a baseline as large; the sentence says on what and with which budget."""
    pairs = (("pyranet-bstar-2", "prm-wide-2"), ("prm-wide-2", "prm-baseline-2"))
    found = check("P25", ablations=tuple(kept(*pair, low, high) for pair in pairs))
    assert found.verdict == verdict and words in found.sentence
    assert "on LSPET, our budget (matrix.cpu.toml, 2 seeds), PCK@0.2 mean" in found.sentence
    assert {item.target for item in found.sources} == {"cpu-pyramids-lspet"}


@pytest.mark.parametrize(("low", "high", "words"), [(-1.6, -0.4, "the opposite"), (0.4, 1.6, "[+0.40, +1.60]")])
def test_what_coco_was_asked_is_told_of_photographs_and_decides_nothing(low, high, words):
    """M15: coarse-to-fine supervision of hourglasses, printed for COCO AP; ours is PCK@0.2 of LSPET."""
    measured = (kept("mspn-hourglass-4-ctf", "mspn-hourglass-4", low, high),)
    assert check("M15").verdict == check("M15", ablations=measured).verdict == "supported"
    sentence = check("M15", ablations=measured).sentence
    assert "on LSPET, our budget (matrix.cpu.toml, 2 seeds), PCK@0.2 mean: mspn-hourglass-4-ctf" in sentence
    assert words in sentence


def test_initializations_are_compared_by_their_names():
    name = "pyranet-bstar-2@initialization="
    pairs = [(f"{name}branch-aware", f"{name}{rival}") for rival in ("xavier", "msr")]
    found = check("P15", ablations=tuple(kept(*pair, 1, 2) for pair in pairs))
    assert found.verdict == "partly" and "Missing" not in found.sentence


def test_narrow_networks_are_compared_with_narrow_ones_and_restrict():
    ours, theirs = scored("attention-8-ms@width=0.25", 60), scored("attention-8-bl@width=0.25", 50)
    found = check("C06", **pair(ours, theirs))
    assert found.verdict == "partly" and "width=0.25" in found.sentence
    assert check("C06", **pair(ours, scored("attention-8-bl", 50))).verdict == "not tested"


@pytest.mark.parametrize("change", [{"seed": 1}, {"settings": {"flip": "no"}}, {"budget": "quick"}, {"state": "stale"}])
def test_only_comparable_cells_are_compared(change):
    found = check("C06", **pair(scored("attention-8-ms", 88), scored("attention-8-bl", 80, **change)))
    assert found.verdict == "not tested"


def test_prediction_files_prove_nothing_about_a_network():
    made, found = scored("attention-8-ms", 88)
    rows = replace(found, source="predictions")
    assert check("C06", **pair((made, rows), scored("attention-8-bl", 80))).verdict == "not tested"


def test_what_is_missing_is_said_with_its_cause():
    blocked = cell("attention-8-bl", "mpii-pckh", "mpii", "val", state="blocked", why="data/mpii is missing")
    found = check("C06", cells=[blocked])
    assert "attention-8-bl (blocked: data/mpii is missing)" in found.sentence


def test_a_rerun_beside_printed_numbers():
    worse = pair(scored("liu-ioi", 85), scored("liu-res", 88))
    assert check("A01", **worse).verdict == "partly"
    assert check("A01", **pair(scored("liu-ioi", 88), scored("liu-res", 85))).verdict == "supported"
    synthetic = pair(scored("liu-ioi", 50, dataset="mannequin"), scored("liu-res", 60, dataset="mannequin"))
    found = check("A01", **synthetic)
    assert found.verdict == "supported" and "mannequin (synthetic)" in found.sentence


def test_errors_are_better_when_they_are_lower():
    place: dict[str, Any] = {"metric": "left-right confusion", "part": "ankle covered", "protocol": "occluded-limb"}
    fewer = pair(scored("liu-aioi", 4, **place), scored("liu-res", 9, **place))
    assert check("A25", **fewer).verdict == "supported"
    assert check("A25", **pair(scored("liu-aioi", 9, **place), scored("liu-res", 4, **place))).verdict == "contradicted"


def test_coco_is_in_points():
    place = {"metric": "AP", "part": "all", "protocol": "coco-ap", "dataset": "coco", "split": "val2017"}
    cells, rows = zip(scored("mspn-2", 0.74, 0.002, **place), scored("mspn-1", 0.71, 0.002, **place), strict=True)
    found = check("M08", [replace(item, unit="") for item in rows], cells)
    assert found.verdict == "supported" and "+3.00" in found.sentence
