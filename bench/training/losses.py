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
    """Supervision of the outputs of a network; entry i of a tuple belongs to output i."""

    kernels: tuple[int, ...] = ()  # blur of the targets, heatmap pixels
    joints: tuple[tuple[int, ...], ...] = ()  # joints that have maps, -1 for the background; empty: all joints
    heads: int = 1  # outputs per stage, the finest last


MEAN, ALL_JOINTS = Loss(), Supervision()


def supervision(network: nn.Module) -> Supervision:
    """Read the optional attributes `target_kernels`, `output_joints` and `heads_per_stage` of a network."""
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
    supervised: Supervision = ALL_JOINTS,
) -> torch.Tensor:
    """Compute the sum of the losses of all outputs, a mean over the batch.

    `outputs`: each B x C x h x w; `points`: B x J x 2 in pixels of the input of `size`, NaN for joints that the
    dataset lacks: they have no loss; `visibility`: B x J, ABSENT, OCCLUDED or VISIBLE.
    """
    total = torch.zeros((), device=points.device)
    for index, maps in enumerate(outputs):
        coarse = (index + 1) % supervised.heads != 0
        kernel = supervised.kernels[index] if supervised.kernels else targets.kernel
        drawn, present = _targets(points, visibility, (maps.shape[-2], maps.shape[-1]), size, targets, kernel)
        defined = ~points.isnan().any(-1)
        weights = present if loss.hardest and not coarse else ABSENT_JOINTS[targets.absent](present, defined)
        if coarse:
            drawn = OCCLUDED_JOINTS[targets.occluded](drawn, visibility)
        joints = list(supervised.joints[index]) if supervised.joints else _joints(maps, drawn)
        if -1 in joints:
            drawn = background(drawn, targets.peak)
            weights = torch.cat([weights, torch.ones_like(weights[:, :1])], dim=1)
        errors = (maps.float() - drawn[:, joints]) ** 2
        total = total + _reduced(errors, weights[:, joints], loss, coarse)
    return total


def _targets(
    points: torch.Tensor,
    visibility: torch.Tensor,
    grid: tuple[int, int],
    size: tuple[int, int],
    targets: Targets,
    kernel: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw target maps (B x J x h x w), empty for joints that are absent or outside; and the others as B x J bool."""
    stride = torch.tensor([size[1] / grid[1], size[0] / grid[0]], device=points.device)
    positions = (points - targets.centre) / stride  # heatmap pixels
    maps, inside = TARGETS[targets.kind](positions, grid, targets.sigma, kernel)
    present = (visibility > 0) & (inside > 0)
    return maps * targets.peak * present[..., None, None], present


def _joints(maps: torch.Tensor, drawn: torch.Tensor) -> list[int]:
    """Joints of the maps of an output: all, and -1 for the background if there is one more map."""
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
    """Reduce squared differences (B x C x h x w), with B x C bool weights, to one number."""
    each = REDUCTIONS[loss.reduction](errors) * weights
    if loss.hardest and not coarse:
        each = each.topk(min(loss.hardest, each.shape[1]), dim=1).values
    return each.mean() * (loss.coarse_weight if coarse else 1)


def _no_maps(*_: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Refuse targets of classifiers."""
    raise Problem(
        'targets.kind = "classes" is for classifiers; this network outputs heatmaps.',
        expected="another word, or a network of cifar10",
    )


# The words of a recipe: see bench.cells.choices.
TARGETS = {
    "gaussian": lambda px, grid, sigma, kernel: gaussians(px, grid, sigma),  # around the nearest pixel
    "exact": lambda px, grid, sigma, kernel: exact_gaussians(px, grid, sigma),  # around the exact position
    "blurred": lambda px, grid, sigma, kernel: blurred_impulses(px, grid, kernel),  # an impulse, blurred as by OpenCV
    "classes": _no_maps,
}
ABSENT_JOINTS = {
    "ignore": lambda present, defined: present,
    "zero": lambda present, defined: defined,
}
OCCLUDED_JOINTS = {
    "teach": lambda drawn, visibility: drawn,
    "zero": lambda drawn, visibility: drawn * (visibility != OCCLUDED)[..., None, None],
}
REDUCTIONS = {  # B x C x h x w -> B x C, of which the mean is taken
    "mean": lambda errors: errors.mean((-2, -1)),
    "half-sum": lambda errors: errors.sum((-2, -1)) * errors.shape[1] / 2,  # Caffe's: sum of squares / (2 people)
}


def class_loss(outputs: tuple[torch.Tensor, ...], labels: torch.Tensor) -> torch.Tensor:
    """Compute the cross-entropy of B x classes logits with B labels, summed over the outputs."""
    start = torch.zeros((), device=labels.device)
    return sum((F.cross_entropy(logits.float(), labels) for logits in outputs), start)
