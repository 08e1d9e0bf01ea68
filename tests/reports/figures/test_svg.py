"""Figures: what they must carry for people and machines, and that the same data draw the same bytes."""

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from snapshots import HOSTILE, cell, row

from protocols import PROTOCOLS
from reports.figures import svg

THRESHOLDS = np.arange(51) / 100
PARTS = ("mean", "wrist", "ankle")


def curve(scale):
    """A made-up curve of three parts."""
    frames = [pd.DataFrame({"part": part, "threshold": THRESHOLDS, "value": scale * THRESHOLDS}) for part in PARTS]
    return pd.concat(frames)


def history(metric=True):
    frame = pd.DataFrame({"step": [10, 20, 30], "seconds": [1.0, 2.0, 3.0], "loss": [3.0, 2.0, 1.0]})
    return frame.assign(metric=[np.nan, 20.0, 40.0]) if metric else frame


MADE = cell("a", "mpii-pckh", "mannequin", "val")


def points(count=3):
    return [
        svg.Point(f"net-{i}", 2.0**i, row(MADE, "PCKh@0.5", "mean", 50.0 + 5 * i, 48.0 + 5 * i, 52.0 + 5 * i))
        for i in range(count)
    ]


DRAWN = {
    "curves": lambda: svg.curves("Curves", "head sizes", {"a": curve(100), HOSTILE: curve(150)}, PARTS),
    "cost": lambda: svg.cost("Cost", points(), "PCKh@0.5 (%)"),
    "training": lambda: svg.training("Training", {"a": history(), "$b$": history()}),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_a_figure_is_a_named_picture_with_its_data(draw):
    figure = draw()
    root = ElementTree.fromstring(str(figure.svg).replace("xlink:href", "href"))
    assert root.get("role") == "img"
    assert [child.tag for child in root[:2]] == ["title", "desc"]
    assert root[0].text == figure.title and root[1].text == figure.description
    assert figure.rows and all(len(row) == len(figure.columns) for row in figure.rows)
    assert "<text" in figure.svg, "letters stay letters"


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_a_figure_is_small_and_asks_for_nothing(draw):
    svg = str(draw().svg)
    assert len(svg) < 60_000
    assert "http" not in svg and "<style" not in svg and "<script" not in svg
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", svg))


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_the_same_data_draw_the_same_bytes(draw):
    assert draw() == draw()


def test_colours_follow_the_page():
    svg = str(DRAWN["curves"]().svg)
    bare = re.sub(r"var\([^)]*\)", "", svg)
    assert "var(--series-0, #0077bb)" in svg and "currentColor" in svg
    assert not re.search(r"#[0-9a-f]{6}", bare), "a colour that the dark page cannot change"


def test_curve_table_holds_the_values_at_every_threshold():
    figure = svg.curves("Curves", "", {"a": curve(100)}, PARTS)
    assert figure.columns == ("part", "threshold", "a")
    assert len(figure.rows) == 3 * 51
    assert ("wrist", "0.25", "25.0") in figure.rows


@pytest.mark.parametrize("protocol", ["mpii-pckh", "lsp-pck", "lsp-pckh"])
def test_a_threshold_has_the_unit_of_its_protocol(protocol):
    """As the formulas of the protocols have it: t times a head size, or times a torso length."""
    unit = PROTOCOLS[protocol].threshold_unit
    assert f"≤ t · {unit.removesuffix('s')}" in PROTOCOLS[protocol].formula
    assert f"threshold ({unit})" in svg.curves("Curves", unit, {"a": curve(100)}, PARTS).svg


def test_only_so_many_lines_as_can_be_told_apart():
    figure = svg.curves("Curves", "", {f"net-{i:02}": curve(10 * i) for i in range(20)}, PARTS)
    assert len(figure.columns) == 2 + svg.MOST_LINES
    assert figure.columns[2] == "net-00", "the order given is the order kept"


def test_training_without_a_score_shows_the_loss_alone():
    assert svg.training("Training", {"a": history(metric=False)}).columns == ("network", "step", "training loss")


def test_cost_without_interval_draws_the_point_alone():
    bare = [svg.Point("a", gmacs, row(MADE, "AP", "all", 0.7)) for gmacs in (1.0, 2.0, 4.0)]
    assert [row[-1] for row in svg.cost("Cost", bare, "AP").rows] == ["", "", ""]
