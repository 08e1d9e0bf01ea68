"""Checkpoints that are broken or made to harm: weights or a sentence; no code runs, no network is half set."""

import json
import pickle
import struct

import pytest
import torch
from hostile import Boom, answer, damaged
from safetensors.torch import save
from torch import nn

from architectures import weights
from bench.training import checkpoint

CASES = 150  # a format


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


def trained():
    module = network()
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    return module, optimizer


FORMATS = {
    "a.safetensors": lambda path: weights.save(network(), path),
    "a.pth": lambda path: torch.save(network().state_dict(), path),
    "old.pth": lambda path: torch.save(network().state_dict(), path, _use_new_zipfile_serialization=False),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FORMATS)
def test_damaged_weights(tmp_path, name):
    path = tmp_path / name
    FORMATS[name](path)
    whole = path.read_bytes()
    for seed in range(CASES):
        path.write_bytes(damaged(whole, seed))
        module = network()
        before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
        loaded = answer(lambda m=module: weights.load(m, path) or True)
        after = module.state_dict()
        assert all(after[key].shape == tensor.shape for key, tensor in before.items())
        assert loaded or all(torch.equal(after[key], tensor) for key, tensor in before.items())


def test_damaged_checkpoints(tmp_path):
    path = tmp_path / checkpoint.LAST
    state = checkpoint.State(7, 1.5, [(7, 1.0, 0.5, None)], 4, ["a note"])
    checkpoint.save(path, *trained(), None, state)
    assert checkpoint.load(path, *trained(), None) == state
    whole = path.read_bytes()
    for seed in range(CASES):
        path.write_bytes(damaged(whole, seed))
        found = answer(lambda: checkpoint.load(path, *trained(), None))
        assert found is None or (type(found.step) is int and isinstance(found.notes, list))


@pytest.mark.parametrize(
    "place",
    ["{", "[]", "null", "{}", '{"step": "x"}', '{"history": [1]}', '{"step": 1e400}', "[" * 100_000, '{"notes": 3}'],
)
def test_a_checkpoint_whose_place_is_none(tmp_path, place):
    path = tmp_path / checkpoint.LAST
    module, optimizer = trained()
    checkpoint.save(path, module, optimizer, None, checkpoint.State())
    tensors = {f"network.{name}": value for name, value in module.state_dict().items()}
    path.write_bytes(save(tensors, metadata={"state": place}))
    found = answer(lambda: checkpoint.load(path, module, optimizer, None))
    assert found is None or (place == "{}" and found == checkpoint.State())


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**62, 2**64 - 1])
def test_a_header_that_is_longer_than_its_file(tmp_path, length):
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b"{}")
    assert answer(lambda: weights.load(network(), path) or True) is None
    assert answer(lambda: checkpoint.load(path, *trained(), None)) is None


@pytest.mark.parametrize("shape", [[2**40, 2**40], [-1], [4, 3, 3], [2**62], []])
def test_shapes_that_a_header_promises(tmp_path, shape):
    header = json.dumps({"0.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, 8]}}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    assert answer(lambda: weights.load(network(), path) or True) is None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("wrapped", ["torch", "pickle"])
def test_no_code_runs(tmp_path, protocol, wrapped):
    planted, path = tmp_path / "planted", tmp_path / "a.pth"
    content = {**network().state_dict(), "0.weight": Boom(planted)}
    if wrapped == "torch":
        torch.save(content, path, pickle_protocol=protocol)
    else:
        path.write_bytes(pickle.dumps(content, protocol))
    assert answer(lambda: weights.load(network(), path) or True) is None
    assert not planted.exists()


@pytest.mark.parametrize("content", [{1: torch.ones(1)}, {"a": 1}, [torch.ones(1)], torch.ones(1), {"model": {}}, None])
def test_pickles_of_other_things(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    assert answer(lambda: weights.load(network(), tmp_path / "a.pth") or True) is None
