"""Optimizers: their first steps on one weight, written out."""

import msgspec
import pytest
import torch
from torch import nn

from bench.cells.recipe import Hyperparameters
from bench.training.optimizers import OPTIMIZERS, SCHEDULES, learning_rate, optimizer_of

RATE = 0.01


def moved(gradients: list[float], weight: float = 1.0, **fields) -> list[float]:
    """How far each step of the optimizer of a plan moves a weight, in learning rates."""
    network = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(network.weight, weight)
    optimizer = optimizer_of(network, Hyperparameters(batch=1, steps=1, learning_rate=RATE, **fields))
    steps = []
    for gradient in gradients:
        before = network.weight.item()
        network.weight.grad = torch.full_like(network.weight, gradient)
        optimizer.step()
        steps.append((before - network.weight.item()) / RATE)
    return steps


def test_sgd_has_the_momentum_of_the_plan():
    assert moved([2.0, 2.0], optimizer="sgd") == pytest.approx([2, 2])
    assert moved([2.0, 2.0], optimizer="sgd", momentum=0.5) == pytest.approx([2, 0.5 * 2 + 2])
    # Nesterov (torch): gradient + momentum x the new velocity.
    assert moved([2.0], optimizer="sgd", momentum=0.5, nesterov=True) == pytest.approx([2 + 0.5 * 2])
    assert moved([2.0], weight=3.0, optimizer="sgd", weight_decay=0.1) == pytest.approx([2 + 0.1 * 3])


def test_rmsprop_is_that_of_lua_torch():
    """optim.rmsprop: m = 0.99 m + 0.01 g^2, step g / (sqrt(m) + 1e-8); torch's momentum sums the steps."""
    second = 2 / (0.99 * 0.04 + 0.04) ** 0.5
    assert moved([2.0, 2.0], optimizer="rmsprop") == pytest.approx([2 / 0.04**0.5, second])
    assert moved([2.0, 2.0], optimizer="rmsprop", momentum=0.5) == pytest.approx([10, 0.5 * 10 + second])
    assert moved([1e-7], optimizer="rmsprop") == pytest.approx([1e-7 / (0.1 * 1e-7 + 1e-8)])


def test_decay_of_adam_is_part_of_the_gradient():
    """L2, as torch's Adam in Li 2019's release: alone, it moves a weight by a whole rate; AdamW's would by 0.3."""
    assert moved([0.0], weight=3.0, optimizer="adam", weight_decay=0.1) == pytest.approx([1])
    assert moved([5.0], optimizer="adam") == pytest.approx([1])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_moves_weights_against_their_gradient(name):
    (step,) = moved([2.0], optimizer=name)
    assert step > 0


def test_the_rate_of_every_schedule():
    """Drops at a half and at three quarters to a tenth each; linear down to 0; both with a warm-up from a tenth."""
    drops = ((0.5, 0.1), (0.75, 0.1))
    expected = {"constant": [1, 1, 1, 1], "drops": [1, 1, 0.1, 0.01], "linear": [1, 0.75, 0.5, 0.25]}
    assert set(expected) == set(SCHEDULES)
    for name, factors in expected.items():
        plan = Hyperparameters(optimizer="sgd", batch=1, steps=4, learning_rate=RATE, schedule=name, drops=drops)
        assert [learning_rate(plan, step, 4) / RATE for step in range(4)] == pytest.approx(factors)
        warm = msgspec.structs.replace(plan, warmup=2)
        assert learning_rate(warm, 0, 4) == pytest.approx(0.1 * RATE * factors[0])
        assert learning_rate(warm, 1, 4) == pytest.approx(0.55 * RATE * factors[1])


def test_factors_belong_to_the_parameters_below_a_module():
    parts = {"head": nn.Linear(1, 1), "header": nn.Linear(1, 1), "body": nn.ModuleDict({"head": nn.Linear(1, 1)})}
    network = nn.ModuleDict(parts)
    optimizer = optimizer_of(
        network, Hyperparameters(optimizer="sgd", batch=1, steps=1, learning_rate=RATE, rates={"head": 8.0})
    )
    factors = {id(p): group["factor"] for group in optimizer.param_groups for p in group["params"]}
    assert {name: factors[id(p)] for name, p in network.named_parameters()} == {
        "head.weight": 8, "head.bias": 8, "header.weight": 1, "header.bias": 1,
        "body.head.weight": 1, "body.head.bias": 1,
    }  # fmt: skip
