"""Cells: their row, their joints, their place in tables."""

from dataclasses import replace

import pytest

from bench.cells.cell import Cell
from bench.cells.conditions import conditions, table_key, without_recipe
from protocols.pose.skeletons import SKELETONS


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ()),
        ({"recipe": "newell2016"}, ()),  # the network's own
        ({"recipe": "ablation", "budget": "quick", "fast": True}, ("recipe ablation", "quick budget", "fast")),
        ({"limit": 64, "seed": 3}, ("partial: 64 people",)),
        ({"trained_on": "lspet/train"}, ("trained on lspet/train",)),
        ({"weights": "there/net.pth"}, ("weights net.pth",)),
        ({"options": {"resamples": 0, "seed": 0}}, ("resamples=0",)),
        ({"protocol": "coco-ap", "dataset": "coco", "options": {"detections": "a/b.json", "preset": "tower"}},
         ("preset=tower",)),
    ],
)  # fmt: skip
def test_tags_are_the_settings_that_differ_from_the_usual_ones(changes, words):
    assert replace(Cell("hourglass-1", "mpii-pckh", "mannequin", "val"), **changes).tags == words


def test_predictions_of_a_file_have_no_row_in_the_catalogue():
    assert Cell("theirs", "mpii-pckh", "mpii", "val", limit=8).tags == ("partial: 8 people",)


def test_an_untrained_network_has_no_recipe_and_no_budget():
    assert Cell("hourglass-1", "complexity", recipe="ablation", budget="quick").tags == ()


def test_other_joints_are_another_network():
    mpii, coco = (Cell("hourglass-1", "coco-ap", name, "val") for name in ("mannequin", "coco"))
    assert mpii.row.options["joints"] == coco.row.options["joints"] == 17
    assert Cell("hourglass-1", "mpii-pckh", "mannequin", "val").row.options.get("joints", 16) == 16
    assert Cell("hourglass-1", "lsp-pck", "lsp", "test").row.options["joints"] == 14


def place(cell):
    return table_key(cell.row.name, cell.seed, conditions(cell))


def test_the_place_in_a_table_stays_when_the_text_of_the_recipe_changes():
    cell = Cell("hourglass-1", "mpii-pckh", "mannequin", "val", recipe="ablation")
    before = place(cell)
    assert table_key(cell.row.name, cell.seed, without_recipe(cell)) == before  # which reads no recipe
    for change in ({"seed": 1}, {"limit": 8}, {"budget": "quick"}, {"recipe": "newell2016"}, {"options": {"a": 1}}):
        assert place(replace(cell, **change)) != before, change


@pytest.mark.parametrize(
    ("architecture", "protocol", "dataset", "skeleton"),
    [
        ("hourglass-1", "mpii-pckh", "mannequin", "mpii"),
        ("hourglass-1", "lsp-pck", "mannequin", "mpii"),  # its joints include those of LSP
        ("hourglass-1", "lsp-pck", "lspet", "lsp"),  # no other joints are annotated there
        ("liu-ioi", "mpii-pckh", "mannequin", "mpii"),  # 14 joints have no head box
        ("liu-ioi", "lsp-pck", "mannequin", "lsp"),
        ("mspn-1", "lsp-pck", "mannequin", "lsp"),  # COCO has no neck
        ("mspn-1", "coco-ap", "mannequin", "coco"),
        ("hourglass-1", "coco-ap", "mannequin", "coco"),
        ("mspn-1", "occluded-limb", "mannequin", "mpii"),
    ],
)
def test_joints_are_those_that_protocol_and_dataset_can_use(architecture, protocol, dataset, skeleton):
    cell = Cell(architecture, protocol, dataset, "val")
    assert cell.skeleton == cell.row.skeleton == skeleton
    assert cell.row.options.get("joints", 0) in (0, len(SKELETONS[skeleton]))  # 0: those of the row itself
