"""Diagrams show what runs: modules of made-up networks whose graphs are known by hand."""

import pytest
import torch
from torch import Tensor, nn

from protocols.network.graph import trace_inference
from protocols.network.module_graph import module_graph


class Unit(nn.Module):
    """Convolution, normalization, activation, and a shortcut."""

    def __init__(self, features: int):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(features, features, 3, padding=1), nn.BatchNorm2d(features), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Branches(nn.Module):
    """Equal branches whose products with the input are joined; one longer branch."""

    def __init__(self, equal: int):
        super().__init__()
        self.equal = nn.ModuleList(nn.Conv2d(4, 1, 1) for _ in range(equal))
        self.longer = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, (1, 3), padding=(0, 1), dilation=(1, 1)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        joined = torch.cat([x * torch.sigmoid(branch(x)) for branch in self.equal], 1)
        return joined, self.longer(x) + x + torch.relu(x)


class Net(nn.Module):
    """A stem, units in a row, and branches."""

    def __init__(self, equal: int = 4):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 7, 2, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
        self.units = nn.Sequential(Unit(4), Unit(4), Unit(4))
        self.branches = Branches(equal)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return self.branches(self.units(self.stem(images)))


def steps(block: str = "", opened=(), **options):
    network = Net(**options)
    return module_graph(network, trace_inference(network, (3, 32, 32)), block, opened)


def told(block: str = "", opened=(), **options):
    return [(step.label, step.inputs, step.row, step.beside) for step in steps(block, opened, **options)]


def test_sequences_are_opened_and_equal_modules_in_a_row_counted():
    assert told() == [
        ("input", (), 1, 1), ("7×7 conv /2", (0,), 1, 1), ("max pool 2×2", (1,), 1, 1), ("Unit", (2,), 3, 1),
        ("Branches", (3,), 1, 1), ("output", (4,), 1, 1), ("output", (4,), 1, 1),
    ]  # fmt: skip
    assert [step.shape for step in steps()[:3]] == [(3, 32, 32), (4, 16, 16), (4, 8, 8)]
    assert steps()[1].parameters == 3 * 4 * 49 + 4 and steps()[3].parameters == 4 * 4 * 9 + 4 + 2 * 4


def test_the_first_block_of_a_class_is_shown_alone():
    assert told("Unit") == [
        ("input", (), 1, 1), ("3×3 conv", (0,), 1, 1), ("+", (0, 1), 1, 1), ("output", (2,), 1, 1),
    ]  # fmt: skip


def test_equal_branches_are_counted_and_a_sum_of_three_is_one():
    assert told("Branches") == [
        ("input", (), 1, 1), ("1×1 conv", (0,), 1, 4), ("sigmoid", (1,), 1, 4), ("×", (0, 2), 1, 4),
        ("concatenate", (3,), 1, 1), ("1×1 conv", (0,), 1, 1), ("1×3 conv", (5,), 1, 1), ("+", (6, 0), 1, 1),
        ("output", (4,), 1, 1), ("output", (7,), 1, 1),
    ]  # fmt: skip


def test_few_branches_are_all_shown():
    assert [step.label for step in steps("Branches", equal=2)].count("×") == 2


def test_classes_to_look_into_are_shown_as_their_content():
    labels = [step.label for step in steps(opened=("Branches",))]
    assert "Branches" not in labels and labels.count("concatenate") == 1 and "Unit" in labels


def test_a_block_that_is_not_there_is_an_error():
    with pytest.raises(LookupError, match="Net runs no block of the class 'Residual'"):
        steps("Residual")
