"""Reader of Leeds Sports Pose (Johnson and Everingham, BMVC 2010): 2,000 images, 14 joints, half for training."""

from pathlib import Path

import numpy as np

from protocols.datasets import images
from protocols.errors import DataError
from protocols.pose.people import ABSENT, OCCLUDED, VISIBLE, People
from protocols.pose.skeletons import LSP
from protocols.readers.arrays import load

SPLITS = ("train", "test")
IMAGES, TRAINING = 2000, 1000  # the first 1,000 images are the training split
CONVENTIONS = {"person-centric": "joints", "observer-centric": "oc_joints"}  # -> variable of the file


def people(split: str, data: Path, convention: str = "person-centric") -> People:
    """Read the 1,000 people of a split from data/lsp/joints_pc_oc.mat or joints.mat.

    "observer-centric" names left and right as seen by the observer; its split is called
    "test-observer-centric", also as an argument, so that the two never share a table.
    The centre is that of the image, the scale max(height, width) / 200; both are NaN if the image is absent.
    A file with another number of images has a variable `training`: the number of images at its start that are the
    training split, as in the files of `bench data mannequin`. Raises DataError for an unknown split or convention, an
    absent file, or one of another layout.
    """
    if split.endswith("-observer-centric"):
        split, convention = split.removesuffix("-observer-centric"), "observer-centric"
    for word, given, allowed in (("split", split, SPLITS), ("convention", convention, CONVENTIONS)):
        if given not in allowed:
            raise DataError(f"lsp has no {word} {given!r}.", expected=f"one of {', '.join(allowed)}")
    path = annotation_file(data / "lsp", ("joints_pc_oc.mat", "joints.mat"))
    joints, numbers = read_split(path, CONVENTIONS[convention], SPLITS.index(split), IMAGES, TRAINING)
    names = images.find(data / "lsp/images", [f"im{number:04d}" for number in numbers])
    visibility = np.where(joints[..., 2] == 1, OCCLUDED, VISIBLE).astype(np.uint8)  # LSP: 1 means occluded
    named = split if convention == "person-centric" else f"{split}-{convention}"
    return assemble("lsp", named, data / "lsp/images", names, joints[..., :2], visibility, {"convention": convention})


def annotation_file(folder: Path, names: tuple[str, ...]) -> Path:
    """Return the first of the files that exists."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataError(
        what=f"{folder.name}: the annotation was not found.",
        expected=f"{' or '.join(names)} in {folder}",
        cause="the dataset has to be downloaded from its authors: the Leeds Sports Pose pages",
        next_step="put the file there, or give the folder of the datasets by --data DIR",
    )


def read_split(path: Path, variable: str, half: int, count: int, training: int) -> tuple[np.ndarray, range]:
    """Read joints of the first `training` of `count` images, or (`half` 1) of the others, and image numbers from 1.

    Joints are N x 14 x 3 float64. The file may have another count of images if its variable `training` says how many
    are the training split.
    """
    arrays = load(path)
    stated = arrays.get("training")
    sides = (arrays[variable].shape if variable in arrays else ()) or (count,)
    if stated is not None and stated.size == 1 and stated.item() in range(sides[-1] + 1):
        training, count = int(stated.item()), sides[-1]
    joints = _joints(path, arrays, variable, count)
    rows = range(count)[training:] if half else range(count)[:training]
    if not rows:
        raise DataError(
            what=f"{path.name} has nobody in this split: {training} of its {count} images are for training.",
            expected="at least one image",
            cause="a file of one split, such as `bench data mannequin` writes",
            next_step="choose the other split",
        )
    return joints[rows.start : rows.stop], range(rows.start + 1, rows.stop + 1)


def _joints(path: Path, arrays: dict[str, np.ndarray], variable: str, count: int) -> np.ndarray:
    """Return N x 14 x 3 float64 from 3 x 14 x N (LSP) or 14 x 3 x N (LSPET)."""
    if variable not in arrays:
        raise DataError(
            what=f"{path.name} has no variable {variable}.",
            expected=f"{variable}, 3 x 14 x {count} numbers; found {', '.join(arrays) or 'none'}",
            cause="an annotation file without that convention",
            next_step="use joints_pc_oc.mat, which has both conventions, or score person-centric",
        )
    joints = arrays[variable]
    orders = {(3, 14, count): (2, 1, 0), (14, 3, count): (2, 0, 1)}
    if joints.shape not in orders or joints.dtype.kind not in "fiub":
        raise DataError(
            what=f"{path.name}: {variable} has the shape {'x'.join(map(str, joints.shape))} ({joints.dtype}).",
            expected=f"3x14x{count} or 14x3x{count} numbers",
            cause="another dataset's file, a part of it, or axes in another order",
            next_step="use the file as the authors publish it",
        )
    joints = joints.transpose(orders[joints.shape]).astype(np.float64)
    if not np.isfinite(joints).all():
        row, joint, _ = map(int, np.argwhere(~np.isfinite(joints))[0])
        raise DataError(f"{path.name}: {variable} of image {row + 1}, {LSP.joints[joint]} is not finite.")
    return joints


def assemble(
    dataset: str,
    split: str,
    folder: Path,
    names: tuple[str, ...],
    keypoints: np.ndarray,
    visibility: np.ndarray,
    notes: dict[str, int | str],
) -> People:
    """Return people, one an image, with centre and scale from the size of the image."""
    size = images.sizes(folder, names)
    absent = int(np.isnan(size[:, 0]).sum())
    keypoints = np.where(visibility[..., None] > ABSENT, keypoints, 0.0)
    return People(
        dataset=dataset,
        split=split,
        skeleton=LSP,
        images=tuple(f"images/{name}" for name in names),
        keypoints=keypoints,
        visibility=visibility,
        centre=(size + 1) / 2,  # of pixels counted from 1
        scale=size.max(axis=1) / 200,
        head_size=None,
        origin=1,
        fingerprint=images.fingerprint((), keypoints, visibility),
        read_image=images.reader(folder, names),
        notes=notes
        | {
            "people": len(names),
            "joints": int((visibility > ABSENT).sum()),
            "missing": int((visibility == ABSENT).sum()),
            "occluded": int((visibility == OCCLUDED).sum()),
            "images absent": absent,
        },
    )
