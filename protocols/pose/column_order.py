"""Order of the columns of predictions: which column fits which joint, found by a matrix of hits and one assignment."""

from collections.abc import Sequence

import numpy as np

from protocols.pose.skeletons import LSP, MPII

NAMED = 3  # columns that a sentence names
_LIMBS = ("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle")
_ARMS = ("right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist")
_PAIRS = tuple(
    f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
)
# Orders in use that hold the joints of one of our skeletons.
KNOWN = {
    "OpenPose's COCO order without the neck": (
        "nose", *_ARMS, *_LIMBS, "right_eye", "left_eye", "right_ear", "left_ear",
    ),
    "the order of OpenPose and of the CPM code": ("head_top", "upper_neck", *_ARMS, *_LIMBS),
    "MPII's order": MPII.joints,
    "MPII's order without pelvis and thorax": tuple(j for j in MPII.joints if j not in ("pelvis", "thorax")),
    "LSP's order": LSP.joints,
    "LSP's order, then pelvis and thorax": (*LSP.joints, "pelvis", "thorax"),
    "LSP's order, then thorax and pelvis": (*LSP.joints, "thorax", "pelvis"),
    "CrowdPose's order": (*_PAIRS, "head_top", "upper_neck"),
    "AI Challenger's order": (*_ARMS, *_LIMBS, "head_top", "upper_neck"),
}  # fmt: skip


def assigned(fits: np.ndarray) -> list[int] | None:
    """Return the column of each joint that fits best as a whole; None if they are in their places.

    fits: columns x joints, how well a column fits a joint, 0 to 1.
    """
    from scipy.optimize import linear_sum_assignment  # only here: importing it takes a while

    fits = np.nan_to_num(fits)
    if (fits.argmax(axis=0) == np.arange(fits.shape[1])).all():
        return None
    columns, joints = linear_sum_assignment(fits, maximize=True)
    order = [int(column) for _, column in sorted(zip(joints, columns, strict=True))]
    return None if order == list(range(len(order))) else order


def words(order: Sequence[int], joints: Sequence[str]) -> str:
    """Return the order in words: a well-known one by its name, else the first columns that stand elsewhere."""
    held = [joints[order.index(column)] for column in range(len(order))]
    name = next((name for name, known in KNOWN.items() if list(known) == held), "")
    if name:
        return f"they fit {name}"
    moved = [f"column {column} fits {joint} best" for column, joint in enumerate(held) if joint != joints[column]]
    return ", ".join(moved[:NAMED]) + (", ..." if len(moved) > NAMED else "")
