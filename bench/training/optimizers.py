"""What turns gradients into weights: the optimizer of a recipe and its learning rate at every step."""

from typing import Any

import torch
from torch import nn

from bench.cells.recipe import Plan

Groups = list[dict[str, Any]]  # of parameters, as torch takes them


def optimizer_of(network: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    """The optimizer, with a group for every factor on the rate and every decay that the recipe asks for."""
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter in network.named_parameters():
        bias = name.endswith("bias")
        factor = next((rate for part, rate in plan.rates.items() if name.startswith(f"{part}.")), 1.0)
        factor *= plan.bias_rate if bias else 1.0
        decay = 0.0 if bias and not plan.bias_decay else plan.weight_decay
        group = groups.setdefault((factor, decay), {"params": [], "factor": factor, "weight_decay": decay})
        group["params"].append(parameter)
    return OPTIMIZERS[plan.optimizer](list(groups.values()), plan)


def _rmsprop(groups: Groups, plan: Plan) -> torch.optim.Optimizer:
    # alpha as in Lua Torch's optim.rmsprop, which the hourglass papers used.
    return torch.optim.RMSprop(groups, lr=plan.learning_rate, alpha=0.99, eps=1e-8, momentum=plan.momentum)


def _adam(groups: Groups, plan: Plan) -> torch.optim.Optimizer:
    return torch.optim.Adam(groups, lr=plan.learning_rate)


def _sgd(groups: Groups, plan: Plan) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=plan.learning_rate, momentum=plan.momentum, nesterov=plan.nesterov)


OPTIMIZERS = {"rmsprop": _rmsprop, "adam": _adam, "sgd": _sgd}  # the words of a recipe: see bench.cells.choices


def set_rate(optimizer: torch.optim.Optimizer, plan: Plan, step: int, total: int) -> None:
    """Give every group its rate for a step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(plan, step, total) * group["factor"]


def learning_rate(plan: Plan, step: int, total: int) -> float:
    """The rate of a step (counted from 0)."""
    rate = SCHEDULES[plan.schedule](plan, step, total)
    return rate * min(1.0, 0.1 + 0.9 * step / plan.warmup) if plan.warmup else rate


def _constant(plan: Plan, _step: int, _total: int) -> float:
    return plan.learning_rate


def _drops(plan: Plan, step: int, total: int) -> float:
    rate = plan.learning_rate
    for share, factor in plan.drops:
        rate *= factor if step >= share * total else 1
    return rate


def _linear(plan: Plan, step: int, total: int) -> float:
    return plan.learning_rate * (1 - step / total)


SCHEDULES = {"constant": _constant, "drops": _drops, "linear": _linear}  # linear: down to 0 at the last step
