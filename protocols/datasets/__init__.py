"""Datasets: one reader a file, all behind `open_people`. Importing this imports no reader."""

import importlib
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protocols.errors import DataError

if TYPE_CHECKING:
    from protocols.pose.people import People


@dataclass(frozen=True)
class Dataset:
    """What a dataset is called, which splits it has, and which joints are annotated."""

    name: str
    splits: tuple[str, ...]
    train: str  # the split that networks train on
    test: str  # the split that protocols use unless told otherwise
    skeletons: tuple[str, ...]  # the first is the usual one
    summary: str
    needs: tuple[str, ...] = ()  # paths below the data folder, any one of which is enough to score


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="mannequin",
            splits=("train", "val", "test"),
            train="train",
            test="val",
            skeletons=("mpii", "lsp", "coco"),
            summary="synthetic people, drawn on demand; needs no file",
        ),
        Dataset(
            name="mpii",
            splits=("train", "val"),
            train="train",
            test="val",
            skeletons=("mpii",),
            summary="MPII Human Pose; val is the 2,958 people of Tompson et al.",
            needs=(
                "mpii/gt_valid.mat",
                "mpii/valid.h5",
                "mpii/annot/valid.json",
                "mpii/annot/mpii_human_pose_v1_u12_1.mat",
            ),
        ),
        Dataset(
            name="lsp",
            splits=("train", "test", "test-observer-centric"),
            train="train",
            test="test",
            skeletons=("lsp",),
            summary="Leeds Sports Pose, 1,000 training and 1,000 test images",
            needs=("lsp/joints.mat", "lsp/joints_pc_oc.mat"),
        ),
        Dataset(
            name="lspet",
            splits=("train", "holdout"),
            train="train",
            test="holdout",
            skeletons=("lsp",),
            summary="Leeds Sports Pose Extended; images 9001 to 10000 held out",
            needs=("lspet/joints.mat",),
        ),
        Dataset(
            name="coco",
            splits=("train2017", "val2017"),
            train="train2017",
            test="val2017",
            skeletons=("coco",),
            summary="COCO person keypoints, with ground-truth or detected boxes",
            needs=("coco/annotations/person_keypoints_val2017.json",),
        ),
        Dataset(
            name="cifar10",
            splits=("train", "test"),
            train="train",
            test="test",
            skeletons=("cifar10",),
            summary="CIFAR-10: 50,000 and 10,000 labelled pictures of 32 x 32 pixels, no people",
            needs=("cifar10/test_batch", "cifar10/cifar-10-batches-py/test_batch"),
        ),
    )
}


def missing(name: str, data: Path) -> str:
    """What the data folder lacks to score on a dataset, or an empty string."""
    needs = DATASETS[name].needs
    if not needs or any((data / path).exists() for path in needs):
        return ""
    return f"none of {', '.join(needs)} below {data}/"


def fingerprint(name: str, split: str, data: Path, skeleton: str, **boxes: Any) -> str:
    """What changes when, and only when, the annotation of a split or its boxes change. Raises like `open_people`.

    It is found once in a process: a relative path means the files that it names in this working directory.
    """
    return remembered(Path.cwd(), name, split, data, skeleton, **boxes)


@cache
def remembered(_working_directory: Path, name: str, split: str, data: Path, skeleton: str, **boxes: Any) -> str:
    """The fingerprint that was found in a working directory."""
    if name == "mannequin":  # known without drawing or annotating anyone
        return importlib.import_module("protocols.datasets.mannequin.people").fingerprint(split, skeleton)
    if name == "cifar10":
        return importlib.import_module("protocols.datasets.cifar10").load(split, data).fingerprint
    return open_people(name, split, data, skeleton, **boxes).fingerprint


def open_people(name: str, split: str, data: Path, skeleton: str = "", limit: int = 0, **boxes: Any) -> "People":
    """The people of a split, or its first `limit`. Raises DataError when the dataset is absent or cannot be read.

    `boxes`: which ones and what windows they make, for datasets that offer a choice (see `coco.people`).
    """
    dataset = DATASETS[name]
    if split not in dataset.splits:
        raise DataError(f"{name} has no split {split!r}.", expected=f"one of {', '.join(dataset.splits)}")
    if name == "cifar10":
        raise DataError("cifar10 has pictures with classes, no people.", expected="a dataset of people")
    if name == "mannequin":
        drawn = importlib.import_module("protocols.datasets.mannequin.people")
        count = min(limit or math.inf, drawn.SPLITS[split][1])  # others need not even be annotated
        return drawn.people(split, skeleton=skeleton or dataset.skeletons[0], count=count)
    if lacking := missing(name, data):
        raise DataError(
            f"{name}: the annotation was not found.",
            expected=lacking.replace("none", "one"),
            cause=f"{name} is not part of this repository: its owners ask every user to fetch it from them",
            next_step="put it there, or name the folder that holds it with --data DIR or REPOSE_DATA",
        )
    people = importlib.import_module(f"protocols.datasets.{name}").people(split, data, **boxes)
    return people.first(limit) if limit else people
