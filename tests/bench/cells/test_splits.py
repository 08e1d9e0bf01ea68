"""Names of splits and the grammar of training data."""

import pytest

from bench.cells.cell import Cell
from bench.cells.splits import parse_split, parts_of, training_text
from bench.errors import Problem


def test_a_dataset_alone_means_its_default_split():
    assert parse_split("mpii") == ("mpii", "val") and parse_split("mpii", "train") == ("mpii", "train")


def test_training_data_as_the_tables_write_it():
    text = "mpii/train+mpii/val+lsp/train+lspet"
    assert parts_of(text) == [("mpii", "train"), ("mpii", "val"), ("lsp", "train"), ("lspet", "train")]
    assert training_text(text) == "mpii/train+mpii/val+lsp/train+lspet/train"
    assert training_text("mpii/train-25925 + mpii/val") == "mpii/train-25925+mpii/val"
    cell = Cell("cpm-6", "lsp-pck", "lsp", "test", trained_on=text)
    assert cell.training_data == training_text(text)
    assert Cell("cpm-6", "lsp-pck", "lsp", "test").training_data == "lsp/train"


@pytest.mark.parametrize(("text", "message"), [
    ("mpii/train lspet", "mpii has no split 'train lspet'"),
    ("mpii/train+val", "There is no dataset 'val'"),
    ("", "There is no dataset ''"),
])  # fmt: skip
def test_other_words_are_refused(text, message):
    with pytest.raises(Problem, match=message):
        training_text(text)
