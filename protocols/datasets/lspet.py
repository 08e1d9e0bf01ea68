"""Reader of Leeds Sports Pose Extended (Johnson and Everingham, CVPR 2011): 10,000 images, crowd-sourced labels."""

from pathlib import Path

import numpy as np

from protocols.datasets import images
from protocols.datasets.lsp import annotation_file, assemble, read_split
from protocols.errors import DataError
from protocols.pose.people import ABSENT, VISIBLE, People

SPLITS = ("train", "holdout")
IMAGES, TRAINING = 10000, 9000  # the dataset has no test split: the hold-out is our choice


def people(split: str, data: Path) -> People:
    """Read the people of a split from data/lspet/joints.mat; images are jpg or webp.

    Unlike in LSP, flag 1 means annotated; coordinates with flag 0 are outside the image and not
    used. Centre and scale as in lsp.people. Raises DataError as lsp.people does.
    """
    if split not in SPLITS:
        raise DataError(f"lspet has no split {split!r}.", expected=f"one of {', '.join(SPLITS)}")
    path = annotation_file(data / "lspet", ("joints.mat",))
    joints, numbers = read_split(path, "joints", SPLITS.index(split), IMAGES, TRAINING)
    names = images.find(data / "lspet/images", [f"im{number:05d}" for number in numbers])
    visibility = np.where(joints[..., 2] == 1, VISIBLE, ABSENT).astype(np.uint8)
    return assemble("lspet", split, data / "lspet/images", names, joints[..., :2], visibility, {})
