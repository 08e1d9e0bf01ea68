"""Fingerprints: what a network sees of a dataset, as part of keys: its annotation and its images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.cells.splits import parts_of
from bench.store.digests import Inputs
from bench.store.image_digests import ABSENT, images_digest
from bench.store.store import Store
from protocols.datasets import DATASETS, contents

Fingerprint = dict[str, str] | dict[str, dict[str, str]]  # annotation and images, or these for each part of a mix
Images = dict[str, str]  # fingerprint of an annotation -> digest of its images


def of_split(
    name: str, split: str, data: Path, skeleton: str, store: Store, known: Callable[[], Images] = dict, **boxes: Any
) -> dict[str, str]:
    """Fingerprint of a split. Raises DataError for an annotation that is absent or cannot be read.

    The first time its images are read; later each costs a look at its size and time (see bench.store.image_digests).
    Where only the annotation was copied, images count as those that are `known`: finished cells stay finished.
    """
    found = contents(name, split, data, skeleton, **boxes)
    if not found.files:
        return {"annotation": found.fingerprint}
    digest = images_digest(data, found.files, store.root)
    return {
        "annotation": found.fingerprint,
        "images": known().get(found.fingerprint, ABSENT) if digest == ABSENT else digest,
    }


def of_training_set(
    text: str, data: Path, skeleton: str, store: Store, known: Callable[[], Images] = dict
) -> Fingerprint:
    """Fingerprint of "mpii/train", or of "mpii/train+lsp/train". Raises like `of_split`."""
    found = []
    for name, split in parts_of(text):
        offered = DATASETS[name].skeletons
        found.append(of_split(name, split, data, skeleton if skeleton in offered else offered[0], store, known))
    return found[0] if len(found) == 1 else {f"part {number}": part for number, part in enumerate(found, start=1)}


def images_in(inputs: Inputs) -> Images:
    """Images that the inputs of a cell name."""
    found = {inputs["annotation"]: inputs["images"]} if "images" in inputs else {}
    for value in inputs.values():
        found |= images_in(value) if isinstance(value, dict) else {}
    return found


def with_images(inputs: Inputs, known: Images) -> Inputs:
    """Inputs in which images that were absent are those that are `known`."""
    if inputs.get("images") == ABSENT:
        return {**inputs, "images": known.get(inputs["annotation"], ABSENT)}
    return {name: with_images(value, known) if isinstance(value, dict) else value for name, value in inputs.items()}
