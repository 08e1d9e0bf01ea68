"""Export of mannequins: images with MPII, LSP and COCO annotation, in the layout that `--data DIR` expects.

Field names, axes and pixel origins are those of the releases: MPII and LSP count from 1, COCO from 0.
"""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import cv2
import h5py
import numpy as np
import scipy.io

from protocols.datasets.mannequin.people import SEEDS, Mannequin, annotate, render
from protocols.datasets.mannequin.scene import FRAME, silhouette
from protocols.datasets.mpii import CENTRE_DOWN
from protocols.errors import DataError
from protocols.pose.people import ABSENT, VISIBLE
from protocols.pose.skeletons import COCO
from protocols.pose.skeletons import MPII_COLUMNS as COLUMNS

FILE_NAMES = {"train": ("train", "train2017"), "val": ("valid", "val2017")}  # split -> its name in MPII and COCO


def export(out: Path, count: int, split: str = "val") -> tuple[Path, ...]:
    """Write the first `count` people of "train" or "val" below `out`; return the annotation files.

    Every file is written under another name and then renamed, the annotation after its images. LSP has one file for
    both splits.
    Raises DataError for another split or a count below 1.
    """
    if split not in FILE_NAMES or count < 1:
        raise DataError(
            what=f"mannequin cannot write {count} people of the split '{split}'.",
            expected=f"a count of 1 or more of one of {', '.join(FILE_NAMES)}",
        )
    people = [annotate(SEEDS[split], index) for index in range(count)]
    for number, person in enumerate(people, start=1):
        picture = _jpeg(render(person))
        for name in _image_paths(split, number):
            _write(out / name, picture)
    contents = _mpii(people, split) | _lsp(people, split) | _coco(people, split)
    for name, content in contents.items():
        _write(out / name, content)
    return tuple(out / name for name in contents)


def _image_paths(split: str, number: int) -> tuple[str, str, str]:
    return (
        f"mpii/images/{_mpii_image(split, number)}",
        f"lsp/images/im{number:04d}.jpg",
        f"coco/{FILE_NAMES[split][1]}/{number:012d}.jpg",
    )


def _mpii_image(split: str, number: int) -> str:
    return f"{SEEDS[split]}{number:08d}.jpg"  # 13 characters, as in the h5 file


def _mpii(people: list[Mannequin], split: str) -> dict[str, bytes]:
    """Return Newell's demo h5 (centre and scale adjusted), and HRNet's mat and JSON (as in the release)."""
    word = FILE_NAMES[split][0]
    images = [_mpii_image(split, number) for number in range(1, len(people) + 1)]
    visibility = np.stack([person.visibility for person in people])
    annotated = visibility > ABSENT
    joints = np.where(annotated[..., None], np.stack([person.keypoints for person in people]) + 1, 0.0)  # N x 16 x 2
    scale = np.array([person.scale for person in people])
    down = np.stack([np.zeros(len(people)), CENTRE_DOWN * scale], axis=1)  # objpos lies on the chest
    centre = np.rint(np.stack([person.centre for person in people]) + 1 - down)  # whole pixels, as in the release
    boxes = np.stack([person.head_box for person in people]).reshape(-1, 2, 2) + 1  # N x corner x xy
    h5 = {
        "center": centre + down,
        "scale": 1.25 * scale,
        "part": np.trunc(joints),
        "visible": (visibility == VISIBLE).astype(float),
        "normalize": np.array([person.head_size for person in people]),
        "torsoangle": _torso_angle(people),
        "index": np.arange(len(people), dtype=float),
        "person": np.zeros(len(people)),
        "imgname": np.array(images, "S13"),
    }
    mat = {
        "dataset_joints": np.array(COLUMNS, object)[None],
        "jnt_missing": (~annotated.T).astype(np.uint8),  # 16 x N
        "pos_gt_src": joints.transpose(1, 2, 0),  # 16 x 2 x N
        "headboxes_src": boxes.transpose(1, 2, 0),  # 2 x 2 x N
    }
    records = [
        {"image": i, "center": c, "scale": s, "joints": j, "joints_vis": v}
        for i, c, s, j, v in zip(
            images,
            centre.tolist(),
            scale.tolist(),
            joints.round(3).tolist(),
            annotated.astype(int).tolist(),
            strict=True,
        )
    ]
    return {
        f"mpii/{word}.h5": _h5(h5),
        f"mpii/gt_{word}.mat": _mat(mat),
        f"mpii/annot/{word}.json": json.dumps(records).encode(),
    }


