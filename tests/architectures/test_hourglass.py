"""The stacked hourglass: counts of pose-hg-train, receptive fields, and the checkpoints of pytorch-pose."""

import pytest
import torch
from shapes import by_shape
from torch.nn import functional
from typed import present

from architectures import ArchitectureError, catalogue, checkpoint_renamer, create
from architectures.hourglass import pytorch_pose_key, stacked_hourglass
from architectures.layers import Hourglass, Residual, channels
from architectures.weights import load
from protocols.network.complexity import measure

FEATURES = 256


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def residual(inputs, outputs):
    """Parameters by arithmetic: three convolutions with biases, three batch norms, a bare convolution to skip."""
    middle = outputs // 2
    norms = 2 * inputs + 4 * middle
    branch = (inputs + 1) * middle + (9 * middle + 1) * middle + (middle + 1) * outputs
    return norms + branch + (0 if inputs == outputs else (inputs + 1) * outputs)


@pytest.mark.parametrize("stacks", [1, 2, 4, 8])
@pytest.mark.parametrize(("form", "second"), [("", 128), ("-pytorch-pose", 256)])
def test_parameters_equal_the_arithmetic(stacks, form, second):
    stem = 3 * 64 * 49 + 64 + 2 * 64 + residual(64, 128) + residual(128, second) + residual(second, FEATURES)
    stack = 14 * residual(FEATURES, FEATURES) + FEATURES * 257 + 2 * FEATURES + 16 * 257
    back = FEATURES * 257 + FEATURES * 17
    with by_shape():
        network = stacked_hourglass(stacks=stacks, stem=form.lstrip("-") or "newell")
    assert parameters(network) == stem + stacks * stack + (stacks - 1) * back


@pytest.mark.parametrize(
    ("name", "count", "gmacs"),
    [
        ("hourglass-1", 3_426_448, 5.150), ("hourglass-2", 6_570_400, 8.335), ("hourglass-4", 12_858_304, None),
        ("hourglass-8", 25_434_112, 27.440), ("hourglass-2-pytorch-pose", 6_730_912, 8.989),
    ],
)  # fmt: skip
def test_counts_of_the_sheet(name, count, gmacs):
    with by_shape():
        network = create(name)
    assert parameters(network) == count
    if gmacs:
        values = {(value.metric, value.part): value.value for value in measure(network, (256, 256))}
        assert round(values["macs", "all"] / 1e9, 3) == gmacs


def test_two_blocks_a_place_double_the_residual_units():
    with by_shape():
        one, two = stacked_hourglass(stacks=8), stacked_hourglass(stacks=8, blocks=2)
    assert parameters(two) - parameters(one) == 8 * 14 * residual(FEATURES, FEATURES)
    assert round(parameters(two) / 1e6, 3) == 49.461


def positive(module):
    """Double precision, weights and statistics that keep every ReLU open: what is seen has a gradient."""
    module = module.double().eval()
    for parameter in module.parameters():
        parameter.data = parameter.data.abs() + 0.01
    return module


def extent(module, features, side, row):
    """First and last row of the input that output row `row` of the same resolution depends on."""
    x = torch.ones(1, features, side, 4, dtype=torch.float64, requires_grad=True)
    output = module(x)
    scale = output.shape[2] / side
    output[:, :, int(row * scale)].sum().backward()
    rows = present(x.grad).abs().sum((0, 1, 3)).nonzero().flatten()
    return int(rows[0]), int(rows[-1])


def test_residual_unit_sees_three_pixels():
    assert extent(positive(Residual(4, 4)), 4, 16, 7) == (6, 8)


def test_hourglass_sees_more_than_the_map(monkeypatch):
    """156 or 172 pixels by phase (sheet, section 2.8), where the map of a 256-pixel image has 64."""
    monkeypatch.setattr(functional, "max_pool2d", lambda x, *_, **__: x[..., ::2, :1] + x[..., 1::2, :1])
    monkeypatch.setattr(functional, "interpolate", lambda x, **_: x.repeat_interleave(2, 2))  # one column suffices
    hourglass = positive(Hourglass(lambda place, level: Residual(2, 2)))

    def sees(row):
        x = torch.ones(1, 2, 320, 1, dtype=torch.float64, requires_grad=True)
        hourglass(x)[1][0][:, :, row].sum().backward()
        rows = present(x.grad).abs().sum((0, 1, 3)).nonzero().flatten()
        return int(rows[-1] - rows[0]) + 1

    assert {sees(row) for row in range(152, 168)} == {156, 172}


