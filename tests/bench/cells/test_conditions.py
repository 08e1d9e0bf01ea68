"""Conditions: what counts as a difference between two measurements, and how it is said."""

import json
from dataclasses import dataclass, replace

import msgspec
import pytest

from bench.cells.cell import Cell
from bench.cells.conditions import Conditions, against, conditions, difference, of_file, table_key
from bench.cells.settings import chosen, setting

LSP = ("protocol mpii-pckh / lsp-pck", "torso as usual / mid_shoulder-mid_hip")
CELL = Cell("hourglass-1", "mpii-pckh", "mannequin", "val", recipe="ablation")


@dataclass(frozen=True)
class WiderCell(Cell):
    """A cell with a field that nothing here knows."""

    dummy: int = setting(0, "A setting of a test.", "weights")


@pytest.mark.parametrize(
    ("change", "clauses"),
    [
        ({}, ()),
        ({"architecture": "hourglass-2", "seed": 1}, ()),  # network and seed are no conditions
        ({"overrides": {"width": 0.5}}, ()),
        ({"fast": True}, ("fast no / yes",)),
        ({"limit": 10}, ("people all / first 10",)),
        ({"split": "test"}, ("split val / test",)),
        ({"trained_on": "lspet/train"}, ("training data mannequin/train / lspet/train",)),
        ({"drop_invalid": True}, ("drop invalid as usual / yes",)),
        ({"options": {"resamples": 200}}, ()),  # they move intervals alone
        ({"protocol": "lsp-pck", "options": {"torso": "mid_shoulder-mid_hip"}}, LSP),
        ({"options": {"resamples": 1000, "seed": 0}}, ()),  # the defaults
        ({"overrides": {"input": 64}}, ("input 256x256 / 64x64",)),
    ],
)
def test_every_setting_is_a_difference_in_words(change, clauses):
    assert difference(conditions(CELL), conditions(replace(CELL, **change))) == clauses


def test_another_recipe_or_budget_is_another_training():
    for change in ({"recipe": "newell2016"}, {"budget": "quick"}):
        unlike = difference(conditions(CELL), conditions(replace(CELL, **change)))
        assert any(clause.startswith("recipe text") for clause in unlike), unlike


def test_a_field_that_is_added_to_a_cell_counts_at_once():
    usual = WiderCell(*("hourglass-1", "mpii-pckh", "mannequin", "val"))
    other = replace(usual, dummy=3)
    assert difference(conditions(usual), conditions(other)) == ("dummy as usual / 3",)
    assert table_key("net", 0, conditions(usual)) != table_key("net", 0, conditions(other))
    assert other.tags == ("dummy 3",) and chosen(other, "weights") == {"dummy": 3}
    assert not against(conditions(usual), {}).differences and against(conditions(other), {}).differences


def test_what_is_not_known_of_a_file_differs_in_nothing():
    file = of_file(replace(CELL, architecture="theirs.npz", recipe=""))
    assert not difference(file, conditions(CELL)) and file.recipe is None
    assert difference(file, conditions(replace(CELL, limit=3))) == ("people all / first 3",)


def test_a_baseline_without_gradients_has_no_recipe():
    assert not difference(conditions(replace(CELL, architecture="mean-pose")), conditions(CELL))


def test_a_printed_test_is_held_against_ours_in_the_words_of_the_tables():
    ours = Conditions("mpii-pckh", 1, "mpii", "val", flip=True, scales=(1.0,), budget="quick", options={"torso": "x"})
    printed = {"dataset": "mpii", "split": "val", "flip": "no", "scales": "unknown", "boxes": "detected"}
    held = against(ours, printed)
    assert held.differences == (
        "flip yes, in the paper no",
        "boxes unknown, in the paper detected",
        "torso x / as usual in the paper",
    )
    assert held.unknown == ("scales",)


def test_an_option_of_the_protocol_may_be_printed():
    usual = Conditions("coco-ap", 1, "coco", "val2017")
    assert against(usual, {"preset": "mspn"}).differences == ("preset hrnet, in the paper mspn",)
    assert not against(replace_options(usual, preset="mspn"), {"preset": "mspn"}).differences
    assert against(replace_options(usual, preset="mspn"), {}).differences == ("preset mspn / as usual in the paper",)


def test_released_weights_differ_in_nothing_else_of_the_training():
    ours = Conditions("mpii-pckh", 1, "mpii", "val", weights="hg.t7", training_data="released weights")
    printed = {"training data": "mpii/train", "recipe": "newell2016", "budget": "full", "weights": "trained"}
    assert against(ours, printed).differences == ("weights hg.t7, in the paper trained",)


def replace_options(conditions: Conditions, **options) -> Conditions:
    return msgspec.structs.replace(conditions, options=options)


def test_conditions_survive_a_journey_through_a_file():
    made = conditions(CELL)
    assert msgspec.json.decode(json.dumps(msgspec.to_builtins(made)).encode(), type=Conditions) == made
