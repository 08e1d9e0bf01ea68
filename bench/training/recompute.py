"""Gradient checkpointing: stages of a network keep only their inputs and are computed again in the backward pass."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint

from bench.errors import USAGE, Problem


@contextmanager
def recomputed_stages(network: nn.Module) -> Iterator[None]:
    """Recompute every stage of `network` in its backward pass; weights and running statistics come out the same.

    Raises Problem for a network without stages.
    """
    stages = list(_stages(network))
    if not stages:
        raise Problem(
            "checkpointing = true: this network has no stages that could be computed again.",
            expected="modules in a list called stacks or stages, or modules called stage0, stage1, ...",
            next_step="set checkpointing = false in the recipe, and lower micro_batch instead",
            code=USAGE,
        )
    for stage in stages:
        contexts = partial(_contexts, stage)
        stage.forward = partial(checkpoint, stage.forward, use_reentrant=False, context_fn=contexts)
    try:
        yield
    finally:
        for stage in stages:
            del stage.forward  # the method of its class counts again


def _stages(network: nn.Module) -> Iterator[nn.Module]:
    for name, module in network.named_children():
        if name in ("stacks", "stages"):
            yield from module.children()
        elif re.fullmatch(r"stage\d+", name):
            yield from module.children() if isinstance(module, nn.ModuleDict) else [module]


def _contexts(stage: nn.Module) -> tuple:
    """Contexts of the two forward passes of a stage: none, and one that freezes running statistics."""
    return nullcontext(), _frozen_statistics(stage)


@contextmanager
def _frozen_statistics(stage: nn.Module) -> Iterator[None]:
    """Keep batch normalization from updating its running statistics."""
    norms = [module for module in stage.modules() if isinstance(module, nn.BatchNorm2d)]
    saved = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, saved, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, batches
