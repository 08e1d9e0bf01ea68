"""Cells: their row, their joints, their place in tables."""

import json
from dataclasses import replace

import pytest

from bench.cells.cell import Cell
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
def test_what_sets_a_cell_apart(changes, words):
    assert replace(Cell("hourglass-1", "mpii-pckh", "mannequin", "val"), **changes).apart == words


def test_predictions_of_a_file_have_no_row_in_the_catalogue():
    assert Cell("theirs", "mpii-pckh", "mpii", "val", limit=8).apart == ("partial: 8 people",)


def test_an_untrained_network_has_no_recipe_and_no_budget():
    assert Cell("hourglass-1", "complexity", recipe="ablation", budget="quick").apart == ()


def test_other_joints_are_another_network():
    mpii, coco = (Cell("hourglass-1", "coco-ap", name, "val") for name in ("mannequin", "coco"))
    assert mpii.row.options["joints"] == coco.row.options["joints"] == 17
    assert Cell("hourglass-1", "mpii-pckh", "mannequin", "val").row.options.get("joints", 16) == 16
    assert Cell("hourglass-1", "lsp-pck", "lsp", "test").row.options["joints"] == 14


def test_identity_is_the_place_in_a_table():
    cell = Cell("hourglass-1", "mpii-pckh", "mannequin", "val", {"width": 0.25, "input": 64}, "there/recipe.toml")
    before = cell.identity  # which reads no recipe: it stays when the text of one changes
    for change in ({"seed": 1}, {"limit": 8}, {"budget": "quick"}, {"recipe": "newell2016"}, {"options": {"a": 1}}):
        assert replace(cell, **change).identity != before, change
    assert tuple(json.loads(json.dumps(before))) == before


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
