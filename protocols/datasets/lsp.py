"""Leeds Sports Pose (Johnson and Everingham, BMVC 2010): 2,000 images, 14 joints, the first 1,000 to train on."""

from pathlib import Path

import numpy as np

from protocols.datasets import images
from protocols.errors import DataError
from protocols.pose.people import ABSENT, OCCLUDED, VISIBLE, People
from protocols.pose.skeletons import LSP
from protocols.readers.arrays import load

SPLITS = ("train", "test")
IMAGES, TRAINING = 2000, 1000  # the first 1,000 are to train on
CONVENTIONS = {"person-centric": "joints", "observer-centric": "oc_joints"}  # -> variable of the file


def people(split: str, data: Path, convention: str = "person-centric") -> People:
    """The 1,000 people of a split, from data/lsp/joints_pc_oc.mat or joints.mat.

    `observer-centric` names left and right as an onlooker does; its split is called
    "test-observer-centric", so that the two never meet in one table, and can be asked for so.
    Centre and scale follow the suite's rule, image centre and max(height, width) / 200, and are NaN
    where an image is absent.
    A file of another number of images says by the variable `training` how many of them, at its start, are to
    train on, as that of `bench data mannequin` does. Raises DataError for an unknown split or convention, an absent
    file, or one of another layout.
    """
    if split.endswith("-observer-centric"):
        split, convention = split.removesuffix("-observer-centric"), "observer-centric"
    for word, given, known in (("split", split, SPLITS), ("convention", convention, CONVENTIONS)):
        if given not in known:
            raise DataError(f"lsp has no {word} {given!r}.", expected=f"one of {', '.join(known)}")
    path = annotation_file(data / "lsp", ("joints_pc_oc.mat", "joints.mat"))
    joints, numbers = split_of(path, CONVENTIONS[convention], SPLITS.index(split), IMAGES, TRAINING)
    names = images.find(data / "lsp/images", [f"im{number:04d}" for number in numbers])
    visibility = np.where(joints[..., 2] == 1, OCCLUDED, VISIBLE).astype(np.uint8)  # LSP: 1 means occluded
    named = split if convention == "person-centric" else f"{split}-{convention}"
    return assemble("lsp", named, data / "lsp/images", names, joints[..., :2], visibility, {"convention": convention})


def annotation_file(folder: Path, names: tuple[str, ...]) -> Path:
    """The first of the files that is there."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataError(
        what=f"{folder.name}: the annotation was not found.",
        expected=f"{' or '.join(names)} in {folder}",
        cause="the dataset has to be fetched from its authors: the Leeds Sports Pose pages",
        next_step="put the file there, or name the folder that holds it with --data DIR",
    )


def split_of(path: Path, variable: str, half: int, count: int, training: int) -> tuple[np.ndarray, range]:
    """N x 14 x 3 float64 of the first `training` of `count` images, or (`half` 1) the others, and their numbers from 1.

    The file may have another count of images if it says how many are to train on.
    """
    arrays = load(path)
    said = arrays.get("training")
    sides = (arrays[variable].shape if variable in arrays else ()) or (count,)
    if said is not None and said.size == 1 and said.item() in range(sides[-1] + 1):
        training, count = int(said.item()), sides[-1]
    joints = _joints(path, arrays, variable, count)
    rows = range(count)[training:] if half else range(count)[:training]
    if not rows:
        raise DataError(
            what=f"{path.name} has nobody in this split: {training} of its {count} images are to train on.",
            expected="at least one image",
            cause="a file of one split, as `bench data mannequin` writes it",
            next_step="choose the other split",
        )
    return joints[rows.start : rows.stop], range(rows.start + 1, rows.stop + 1)


def _joints(path: Path, arrays: dict[str, np.ndarray], variable: str, count: int) -> np.ndarray:
    """N x 14 x 3 float64 from 3 x 14 x N (LSP) or 14 x 3 x N (LSPET)."""
    if variable not in arrays:
        raise DataError(
            what=f"{path.name} has no variable {variable}.",
            expected=f"{variable}, 3 x 14 x {count} numbers; found {', '.join(arrays) or 'none'}",
            cause="an annotation file without that convention",
            next_step="use joints_pc_oc.mat, which holds both conventions, or score person-centric",
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
    """People with one person an image, placed by the image's size."""
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
