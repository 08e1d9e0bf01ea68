"""The papers' figures from our rows: what is drawn of what, and what is said where nothing was measured."""

from math import comb

import msgspec
import pytest
from snapshots import COMPLEXITY, PCKH, cell, keep, network_alone, pckh, rich, row, with_own_pages

from bench.results.snapshot import Snapshot
from reports.data.published import papers
from reports.figures.paper_figures import redrawn
from reports.figures.paper_plots import comparable_rows
from reports.ledger.evidence import Evidence


def drawn(snapshot, paper):
    return {item.place: item for item in redrawn(Evidence(papers(), snapshot), paper)}


@pytest.mark.parametrize("paper", papers())
def test_nothing_measured_is_a_sentence_and_no_plot(paper):
    kinds = {spec.place: spec for spec in papers()[paper].figures}
    for item in drawn(Snapshot([], [], [], []), paper).values():
        spec = kinds[item.place]
        assert len(item.figures) == len(spec.diagrams) and item.cells == []
        start = "" if spec.diagrams else "Not shown. " if spec.absent else "Not measured yet: "
        assert item.missing.startswith(start) and item.missing.endswith("." if start else "")


def test_what_is_missing_comes_with_its_command():
    nothing = Snapshot([], [], [], [])
    liu, yang, chu = (drawn(nothing, paper) for paper in ("liu2018", "yang2017", "chu2017"))
    assert liu["Figure 4 (b)"].command == "bench run liu-res receptive-field"
    assert liu["Figure 7"].command == "bench run liu-res receptive-field --dataset mpii/val"
    set_ = "--set initialization=xavier"
    assert yang["Figure 9 (c, d)"].command == f"bench run pyranet-bstar-2 mpii-pckh --dataset mpii/val {set_}"
    assert chu["Figure 7"].command == "" and "withhold the annotation" in chu["Figure 7"].missing, "mpii/test"
    assert chu["Figure 9"].command == chu["Figure 2"].command == ""


@pytest.mark.parametrize("paper", papers())
def test_every_figure_of_a_paper_is_there(paper):
    numbers = {"liu2018": 9, "chu2017": 11, "yang2017": 9, "li2019": 5, "nie2019": 11}
    places = [spec.place for spec in papers()[paper].figures]
    shown = {int(place.split()[1]) for place in places if place.startswith("Figure")}
    assert shown == set(range(1, numbers[paper] + 1))


def test_a_kind_of_drawing_that_does_not_exist_is_refused():
    paper = papers()["li2019"]
    wrong = msgspec.structs.replace(paper, figures=(msgspec.structs.replace(paper.figures[0], draw="pie"),))
    with pytest.raises(ValueError, match=r"li2019.toml: Figure 1: nothing draws 'pie'; `draw` is one of bars, cost"):
        list(redrawn(Evidence({"li2019": wrong}, Snapshot([], [], [], [])), "li2019"))


def test_what_is_there_is_drawn(tmp_path):
    snapshot = rich(tmp_path)
    liu, yang = drawn(snapshot, "liu2018"), drawn(snapshot, "yang2017")
    stacked = liu["Figure 4 (b)"].figures["figure-4-b-1"]
    assert stacked.columns == ("receptive field", "6 × Residual (liu-res)", "1 × InceptionOfInception (liu-ioi)")
    expected = [f"{comb(6, at) / 2**6:.4f}" for at in range(7)]  # of a block, half of the pathways have 3, half 1
    assert stacked.rows == [(1 + 2 * at, share, f"{1 / 7:.4f}") for at, share in enumerate(expected)]
    four = liu["Figure 4 (a)"].figures["figure-4-a-1"].rows
    assert four == [(1, "0.5000", "0.2500"), (3, "0.5000", "0.5000"), (5, "0.0000", "0.2500")]
    assert not liu["Figure 8"].cells, "a network of another paper is none of this one"
    assert "occluded-limb on mpii/val of liu-res" in liu["Figure 8"].missing
    assert len(yang["Figure 6"].figures) == 2 and not yang["Figure 6"].missing
    assert yang["Figure 6"].figures["figure-6-1"].rows[-1] == ("prm-baseline-2", 3, "90")


