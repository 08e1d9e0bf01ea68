"""A tiny annotation in the formats of all datasets: eight people on three images, whole pixels, ends of every case.

Lengths of limbs are those of 3-4-5 triangles, so that predictions can lie exactly on a threshold. Joints are absent and
occluded in a pattern; nothing is drawn at random but pictures and labels of CIFAR-10.
"""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import scipy.io

from protocols.pose.people import ABSENT, OCCLUDED, VISIBLE
from protocols.pose.skeletons import COCO, LSP, MPII, MPII_COLUMNS, Skeleton

COUNT = 8
NAMES = ("a.png", "b.png", "c.png")  # image of a person: the row, modulo three
WIDTH, HEIGHT = 400, 320
POSE = {  # pixels from the head top
    "head_top": (0, 0), "upper_neck": (24, 32), "thorax": (24, 42), "pelvis": (4, 162),
    "left_shoulder": (64, 40), "left_elbow": (94, 80), "left_wrist": (112, 104),
    "right_shoulder": (-16, 44), "right_elbow": (-46, 84), "right_wrist": (-64, 108),
    "left_hip": (34, 164), "left_knee": (70, 212), "left_ankle": (118, 276),
    "right_hip": (-26, 160), "right_knee": (-62, 208), "right_ankle": (-110, 272),
    "nose": (6, 16), "left_eye": (12, 10), "right_eye": (0, 10), "left_ear": (20, 14), "right_ear": (-8, 14),
}  # fmt: skip
LEFT_OUT = {"pelvis", "upper_neck", "right_wrist", "left_ankle", "left_ear"}  # absent in some people
Content = dict[str, Any]  # of a file of others, by key: readers find out what it holds, and check it
SCALES = (1.0, 0.25, 1.5, 0.5, 1.0, 0.125, 2.0, 1.0)  # of a person; a quarter of a limb is a whole number of pixels


def keypoints(skeleton: Skeleton) -> np.ndarray:
    """Positions of everybody, 8 x J x 2 pixels, also of absent joints."""
    corner = np.array([(130 + 40 * row, 10 + 7 * row) for row in range(COUNT)], float)
    pose = np.array([POSE[joint] for joint in skeleton.joints], float)
    return corner[:, None] + np.array(SCALES)[:, None, None] * pose


def visibility(skeleton: Skeleton) -> np.ndarray:
    """ABSENT, OCCLUDED or VISIBLE, 8 x J."""
    place = np.arange(COUNT)[:, None] + 3 * np.arange(len(skeleton))
    absent = np.array([joint in LEFT_OUT for joint in skeleton.joints]) & (place % 4 == 0)
    return np.where(absent, ABSENT, np.where(place % 5 == 0, OCCLUDED, VISIBLE))


def write(folder: Path) -> None:
    """Write every format below `folder`: each subfolder is a data folder for the readers."""
    for name, content in {**_mpii(), **_lsp(), **_coco(), **_cifar10(), **_pictures()}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        _write(path, content)


def _write(path: Path, content: Any) -> None:
    if path.suffix == ".json":
        path.write_text(json.dumps(content))
    elif path.suffix == ".mat":
        scipy.io.savemat(path, content, long_field_names=True)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            for name, array in content.items():
                file[name] = array
    elif path.suffix == ".png":
        cv2.imwrite(str(path), content)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))


def _mpii() -> Content:
    """Newell's files of demo and training, HRNet's mat and JSON, pytorch-pose's JSON, and the release."""
    points, seen = keypoints(MPII), visibility(MPII)
    there = seen > ABSENT
    joints = np.where(there[..., None], points, 0)
    centre = np.rint(points[:, MPII.index("thorax")]) + np.array([1, 2])
    scale = np.array(SCALES) * 1.4
    size = 60 * np.array(SCALES)
    names = [NAMES[row % 3] for row in range(COUNT)]
    shared = {"part": joints, "visible": (seen == VISIBLE).astype(float), "normalize": size}
    down = np.stack([np.zeros(COUNT), 15 * scale], axis=1)
    demo = shared | {"center": centre + down, "scale": 1.25 * scale, "imgname": np.array(names, "S13")}
    codes = np.array([[*name.encode(), 0, 0] for name in names], float)
    raw = shared | {"center": centre, "scale": scale, "imgname": codes}
    corners = np.stack([points[:, 0], points[:, 0] + size[:, None] / 0.6 * (0.6, 0.8)])  # 60 x 80: a size of 60
    order = np.roll(np.arange(16), 5)
    mat = {
        "dataset_joints": np.array(MPII_COLUMNS, object)[order][None],
        "jnt_missing": (~there).T[order].astype(np.uint8),
        "pos_gt_src": joints.transpose(1, 2, 0)[order] + 0.25,
        "headboxes_src": corners.transpose(0, 2, 1),
    }
    records = [
        {"image": name, "center": list(c), "scale": s, "joints": j.tolist(), "joints_vis": v.astype(int).tolist()}
        for name, c, s, j, v in zip(names, centre, scale, joints, there, strict=True)
    ]
    return {
        "demo/mpii/valid.h5": demo,
        "demo/mpii/gt_valid.mat": mat,
        "training/mpii/train.h5": raw,
        "hrnet/mpii/annot/valid.json": records[:3],
        "hrnet/mpii/annot/train.json": records[3:],
        "pytorch-pose/mpii/mpii_annotations.json": list(_pytorch_pose(records, seen)),
        "release/mpii/annot/valid.json": records[:2],
        "release/mpii/mpii_human_pose_v1_u12_1.mat": {"RELEASE": _release(records, seen)},
    }


