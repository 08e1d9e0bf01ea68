"""MPII Human Pose (Andriluka et al., CVPR 2014): the training people, and the 2,958 of Tompson et al. to validate."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from protocols.datasets import images
from protocols.datasets.mpii_files import Annotation, ground_truth_mat, json_records, newell_h5, official_mat
from protocols.errors import DataError
from protocols.pose.people import ABSENT, OCCLUDED, VISIBLE, People
from protocols.pose.skeletons import MPII

# In the order of trust: what the first file says holds, the later ones fill its gaps. gt_valid.mat
# leads because the official numbers include its truncations (13 joints with a zeroed coordinate).
VALIDATION = (
    ("gt_valid.mat", ground_truth_mat),
    ("valid.h5", newell_h5),
    ("valid.json", lambda path: json_records(path, validation=True)),
    ("mpii_annotations.json", lambda path: json_records(path, validation=True)),
)
TRAINING = (
    ("train.h5", newell_h5),
    ("train.json", lambda path: json_records(path, validation=False)),
    ("mpii_annotations.json", lambda path: json_records(path, validation=False)),
)
OFFICIAL = "mpii_human_pose_v1_u12_1.mat"
LOOK_UP = "fetch the annotation from the MPII Human Pose page, or the lists of HRNet or Newell et al. made from it"


def people(split: str, data: Path) -> People:
    """The people of "train" or "val", from the files in data/mpii/ and data/mpii/annot/.

    val: gt_valid.mat, valid.h5, annot/valid.json or mpii_annotations.json, joined where several
    are there. train: train.h5, annot/train.json, mpii_annotations.json, or the official mat less
    the validation people. Images lie in data/mpii/images/. What no file says is NaN (centre,
    scale), None (head_size) or empty (images). Raises DataError for an unknown split, absent
    files, files of another layout, or files that disagree.
    """
    if split not in ("train", "val"):
        raise DataError(f"mpii has no split {split!r}.", expected="one of train, val")
    folder = data / "mpii"
    lists = VALIDATION if split == "val" else TRAINING
    present = [(path, read) for name, read in lists if (path := _find(folder, name))]
    if split == "train":
        present = present[:1]  # the training lists differ in whom they leave out, so they are not joined
    found = [read(path) for path, read in present]
    official = _find(folder, OFFICIAL)
    if official and (not found or (split == "val" and _incomplete(found))):
        found.append(_of_official(official_mat(official), folder, split, found))
    if not found:
        names = [name for name, _ in lists] + [OFFICIAL]
        raise DataError(
            what=f"mpii/{split}: no annotation was found.",
            expected=f"one of {', '.join(names)} in {folder} or {folder / 'annot'}",
            cause="MPII has to be fetched by every user: its licence must be accepted",
            next_step=LOOK_UP,
        )
    return _assemble(split, folder, _join(found), [annotation.file for annotation in found])


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / "annot" / name) if path.is_file()), None)


def _incomplete(found: list[Annotation]) -> bool:
    return any(
        all(getattr(annotation, field) is None for annotation in found) for field in ("head_size", "centre", "images")
    )


def _join(found: list[Annotation]) -> Annotation:
    """The first annotation, its gaps filled from the others, which must be of the same people in the same order."""
    joined = found[0]
    for other in found[1:]:
        both = joined.annotated & other.annotated if joined.annotated.shape == other.annotated.shape else None
        # Files truncate or round coordinates, and a few joints differ wholly: most must agree to 2 pixels.
        if both is None or np.mean(np.abs(joined.keypoints - other.keypoints)[both].max(axis=-1) <= 2) < 0.99:
            raise DataError(
                what=f"{joined.file} and {other.file} are not the same people in the same order.",
                expected="files of one split; the same joints to within 2 pixels",
                cause="one of them is of another split, a part of it, or sorted anew",
                next_step="remove the one that does not belong to the predictions",
            )
        names = [field.name for field in fields(Annotation)]
        joined = replace(
            joined, **{name: getattr(other, name) for name in names if getattr(joined, name, None) is None}
        )
    return joined


def _of_official(release: Annotation, folder: Path, split: str, found: list[Annotation]) -> Annotation:
    """The release's people of a split; validation people are known by image name and position."""
    lists = found if split == "val" else [read(path) for name, read in VALIDATION if (path := _find(folder, name))]
    listed = next((annotation for annotation in lists if annotation.images and annotation.centre is not None), None)
    if listed is None:
        raise DataError(
            what=f"{OFFICIAL} does not say which people are the validation set of Tompson et al.",
            expected="valid.h5 or annot/valid.json beside it",
            next_step="put one of the two lists there; with it the release is split as the papers did",
        )
    places = {key: row for row, key in enumerate(_keys(release))}
    rows = [places.get(key) for key in _keys(listed)]
    if None in rows:
        raise DataError(f"{listed.file} lists a person of {listed.images[rows.index(None)]} that {OFFICIAL} lacks.")
    if split == "train":
        held_out = set(listed.images)
        rows = [row for row, name in enumerate(release.images) if name not in held_out]
    kept = {field.name: getattr(release, field.name)[rows] for field in fields(Annotation) if field.name not in _NAMES}
    return Annotation(file=release.file, images=tuple(release.images[row] for row in rows), **kept)


_NAMES = ("file", "images")


def _keys(annotation: Annotation) -> list[tuple[str, int, int]]:
    centres = np.rint(annotation.centre).astype(int)
    return [(name, int(x), int(y)) for name, (x, y) in zip(annotation.images, centres, strict=True)]


def _assemble(split: str, folder: Path, annotation: Annotation, files: list[str]) -> People:
    count = len(annotation.keypoints)
    if not count:
        raise DataError(f"{annotation.file} lists nobody of mpii/{split}.", cause="an annotation of another split")
    if not np.isfinite(annotation.keypoints[annotation.annotated]).all():
        raise DataError(f"{annotation.file}: an annotated joint has a coordinate that is not finite.")
    for name in ("centre", "scale", "head_size"):
        if (array := getattr(annotation, name)) is not None and not np.isfinite(array).all():
            raise DataError(f"{annotation.file}: {name} has a number that is not finite.")
    visible = annotation.annotated if annotation.visible is None else annotation.visible
    visibility = np.where(annotation.annotated, np.where(visible, VISIBLE, OCCLUDED), ABSENT).astype(np.uint8)
    keypoints = np.where(annotation.annotated[..., None], annotation.keypoints, 0.0)
    names = annotation.images or ("",) * count
    images.check_names(names, annotation.file)
    centre = np.full((count, 2), np.nan) if annotation.centre is None else annotation.centre
    scale = np.full(count, np.nan) if annotation.scale is None else annotation.scale
    missing = int((visibility == ABSENT).sum())
    return People(
        dataset="mpii",
        split=split,
        skeleton=MPII,
        images=tuple(f"images/{name}" if name else "" for name in names),
        keypoints=keypoints,
        visibility=visibility,
        centre=centre,
        scale=scale,
        head_size=annotation.head_size,
        origin=1,
        fingerprint=images.fingerprint(names, keypoints, visibility, centre, scale, annotation.head_size),
        read_image=images.reader(folder / "images", names),
        notes={
            "files": ", ".join(files),
            "people": count,
            "joints": int(annotation.annotated.sum()),
            "missing": missing,
            "occluded": "unknown" if annotation.visible is None else int((visibility == OCCLUDED).sum()),
        },
    )
