"""Optimizers and learning-rate schedules of recipes."""

import torch
from torch import nn

from bench.cells.recipe import Hyperparameters

Groups = list[dict[str, object]]  # of parameters, as torch takes them


def optimizer_of(network: nn.Module, hyper: Hyperparameters) -> torch.optim.Optimizer:
    """Make the optimizer of a recipe, with a parameter group per learning-rate factor and weight decay."""
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        bias = name.endswith("bias")
        factor = next((rate for part, rate in hyper.rates.items() if name.startswith(f"{part}.")), 1.0)
        factor *= hyper.bias_rate if bias else 1.0
        decay = 0.0 if bias and not hyper.bias_decay else hyper.weight_decay
        found.setdefault((factor, decay), []).append(parameter)
    groups: Groups = [
        {"params": parameters, "factor": factor, "weight_decay": decay} for (factor, decay), parameters in found.items()
    ]
    return OPTIMIZERS[hyper.optimizer](groups, hyper)


def _rmsprop(groups: Groups, hyper: Hyperparameters) -> torch.optim.Optimizer:
    # alpha as in Lua Torch's optim.rmsprop, which the hourglass papers used.
    return torch.optim.RMSprop(groups, lr=hyper.learning_rate, alpha=0.99, eps=1e-8, momentum=hyper.momentum)


def _adam(groups: Groups, hyper: Hyperparameters) -> torch.optim.Optimizer:
    return torch.optim.Adam(groups, lr=hyper.learning_rate)


def _sgd(groups: Groups, hyper: Hyperparameters) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=hyper.learning_rate, momentum=hyper.momentum, nesterov=hyper.nesterov)


OPTIMIZERS = {"rmsprop": _rmsprop, "adam": _adam, "sgd": _sgd}  # the words of a recipe: see bench.cells.choices


def set_rate(optimizer: torch.optim.Optimizer, hyper: Hyperparameters, step: int, total: int) -> None:
    """Set the learning rate of every parameter group for a step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(hyper, step, total) * group["factor"]


def learning_rate(hyper: Hyperparameters, step: int, total: int) -> float:
    """Learning rate of a step, counted from 0."""
    rate = SCHEDULES[hyper.schedule](hyper, step, total)
    return rate * min(1.0, 0.1 + 0.9 * step / hyper.warmup) if hyper.warmup else rate


def _constant(hyper: Hyperparameters, _step: int, _total: int) -> float:
    return hyper.learning_rate


def _drops(hyper: Hyperparameters, step: int, total: int) -> float:
    rate = hyper.learning_rate
    for share, factor in hyper.drops:
        rate *= factor if step >= share * total else 1
    return rate


def _linear(hyper: Hyperparameters, step: int, total: int) -> float:
    return hyper.learning_rate * (1 - step / total)


SCHEDULES = {"constant": _constant, "drops": _drops, "linear": _linear}  # linear: down to 0 at the last step
