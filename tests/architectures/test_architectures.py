"""Every row of the catalogue, narrow and on small images: a new network brings its tests by being in the catalogue."""

import importlib
import inspect
import os
import tomllib
from functools import cache

import pytest
import torch
from typed import present

from architectures import CATALOGUE, ArchitectureError, catalogue, checkpoint_renamer, create, describe
from architectures.signature import signature
from architectures.weights import load, save
from protocols.pose.skeletons import SKELETONS

WIDTHS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)
COMPILED = [
    ("hourglass-1", {}), ("pyranet-b-2", {"stacks": 1}), ("attention-2-crf", {"stacks": 1}), ("wrn-28-10", {}),
    ("mspn-1", {}), ("cpm-3-gate", {}),
]  # fmt: skip
KINDS = {"published", "released", "reconstruction", "control", "baseline"}


@pytest.fixture(scope="module", params=catalogue())
def row(request):
    return catalogue()[request.param]


def narrow(row, seed=0, **options):
    """The network at the smallest width that divides, with weights of its own for each seed."""
    torch.manual_seed(seed)
    for width in WIDTHS:
        try:
            return create(row, width=width, **options)
        except ArchitectureError:
            continue
    raise AssertionError(f"{row.name} has no width that works")


@cache
def images(side, seed=0):
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(seed))


def small(row):
    return images(32 if row.skeleton == "cifar10" else 64)


@pytest.fixture(scope="module")
def trained(row):
    """The network after one step in training mode on the sum of squares of its outputs, and these outputs."""
    network = narrow(row)
    outputs = network(small(row))
    if any(True for _ in network.parameters()):
        torch.stack([output.square().sum() for output in outputs]).sum().backward()
    return network, outputs


@pytest.fixture(scope="module")
def evaluated(row, trained):
    """The same network in evaluation mode, and its prediction."""
    network = trained[0].eval()
    with torch.no_grad():
        return network, network(small(row))[-1]


def test_row_says_what_it_is(row):
    assert row.kind in KINDS
    assert row.summary and "\n" not in row.summary
    assert all(side % row.multiple == 0 for side in row.input)
    describe(row.name, input=row.input)
    assert checkpoint_renamer(row) is None or callable(checkpoint_renamer(row))


def test_outputs_are_heatmaps_at_a_fixed_stride(row, trained):
    network, outputs = trained
    assert isinstance(outputs, tuple)
    if row.skeleton == "cifar10":
        assert [output.shape for output in outputs] == [(2, 10)]
        return
    joints = len(SKELETONS[row.skeleton])
    assert outputs[-1].shape[1] in {joints, joints + 1}  # the released CJN, CPM and Nie 2019 add the background
    assert outputs[-1].shape[2:] in {(16, 16), (8, 8)}  # a quarter or an eighth of the image
    found = getattr(network, "output_joints", None)  # where a network finds some of the joints in each output
    for i, output in enumerate(outputs):
        maps = len(found[i]) if found else outputs[-1].shape[1]
        assert output.shape == (2, maps, *outputs[-1].shape[2:])


def test_every_parameter_gets_a_finite_gradient(trained):
    network, _ = trained
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    without = [name for name, gradient in gradients.items() if gradient is None or not gradient.isfinite().all()]
    assert not without
    assert not gradients or any(gradient.any() for gradient in gradients.values())


def test_evaluation_repeats_itself_whatever_the_seed(row, evaluated):
    network, prediction = evaluated
    torch.manual_seed(1)
    with torch.no_grad():
        assert torch.equal(network(small(row))[-1], prediction)
        torch.testing.assert_close(network(small(row)[:1])[-1], prediction[:1], rtol=1e-4, atol=1e-4)


def test_channels_last_computes_the_same(row, evaluated):
    network, prediction = evaluated
    with torch.no_grad():
        twin = network.to(memory_format=torch.channels_last)(small(row).to(memory_format=torch.channels_last))[-1]
    network.to(memory_format=torch.contiguous_format)
    torch.testing.assert_close(twin, prediction, rtol=1e-3, atol=1e-4)


def test_bfloat16_autocast_stays_finite(row, evaluated):
    network, prediction = evaluated
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = network(small(row))[-1].float()
    assert half.shape == prediction.shape
    assert half.isfinite().all()


def test_state_survives_a_safetensors_file(row, evaluated, tmp_path):
    network, prediction = evaluated
    save(network, tmp_path / "network.safetensors")
    other = narrow(row, seed=1).eval()
    load(other, tmp_path / "network.safetensors")
    with torch.no_grad():
        assert torch.equal(other(small(row))[-1], prediction)


def test_size_between_two_multiples_is_refused(row, evaluated):
    network, _ = evaluated
    if row.multiple == 1:
        return
    side = row.multiple + 1
    with pytest.raises(ArchitectureError, match=f"{side}x{side}.*multiples of {row.multiple}"):
        network(images(side))
    with pytest.raises(ArchitectureError, match=f"multiples of {row.multiple}"):
        describe(row.name, input=side)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), COMPILED)
