"""Folding: the same function with fewer operations, or the network as it was."""

import pytest
import torch
from torch import nn
from typed import present

import architectures
from bench.steps.predict import TOLERANCE, faster
from protocols.network.bn_folding import fold_batch_norm


def worn(network: nn.Module) -> nn.Module:
    """With statistics as after a training, in evaluation mode."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            present(module.running_mean).normal_(0, 0.3, generator=generator)
            present(module.running_var).uniform_(0.5, 2, generator=generator)
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(0, 0.3, generator=generator)
    return network.eval()


def norms(network: nn.Module) -> int:
    """How many batch normalisations an image meets; networks that were traced keep unused ones."""
    met = []
    handles = [
        module.register_forward_hook(lambda *_: met.append(1))
        for module in network.modules()
        if isinstance(module, nn.BatchNorm2d)
    ]
    with torch.inference_mode():
        network(torch.zeros(1, 3, 64, 64))
    for handle in handles:
        handle.remove()
    return len(met)


def test_closed_form():
    convolution, norm = nn.Conv2d(3, 1, 1), nn.BatchNorm2d(1)
    network = worn(nn.Sequential(convolution, norm))
    gain = norm.weight / (present(norm.running_var) + norm.eps).sqrt()
    bias = (present(convolution.bias) - present(norm.running_mean)) * gain + norm.bias
    found = fold_batch_norm(network)
    assert torch.allclose(found.get_parameter("0.weight"), convolution.weight * gain)
    assert torch.allclose(found.get_parameter("0.bias"), bias)
    assert norms(found) == 0 and norms(network) == 1


def test_a_network_in_training_stays_as_it_is_and_its_copy_evaluates():
    network = worn(nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)))).train()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    found, images = fold_batch_norm(network), torch.randn(2, 3, 8, 8)
    assert network.training and not found.training
    assert before.keys() == network.state_dict().keys()
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())
    assert norms(network) == 1 and norms(found) == 0
    assert torch.allclose(found(images), worn(network)(images), atol=1e-5)


# A pre-activation keeps the normalisation behind an addition; those of MSPN and Inception all follow a convolution.
@pytest.mark.parametrize(
    ("name", "options", "left"),
    [
        ("hourglass-1", {"width": 0.0625}, 17),
        ("prm-baseline-2", {"width": 0.125}, 32),
        ("liu-res", {"width": 0.25}, 0),
        ("mspn-1", {"width": 0.25}, 0),
        ("liu-cjn-random", {"width": 0.25}, None),  # cannot be traced
    ],
)
@torch.inference_mode()
def test_heatmaps_stay_within_the_tolerance(name, options, left):
    torch.manual_seed(0)
    network = worn(architectures.create(name, **options))
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    images = torch.randn(2, 3, 64, 64)
    expected, found = network(images)[-1], faster(network, "cpu")(images)[-1]
    assert (found - expected).abs().max() <= TOLERANCE["cpu"] * expected.abs().max()
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())
    assert norms(fold_batch_norm(network)) == (norms(network) if left is None else left)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@torch.inference_mode()
def test_on_a_gpu():
    network = worn(architectures.create("hourglass-1", width=0.25))
    network.to("cuda", memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - not in the stubs
    images = torch.randn(2, 3, 64, 64, device="cuda")
    expected, found = network(images)[-1], faster(network, "cuda")(images)[-1].float()
    assert (found - expected).abs().max() <= TOLERANCE["cuda"] * expected.abs().max()
