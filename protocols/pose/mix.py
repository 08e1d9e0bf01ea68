"""Joining datasets for training: joints are matched by name (MPII and LSP, as the papers mix them)."""

import hashlib
from collections.abc import Sequence

import numpy as np

from protocols.pose.crops import windows
from protocols.pose.people import ABSENT, People
from protocols.pose.skeletons import Skeleton


def join(parts: Sequence[People], skeleton: Skeleton) -> People:
    """Join the people of several datasets, with the joints of `skeleton`, pixels counted from 0.

    A joint that a part does not annotate has the position NaN and is ABSENT. Centres are those of the crop windows,
    so that each part keeps its own crop convention. Boxes and head sizes are kept if all parts have them.
    """
    starts = np.cumsum([0, *map(len, parts)])

    def read_image(row: int) -> np.ndarray:
        part = int(np.searchsorted(starts, row, side="right")) - 1
        return parts[part].read_image(row - starts[part])

    matched = [_matched(part, skeleton) for part in parts]
    names = "+".join(f"{part.dataset}/{part.split}" for part in parts)
    digest = hashlib.sha256(" ".join([skeleton.name, *(part.fingerprint for part in parts)]).encode())
    return People(
        dataset=names,
        split="",
        skeleton=skeleton,
        images=tuple(f"{part.dataset}/{name}" for part in parts for name in part.images),
        keypoints=np.concatenate([keypoints for keypoints, _ in matched]),
        visibility=np.concatenate([visibility for _, visibility in matched]),
        centre=np.concatenate([windows(part)[0] for part in parts]),
        scale=np.concatenate([part.scale for part in parts]),
        head_size=_concatenated([part.head_size for part in parts]),
        origin=0,
        fingerprint=digest.hexdigest()[:16],
        read_image=read_image,
        boxes=_concatenated([_boxes_from_zero(part) for part in parts]),
        notes={f"{part.dataset}/{part.split}": len(part) for part in parts},
    )


def _matched(part: People, skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """Return keypoints (N x J x 2) and visibility (N x J) in the joint order of `skeleton`."""
    keypoints = np.full((len(part), len(skeleton), 2), np.nan)
    visibility = np.full((len(part), len(skeleton)), ABSENT, np.uint8)
    for index, joint in enumerate(skeleton.joints):
        if joint in part.skeleton.joints:
            own = part.skeleton.index(joint)
            keypoints[:, index] = part.keypoints[:, own] - part.origin
            visibility[:, index] = part.visibility[:, own]
    return keypoints, visibility


def _boxes_from_zero(part: People) -> np.ndarray | None:
    return None if part.boxes is None else part.boxes - np.array([part.origin, part.origin, 0, 0])


def _concatenated(arrays: list[np.ndarray | None]) -> np.ndarray | None:
    """Concatenate the arrays; None if one of them is None."""
    present = [array for array in arrays if array is not None]
    return np.concatenate(present) if len(present) == len(arrays) else None
