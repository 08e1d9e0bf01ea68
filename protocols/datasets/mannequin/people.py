"""Built-in dataset: drawn people, each determined by (seed, index). No file is needed.

`annotate` (scene) gives the positions of the joints, `render` (drawing) draws the image, `export` (export) writes both
in the formats of MPII, LSP and COCO.
"""

import hashlib
import json
from functools import cache

import numpy as np

from protocols.datasets import DATASETS
from protocols.datasets.mannequin.drawing import contact_sheet, render
from protocols.datasets.mannequin.scene import Mannequin, annotate
from protocols.errors import DataError
from protocols.pose.people import OCCLUDED, People
from protocols.pose.skeletons import SKELETONS

__all__ = ["SEEDS", "VERSION", "Mannequin", "annotate", "contact_sheet", "people", "render"]

VERSION = 1  # raise it when a scene changes, in its pixels or its annotation
SEEDS = {"train": 1, "val": 2, "test": 3}  # split -> seed


@cache
def annotate_once(seed: int, index: int) -> Mannequin:
    """Return `annotate`, remembered: a run opens the same people once for each protocol and training."""
    return annotate(seed, index)


def people(split: str, skeleton: str = "mpii", count: int | None = None) -> People:
    """Return the first `count` people of a split, annotated as `skeleton`; `read_image` draws them at 256 x 256.

    Raises DataError for an unknown split or skeleton, or a count below 1.
    """
    _check(split, skeleton, count)
    count = count or DATASETS["mannequin"].splits[split]
    mannequins = [annotate_once(SEEDS[split], index) for index in range(count)]
    keypoints, visibility = (
        np.stack(arrays) for arrays in zip(*(m.skeleton(skeleton) for m in mannequins), strict=True)
    )
    return People(
        dataset="mannequin",
        split=split,
        skeleton=SKELETONS[skeleton],
        images=tuple(f"{split}/{index:06d}.png" for index in range(count)),
        keypoints=keypoints,
        visibility=visibility,
        centre=np.stack([m.centre for m in mannequins]),
        scale=np.array([m.scale for m in mannequins]),
        head_size=np.array([m.head_size for m in mannequins]),
        origin=0,
        fingerprint=fingerprint(split, skeleton, count),
        read_image=lambda row: render(mannequins[row]),
        boxes=np.stack([m.box for m in mannequins]),
        areas=np.array([m.area for m in mannequins]),
        image_ids=np.arange(1, count + 1),
        notes={
            "people": count,
            "joints": int((visibility > 0).sum()),
            "occluded": int((visibility == OCCLUDED).sum()),
            "outside the image": int((visibility == 0).sum()),
        },
    )


def fingerprint(split: str, skeleton: str = "mpii", count: int | None = None) -> str:
    """Return a digest of everything that determines the annotation of these people."""
    decided_by = ["mannequin", VERSION, split, count or DATASETS["mannequin"].splits[split], skeleton]
    return hashlib.sha256(json.dumps(decided_by).encode()).hexdigest()[:16]


def _check(split: str, skeleton: str, count: int | None) -> None:
    for word, given, allowed in (("split", split, SEEDS), ("skeleton", skeleton, SKELETONS)):
        if given not in allowed:
            raise DataError(f"mannequin has no {word} '{given}'.", expected=f"one of {', '.join(allowed)}")
    if count is not None and count < 1:
        raise DataError(f"mannequin was asked for {count} people.", expected="a count of 1 or more")