def test_compiles_into_one_graph(name, options):
    """Traced whole, forward and backward, without the minutes that generating C++ for a hundred layers takes."""
    row = catalogue()[name]
    network = narrow(row, **options).eval()
    torch._dynamo.reset()
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    found = []
    for run in (network, compiled):
        network.zero_grad()
        prediction = run(small(row))[-1]
        prediction.square().sum().backward()
        found.append((prediction, present(next(network.parameters()).grad).clone()))
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=1e-5)


# The catalogue itself


def test_unknown_name_suggests_near_ones():
    with pytest.raises(ArchitectureError, match="hourglass-8"):
        describe("hourglas-8")


def test_unknown_option_lists_the_allowed_ones():
    with pytest.raises(ArchitectureError, match=r"no option 'stack'; .* takes stacks, joints, width"):
        create("hourglass-1", stack=2)


def test_wrong_options_are_known_before_anything_is_built():
    with pytest.raises(ArchitectureError, match=r"no option 'stack'; .* takes stacks, joints, width"):
        describe("hourglass-1", stack=2)
    with pytest.raises(ArchitectureError, match="stacks='two' does not work; it is a whole number"):
        describe("hourglass-1", stacks="two")
    with pytest.raises(ArchitectureError, match="joints=0 does not work; a network finds one joint or more"):
        describe("hourglass-1", joints=0)
    assert describe("hourglass-1", stacks=2, input=64, initialization="msr").options["stacks"] == 2


@pytest.mark.parametrize("builder", sorted({row.builder for row in catalogue().values()}))
def test_the_source_of_a_builder_tells_its_signature(builder):
    file, _, function = builder.partition(":")
    imported = inspect.signature(getattr(importlib.import_module(f"architectures.{file}"), function)).parameters
    read = present(signature(builder)).parameters
    assert [(name, of.kind, of.default) for name, of in read.items()] == [
        (name, of.kind, of.default) for name, of in imported.items()
    ]


def test_a_source_that_tells_nothing_is_left_to_python(tmp_path):
    place = tmp_path / "net.py"
    assert signature(f"{place}:net") is None
    for text in ("def other(): pass", "@wrapped\ndef net(): pass", "net = partial(other)", "def net(:"):
        place.write_text(text)
        os.utime(place, ns=(len(text), len(text)))  # written within the same tick of the clock
        assert signature(f"{place}:net") is None
    place.write_text("def net(a, b=2, *, c=(1, 2), d=[x], **more): pass")
    assert str(signature(f"{place}:net")) == "(a, b=2, *, c=(1, 2), d, **more)"


@pytest.mark.parametrize(
    ("option", "value"), [("stacks", "two"), ("stacks", 1.5), ("width", "wide"), ("width", True), ("stem", 7)]
)
def test_value_of_another_kind_is_refused(option, value):
    with pytest.raises(ArchitectureError, match=f"{option}=.* does not work; it is a"):
        create("hourglass-1", **{option: value})


def test_width_that_breaks_divisibility_is_refused():
    with pytest.raises(ArchitectureError, match=r"width=0\.3 turns 64 channels into 19\.2; allowed"):
        create("hourglass-1", width=0.3)
    with pytest.raises(ArchitectureError, match="allowed are widths"):
        create("pyranet-b-2", width=1 / 32)


def test_changed_row_carries_its_changes_in_its_name():
    row = describe("hourglass-2", width=0.25, input=[128, 64])
    assert (row.name, row.input, row.options) == (
        "hourglass-2@input=128x64,width=0.25", (128, 64), {"stacks": 2, "width": 0.25},
    )  # fmt: skip


def test_no_name_is_given_twice():
    families = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
    del families["papers"]
    assert sum(len(family["rows"]) for family in families.values()) == len(catalogue())


def test_builder_in_a_file_of_its_own(tmp_path):
    place = tmp_path / "net.py"
    place.write_text("from torch import nn\ndef tiny(*, joints=16):\n    return nn.Conv2d(3, joints, 1)\n")
    assert describe(f"{place}:tiny").kind == "external"
    assert create(f"{place}:tiny", joints=14).out_channels == 14
    with pytest.raises(ArchitectureError, match="no function 'other'; it has tiny"):
        create(f"{place}:other")
    with pytest.raises(ArchitectureError, match="no such file"):
        describe(f"{tmp_path}/absent.py:tiny")
    place.write_text("import nothing_of_this_name\n")
    with pytest.raises(ArchitectureError, match="cannot be imported: ModuleNotFoundError"):
        create(f"{place}:tiny")


def test_file_that_changes_within_a_second_is_read_anew(tmp_path):
    path = tmp_path / "net.py"
    text = "from torch import nn\ndef net(*, joints=16):\n    return nn.Conv2d(3, joints, SIZE)\n"
    for size in range(1, 6):  # of the same length, so that neither size nor time of the file tells them apart
        path.write_text(text.replace("SIZE", str(size)))
        os.utime(path, (1_000_000_000, 1_000_000_000))
        assert create(f"{path}:net").kernel_size == (size, size)
