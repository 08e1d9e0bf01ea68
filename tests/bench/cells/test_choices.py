"""Choices by name: the words of recipes are the keys of the tables that the code looks them up in."""

import importlib
import shutil
from typing import Any

import pytest

from bench.cells import choices, recipe
from bench.cells.choices import words
from bench.executors.local import EXECUTORS
from protocols import PROTOCOLS
from protocols.coco import official
from protocols.coco.top_down import PRESETS
from protocols.joints import lsp_pck
from protocols.network import speed

TABLES = {
    (table.__name__, field): place
    for table in (
        recipe.Hyperparameters,
        recipe.Augmentation,
        recipe.Targets,
        recipe.Loss,
        recipe.Testing,
        recipe.Pixels,
    )
    for field, place in recipe._tables_of_words(table).items()
}
ENOUGH: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 1.0, "batch": 1, "steps": 1}  # of Hyperparameters


def test_the_fields_that_are_words():
    assert {field for _, field in TABLES} == {
        "optimizer", "schedule", "precision", "half_body_hips", "kind", "absent", "occluded", "reduction", "decoding",
        "channels",
    }  # fmt: skip


@pytest.mark.parametrize(("table", "field"), TABLES)
def test_words_are_those_of_the_code(table, field):
    """Words read from the source are those of run time, and nothing else may be written in a recipe."""
    module, _, name = TABLES[table, field].partition(":")
    known = tuple(getattr(importlib.import_module(module), name))
    assert known == words(TABLES[table, field])
    usual = ENOUGH if table == "Hyperparameters" else {}
    for word in known:
        assert getattr(getattr(recipe, table)(**usual | {field: word}), field) == word
    with pytest.raises(ValueError, match=f"{field} 'other' is none of {', '.join(known)}"):
        getattr(recipe, table)(**usual | {field: "other"})


def test_a_new_optimizer_needs_no_other_file(tmp_path, monkeypatch):
    shutil.copytree(choices.ROOT / "bench/training", tmp_path / "bench/training")
    place = tmp_path / "bench/training/optimizers.py"
    place.write_text(place.read_text().replace("OPTIMIZERS = {", 'OPTIMIZERS = {"lion": _lion, '))
    monkeypatch.setattr(choices, "ROOT", tmp_path)
    words.cache_clear()
    try:
        assert recipe.Hyperparameters(**dict[str, Any](ENOUGH, optimizer="lion")).optimizer == "lion"
    finally:
        words.cache_clear()


def test_a_table_that_is_not_there():
    for table in ("bench.training.optimizers:NONE", "bench.training.optimizers:Groups"):
        with pytest.raises(LookupError, match="with its keys written out"):
            words(table)


def test_words_of_protocols_are_those_of_their_code():
    assert PROTOCOLS["coco-ap"].choices["backend"] == ("own", *official.TOOLS)
    assert PROTOCOLS["coco-ap"].choices["preset"] == tuple(PRESETS)
    assert PROTOCOLS["lsp-pck"].choices["torso"] == tuple(lsp_pck.TORSOS)
    assert PROTOCOLS["speed"].choices["precisions"] == tuple(speed.AUTOCAST)
    assert PROTOCOLS["speed"].choices["modes"] == tuple(speed.MODES)


def test_executors():
    assert words("bench.executors.local:EXECUTORS") == tuple(EXECUTORS) == ("local", "ray")