def test_mannequins_in_a_figure_are_named(tmp_path):
    folder = keep(tmp_path / "kept", 30)
    drawn_people = cell("liu-res@input=64", "occluded-limb", "mannequin", "val", folder=str(folder))
    figure = drawn(Snapshot([], [drawn_people], [], [PCKH]), "liu2018")["Figure 8"]
    assert figure.cells == [drawn_people] and "Mannequins are shown here" in figure.notes[0]
    photographed = msgspec.structs.replace(
        drawn_people, conditions=msgspec.structs.replace(drawn_people.conditions, dataset="mpii")
    )
    assert drawn(Snapshot([], [photographed], [], [PCKH]), "liu2018")["Figure 8"].notes == ()


def test_the_block_of_a_larger_field_than_was_counted_is_not_stacked():
    made, lines = network_alone(
        "liu-res", "receptive-field", [(f"P(r<={at})", "Residual", at / 20, "share") for at in range(1, 14, 2)]
    )
    assert drawn(Snapshot(lines, [made], [], []), "liu2018")["Figure 4 (a)"].figures == {}


def test_committed_runs_stand_in_for_scores_that_are_missing():
    snapshot = with_own_pages(Snapshot([], [], [], []))
    yang, li = drawn(snapshot, "yang2017"), drawn(snapshot, "li2019")
    (designs,) = yang["Figure 8"].figures.values()
    assert "committed runs of matrix.cpu.toml: lspet, holdout, 64x64" in designs.title
    assert [line[0] for line in designs.rows][:2] == [
        "prm-baseline-2",
        "prm-wide-2",
    ] and "mannequin" not in designs.title
    assert "not on the paper’s data" in yang["Figure 8"].notes[0] and yang["Figure 8"].missing
    assert len(yang["Figure 9 (c, d)"].figures["figure-9-c-d-1"].rows) == 3
    assert "final ones" in yang["Figure 9 (a, b)"].notes[1]
    (costs,) = li["Figure 1"].figures.values()
    assert {"mspn-1", "mspn-4", "mspn-hourglass-4"} <= {line[0] for line in costs.rows}
    (components,) = drawn(snapshot, "chu2017")["Figure 8"].figures.values()
    assert len(components.rows) == 5, "with two stacks each"


def test_measured_scores_take_the_place_of_committed_ones():
    cells = [cell(name, "mpii-pckh", "mpii", "val") for name in papers()["chu2017"].figures[7].networks]
    rows = [line for made in cells for line in pckh(made, 88.0)]
    item = drawn(with_own_pages(Snapshot(rows, cells, [], [PCKH])), "chu2017")["Figure 8"]
    assert len(item.figures) == 1 and "committed" not in item.figures["figure-8-1"].title and item.notes == ()


def test_an_option_behind_a_name_chooses_its_networks():
    cells = [cell(f"pyranet-bstar-2@initialization={how}", "mpii-pckh", "mpii", "val", folder="")
             for how in ("xavier", "msr")]  # fmt: skip
    evidence = Evidence(papers(), Snapshot([line for made in cells for line in pckh(made, 80.0)], cells, [], [PCKH]))
    spec = next(spec for spec in papers()["yang2017"].figures if spec.place == "Figure 9 (c, d)")
    ((where, group),) = comparable_rows(evidence, spec)
    assert list(group) == list(spec.networks[:2]) and where == "mpii, val, seed 0"


def test_designs_share_a_figure_only_where_they_are_comparable():
    cells, rows = [], []
    for name, place, mean in (
        ("pyranet-a-2", ("mpii", "val"), 88.0), ("pyranet-b-2", ("mpii", "val"), 88.5),
        ("pyranet-c-2", ("mannequin", "val"), 60.0),
    ):  # fmt: skip
        cells.append(cell(name, "mpii-pckh", *place))
        rows += pckh(cells[-1], mean)
        made, counted = network_alone(name, "complexity", [("parameters", "all", 7e6, ""), ("macs", "all", 7e9, "")])
        cells.append(made)
        rows += counted
    (figure,) = drawn(Snapshot(rows, cells, [], [PCKH, COMPLEXITY]), "yang2017")["Figure 8"].figures.values()
    assert figure.columns == ("network", "PCKh@0.5, mean (%)", "parameters (M)", "operations (GMACs)")
    assert figure.rows == [
        ("pyranet-a-2", "88 [87, 89]", "7", "7"), ("pyranet-b-2", "88.5 [87.5, 89.5]", "7", "7"),
        ("pyranet-c-2", "–", "7", "7"),
    ]  # fmt: skip
    assert "mpii, val" in figure.title


