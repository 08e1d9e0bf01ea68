"""The four initializations: variances by their formulas, and branches counted in networks of every kind."""

from math import sqrt

import pytest
import torch
from shapes import by_shape
from torch import nn
from typed import layer

from architectures import ArchitectureError, catalogue, create, describe
from architectures.initialization import MODES, NAMES, count_branches, initialize
from architectures.layers import Residual
from architectures.pyramid import pyranet


class Branches(nn.Module):
    """Two layers read the input, three sums of their outputs are read in different ways."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 8, 1)
        self.norm = nn.BatchNorm2d(8)
        self.after_sum = nn.Conv2d(8, 8, 1)
        self.after_concatenation = nn.Conv2d(16, 8, 1)
        self.classify = nn.Linear(8, 2)

    def forward(self, x):
        a, b = self.first(x), self.second(x)
        total = a + b + a
        y = self.after_sum(torch.relu(self.norm(nn.functional.max_pool2d(total, 2))))
        z = self.after_concatenation(torch.cat([total, b], 1))
        return self.classify(y.mean((2, 3)) + z.mean((2, 3)))


def test_branches_of_a_small_network():
    assert count_branches(Branches(), torch.empty(2, 3, 8, 8)) == {
        "first": (1, 2), "second": (1, 2), "after_sum": (3, 1), "after_concatenation": (1, 1), "classify": (2, 1),
    }  # fmt: skip


def test_sum_that_another_module_made_counts_as_one_addend():
    chain = nn.Sequential(nn.Conv2d(3, 4, 1), Residual(4, 4), Residual(4, 4), nn.Conv2d(4, 4, 1))
    counts = count_branches(chain)
    assert counts["1.reduce"] == (1, 1)
    assert counts["2.reduce"] == counts["3"] == (2, 1)


@pytest.fixture(scope="module")
def pyramid_counts():
    with by_shape():
        return count_branches(pyranet(stacks=2, unit="prm-b"), torch.empty(2, 3, 256, 256))


@pytest.mark.parametrize(
    ("layer", "branches"),
    [
        ("stacks.0.hourglass.up.0.main.0.1", (2, 3)),  # the sheet's table, section 3.4; a skip reads too
        ("stacks.0.hourglass.up.0.reductions.0.1", (2, 3)),
        ("stacks.0.hourglass.up.0.skip.1", (2, 3)),
        ("stacks.0.hourglass.side.0.main.1", (1, 1)),
        ("stacks.0.hourglass.side.0.levels.convolutions.0", (1, 4)),
        ("stacks.0.hourglass.side.0.levels.convolutions.3", (1, 4)),
        ("stacks.0.hourglass.side.0.widen.1", (4, 1)),
        ("stacks.0.hourglass.side.0.expand.1", (2, 1)),
        ("stem.4.main.0.1", (2, 2)),  # a unit whose input nothing else reads
        ("stacks.0.hourglass.side.0.main.0.1", (2, 4)),  # the unit on the way down reads the same tensor, pooled
        ("stacks.1.hourglass.side.0.main.0.1", (3, 4)),  # what goes from stack to stack has three addends
        ("stacks.0.score", (1, 2)),
        ("stacks.0.features_back", (1, 2)),
        ("stacks.1.score", (1, 1)),
    ],
)
def test_branches_of_the_pyramid_network(pyramid_counts, layer, branches):
    assert pyramid_counts[layer] == branches


def test_branches_of_other_units():
    with by_shape():
        separate = count_branches(pyranet(stacks=1, unit="prm-a"))
        concatenated = count_branches(pyranet(stacks=1, unit="prm-c"))
    assert separate["stem.4.reductions.2.1"] == (2, 5)  # the main branch and four reductions
    assert separate["stem.4.levels.convolutions.2"] == (1, 1)
    assert concatenated["stem.4.widen.1"] == (1, 1)


def test_counting_leaves_the_network_as_it_was():
    network = create("pyranet-bstar-2", width=1 / 8)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    count_branches(network)
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


# Variances: a layer with n weights shows its variance with a standard error of sqrt(2/n).


def variance_matches(weight, expected):
    error = 6 * sqrt(2 / weight.numel())
    return weight.var().item() == pytest.approx(expected, rel=error) and abs(weight.mean()) < sqrt(expected) * error


@pytest.mark.parametrize(
    ("name", "variance"),
    [("torch", 1 / (3 * 9 * 32)), ("xavier", 2 / (9 * 32 + 9 * 64)), ("msr", 2 / (9 * 32)),
     ("msr-avg", 4 / (9 * 32 + 9 * 64)), ("branch-aware", 4 / (9 * 32 + 9 * 64))],
)  # fmt: skip
def test_variance_of_a_convolution(name, variance):
    convolution, norm = nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64)
    nn.init.constant_(norm.weight, 5)
    initialize(nn.Sequential(convolution, norm), name)
    assert convolution.bias is not None
    assert variance_matches(convolution.weight, variance)
    assert (norm.weight == 1).all() and (norm.bias == 0).all()
    if name == "torch":
        assert convolution.weight.abs().max() <= 1 / sqrt(9 * 32)
        assert 0 < convolution.bias.abs().max() <= 1 / sqrt(9 * 32)
    else:
        assert (convolution.bias == 0).all()


def test_fans_of_groups_and_linear_layers():
    network = nn.Sequential(nn.Conv2d(32, 64, 3, groups=4), nn.Linear(300, 100))
    initialize(network, "xavier")
    assert variance_matches(network[0].weight, 2 / (9 * 8 + 9 * 16))
    assert variance_matches(network[1].weight, 2 / (300 + 100))


def test_tag_of_the_authors_code_marks_the_layer_behind_the_pyramid():
    network = create("pyranet-b-2", stacks=1)
    initialize(network, "branch-aware")
    unit = layer(network, "stacks.0.hourglass.side.0")
    assert variance_matches(unit.widen[1].weight, 4 / (4 * 28 + 128))
    assert variance_matches(unit.levels.convolutions[0].weight, 4 / (9 * 28 + 9 * 28))
    assert variance_matches(unit.expand[1].weight, 4 / (128 + 256))
    initialize(network, "msr-avg")
    assert variance_matches(unit.widen[1].weight, 4 / (28 + 128))


def test_graph_uses_the_branches_that_it_finds():
    network = create("pyranet-b-2", stacks=1)
    initialize(network, "branch-aware", mode="graph")
    unit = layer(network, "stacks.0.hourglass.side.0")
    assert variance_matches(unit.widen[1].weight, 4 / (4 * 28 + 128))
    assert variance_matches(unit.levels.convolutions[0].weight, 4 / (9 * 28 + 4 * 9 * 28))
    assert variance_matches(unit.expand[1].weight, 4 / (2 * 128 + 256))


@pytest.mark.parametrize("row", [name for name in catalogue() if name.endswith(("-1", "-2", "-released", "prm"))])
def test_graph_counts_every_layer_of_a_row(row):
    with by_shape():
        network = create(row, width=1 / 4)
    counts = count_branches(network, torch.empty(2, 3, *catalogue()[row].input))
    layers = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert sorted(counts) == sorted(layers)


def test_one_seed_gives_one_network():
    networks = [create("hourglass-1", width=1 / 32) for _ in range(3)]
    for network, seed in zip(networks, (1, 1, 2), strict=True):
        initialize(network, "msr", seed=seed)
    first, same, other = (network.get_parameter("stacks.0.score.weight") for network in networks)
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_row_with_an_initialization():
    """Drawn from torch's seed, as everything else of a network is; its name says so."""
    row = describe("hourglass-1", width=1 / 8, initialization="xavier")
    assert row.name == "hourglass-1@initialization=xavier,width=0.125"
    torch.manual_seed(3)
    network, twin = create(row), create("hourglass-1", width=1 / 8)
    initialize(twin, "xavier", seed=3)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(network.parameters(), twin.parameters(), strict=True))
    with pytest.raises(ArchitectureError, match="allowed are"):
        create(describe("hourglass-1", initialization="he"))
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in create(row).parameters()) > 0  # nothing to draw, nothing breaks


def test_unknown_names_are_refused():
    network = nn.Conv2d(3, 3, 1)
    with pytest.raises(ArchitectureError, match=f"allowed are {', '.join(NAMES)}"):
        initialize(network, "he")
    with pytest.raises(ArchitectureError, match=f"allowed are {', '.join(MODES)}"):
        initialize(network, "branch-aware", mode="trace")


def test_a_network_without_layers_stays_as_it_is():
    initialize(create("mean-pose"), "msr")
