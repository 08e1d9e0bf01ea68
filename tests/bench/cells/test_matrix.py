"""matrix.toml: products of lists, shell globs, and errors that say where they are."""

import tempfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import architectures
from architectures import ArchitectureError
from bench.cells import matrix
from bench.cells.matrix import Block, expand, match, splits_for
from bench.errors import USAGE, Problem

HOURGLASSES = ["hourglass-1", "hourglass-2", "hourglass-4", "hourglass-8"]


def load(tmp_path, text: str) -> list:
    path = tmp_path / "matrix.toml"
    path.write_text(text)
    return matrix.load(path)


def test_the_default_matrix():
    cells = matrix.load(matrix.Path("matrix.toml").resolve())
    assert {cell.protocol for cell in cells} >= {"mpii-pckh", "complexity"}
    assert {"mean-pose", "hourglass-1", "hourglass-2"} <= {cell.architecture for cell in cells}
    assert all(cell.budget == "quick" for cell in cells if cell.dataset)  # it has to end in minutes


def test_a_table_is_the_product_of_its_lists(tmp_path):
    text = """
    [[cells]]
    architectures = ["hourglass-[14]", "mean-pose"]
    protocols = ["mpii-pckh", "lsp-pck"]
    datasets = ["mannequin", "mannequin/test"]
    seeds = [0, 1]
    set = { width = 0.25 }
    budget = "quick"
    limit = 8
    """
    cells = load(tmp_path, text)
    assert len(cells) == 3 * 2 * 2 * 2
    assert {cell.architecture for cell in cells} == {"hourglass-1", "hourglass-4", "mean-pose"}
    assert {cell.split for cell in cells} == {"val", "test"}
    assert {cell.seed for cell in cells} == {0, 1}
    assert {(cell.overrides["width"], cell.budget, cell.limit) for cell in cells} == {(0.25, "quick", 8)}


def test_globs_match_in_the_order_of_the_catalogue():
    assert match("hourglass-?", architectures.catalogue(), "architecture") == HOURGLASSES
    assert match("*", architectures.catalogue(), "architecture") == list(architectures.catalogue())


def test_a_cell_that_is_named_twice_is_there_once(tmp_path):
    text = """
    [[cells]]
    architectures = ["hourglass-1", "hourglass-*"]
    protocols = ["complexity", "comp*"]
    [[cells]]
    architectures = ["hourglass-2"]
    protocols = ["complexity"]
    budget = "quick"   # changes nothing that is only counted
    recipe = "yang2017"
    """
    cells = load(tmp_path, text)
    names = [cell.architecture for cell in cells]
    assert len(names) == len(set(names)) and set(HOURGLASSES) <= set(names)


def test_cells_that_differ_stay_apart(tmp_path):
    text = """
    [[cells]]
    architectures = ["hourglass-1"]
    protocols = ["mpii-pckh"]
    """
    other = ["", 'recipe = "yang2017"', 'budget = "quick"', "limit = 5", "set = {width = 0.5}", 'weights = "w.pth"']
    assert len(load(tmp_path, "".join(f"{text}{line}\n" for line in other))) == len(other)


def test_protocols_without_data_have_one_cell_whatever_the_datasets():
    block = Block(("hourglass-1",), ("complexity",), datasets=("mannequin", "mpii", "coco"))
    assert [(cell.dataset, cell.split) for cell in expand(block)] == [("", "")]


def test_datasets_without_the_ground_truth_are_left_out():
    assert splits_for("coco-ap", ["mannequin", "lsp", "coco"]) == [("mannequin", "val"), ("coco", "val2017")]
    assert splits_for("mpii-pckh", ["lsp"]) == []


def test_classifiers_have_no_keypoints():
    classifiers = [name for name, row in architectures.catalogue().items() if row.skeleton == "cifar10"]
    assert classifiers
    assert expand(Block((classifiers[0],), ("mpii-pckh",))) == []
    assert len(expand(Block((classifiers[0],), ("complexity",)))) == 1


def test_fast_stays_where_it_means_something():
    settings: Any = {"fast": True}  # fields of Cell
    block = Block(architectures=("hourglass-1", "wrn-28-10"), protocols=("*",), datasets=("mannequin",), **settings)
    fast = {cell.protocol for cell in expand(block) if cell.fast}
    assert fast >= {"mpii-pckh", "lsp-pck", "lsp-pcp", "coco-ap", "occluded-limb", "speed"}
    assert not fast & {"cifar10-error", "complexity", "init-variance", "receptive-field"}


