"""Pathways against the tables of the spec sheet and brute force, gradient support against theory, empirical fields."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from shapes import by_shape
from torch import Tensor, nn
from torch.nn import functional
from typed import interval, present

from architectures import create
from architectures.inception import InceptionOfInception, InceptionResidual, Residual, make_gate
from protocols.errors import DataError
from protocols.network.effective_field import (
    CroppedPeople,
    crop_people,
    field_sizes,
    field_values,
    gradient_maps,
    occlusion_maps,
)
from protocols.network.path_distribution import pathways, trace_steps
from protocols.network.receptive_field import gradient_support, measure

CHANNELS = 4


def residual() -> nn.Module:
    return Residual(CHANNELS, CHANNELS, 2)


def inception() -> nn.Module:
    return InceptionResidual(CHANNELS, CHANNELS, 2)


def ioi(gate: str = "none") -> nn.Module:
    return InceptionOfInception(CHANNELS, CHANNELS, 2, gate=make_gate(gate, CHANNELS, 2))


class Nothing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


def ioi_without_shortcut() -> nn.Module:
    block = ioi()
    block.shortcut = Nothing()
    return block


# Spec sheet, section 3: pathways with field 1, 3, 5, ...
TABLES = [
    (residual, 1, "1 1"),
    (residual, 6, "1 6 15 20 15 6 1"),
    (residual, 18, " ".join(str(math.comb(18, j)) for j in range(19))),
    (inception, 1, "2 1 1"),
    (inception, 2, "4 4 5 2 1"),
    (inception, 3, "8 12 18 13 9 3 1"),
    (inception, 4, "16 32 56 56 49 28 14 4 1"),
    (inception, 5, "32 80 160 200 210 161 105 50 20 5 1"),
    (inception, 6, "64 192 432 640 780 732 581 366 195 80 27 6 1"),
    (inception, 7, "128 448 1120 1904 2632 2884 2674 2045 1337 721 329 119 35 7 1"),
    (inception, 8, "256 1024 2816 5376 8288 10304 10864 9648 7393 4824 2716 1288 518 168 44 8 1"),
    (
        inception,
        9,
        "512 2304 6912 14592 24768 34272 40320 40464 35298 26689 17649 10116 5040 2142 774 228 54 9 1",
    ),
    (ioi, 1, "15 17 24 15 10 3 1"),
    (ioi_without_shortcut, 1, "14 17 24 15 10 3 1"),
    (ioi, 2, "225 510 1009 1266 1386 1150 837 478 238 90 29 6 1"),
    (
        ioi,
        3,
        "3375 11475 29205 51758 76428 92106 96204 85986 67701 46347 28053 14754 6814 2688 912 252 57 9 1",
    ),
]


def chain(block, count: int) -> nn.Module:
    return nn.Sequential(*(block() for _ in range(count)))


@pytest.mark.parametrize(("block", "count", "row"), TABLES)
def test_distribution_is_the_table_of_the_sheet(block, count, row):
    found = pathways(chain(block, count), (CHANNELS, 16, 16))
    counts = list(map(int, row.split()))
    assert found.table == {1 + 2 * place: n for place, n in enumerate(counts)}
    assert found.paths == sum(counts)
    assert found.largest == 2 * len(counts) - 1
    mean = Fraction(sum((1 + 2 * i) * n for i, n in enumerate(counts)), sum(counts))
    assert found.mean == pytest.approx(float(mean), rel=1e-15)
    square = Fraction(sum((1 + 2 * i) ** 2 * n for i, n in enumerate(counts)), sum(counts))
    assert found.variance == pytest.approx(float(square - mean**2), rel=1e-12)


def test_printed_moments_and_probabilities():
    one, three, six = (
        pathways(chain(*network), (CHANNELS, 16, 16)) for network in ((ioi, 1), (inception, 3), (residual, 6))
    )
    assert (one.mean, round(one.variance, 6)) == (427 / 85, 8.234740)
    assert [round(found.entropy, 3) for found in (one, three, six)] == [2.472, 2.508, 2.333]
    assert [round(one.share(field), 5) for field in range(1, 14, 2)] == [
        0.17647, 0.37647, 0.65882, 0.83529, 0.95294, 0.98824, 1,
    ]  # fmt: skip
    assert round(three.share(5), 5) == 0.59375
    assert round(six.share(4), 5) == 0.10938  # even fields have no pathways of their own


@pytest.mark.parametrize("gate", ["sigmoid", "softmax", "text"])
def test_gates_are_no_pathways(gate):
    assert pathways(ioi(gate), (CHANNELS, 16, 16)).table == pathways(ioi(), (CHANNELS, 16, 16)).table


def test_brute_force_enumeration_agrees():
    graph = trace_steps(ioi(), (CHANNELS, 16, 16))

    def fields(index):  # every way from the input to an operation, one by one
        if index == 0:
            return [1]
        operation = graph.operations[index]
        return [field + operation.observed.reach for source in operation.inputs for field in fields(source)]

    found = fields(graph.outputs[-1])
    table = pathways(ioi(), (CHANNELS, 16, 16)).table
    assert len(found) == 85
    assert table == {field: found.count(field) for field in sorted(set(found))}


class Zoo(nn.Module):
    """A stride, a pool, a dilation, two ways up, a pool to a point and a slice put together again."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(2, 2, 5, stride=2, padding=2)
        self.wide = nn.Conv2d(2, 2, 3, padding=3, dilation=3)
        self.up = nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        low = functional.max_pool2d(self.down(x), 2)  # 1 + 4 + 2 = 7 pixels, one cell every 4
        middle = functional.interpolate(self.wide(low), scale_factor=2)  # 7 + 6 * 4 = 31, every 2
        gate = functional.adaptive_avg_pool2d(x, 1).sigmoid()
        return gate * (self.up(middle) + x)  # 31 + 1 * 2 = 33, every 1; and 1