def test_hourglass_returns_entries_and_merges_finest_first():
    entries, merges = Hourglass(lambda place, level: Residual(2, 2))(torch.randn(2, 2, 32, 48))
    sizes = [(2, 2, 32 // 2**i, 48 // 2**i) for i in range(4)]
    assert [x.shape for x in entries] == [x.shape for x in merges] == sizes


@pytest.mark.parametrize(("count", "width"), [(64, 0.3), (64, 0), (64, -1), (3, 1), (64, 1 / 64)])
def test_width_must_give_even_channels(count, width):
    with pytest.raises(ArchitectureError, match="positive multiple of 2"):
        channels(count, width)


def test_unknown_stem_and_no_stack_are_refused():
    with pytest.raises(ArchitectureError, match="allowed are 'newell' and 'pytorch-pose'"):
        stacked_hourglass(stem="resnet")
    with pytest.raises(ArchitectureError, match="1 stack or more"):
        stacked_hourglass(stacks=0)


# pytorch-pose, written anew from the sheet, section 6: names, shapes, and the function they stand for.


class Checkpoint:
    """A narrow checkpoint under pytorch-pose's names, filled as its function asks for tensors, and that function."""

    def __init__(self, features, joints, stacks):
        self.features, self.joints, self.stacks = features, joints, stacks
        self.state = {}
        self.generator = torch.Generator().manual_seed(0)

    def tensor(self, key, *shape):
        if key not in self.state:
            values = torch.rand(shape, generator=self.generator)
            self.state[key] = values + 0.5 if key.endswith("var") else values - 0.5
        return self.state[key]

    def conv(self, x, key, outputs, kernel=1, stride=1):
        weight = self.tensor(f"{key}.weight", outputs, x.shape[1], kernel, kernel)
        return functional.conv2d(x, weight, self.tensor(f"{key}.bias", outputs), stride, kernel // 2)

    def norm(self, x, key):
        names = ("running_mean", "running_var", "weight", "bias")
        statistics = [self.tensor(f"{key}.{name}", x.shape[1]) for name in names]
        self.state.setdefault(f"{key}.num_batches_tracked", torch.tensor(7))
        return functional.relu(functional.batch_norm(x, *statistics))

    def residual(self, x, key, outputs):
        y = self.conv(self.norm(x, f"{key}.bn1"), f"{key}.conv1", outputs // 2)
        y = self.conv(self.norm(y, f"{key}.bn2"), f"{key}.conv2", outputs // 2, 3)
        y = self.conv(self.norm(y, f"{key}.bn3"), f"{key}.conv3", outputs)
        return y + (x if x.shape[1] == outputs else self.conv(x, f"{key}.downsample.0", outputs))

    def hourglass(self, x, key, n):
        def unit(y, place):
            return self.residual(y, f"{key}.{n - 1}.{place}.0", self.features)

        up = unit(x, 0)
        low = unit(functional.max_pool2d(x, 2), 1)
        low = self.hourglass(low, key, n - 1) if n > 1 else unit(low, 3)
        return up + functional.interpolate(unit(low, 2), scale_factor=2)

    def __call__(self, images):
        features = self.features
        x = self.norm(self.conv(images, "conv1", features // 4, 7, 2), "bn1")
        x = functional.max_pool2d(self.residual(x, "layer1.0", features // 2), 2)
        x = self.residual(self.residual(x, "layer2.0", features), "layer3.0", features)
        outputs = []
        for s in range(self.stacks):
            y = self.residual(self.hourglass(x, f"hg.{s}.hg", 4), f"res.{s}.0", features)
            y = self.norm(self.conv(y, f"fc.{s}.0", features), f"fc.{s}.1")
            outputs.append(self.conv(y, f"score.{s}", self.joints))
            if s < self.stacks - 1:
                x = x + self.conv(y, f"fc_.{s}", features) + self.conv(outputs[-1], f"score_.{s}", features)
        return outputs


@pytest.fixture(scope="module")
def checkpoint():
    theirs = Checkpoint(features=16, joints=16, stacks=2)
    return theirs, theirs(torch.ones(1, 3, 64, 64))


def test_every_key_of_the_checkpoint_has_its_place(checkpoint):
    theirs, _ = checkpoint
    network = create("hourglass-2-pytorch-pose", width=1 / 16)
    renamed = {pytorch_pose_key(key): tensor.shape for key, tensor in theirs.state.items()}
    assert len(theirs.state) == 684
    assert sum(key.endswith("num_batches_tracked") for key in theirs.state) == 96
    assert renamed == {key: tensor.shape for key, tensor in network.state_dict().items()}


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("counters", [True, False])
def test_checkpoint_gives_the_same_heatmaps(checkpoint, tmp_path, prefix, counters):
    theirs, outputs = checkpoint
    state = {prefix + key: x for key, x in theirs.state.items() if counters or "num_batches" not in key}
    torch.save({"epoch": 9, "arch": "hg", "state_dict": state}, tmp_path / "model_best.pth.tar")
    row = catalogue()["hourglass-2-pytorch-pose"]
    network = create(row, width=1 / 16).eval()
    load(network, tmp_path / "model_best.pth.tar", checkpoint_renamer(row))
    with torch.no_grad():
        ours = network(torch.ones(1, 3, 64, 64))
    for one, other in zip(ours, outputs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_checkpoint_of_two_stacks_does_not_fit_eight(checkpoint, tmp_path):
    theirs, _ = checkpoint
    torch.save(theirs.state, tmp_path / "two.pth")
    row = catalogue()["hourglass-8-pytorch-pose"]
    with pytest.raises(ArchitectureError, match=r"nothing was loaded\. .*missing: stacks\..*fewer stacks"):
        load(create(row, width=1 / 16), tmp_path / "two.pth", checkpoint_renamer(row))
