"""What turns gradients into weights: the optimizer of a recipe and its learning rate at every step."""

import torch
from torch import nn

from bench.cells.recipe import Plan


def optimizer_of(network: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    """The optimizer, with a group for every factor on the rate and every decay that the recipe asks for."""
    groups: dict[tuple[float, float], dict] = {}
    for name, parameter in network.named_parameters():
        bias = name.endswith("bias")
        factor = next((rate for part, rate in plan.rates.items() if name.startswith(f"{part}.")), 1.0)
        factor *= plan.bias_rate if bias else 1.0
        decay = 0.0 if bias and not plan.bias_decay else plan.weight_decay
        group = groups.setdefault((factor, decay), {"params": [], "factor": factor, "weight_decay": decay})
        group["params"].append(parameter)
    found, rate = list(groups.values()), plan.learning_rate
    if plan.optimizer == "adam":
        return torch.optim.Adam(found, lr=rate)
    if plan.optimizer == "sgd":
        return torch.optim.SGD(found, lr=rate, momentum=plan.momentum, nesterov=plan.nesterov)
    # alpha as in Lua Torch's optim.rmsprop, which the hourglass papers used.
    return torch.optim.RMSprop(found, lr=rate, alpha=0.99, eps=1e-8, momentum=plan.momentum)


def set_rate(optimizer: torch.optim.Optimizer, plan: Plan, step: int, total: int) -> None:
    """Give every group its rate for a step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(plan, step, total) * group["factor"]


def learning_rate(plan: Plan, step: int, total: int) -> float:
    """The rate of a step (counted from 0)."""
    rate = plan.learning_rate
    if plan.schedule == "linear":
        rate *= 1 - step / total
    elif plan.schedule == "drops":
        for share, factor in plan.drops:
            rate *= factor if step >= share * total else 1
    return rate * min(1.0, 0.1 + 0.9 * step / plan.warmup) if plan.warmup else rate
