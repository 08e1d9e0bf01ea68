"""The held-out score during training: a few people of the test split, plain windows, no flip test.

It makes a curve and chooses the best checkpoint; no table shows it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bench.cells.recipe import Augmentation
from bench.cells.training_sets import Source
from bench.errors import CELL_FAILED, Problem
from bench.progress import Update
from bench.store.store import Store
from bench.training import distributed
from bench.training.batches import augmented
from bench.training.examples import Training
from bench.training.prepare import Crops, prepare
from protocols.datasets import DATASETS
from protocols.pose.crops import windows
from protocols.pose.decoding import quarter_offset
from protocols.pose.people import People

PEOPLE = {"full": 256, "quick": 128}  # by budget
BATCH = 32
NOT_COUNTED = ("pelvis", "thorax")  # as in PCKh


@dataclass(frozen=True)
class HeldOut:
    """People to validate on; row i of the arrays is one person."""

    crops: Crops
    radius: np.ndarray  # N, pixels of the input within which a joint is found; NaN where it is not defined


def hold_out(store: Store, dataset: str, data: Path, training: Training, update: Update) -> HeldOut:
    """The first people of the test split. A joint is found within half a head size, or a fifth of the torso."""
    assert training.skeleton is not None  # only a classifier has none
    largest = PEOPLE[training.budget]
    limit = min(largest, training.hyper.people or largest)  # no more than it is trained on
    source = Source(dataset, DATASETS[dataset].test, data, training.skeleton.name, limit)
    people = source.open()
    crops = prepare(store, source, training.size, update)
    return HeldOut(crops, _radius(people) * training.size[0] / windows(people)[1])


def _radius(people: People) -> np.ndarray:
    """Radii (N, pixels of the image) within which a joint is found; NaN where the size of a person is unknown."""
    if people.head_size is not None:
        return 0.5 * people.head_size
    ends = [people.skeleton.index(joint) for joint in ("left_shoulder", "right_hip")]
    torso = np.linalg.norm(people.keypoints[:, ends[0]] - people.keypoints[:, ends[1]], axis=-1)
    return np.where(people.annotated[:, ends].all(1), 0.2 * torso, np.nan)


@torch.inference_mode()
def validate(network: nn.Module, held_out: HeldOut, training: Training) -> float:
    """Percentage of the annotated joints that are found (PCKh@0.5, or PCK@0.2 where heads have no size).

    Every process validates its share of the people. Raises Problem if the shares do not add up to everyone.
    """
    rows = np.arange(len(held_out.crops))
    own = rows[distributed.share(len(rows))]
    sums = np.zeros(3)  # found, annotated, people
    for start in range(0, len(own), BATCH):
        part = own[start : start + BATCH]
        found, counted = _found(network, held_out, part, training)
        sums += found.sum(), counted.sum(), len(part)
    found, counted, people = distributed.total(torch.tensor(sums, device=training.device)).tolist()
    if people != len(rows):
        raise Problem(
            f"{people:.0f} people were validated instead of {len(rows)}.",
            cause="the processes of this training do not see the same people",
            next_step="give all of them the same --store and --data",
            code=CELL_FAILED,
        )
    return 100 * found / max(1, counted)


def _found(
    network: nn.Module, held_out: HeldOut, rows: np.ndarray, training: Training
) -> tuple[np.ndarray, np.ndarray]:
    """Joints that are found, and joints that count (n x J bool each)."""
    skeleton, pixels = training.skeleton, training.recipe.pixels
    assert skeleton is not None  # only a classifier has none
    unchanged = Augmentation(), pixels, skeleton, torch.Generator()
    images, points, visibility = augmented(held_out.crops, rows, training.size, *unchanged, training.device)
    maps = network(images.contiguous(memory_format=torch.channels_last))[-1].float()
    peaks, _ = quarter_offset(maps[:, : len(skeleton)])  # in heatmap pixels
    stride = torch.tensor([training.size[1] / maps.shape[-1], training.size[0] / maps.shape[-2]], device=maps.device)
    distance = (peaks * stride + training.recipe.targets.centre - points).norm(dim=-1).cpu().numpy()
    radius = held_out.radius[rows][:, None]
    members = np.array([joint not in NOT_COUNTED for joint in skeleton.joints])
    counted = (visibility > 0).cpu().numpy() & members & np.isfinite(radius)
    return (distance <= radius) & counted, counted