def _torso_angle(people: list[Mannequin]) -> np.ndarray:
    """Return the angle of thorax - pelvis from the vertical in degrees, positive to the right."""
    torso = np.stack([person.keypoints[7] - person.keypoints[6] for person in people])
    return np.degrees(np.arctan2(torso[:, 0], -torso[:, 1]))


def _lsp(people: list[Mannequin], split: str) -> dict[str, bytes]:
    """Return `joints`, 3 x 14 x N, person-centric; the third row is 1 if occluded or outside the image.

    `training` is the number of images of the training split, which LSP's own file does not need.
    """
    keypoints, visibility = (np.stack(a) for a in zip(*(person.skeleton("lsp") for person in people), strict=True))
    joints = np.concatenate([keypoints + 1, (visibility != VISIBLE)[..., None]], axis=2)  # N x 14 x 3
    mat = {"joints": joints.transpose(2, 1, 0), "training": float(len(people) * (split == "train"))}
    return {"lsp/joints.mat": _mat(mat)}


def _coco(people: list[Mannequin], split: str) -> dict[str, bytes]:
    """Return the official JSON: one person an image; people in the background are not annotated."""
    word = FILE_NAMES[split][1]
    numbers = range(1, len(people) + 1)
    content = {
        "info": {"description": "mannequin (synthetic)"},
        "licenses": [],
        "images": [{"id": n, "file_name": f"{n:012d}.jpg", "width": FRAME, "height": FRAME} for n in numbers],
        "annotations": [_coco_person(person, n) for person, n in zip(people, numbers, strict=True)],
        "categories": [
            {
                "id": 1,
                "name": "person",
                "supercategory": "person",
                "keypoints": list(COCO.joints),
                "skeleton": [[COCO.index(a) + 1, COCO.index(b) + 1] for a, b in COCO.limbs],
            }
        ],
    }
    return {f"coco/annotations/person_keypoints_{word}.json": json.dumps(content).encode()}


def _coco_person(person: Mannequin, number: int) -> dict[str, object]:
    keypoints, visibility = person.skeleton("coco")
    keypoints = np.where(visibility[:, None] > ABSENT, keypoints.round(2), 0.0)
    outlines, _ = cv2.findContours(silhouette(person.body), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return {
        "id": number,
        "image_id": number,
        "category_id": 1,
        "iscrowd": 0,
        "keypoints": np.column_stack([keypoints, visibility]).ravel().tolist(),
        "num_keypoints": int((visibility > ABSENT).sum()),
        "area": person.area,
        "bbox": person.box.round(2).tolist(),
        "segmentation": [outline.ravel().tolist() for outline in outlines if len(outline) > 2],
    }


def _jpeg(image: np.ndarray) -> bytes:
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert done
    return data.tobytes()


def _h5(arrays: dict[str, np.ndarray]) -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["name"] = "mpii"
        for name, array in arrays.items():
            file[name] = array
    return content.getvalue()


def _mat(arrays: Mapping[str, np.ndarray | float]) -> bytes:
    content = io.BytesIO()
    # scipy writes to open files, too, which its types leave out.
    scipy.io.savemat(content, arrays, do_compression=True)  # pyright: ignore[reportArgumentType]
    return content.getvalue()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(path)