def test_a_builder_in_a_file_stands_for_itself(tmp_path):
    path = tmp_path / "net.py"
    path.write_text("def tiny(*, joints=16, width=1.0): ...")
    (cell,) = expand(Block((f"{path}:tiny",), ("complexity",)))
    assert cell.architecture == f"{path}:tiny"


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (Block(("hourglas-1",), ("complexity",)), "no architecture 'hourglas-1'.*hourglass-1"),
        (Block(("zzz*",), ("complexity",)), "zzz"),
        (Block(("hourglass-1",), ("complexty",)), "no protocol 'complexty'"),
        (Block(("hourglass-1",), ("mpii-pckh",), datasets=("mpi",)), "no dataset 'mpi'"),
        (Block(("hourglass-1",), ("mpii-pckh",), datasets=("mpii/vall",)), "mpii has no split 'vall'"),
        (Block(("net.py:tiny",), ("complexity",)), "no such file"),
    ],
)
def test_unknown_names(block, said):
    with pytest.raises((Problem, ArchitectureError), match=said) as caught:
        expand(block)
    assert getattr(caught.value, "code", USAGE) == USAGE


def test_an_input_that_no_network_can_have(tmp_path):
    text = '[[cells]]\narchitectures = ["hourglass-1"]\nprotocols = ["complexity"]\nset = {input = 100}'
    with pytest.raises(ArchitectureError, match="multiples of 64"):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[cells]]\narchitecture = ["x"]\nprotocols = ["y"]', r"`architecture`.*\$\.cells\[0\]"),
        ('[[cells]]\nprotocols = ["y"]', r"architectures.*\$\.cells\[0\]"),
        ('[[cells]]\narchitectures = "x"\nprotocols = ["y"]', r"array.*\$\.cells\[0\]\.architectures"),
        ('[[cells]]\narchitectures = ["x"]\nprotocols = ["y"]\nseeds = ["0"]', r"\$\.cells\[0\]\.seeds\[0\]"),
        ('[[cells]]\narchitectures = ["x"]\nprotocols = ["y"]\nseeds = [-1]', r"\$\.cells\[0\]\.seeds\[0\]"),
        ('[[cells]]\narchitectures = ["x"]\nprotocols = ["y"]\nlimit = -1', r"\$\.cells\[0\]\.limit"),
        ('[[cells]]\narchitectures = ["x"]\nprotocols = ["y"]\nbudget = "fast"', r"\$\.cells\[0\]\.budget"),
        ("cells = 3", r"\$\.cells"),
        ("[[cells", "matrix.toml"),
        ("x = " + "[" * 100_000, "matrix.toml"),
    ],
)
def test_unknown_keys_and_wrong_values_are_told_with_their_path(tmp_path, text, said):
    with pytest.raises(Problem, match=said) as caught:
        load(tmp_path, text)
    assert caught.value.code == USAGE and "matrix.toml" in caught.value.what


def test_no_matrix():
    with pytest.raises(Problem, match="no such matrix") as caught:
        matrix.load(matrix.Path("nowhere.toml"))
    assert "--matrix" in caught.value.next_step


def test_choose():
    cells = expand(Block(("hourglass-*",), ("complexity",)))
    assert [cell.architecture for cell in matrix.select(cells, "hourglass-[24]")] == ["hourglass-2", "hourglass-4"]
    assert matrix.select(cells, "") == cells
    assert matrix.select(cells, "prm*") == []


@settings(max_examples=1000)
@given(st.data())
def test_damaged_matrices_are_sentences(data):
    """Bytes cut out, doubled or replaced anywhere in a matrix that works."""
    text = (matrix.Path(__file__).parents[3] / "matrix.toml").read_bytes()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    put = data.draw(
        st.one_of(st.binary(max_size=8), st.sampled_from([b"[", b"]]", b'"', b"= -1", b"nan", b"\n", b"*"]))
    )
    with tempfile.TemporaryDirectory() as folder:
        path = matrix.Path(folder) / "matrix.toml"
        path.write_bytes(text[:start] + put + text[end:])
        try:
            cells = matrix.load(path)
        except (Problem, ArchitectureError) as error:
            assert str(error) and getattr(error, "code", USAGE) == USAGE
        else:
            assert len(matrix.unique(cells)) == len(cells)