def test_of_two_cells_that_something_sets_apart_none_is_dropped():
    cells, rows = [], []
    for name, apart, mean in (
        ("pyranet-a-2", [], 88.0), ("pyranet-b-2", [], 88.5), ("pyranet-a-2", ["fast"], 87.0),
        ("pyranet-b-2", ["fast"], 87.5),
    ):  # fmt: skip
        cells.append(cell(name, "mpii-pckh", "mpii", "val", tags=apart, cell=f"{name} {apart}"))
        rows += pckh(cells[-1], mean)
    figures = drawn(Snapshot(rows, cells, [], [PCKH, COMPLEXITY]), "yang2017")["Figure 8"].figures.values()
    found = {figure.title.rpartition("seed 0")[2]: [line[1] for line in figure.rows[:2]] for figure in figures}
    assert found == {"": ["88 [87, 89]", "88.5 [87.5, 89.5]"], ", fast": ["87 [86, 88]", "87.5 [86.5, 88.5]"]}


def test_accuracy_stands_against_operations():
    cells, rows = [], []
    for name, value, macs in (("mspn-1", 0.715, 4.4e9), ("mspn-2", 0.745, 9.9e9)):
        scored = cell(name, "coco-ap", "coco", "val2017")
        made, counted = network_alone(name, "complexity", [("macs", "all", macs, "MACs")])
        cells += [scored, made]
        rows += [row(scored, "AP", "all", value, value - 0.01, value + 0.01, unit=""), *counted]
    figure = drawn(Snapshot(rows, cells, [], [COMPLEXITY]), "li2019")["Figure 1"].figures["figure-1-1"]
    assert [line[:2] for line in figure.rows] == [("mspn-1", "4.4"), ("mspn-2", "9.9")]


def test_attention_maps_are_those_of_the_papers_networks(tmp_path):
    nothing = drawn(Snapshot([], [], [], [PCKH]), "chu2017")["Figure 9"]
    assert nothing.missing.startswith("Not measured yet: attention maps of trained cells of attention-2-softmax")
    folder = tmp_path / "cell"
    folder.mkdir()
    (folder / "attention.webp").write_bytes(b"a picture")
    kept = [
        cell(name, protocol, "mannequin", "val", folder=str(folder))
        for name in ("attention-2-crf@input=64", "liu-aioi@input=64")
        for protocol in ("mpii-pckh", "lsp-pck")
    ]
    plain = cell("attention-2-softmax", "mpii-pckh", "mannequin", "val")
    snapshot = Snapshot([], [*kept, plain], [], [PCKH])
    chu, liu = drawn(snapshot, "chu2017")["Figure 9"], drawn(snapshot, "liu2018")["Equation 1"]
    assert chu.cells == kept[:1], "one of the cells that share a training, and no other paper's"
    assert liu.cells == kept[2:3] and liu.picture == "attention" and not liu.missing


def test_empirical_fields_are_compared_where_networks_were_trained_alike():
    cells, rows = [], []
    for name, place, wrist in (
        ("liu-res@width=0.25", "mannequin", 0.9), ("liu-aioi@width=0.25", "mannequin", 0.7), ("liu-ioi", "mpii", 0.8),
    ):  # fmt: skip
        made = cell(name, "receptive-field", place, "val")
        cells.append(made)
        rows += [row(made, "r50", "wrist", wrist, wrist - 0.1, wrist + 0.1, unit="head sizes")]
    item = drawn(Snapshot(rows, cells, [], [COMPLEXITY]), "liu2018")["Figure 9"]
    (figure,) = item.figures.values()
    assert "mannequin (synthetic), val, width=0.25" in figure.title
    assert figure.rows == [("liu-res", "0.9 [0.8, 1]", "–"), ("liu-aioi", "0.7 [0.6, 0.8]", "–")]
    assert "liu-res, liu-incep-res, liu-aioi and liu-cjn" in item.missing, "liu-ioi has one on MPII"
