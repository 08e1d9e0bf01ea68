"""The loss: squared differences between the supervised outputs and their targets."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from bench.cells.recipe import Loss, Targets
from bench.errors import CELL_FAILED, Problem
from protocols.pose.people import OCCLUDED
from protocols.pose.targets import background, blurred_impulses, exact_gaussians, gaussians


@dataclass(frozen=True)
class Supervision:
    """What a network says about its outputs; entry i of a tuple belongs to output i."""

    kernels: tuple[int, ...] = ()  # blur of the targets, cells
    joints: tuple[tuple[int, ...], ...] = ()  # which joints have maps, -1 for the background; empty: all of them
    heads: int = 1  # outputs a stage, the finest last


MEAN, ALL_JOINTS = Loss(), Supervision()


def supervision(network: nn.Module) -> Supervision:
    """The attributes `target_kernels`, `output_joints` and `heads_per_stage` of a network, where it has them."""
    return Supervision(
        tuple(getattr(network, "target_kernels", None) or ()),
        tuple(getattr(network, "output_joints", None) or ()),
        getattr(network, "heads_per_stage", 1),
    )


def heatmap_loss(
    outputs: tuple[torch.Tensor, ...],
    points: torch.Tensor,
    visibility: torch.Tensor,
    size: tuple[int, int],
    targets: Targets,
    loss: Loss = MEAN,
    given: Supervision = ALL_JOINTS,
) -> torch.Tensor:
    """The sum of the losses of all outputs, a mean over the batch.

    `outputs`: each B x C x h x w; `points`: B x J x 2 in pixels of the input of `size`, NaN for joints that the
    dataset does not know: they never teach; `visibility`: B x J, ABSENT, OCCLUDED or VISIBLE.
    """
    total = torch.zeros((), device=points.device)
    for index, maps in enumerate(outputs):
        coarse = (index + 1) % given.heads != 0
        kernel = given.kernels[index] if given.kernels else targets.kernel
        drawn, present = _drawn(points, visibility, maps.shape[-2:], size, targets, kernel)
        known = ~points.isnan().any(-1)
        weights = present if loss.hardest and not coarse else ABSENT_JOINTS[targets.absent](present, known)
        if coarse:
            drawn = OCCLUDED_JOINTS[targets.occluded](drawn, visibility)
        joints = list(given.joints[index]) if given.joints else _joints(maps, drawn)
        if -1 in joints:
            drawn = background(drawn, targets.peak)
            weights = torch.cat([weights, torch.ones_like(weights[:, :1])], dim=1)
        errors = (maps.float() - drawn[:, joints]) ** 2
        total = total + _reduced(errors, weights[:, joints], loss, coarse)
    return total


def _drawn(
    points: torch.Tensor,
    visibility: torch.Tensor,
    grid: tuple[int, int],
    size: tuple[int, int],
    targets: Targets,
    kernel: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """B x J x h x w target maps, empty where a joint is absent or outside, and B x J bool: those that are not."""
    stride = torch.tensor([size[1] / grid[1], size[0] / grid[0]], device=points.device)
    cells = (points - targets.centre) / stride
    maps, inside = TARGETS[targets.kind](cells, grid, targets.sigma, kernel)
    present = (visibility > 0) & (inside > 0)
    return maps * targets.peak * present[..., None, None], present


def _joints(maps: torch.Tensor, drawn: torch.Tensor) -> list[int]:
    """All joints, and the background if there is one map more."""
    count = drawn.shape[1]
    if maps.ndim != 4 or maps.shape[1] not in (count, count + 1):
        raise Problem(
            f"The network has an output of {'x'.join(map(str, maps.shape))} for {count} joints.",
            expected=f"batch x {count} x height x width, or one map more for the background",
            next_step="give the network's builder the option joints, and use it for the last convolution",
            code=CELL_FAILED,
        )
    return [*range(count), *([-1] * (maps.shape[1] - count))]


def _reduced(errors: torch.Tensor, weights: torch.Tensor, loss: Loss, coarse: bool) -> torch.Tensor:
    """B x C x h x w squared differences, with B x C bool weights, as one number."""
    each = REDUCTIONS[loss.reduction](errors) * weights
    if loss.hardest and not coarse:
        each = each.topk(min(loss.hardest, each.shape[1]), dim=1).values
    return each.mean() * (loss.coarse_weight if coarse else 1)


def _no_maps(*_: Any) -> tuple[torch.Tensor, torch.Tensor]:
    raise Problem(
        'targets.kind = "classes" is what classifiers learn; this network learns heatmaps.',
        expected="another word, or a network of cifar10",
    )


# The words of a recipe: see bench.cells.choices.
TARGETS = {
    "gaussian": lambda px, grid, sigma, kernel: gaussians(px, grid, sigma),  # around the nearest pixel
    "exact": lambda px, grid, sigma, kernel: exact_gaussians(px, grid, sigma),  # around the very position
    "blurred": lambda px, grid, sigma, kernel: blurred_impulses(px, grid, kernel),  # an impulse, blurred as by OpenCV
    "classes": _no_maps,
}
ABSENT_JOINTS = {"ignore": lambda present, known: present, "zero": lambda present, known: known}  # which ones count
OCCLUDED_JOINTS = {
    "teach": lambda drawn, visibility: drawn,
    "zero": lambda drawn, visibility: drawn * (visibility != OCCLUDED)[..., None, None],
}
REDUCTIONS = {  # B x C x h x w -> B x C, of which the mean is taken
    "mean": lambda errors: errors.mean((-2, -1)),
    "half-sum": lambda errors: errors.sum((-2, -1)) * errors.shape[1] / 2,  # Caffe's: sum of squares / (2 people)
}


def class_loss(outputs: tuple[torch.Tensor, ...], labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of B x classes logits with B labels, summed over the outputs."""
    return sum(F.cross_entropy(logits.float(), labels) for logits in outputs)