def test_strides_pools_dilation_and_upsampling():
    assert pathways(Zoo(), (2, 32, 32)).table == {1: 1, 33: 1}


def test_known_networks():
    with by_shape():
        network = create("liu-ioi")
    # Sheet, section 4: 125 after the two shared blocks, 8 x 12 for three more, 8 x 36 a module; then stage 2.
    assert pathways(network, (3, 256, 256)).largest == 125 + 8 * 12 + 8 * 36 + 8 * 36
    with by_shape():
        stages = [pathways(create(f"cpm-{n}"), (3, 368, 368)).largest for n in (1, 2, 3)]
    assert stages == [167, 407, 647]


def test_sums_stay_exact_beyond_64_bits():
    found = pathways(chain(ioi, 12), (CHANNELS, 16, 16))
    assert found.paths == 85**12 > 2**64
    assert sum(present(found.table).values()) == 85**12


class Product(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x) * functional.max_pool2d(x, 3, 1, 1)


class Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2)
        return flat @ flat.transpose(1, 2)


class Mismatch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + functional.adaptive_avg_pool2d(x, 1)


@pytest.mark.parametrize(("network", "words"), [(Product(), "sigmoid"), (Attention(), "bmm"), (Mismatch(), "apart")])
def test_graphs_without_pathways_are_refused(network, words):
    with pytest.raises(DataError, match=words):
        pathways(network, (2, 8, 8))


# ------------------------------------------------------------------------------------ support


@pytest.mark.parametrize(
    ("block", "count", "field"),
    [
        (residual, 1, 3),
        (inception, 1, 5),
        (ioi, 1, 13),
        (ioi, 2, 25),
        (ioi, 3, 37),
        (residual, 18, 37),
        (inception, 9, 37),
    ],
)
def test_gradient_support_is_the_theoretical_field(block, count, field):
    network = chain(block, count)
    assert gradient_support(network, CHANNELS) == field == pathways(network, (CHANNELS, 16, 16)).largest


@pytest.mark.parametrize(
    ("gate", "fields"), [("sigmoid", (23, 45, 67)), ("softmax", (23, 45, 67)), ("text", (22, 42, 62))]
)
def test_gates_widen_the_support(gate, fields):
    assert tuple(gradient_support(chain(lambda: ioi(gate), count), CHANNELS) for count in (1, 2, 3)) == fields


def test_support_leaves_the_network_alone():
    network = ioi()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    gradient_support(network, CHANNELS)
    assert network.training and not network.get_submodule("norm")._forward_pre_hooks
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_support_is_none_where_the_grid_is_too_small():
    assert gradient_support(nn.Conv2d(1, 1, (1, 201), padding=(0, 100)), 1, max_columns=192) is None
    assert gradient_support(nn.Conv2d(1, 1, (1, 201), padding=(0, 100)), 1) == 201


def test_measure_names_blocks_and_keeps_the_mode():
    network = create("liu-aioi", width=0.0625)
    values = {(value.metric, value.part): value.value for value in measure(network, (64, 64))}
    assert network.training
    assert values["paths", "InceptionOfInception"] == 85
    assert values["P(r<=3)", "InceptionOfInception"] == pytest.approx(32 / 85)
    assert values["rf_support", "InceptionOfInception"] == 23
    assert (values["rf_max", "Stage"], values["rf_support", "Stage"]) == (37, 67)
    assert values["rf_max", "network"] == 797
    assert not any(part == "ReleasedGate" for _, part in values)


def test_a_constant_output_has_no_pathway():
    values = list(measure(create("mean-pose"), (64, 64)))
    assert [(value.metric, value.value) for value in values] == [("paths", 0)]


