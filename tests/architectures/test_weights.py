"""Weights in files: whole, strict, and never a pickle that runs code."""

import os
import pickle

import pytest
import safetensors.torch
import torch
from torch import nn

from architectures import ArchitectureError, create
from architectures.weights import load, save


class Opens:
    """A pickle that would leave a trace if it ran."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


def network(**options):
    return create("hourglass-2", width=1 / 32, **options)


def snapshot(module):
    return {key: tensor.clone() for key, tensor in module.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture
def saved(tmp_path):
    source = network()
    save(source, tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors", snapshot(source)


def test_what_is_saved_is_loaded(saved):
    path, state = saved
    other = network()
    load(other, path)
    assert same(snapshot(other), state)
    assert [place.name for place in path.parent.iterdir()] == ["net.safetensors"]


def test_tensors_in_one_memory_and_other_layouts_are_saved(tmp_path):
    first, second, convolution = nn.Linear(3, 3), nn.Linear(3, 3), nn.Conv2d(4, 4, 3)
    second.weight = first.weight
    convolution.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - not in the stubs
    module = nn.Sequential(first, second, convolution)
    save(module, tmp_path / "shared.safetensors")
    assert same(safetensors.torch.load_file(tmp_path / "shared.safetensors"), snapshot(module))


def test_a_failed_write_leaves_the_old_file(saved, monkeypatch):
    path, _ = saved
    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("no space left on device")))
    with pytest.raises(OSError, match="no space"):
        save(network(), path)
    assert path.read_bytes() == before
    assert [place.name for place in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_pickles_of_tensors_with_and_without_prefix(tmp_path, wrapper):
    state = {f"module.{key}": tensor for key, tensor in network().state_dict().items()}
    torch.save({"epoch": 3, wrapper: state} if wrapper else state, tmp_path / "net.pth")
    other = network()
    load(other, tmp_path / "net.pth")
    assert same(snapshot(other), {key.removeprefix("module."): tensor for key, tensor in state.items()})


def test_old_files_lack_counters(tmp_path):
    state = {key: x for key, x in network().state_dict().items() if not key.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "old.pth")
    other = network()
    other(torch.zeros(2, 3, 64, 64))
    load(other, tmp_path / "old.pth")
    after = snapshot(other)
    assert same({key: after[key] for key in state}, state)
    assert all(count == 1 for key, count in after.items() if key.endswith("num_batches_tracked"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stacks": 1}, r"missing: stacks\.0\.features_back\.weight, .* and more\. .*fewer stacks"),
        ({"stacks": 3}, r"unexpected: stacks\.2\..*more stacks"),
        ({"joints": 14}, r"5 of another shape: .*\(14x8x1x1 instead of 16x8x1x1\).*other joints"),
        ({"stem": "pytorch-pose"}, r"2 missing: stem.*of another shape: stem"),
    ],
)
def test_what_does_not_fit_is_refused_whole(tmp_path, options, message):
    save(network(**options), tmp_path / "other.safetensors")
    target = network()
    before = snapshot(target)
    with pytest.raises(ArchitectureError, match=message) as caught:
        load(target, tmp_path / "other.safetensors")
    assert "nothing was loaded" in str(caught.value)
    assert same(snapshot(target), before)


def test_missing_weights_are_counted_and_counters_are_not(tmp_path):
    save(network(stacks=1), tmp_path / "one.safetensors")
    target = network()
    one = create("hourglass-1", width=1 / 32).state_dict()
    lacking = [key for key in target.state_dict() if key not in one and not key.endswith("num_batches_tracked")]
    with pytest.raises(ArchitectureError, match=rf"\b{len(lacking)} missing: {lacking[0]}, {lacking[1]}"):
        load(target, tmp_path / "one.safetensors")


def test_another_architecture_is_refused(tmp_path):
    save(create("cpm-1", width=1 / 16), tmp_path / "cpm.safetensors")
    with pytest.raises(ArchitectureError, match=r"missing: .* unexpected: .*another architecture"):
        load(network(), tmp_path / "cpm.safetensors")


def test_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path):
    place = tmp_path / "ran"
    torch.save({"state_dict": Opens(place)}, tmp_path / "new.pth")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Opens(place)))
    for name in ("new.pth", "plain.pkl"):
        with pytest.raises(ArchitectureError, match="could run code"):
            load(network(), tmp_path / name)
    assert not place.exists()


@pytest.mark.parametrize("name", ["cut.safetensors", "cut.pth"])
def test_damaged_and_empty_files_are_refused(tmp_path, name):
    path = tmp_path / name
    if name.endswith(".pth"):
        torch.save(network().state_dict(), path)
    else:
        save(network(), path)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"not weights"):
        path.write_bytes(content)
        with pytest.raises(ArchitectureError, match="cannot be read as weights"):
            load(network(), path)


def test_no_file_and_no_state(tmp_path):
    with pytest.raises(ArchitectureError, match="no such file"):
        load(network(), tmp_path / "absent.safetensors")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(ArchitectureError, match="holds no state"):
        load(network(), tmp_path / "list.pth")


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (lambda weight: weight > 0, "bool instead of float32"),
        (lambda weight: weight.to(torch.int8), "int8 instead of float32"),
        (lambda weight: weight.to(torch.complex64), "complex64 instead of float32"),
        (lambda weight: weight * float("nan"), "values that are not finite"),
        (lambda weight: weight.to_sparse(), "sparse or quantized"),
        (lambda weight: weight.to("meta"), "without values"),
    ],
)
def test_tensors_that_are_no_weights_are_refused(tmp_path, spoilt, said):
    layer = nn.Conv2d(3, 4, 1)
    state = layer.state_dict()
    torch.save({**state, "weight": spoilt(state["weight"])}, tmp_path / "spoilt.pth")
    before = layer.weight.clone()
    with pytest.raises(ArchitectureError, match=f"weight \\({said}\\)"):
        load(layer, tmp_path / "spoilt.pth")
    assert torch.equal(layer.weight, before)
