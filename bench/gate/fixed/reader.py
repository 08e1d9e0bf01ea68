"""Every reader of a dataset on the tiny annotation: all arrays, names and the fingerprint."""

import dataclasses
import importlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.gate.fixed import Case, Row
from bench.gate.fixed.rows import of_array, of_text
from protocols.coco.top_down import MSPN
from protocols.datasets import DATASETS, open_labelled_images, open_people
from protocols.pose.mix import join
from protocols.pose.people import People
from protocols.pose.skeletons import MPII

PEOPLE = {  # name -> data folder, dataset, split, choice of boxes
    "mpii mat and h5": ("demo", "mpii", "val", {}),
    "mpii h5 train": ("training", "mpii", "train", {}),
    "mpii hrnet": ("hrnet", "mpii", "val", {}),
    "mpii hrnet train": ("hrnet", "mpii", "train", {}),
    "mpii pytorch-pose": ("pytorch-pose", "mpii", "val", {}),
    "mpii pytorch-pose train": ("pytorch-pose", "mpii", "train", {}),
    "mpii release": ("release", "mpii", "val", {}),
    "mpii release train": ("release", "mpii", "train", {}),
    "mpii release train-25925": ("release", "mpii", "train-25925", {}),
    "lsp": ("demo", "lsp", "test", {}),
    "lsp train": ("demo", "lsp", "train", {}),
    "lsp observer-centric": ("demo", "lsp", "test-observer-centric", {}),
    "lspet": ("demo", "lspet", "train", {}),
    "lspet holdout": ("demo", "lspet", "holdout", {}),
    "coco": ("demo", "coco", "val2017", {}),
    "coco detections": ("demo", "coco", "val2017", {"boxes": "detections"}),
    "coco mspn": ("demo", "coco", "val2017", {"preset": MSPN}),
}
DRAWN = ("mpii", "lsp", "coco")  # skeletons of mannequin


def cases(folder: Path) -> dict[str, Case]:
    """A case for each dataset and file format."""
    found: dict[str, Case] = {
        name: partial(_people, folder / data, dataset, split, boxes)
        for name, (data, dataset, split, boxes) in PEOPLE.items()
    }
    found |= {f"mannequin {skeleton}": partial(_mannequins, skeleton) for skeleton in DRAWN}
    found |= {f"cifar10 {split}": partial(_pictures, folder / "demo", split) for split in ("train", "test")}
    return found | {"mpii and lsp": partial(_mix, folder / "demo")}


def _people(data: Path, dataset: str, split: str, boxes: dict[str, Any]) -> Iterator[Row]:
    reader = importlib.import_module(DATASETS[dataset].module)
    yield from _rows(reader.people(split, data, **boxes), pictures=data.name == "demo")


def _mannequins(skeleton: str) -> Iterator[Row]:
    yield from _rows(open_people("mannequin", "val", Path(), skeleton, limit=2), pictures=True)


def _mix(data: Path) -> Iterator[Row]:
    yield from _rows(join([open_people("mpii", "val", data), open_people("lsp", "test", data)], MPII), pictures=True)


def _pictures(data: Path, split: str) -> Iterator[Row]:
    read = open_labelled_images("cifar10", split, data)
    yield of_text("fingerprint", read.fingerprint)
    yield from of_array("images", read.images)
    yield from of_array("labels", read.labels)


def _rows(people: People, pictures: bool) -> Iterator[Row]:
    yield of_text("fingerprint", people.fingerprint)
    yield of_text("images", "\n".join(people.images))
    yield from (Row("notes", name, count) for name, count in people.notes.items() if isinstance(count, int))
    yield of_text("skeleton", f"{people.skeleton.joints} {people.origin}")
    yield Row("centre", "down", people.centre_down)
    yield from _arrays(people)
    if people.ground_truth is not None:
        yield from _arrays(people.ground_truth, "annotation: ")
    for row in (0, len(people) - 1) if pictures else ():
        yield from of_array(f"picture {row}", people.read_image(row)[::4, ::4])


def _arrays(record: Any, prefix: str = "") -> Iterator[Row]:
    for field in dataclasses.fields(record):
        if isinstance(array := getattr(record, field.name), np.ndarray):
            yield from of_array(f"{prefix}{field.name}", array)