# ---------------------------------------------------------------------------------- empirical


class Chain(nn.Module):
    """Two 5x5 convolutions: 9 x 9 pixels, and the brightest pixel wins."""

    def __init__(self, joints: int = 1):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 5, padding=2), nn.Conv2d(4, joints, 5, padding=2))
        for parameter in self.parameters():
            nn.init.constant_(parameter, 0.1 if parameter.dim() > 1 else 0.0)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return (self.layers(images),)


def spot(x: int, y: int, size: int = 64) -> Tensor:
    images = torch.zeros(1, 3, size, size)
    images[..., y, x] = 1
    return images


def test_gradient_map_lies_in_the_theoretical_field(monkeypatch):
    monkeypatch.setattr("protocols.network.effective_field.BLUR", 0.0)
    image = spot(20, 40)
    field = gradient_maps(Chain(), image, joints=1)[0, 0]
    peak = np.unravel_index(int(Chain()(image)[0].argmax()), (64, 64))
    rows, columns = np.nonzero(field)
    assert (rows.min(), rows.max()) == (peak[0] - 4, peak[0] + 4)
    assert (columns.min(), columns.max()) == (peak[1] - 4, peak[1] + 4)


def test_occlusion_map_lies_in_the_field_widened_by_the_patch():
    image = torch.ones(1, 3, 64, 64)
    field = occlusion_maps(Chain(), image, joints=1, patch=8, stride=4)[0, 0]
    assert not field.any()  # noise over the range of a constant image is that constant
    image = torch.zeros(1, 3, 64, 64)
    image[..., 24:40, 24:40] = 1  # noise over the bright square costs the answer
    field = occlusion_maps(Chain(), image, joints=1, patch=8, stride=4)[0, 0]
    peak = np.unravel_index(int(Chain()(image)[0].argmax()), (64, 64))
    rows, columns = np.nonzero(field)
    assert len(rows)
    for found, centre in ((rows, peak[0]), (columns, peak[1])):
        assert centre - 4 - 7 <= found.min() <= found.max() <= centre + 4 + 7


def test_sizes_of_a_disc_and_of_a_ring():
    y, x = np.indices((201, 201))
    distance = np.hypot(x - 100, y - 100)
    disc = field_sizes((distance <= 50).astype(float), np.array([100.0, 100.0]), head_size=10, body_area=50 * 50)
    assert disc["r50"] == pytest.approx(5 * math.sqrt(0.5), abs=0.05)
    assert disc["r90"] == pytest.approx(5 * math.sqrt(0.9), abs=0.05)
    assert disc["spread"] == pytest.approx(5 * math.sqrt(0.5), abs=0.05)  # E[r^2] = R^2 / 2
    assert disc["area50"] == pytest.approx(math.pi / 2, abs=0.02)
    point = field_sizes((distance == 0).astype(float), np.array([70.0, 60.0]), head_size=10, body_area=100)
    assert point == pytest.approx({"r50": 5, "r90": 5, "spread": 5, "area50": 0.01})  # 3-4-5


def test_values_by_part_and_by_visibility():
    people = CroppedPeople(
        images=torch.cat([spot(20, 20), spot(40, 30)]),
        keypoints=np.array([[[20.0, 20], [20, 20], [0, 0]], [[40, 30], [40, 30], [40, 30]]]),
        visibility=np.array([[2, 1, 0], [2, 2, 2]]),
        head_size=np.array([8.0, 8]),
        body_area=np.array([1000.0, 1000]),
    )
    names = ("left_wrist", "right_wrist", "head_top")
    values = {(value.metric, value.part): value for value in field_values(Chain(3), people, names)}
    assert values["r50", "wrist"].n == 4
    assert values["r50", "wrist hidden"].n == 1 and values["r50", "wrist hidden"].low is None
    assert values["r50", "wrist visible"].n == 3
    assert values["r50", "head_top"].n == 1
    low, r50, high = interval(values["r50", "wrist"])
    assert low <= r50 <= high
    with pytest.raises(DataError, match="2 joints are named"):
        list(field_values(Chain(3), people, names[:2]))


def test_crops_of_mannequins_feed_measure():
    mannequin = pytest.importorskip("protocols.datasets.mannequin.people")
    people = mannequin.people("val", skeleton="lsp", count=3)
    taken = crop_people(people, range(3), (64, 64))
    assert taken.images.shape == (3, 3, 64, 64)
    assert 0 <= taken.images.min() <= taken.images.max() <= 1
    network = create("liu-res", width=0.0625)
    values = list(measure(network, (64, 64), joints=people.skeleton.joints, images=taken))
    found = {(value.metric, value.part): value for value in values}
    assert found["r50", "ankle"].value > 0
    assert found["r50", "ankle"].n == int(people.annotated[:, [0, 5]].sum())
