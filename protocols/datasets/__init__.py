"""Datasets: one reader a file, all behind `open_people` and `open_labelled_images`. Importing this imports no reader.

Every fact about a dataset stands in catalogue.toml.
"""

import importlib
import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from protocols import GroundTruth, Protocol, record, tables
from protocols.errors import DataError
from protocols.pose.skeletons import SKELETONS

if TYPE_CHECKING:
    from protocols.datasets.cifar10 import LabelledImages
    from protocols.pose.people import People

CATALOGUE = Path(__file__).with_name("catalogue.toml")


class Dataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Record of a dataset: name, splits and annotation. All but the last three fields must be given."""

    name: str
    summary: str
    module: str  # its `people` (or `load`, of pictures with classes) reads a split
    synthetic: bool  # drawn: pages say so wherever it is named
    has: tuple[GroundTruth, ...]
    skeletons: tuple[str, ...]  # whose joints are annotated; the first is the usual one
    splits: dict[str, int]  # name -> number of people, or of pictures
    train: str  # the split that networks train on
    test: str  # the split that protocols use unless told otherwise
    withheld: tuple[str, ...] = ()  # splits whose annotation the owners keep: files are sent to them to be scored
    needs: tuple[str, ...] = ()  # paths below the data folder, any one of which is enough to score; none: it is drawn
    row_counts: dict[int, str] = {}  # of prediction files: rows -> people or images that there are so many of

    def __post_init__(self) -> None:
        if absent := {self.train, self.test, *self.withheld} - set(self.splits):
            raise ValueError(f"there is no split {', '.join(sorted(absent))}")


DATASETS = {
    name: record(f"{CATALOGUE.parent.name}/{CATALOGUE.name}: {name}", {**facts, "name": name}, Dataset)
    for name, facts in tables(CATALOGUE).items()
}


def datasets_of(protocol: Protocol) -> tuple[str, ...]:
    """The datasets with the ground truth and the joints that a protocol needs; none if it needs no ground truth."""
    return tuple(name for name in DATASETS if protocol.ground_truth and skeleton_of(protocol, name))


def skeleton_of(protocol: Protocol, dataset: str) -> str:
    """The first skeleton of a dataset that holds the joints of a protocol; "" where the dataset cannot be used."""
    known = DATASETS[dataset]
    usable = known.skeletons if set(protocol.ground_truth) <= set(known.has) else ()
    return next((name for name in usable if holds_joints(name, protocol)), "")


def holds_joints(skeleton: str, protocol: Protocol) -> bool:
    """Tell if a skeleton has all joints of one of those that a protocol looks at."""
    wanted = [set(SKELETONS[name].joints) for name in protocol.skeletons]
    return not wanted or any(joints <= set(SKELETONS[skeleton].joints) for joints in wanted)


def row_counts() -> dict[int, str]:
    """Rows of prediction files of every dataset -> people or images that there are so many of."""
    return {rows: words for dataset in DATASETS.values() for rows, words in dataset.row_counts.items()}


def missing(name: str, data: Path) -> str:
    """Name the files that the data folder lacks to score on a dataset; "" if it has them."""
    needs = DATASETS[name].needs
    if not needs or any((data / path).exists() for path in needs):
        return ""
    return f"none of {', '.join(needs)} below {data}/"


class Contents(NamedTuple):
    """Fingerprint of the annotation of a split, and the image files below the data folder, each once.

    No files where people are drawn, or where the fingerprint covers the pictures.
    """

    fingerprint: str
    files: tuple[str, ...] = ()


def contents(name: str, split: str, data: Path, skeleton: str, **boxes: Any) -> Contents:
    """Contents of a split, without reading an image. Raises like `open_people`.

    They are found once in a process: a relative path means the files that it names in this working directory.
    """
    return remembered(Path.cwd(), name, split, data, skeleton, **boxes)


@cache
def remembered(_working_directory: Path, name: str, split: str, data: Path, skeleton: str, **boxes: Any) -> Contents:
    """Contents that were found in a working directory."""
    dataset = DATASETS[name]
    if not dataset.needs:  # known without drawing or annotating anyone
        return Contents(importlib.import_module(dataset.module).fingerprint(split, skeleton))
    if "classes" in dataset.has:
        return Contents(open_labelled_images(name, split, data).fingerprint)
    people = open_people(name, split, data, skeleton, **boxes)
    return Contents(people.fingerprint, image_files(people))


def image_files(people: "People") -> tuple[str, ...]:
    """Image files of people below the data folder, each once; none of those that are drawn."""
    prefix = f"{people.dataset}/" if people.split else ""  # the images of a mix name their dataset
    names = (f"{prefix}{name}" for name in people.images if name)
    return tuple(dict.fromkeys(name for name in names if DATASETS[name.partition("/")[0]].needs))


def open_people(name: str, split: str, data: Path, skeleton: str = "", limit: int = 0, **boxes: Any) -> "People":
    """The people of a split, or its first `limit`. Raises DataError when the dataset is absent or cannot be read.

    `boxes`: which ones and what windows they make, for datasets that offer a choice (see `coco.people`).
    """
    dataset = DATASETS[name]
    if split not in dataset.splits:
        raise DataError(f"{name} has no split {split!r}.", expected=f"one of {', '.join(dataset.splits)}")
    if "joints" not in dataset.has:
        raise DataError(f"{name} has pictures with classes, no people.", expected="a dataset of people")
    reader = importlib.import_module(dataset.module)
    if not dataset.needs:
        count = min(limit or math.inf, dataset.splits[split])  # others need not even be annotated
        return reader.people(split, skeleton=skeleton or dataset.skeletons[0], count=count)
    if lacking := missing(name, data):
        raise DataError(
            f"{name}: the annotation was not found.",
            expected=lacking.replace("none", "one", 1),
            cause=f"{name} is not part of this repository: its owners ask every user to fetch it from them",
            next_step="put it there, or name the folder that holds it with --data DIR or REPOSE_DATA",
        )
    try:
        people = reader.people(split, data, **boxes)
    except DataError as error:
        if split in dataset.withheld and not error.cause:
            error.cause = "the annotation of this split is withheld by its owners, who score files sent to them"
            error.next_step = f"score {name}/{dataset.test} instead"
        raise
    return people.first(limit) if limit else people


def open_labelled_images(name: str, split: str, data: Path, limit: int = 0) -> "LabelledImages":
    """The labelled images of a split, or its first `limit`. Raises DataError when they cannot be read."""
    return importlib.import_module(DATASETS[name].module).load(split, data).first(limit)
