"""The papers' figures from our rows: what is drawn of what, and what is said where nothing was measured."""

import msgspec
import pytest
from snapshots import COMPLEXITY, PCKH, cell, network_alone, pckh, rich, row

from bench.results.snapshot import Snapshot
from reports.data.published import papers
from reports.figures.paper_figures import redrawn
from reports.ledger.evidence import Evidence


def drawn(snapshot, paper):
    return {item.place: item for item in redrawn(Evidence(papers(), snapshot), paper)}


@pytest.mark.parametrize("paper", papers())
def test_nothing_measured_is_a_sentence_and_no_plot(paper):
    for item in drawn(Snapshot([], [], [], []), paper).values():
        assert item.figures == {} and item.cells == []
        assert item.missing.startswith("Not measured yet: ") and item.missing.endswith(".")


def test_a_kind_of_drawing_that_does_not_exist_is_refused():
    paper = papers()["li2019"]
    wrong = msgspec.structs.replace(paper, figures=(msgspec.structs.replace(paper.figures[0], draw="pie"),))
    with pytest.raises(ValueError, match=r"li2019.toml: Figure 1: nothing draws 'pie'; `draw` is one of bars, cost"):
        list(redrawn(Evidence({"li2019": wrong}, Snapshot([], [], [], [])), "li2019"))


def test_what_is_there_is_drawn(tmp_path):
    snapshot = rich(tmp_path)
    liu, yang = drawn(snapshot, "liu2018"), drawn(snapshot, "yang2017")
    assert liu["Figure 4"].figures["figure-4-1"].rows[0] == (1, "0.5000", "0.1250")
    assert liu["Figure 4"].figures["figure-4-1"].rows[1] == (3, "0.5000", "0.1250"), "differences of the shares"
    assert [made.protocol for made in liu["Figure 8"].cells] == ["occluded-limb"]
    assert "occluded-limb on mpii/val of liu-res" in liu["Figure 8"].missing, "a small stand-in is not the paper's"
    assert len(yang["Figure 5"].figures) == 2 and not yang["Figure 5"].missing
    assert yang["Figure 5"].figures["figure-5-1"].rows[-1] == ("prm-baseline-2", 3, "90")


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
