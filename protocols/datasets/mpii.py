"""Reader of MPII Human Pose (Andriluka et al., CVPR 2014), with the 2,958 validation people of Tompson et al."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from protocols.datasets import images
from protocols.datasets.mpii_files import Annotation, ground_truth_mat, json_records, newell_h5, official_mat
from protocols.errors import DataError
from protocols.pose.people import ABSENT, OCCLUDED, VISIBLE, People
from protocols.pose.skeletons import MPII

# In order of precedence: the first file counts, the later ones fill its gaps. gt_valid.mat is
# first because the official numbers include its truncations (13 joints with a zeroed coordinate).
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
TEST = (("test.h5", newell_h5), ("test.json", lambda path: json_records(path, validation=False)))
WHOLE_RELEASE = "train-25925"  # split: all annotated people without the validation people
LISTS = {"train": TRAINING, WHOLE_RELEASE: (), "val": VALIDATION, "test": TEST}
# MPII's objpos is on the chest; every code base moves the window down by this many pixels per unit of scale.
CENTRE_DOWN = 15.0
OFFICIAL = "mpii_human_pose_v1_u12_1.mat"
HEADS = "in gt_valid.mat of HRNet (headboxes_src) and in the release: put one of them beside it"
DOWNLOAD = "download the annotation from the MPII Human Pose page, or the lists of HRNet or Newell et al. made from it"


def people(split: str, data: Path) -> People:
    """Read the people of a split from the files in data/mpii/ and data/mpii/annot/.

    val: gt_valid.mat, valid.h5, annot/valid.json or mpii_annotations.json, joined if there are
    several. train: train.h5, annot/train.json, mpii_annotations.json, or the official mat without
    the images of validation people. train-25925: the official mat without the validation people. test: test.h5 or
    annot/test.json with joints, which only the owners of MPII have. Images are in data/mpii/images/. Fields that no
    file has are NaN (centre, scale), None (head_size) or empty (images). Raises DataError for an unknown split, absent
    files, files of another layout, or files that disagree.
    """
    if split not in LISTS:
        raise DataError(f"mpii has no split {split!r}.", expected=f"one of {', '.join(LISTS)}")
    folder = data / "mpii"
    present = [(path, read) for name, read in LISTS[split] if (path := _find(folder, name))]
    if split != "val":
        present = present[:1]  # the training lists leave out different people, so they are not joined
    found = [read(path) for path, read in present]
    official = None if split == "test" else _find(folder, OFFICIAL)
    if official and (not found or (split == "val" and _incomplete(found))):
        found.append(_of_official(official_mat(official), folder, split, found))
    if not found:
        raise _absent(split, folder)
    return _assemble(split, folder, _join(found), [annotation.file for annotation in found])


def _absent(split: str, folder: Path) -> DataError:
    names = [name for name, _ in LISTS[split]] + ([OFFICIAL] if split != "test" else [])
    return DataError(
        what=f"mpii/{split}: no annotation was found.",
        expected=f"{'one of ' if len(names) > 1 else ''}{', '.join(names)} in {folder} or {folder / 'annot'}",
        cause="" if split == "test" else "MPII has to be downloaded by every user, who accepts its licence",
        next_step=DOWNLOAD,
    )


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / "annot" / name) if path.is_file()), None)


def _incomplete(found: list[Annotation]) -> bool:
    return any(
        all(getattr(annotation, field) is None for annotation in found) for field in ("head_size", "centre", "images")
    )


def _join(found: list[Annotation]) -> Annotation:
    """Fill the gaps of the first annotation from the others, which must be of the same people in the same order."""
    joined = found[0]
    for other in found[1:]:
        both = joined.annotated & other.annotated if joined.annotated.shape == other.annotated.shape else None
        # Files truncate or round coordinates, and a few joints differ by more: most must agree to 2 pixels.
        if both is None or np.mean(np.abs(joined.keypoints - other.keypoints)[both].max(axis=-1) <= 2) < 0.99:
            raise DataError(
                what=f"{joined.file} and {other.file} are not the same people in the same order.",
                expected="files of one split; the same joints to within 2 pixels",
                cause="one of them is of another split, a part of it, or in another order",
                next_step="remove the one that does not belong to the predictions",
            )
        names = [field.name for field in fields(Annotation)]
        joined = replace(
            joined, **{name: getattr(other, name) for name in names if getattr(joined, name, None) is None}
        )
    return joined


def _of_official(release: Annotation, folder: Path, split: str, found: list[Annotation]) -> Annotation:
    """Return the release's people of a split; validation people are identified by image name and position.

    train leaves out everybody on an image of theirs, train-25925 only themselves.
    """
    lists = found if split == "val" else [read(path) for name, read in VALIDATION if (path := _find(folder, name))]
    listed = next((annotation for annotation in lists if _identities(annotation)), None)
    if listed is None:
        raise DataError(
            what=f"{OFFICIAL} does not say which people are the validation set of Tompson et al.",
            expected="valid.h5 or annot/valid.json beside it",
            next_step="put one of the two lists there, which give the split of the papers",
        )
    names = release.images or ()
    release_rows = {identity: row for row, identity in enumerate(_identities(release))}
    validation = _identities(listed)
    if missing := [identity for identity in validation if identity not in release_rows]:
        raise DataError(f"{listed.file} lists a person of {missing[0][0]} that {OFFICIAL} lacks.")
    rows = [release_rows[identity] for identity in validation]
    if split == "train":
        held_out = {name for name, _, _ in validation}
        rows = [row for row, name in enumerate(names) if name not in held_out]
    if split == WHOLE_RELEASE:
        rows = sorted({*range(len(names))} - {*rows})
    arrays = {
        field.name: getattr(release, field.name)[rows]
        for field in fields(Annotation)
        if field.name not in ("file", "images", "left_out")
    }
    return replace(release, images=tuple(names[row] for row in rows), **arrays)


def _identities(annotation: Annotation) -> list[tuple[str, int, int]]:
    """Return image name and rounded position of each person; empty if the file lacks one of them."""
    if not annotation.images or annotation.centre is None:
        return []
    centres = np.rint(annotation.centre).astype(int)
    return [(name, int(x), int(y)) for name, (x, y) in zip(annotation.images, centres, strict=True)]


def _assemble(split: str, folder: Path, annotation: Annotation, files: list[str]) -> People:
    count = len(annotation.keypoints)
    if not count:
        held_out = split in ("train", WHOLE_RELEASE) and annotation.file == OFFICIAL
        raise DataError(
            f"{annotation.file} lists nobody of mpii/{split}.",
            cause="all of its people belong to the validation set" if held_out else "an annotation of another split",
        )
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
        centre_down=CENTRE_DOWN,
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
            **({} if annotation.head_size is not None else {"head sizes": HEADS}),
            **{f"left out {why}": number for why, number in annotation.left_out.items()},
        },
    )
