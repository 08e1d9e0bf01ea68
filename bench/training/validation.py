"""The held-out score during training: a few people of the test split, plain windows, no flip test.

It draws a curve and chooses which checkpoint is called best; tables never show it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bench.cells.recipe import Augmentation
from bench.cells.training_sets import Source
from bench.errors import CELL_FAILED, Problem
from bench.progress import Step
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
    reach: np.ndarray  # N, pixels of the input within which a joint is found


def hold_out(store: Store, dataset: str, data: Path, training: Training, update: Step) -> HeldOut:
    """The first people of the test split. A joint is found within half a head size, or a fifth of the torso."""
    most = PEOPLE[training.budget]
    limit = min(most, training.plan.people or most)  # no more than it is trained on
    source = Source(dataset, DATASETS[dataset].test, data, training.skeleton.name, limit)
    people = source.open()
    crops = prepare(store, source, training.size, update)
    return HeldOut(crops, _reach(people) * training.size[0] / windows(people)[1])


def _reach(people: People) -> np.ndarray:
    """N pixels of the image; NaN where nothing says how large a person is."""
    if people.head_size is not None:
        return 0.5 * people.head_size
    ends = [people.skeleton.index(joint) for joint in ("left_shoulder", "right_hip")]
    torso = np.linalg.norm(people.keypoints[:, ends[0]] - people.keypoints[:, ends[1]], axis=-1)
    return np.where(people.annotated[:, ends].all(1), 0.2 * torso, np.nan)


@torch.inference_mode()
def validate(network: nn.Module, held_out: HeldOut, training: Training) -> float:
    """Per cent of the annotated joints that are found (PCKh@0.5, or PCK@0.2 where heads have no size).

    Every process looks at its share of the people; that all shares together are everyone is checked.
    """
    rows = np.arange(len(held_out.crops))
    mine = rows[distributed.share(len(rows))]
    sums = np.zeros(3)  # found, annotated, people
    for start in range(0, len(mine), BATCH):
        part = mine[start : start + BATCH]
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
    """Which joints are found, and which count (n x J bool each)."""
    unchanged = Augmentation(), training.recipe.pixels, training.skeleton, torch.Generator()
    images, points, visibility = augmented(held_out.crops, rows, training.size, *unchanged, training.device)
    maps = network(images.contiguous(memory_format=torch.channels_last))[-1].float()
    cells, _ = quarter_offset(maps[:, : len(training.skeleton)])
    stride = torch.tensor([training.size[1] / maps.shape[-1], training.size[0] / maps.shape[-2]], device=maps.device)
    distance = (cells * stride + training.recipe.targets.centre - points).norm(dim=-1).cpu().numpy()
    reach = held_out.reach[rows][:, None]
    members = np.array([joint not in NOT_COUNTED for joint in training.skeleton.joints])
    counted = (visibility > 0).cpu().numpy() & members & np.isfinite(reach)
    return (distance <= reach) & counted, counted
