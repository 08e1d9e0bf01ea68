"""Pages of architectures: what is said of a network follows from its rows."""

import re
from typing import Any

import pytest
from snapshots import architecture, cell, network_alone, pckh, rich

from bench.results.snapshot import Snapshot
from protocols.pose.skeletons import Skeleton
from reports.data.published import papers
from reports.figures import skeleton
from reports.pages import architecture as networks
from reports.tables.published_vs_measured import compare


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    snapshot = rich(tmp_path_factory.mktemp("store"))
    compared = [item for paper in papers().values() for item in compare(paper.values(), snapshot)]
    return {page.context.get("name", ""): page for page in networks.architecture_pages(snapshot, papers(), compared)}


def test_layer_groups_come_in_the_order_of_execution(pages):
    groups = pages["prm-baseline-2"].all_sheets["groups"]
    assert groups.values == [["stem", 1e6, 1e6, 0.25, 0.25], ["stacks.0", 3e6, 3e6, 0.75, 0.75]]
    bars = [[piece.span for piece in entry.page if piece.look == "bar left"] for entry in groups.rows[1][1:3]]
    assert bars == [[(0, 75)], [(0, 75)]]


def test_the_rule_behind_a_printed_number_is_found():
    rules = [("giga", "macs", 22.829, "G"), ("giga", "opc", 45.942, "G"), ("giga", "opc-bn", 46.3, "G")]
    made, rows = network_alone("pyranet-bstar-8", "complexity", [*rules, ("giga_published", "all", 45.942, "G (opc)")])
    known = architecture("pyranet-bstar-8", paper="yang2017")
    snapshot = Snapshot(rows, [made], [known], [])
    compared = compare(papers()["yang2017"].values(), snapshot)
    _, page = networks.architecture_pages(snapshot, papers(), compared)
    rules: Any = page.all_sheets["rules"]
    assert [(row[0], row[3]) for row in rules.values] == [("macs", ""), ("opc", "yang2017"), ("opc-bn", "")]
    assert [piece.text for piece in rules.rows[1][3].page] == ["●", "Yang 2017, Complexity", ": 45.9"]


def test_variance_is_drawn_along_the_network_without_its_maximum(pages):
    figure = pages["prm-baseline-2"].figures["variance"]
    assert figure.columns == ("addition", "msr", "branch-aware")
    assert [line[0] for line in figure.rows] == ["stem", "stacks.0 #1", "stacks.0 #2"]
    paths = re.findall(r'<path d="(M[^"]*L[^"]*)"', figure.svg)
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", paths[0])]
    assert len(paths) == 2 and heights == sorted(heights, reverse=True), "1, 20, 90: ever higher on the page"


def test_variance_without_sums_is_that_of_convolutions():
    rows = [("variance msr", part, value, "1") for part, value in (("first", 2.0), ("second", 1.5), ("max", 2.0))]
    made, found = network_alone("cpm-2", "init-variance", rows)
    _, page = networks.architecture_pages(Snapshot(found, [made], [], []), {}, [])
    assert page.figures["variance"].columns == ("convolution", "msr")


def test_fields_of_blocks(pages):
    page = pages["liu-res"]
    assert page.figures["fields"].columns == ("field", "Residual")
    assert page.figures["fields"].rows[0] == (1, "0.500")
    assert page.all_sheets["fields-table"].columns == ("part", "rf_mean (px)"), "the shares are in the figure"


def test_an_override_leads_to_the_network_it_changes(pages):
    page = pages["hourglass-1@input=64,width=0.25"]
    assert page.context["base"] == "hourglass-1" and page.context["overrides"] == "input=64,width=0.25"
    assert len(page.context["pictures"]) == 2


def test_a_stranger_has_a_page_of_its_scores():
    made = cell("Newell 2016, authors' predictions", "mpii-pckh", "mpii", "val", seed=None)
    _, page = networks.architecture_pages(Snapshot(pckh(made, 88), [made], [], []), {}, [])
    assert page.context["row"] is None and page.context["facts"] == {} and len(page.all_sheets["scores"].rows) == 1


def test_a_skeleton_is_drawn_with_the_joints_it_knows():
    limbs = (("head_top", "left_wrist"), ("head_top", "tail"))
    toy = Skeleton("toy", ("head_top", "left_wrist", "right_wrist", "tail"), limbs, parts=())
    svg = skeleton.drawing(toy)
    places = re.findall(r'cx="([\d.]+)"[^>]*><title>([a-z ]+)', svg)
    left, right = (float(x) for x, name in sorted(places, key=lambda item: item[1]) if "wrist" in name)
    assert left > 100 > right, "seen from the front"
    assert "tail" not in svg and svg.count("<path") == 1