def _pytorch_pose(records: list[Content], seen: np.ndarray) -> Iterator[Content]:
    for row, record in enumerate(records):
        yield {
            "img_paths": record["image"],
            "isValidation": float(row % 3 == 0),
            "joint_self": [[*joint, float(v)] for joint, v in zip(record["joints"], seen[row] == VISIBLE, strict=True)],
            "objpos": record["center"],
            "scale_provided": record["scale"],
        }


def _release(records: list[Content], seen: np.ndarray) -> Content:
    """The official structure: people by image, points in reverse order, one image of test people."""

    def person(row: int) -> Content:
        words = {VISIBLE: [np.array([]), "1", 1][row % 3], OCCLUDED: "0"}
        points = [
            {"x": x, "y": y, "id": joint, "is_visible": words[int(seen[row, joint])]}
            for joint, (x, y) in enumerate(records[row]["joints"])
            if seen[row, joint] > ABSENT
        ][::-1]
        box = {"x1": 10.0, "y1": 20.0, "x2": 40.0 + row, "y2": 60.0}
        x, y = records[row]["center"]
        return box | {"annopoints": {"point": points}, "scale": records[row]["scale"], "objpos": {"x": x, "y": y}}

    images = [
        {"image": {"name": name}, "annorect": [person(row) for row in range(number, COUNT, 3)]}
        for number, name in enumerate(NAMES)
    ]
    images += [{"image": {"name": "nobody.png"}, "annorect": np.array([])}, images[0]]
    return {"annolist": images, "img_train": np.array([1, 1, 1, 1, 0])}


def _lsp() -> Content:
    """LSP with both conventions, three people for training; LSPET with its axes in another order."""
    points, seen = keypoints(LSP), visibility(LSP)
    joints = np.concatenate([points, (seen == OCCLUDED)[..., None]], axis=2)  # N x 14 x 3
    extended = np.concatenate([points + 0.5, (seen > ABSENT)[..., None]], axis=2)
    observer = joints[:, list(LSP.mirror)]
    both = {"joints": joints.transpose(2, 1, 0), "oc_joints": observer.transpose(2, 1, 0), "training": 3.0}
    return {
        "demo/lsp/joints_pc_oc.mat": both,
        "demo/lspet/joints.mat": {"joints": extended.transpose(1, 2, 0), "training": 5.0},
    }


def _coco() -> Content:
    """Several people an image, one beyond its border, a crowd, somebody without joints; and detected boxes."""
    points, seen = keypoints(COCO), visibility(COCO)
    people, boxes = [], []
    for row in range(COUNT):
        corner, far = points[row].min(axis=0), points[row].max(axis=0)
        box = [*(corner - 6 * (row == 2) * 40), *(far - corner + 1)]
        there = (seen[row] > ABSENT) & (row != 5)
        flat = np.column_stack([points[row], seen[row]]) * there[:, None]
        people.append(
            {
                "id": 101 + row, "image_id": 7 - row % 3, "category_id": 1, "iscrowd": int(row == 4),
                "keypoints": flat.ravel().tolist(), "num_keypoints": int(there.sum()),
                "area": float(0.5 * box[2] * box[3]), "bbox": box,
            }
        )  # fmt: skip
        boxes += [
            {
                "image_id": 7 - row % 3,
                "category_id": 1 + (row == 6),
                "bbox": [box[0] + k, *box[1:]],
                "score": 0.9 - k / 8,
            }
            for k in range(3)
        ]
    images = [
        {"id": 5 + number, "file_name": name, "width": WIDTH, "height": HEIGHT - 20 * number}
        for number, name in enumerate(NAMES)
    ]
    return {
        "demo/coco/annotations/person_keypoints_val2017.json": {"images": images[::-1], "annotations": people},
        "demo/coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json": boxes,
    }


def _cifar10() -> Content:
    draws = np.random.RandomState(0)
    names = ["test_batch", *(f"data_batch_{number}" for number in range(1, 6))]
    return {
        f"demo/cifar10/{name}": {
            b"data": draws.randint(0, 256, (4, 3072)).astype(np.uint8),
            b"labels": draws.randint(0, 10, 4).tolist(),
        }
        for name in names
    }


def _pictures() -> Content:
    """Pictures for MPII, LSP and COCO: waves that differ by colour, side and picture."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    files = {}
    for number in range(COUNT):
        waves = [(x * (2 + k) + y * (3 + number)) // 3 % 256 for k in range(3)]
        picture = np.stack(waves, axis=-1).astype(np.uint8)
        files[f"demo/lsp/images/im{number + 1:04d}.png"] = picture[: HEIGHT - 20 * number]
        files[f"demo/lspet/images/im{number + 1:05d}.png"] = picture[:, : WIDTH - 20 * number]
        if number < len(NAMES):
            files[f"demo/mpii/images/{NAMES[number]}"] = picture
            files[f"demo/coco/val2017/{NAMES[number]}"] = picture[: HEIGHT - 20 * number]
    return files
