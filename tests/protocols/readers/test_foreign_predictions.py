"""Prediction files as other code writes them: each gives the truth it was made of, or a sentence that helps."""

import json

import h5py
import numpy as np
import pytest
import scipy.io
from small_people import near, people
from test_predictions import refused
from typed import present

from protocols.pose.skeletons import LSP, MPII
from protocols.readers.predictions import read

MPII_TRUTH, LSP_TRUTH = people(30), people(30, "lsp")
MPII_POINTS, LSP_POINTS = near(MPII_TRUTH).keypoints, near(LSP_TRUTH).keypoints
CERTAIN = np.linspace(0.1, 0.9, 30 * 16).reshape(30, 16, 1)
CELLS = np.random.default_rng(0).uniform(1, 64, (30, 16, 2))  # places in the heatmap
TOMPSON = (
    "head",
    "neck",
    "lsho",
    "lelb",
    "lwri",
    "rsho",
    "relb",
    "rwri",
    "lhip",
    "lkne",
    "lank",
    "rhip",
    "rkne",
    "rank",
)
WORDS = (
    "Right ankle", "Right knee", "Right hip", "Left hip", "Left knee", "Left ankle", "Right wrist", "Right elbow",
    "Right shoulder", "Left shoulder", "Left elbow", "Left wrist", "Neck", "Head top",
)  # fmt: skip
INITIALS = tuple(word.replace("Right ", "R_").replace("Left ", "l").replace(" ", "") for word in WORDS)


def h5(path, **content):
    with h5py.File(path, "w") as file:
        for name, value in content.items():
            file[name] = value
    return path


def v73(path, **content):
    """MATLAB 7.3: HDF5 behind a user block, axes reversed; text as rows of character codes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in content.items():
            file[name] = np.asarray(array).T
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124))
    return path


def mat(path, **content):
    scipy.io.savemat(path, content)
    return path


def packed(path, **content):
    scipy.io.savemat(path, content, do_compression=True)
    return path


def dump(path, document):
    path.write_text(json.dumps(document))
    return path


def cells(array):
    """A MATLAB cell array 1 x N, one person each."""
    found = np.empty((1, len(array)), object)
    found[0, :] = list(array)
    return found


def structs(field, array):
    """A MATLAB structure array 1 x N with one field of coordinates."""
    found = np.empty((1, len(array)), [(field, object)])
    for row, person in enumerate(array):
        found[0, row] = (person,)
    return found


def records(points, **columns):
    """A JSON list with an object for each person."""
    return [
        {"keypoints": person.tolist()} | {name: values[row] for name, values in columns.items()}
        for row, person in enumerate(points)
    ]


FLAT = np.concatenate([MPII_POINTS, CERTAIN], axis=2).reshape(30, 48)
IMAGES = [name.rpartition("/")[2] for name in MPII_TRUTH.images]
OTHERS = [f"train-{name}" for name in IMAGES]

MPII_FILES = {
    "HRNet pred.mat": lambda t: mat(t / "pred.mat", preds=MPII_POINTS),
    "HRNet pred.mat, float32 with score": lambda t: mat(
        t / "pred.mat", preds=np.concatenate([MPII_POINTS, CERTAIN], axis=2).astype(np.float32)
    ),
    "mmpose pred.mat beside maxvals": lambda t: packed(t / "pred.mat", preds=MPII_POINTS, maxvals=CERTAIN),
    "pytorch-pose preds_valid.mat": lambda t: mat(t / "preds_valid.mat", preds=MPII_POINTS.astype(np.float32)),
    "Newell demo": lambda t: h5(t / "valid-ours.h5", preds=MPII_POINTS),
    "Newell training code, image, cell, score": lambda t: h5(
        t / "preds.h5", preds=np.concatenate([MPII_POINTS, CELLS, CERTAIN], axis=2), idxs=np.arange(1.0, 31)
    ),
    "h5 called otherwise": lambda t: h5(t / "a.h5", Predictions=MPII_POINTS, heatmaps=np.zeros((30, 16, 4, 4))),
    "a list of other names beside it": lambda t: npz(t / "a.npz", preds=MPII_POINTS, images=np.array(["a", "b"])),
    "h5 in a group": lambda t: grouped(t / "a.h5"),
    "Tompson, 14 joints in his order": lambda t: mat(
        t / "detections.mat",
        pred=MPII_POINTS[:, columns(TOMPSON, MPII)].transpose(1, 2, 0),
        output_joints=np.array(TOMPSON, object),
        RELEASE_img_index=np.arange(1.0, 31),
    ),
    "scores with three axes beside it": lambda t: h5(t / "a.h5", points=MPII_POINTS, scores=CERTAIN),
    "an axis too many": lambda t: h5(t / "a.h5", preds=MPII_POINTS[None]),
    "MSPN results": lambda t: dump(t / "results.json", records(FLAT, score=[0.5] * 30, category_id=[1] * 30)),
    "JSON with nested joints": lambda t: dump(
        t / "a.json", [{"joints": p, "image": i} for p, i in zip(MPII_POINTS.tolist(), IMAGES, strict=True)]
    ),
    "JSON in another order": lambda t: dump(t / "a.json", records(MPII_POINTS[::-1], image=IMAGES[::-1])),
    "JSON with more images": lambda t: dump(
        t / "a.json", records(np.concatenate([MPII_POINTS + 7, MPII_POINTS]), file_name=[*OTHERS, *IMAGES])
    ),
    "JSON by image": lambda t: dump(
        t / "a.json", dict(zip(IMAGES[::-1], MPII_POINTS[::-1].tolist(), strict=True))
    ),
    "names in h5 of any length": lambda t: h5(
        t / "a.h5", keypoints=MPII_POINTS[:, ::-1], joint_names=list(MPII.joints[::-1])
    ),
}  # fmt: skip

LSP_FILES = {
    "CPM": lambda t: mat(t / "a.mat", prediction_all=LSP_POINTS.transpose(1, 2, 0)),
    "CPM as 14 x 3 x N": lambda t: mat(t / "a.mat", prediction_all=with_flag(LSP_POINTS).transpose(1, 2, 0)),
    "like the annotation, 3 x 14 x N": lambda t: mat(t / "a.mat", joints=with_flag(LSP_POINTS).transpose(2, 1, 0)),
    "2 x 14 x N, single": lambda t: mat(t / "a.mat", pred=LSP_POINTS.transpose(2, 1, 0).astype(np.float32)),
    "N x 14 x 2, v7.3": lambda t: v73(t / "a.mat", pred=LSP_POINTS),
    "14 x 2 x N, v7.3": lambda t: v73(t / "a.mat", joints=LSP_POINTS.transpose(1, 2, 0)),
    "a cell each": lambda t: mat(t / "a.mat", pred=cells(LSP_POINTS)),
    "a cell each, 2 x 14": lambda t: packed(t / "a.mat", preds=cells(LSP_POINTS.transpose(0, 2, 1))),
    "a structure each": lambda t: mat(t / "a.mat", det=structs("point", LSP_POINTS)),
    "a structure of arrays": lambda t: mat(t / "a.mat", results={"pred": LSP_POINTS.transpose(1, 2, 0), "pck": 90.5}),
    "names in words": lambda t: mat(
        t / "a.mat", pred=LSP_POINTS[:, ::-1].transpose(1, 2, 0), joint_names=np.array(WORDS[::-1], object)
    ),
    "names with initials": lambda t: dump(
        t / "a.json", {"keypoints": LSP_POINTS[:, ::-1].tolist(), "joints": INITIALS[::-1]}
    ),
    "MPII's 16 joints by name": lambda t: npz(
        t / "a.npz", keypoints=sixteen(LSP_POINTS), joints=np.array(MPII.joints)
    ),
}  # fmt: skip


def npz(path, **content):
    np.savez(path, **content)
    return path


def grouped(path):
    with h5py.File(path, "w") as file:
        file["run/best/coordinates"] = MPII_POINTS
        file["run/loss"] = np.zeros(100)
    return path


def columns(names, skeleton):
    """Where the joints of Tompson's names stand in a skeleton."""
    limbs = {"sho": "shoulder", "elb": "elbow", "wri": "wrist", "hip": "hip", "kne": "knee", "ank": "ankle"}
    sides = {"l": "left", "r": "right"}
    trunk = {"head": "head_top", "neck": "upper_neck"}
    return [skeleton.index(trunk.get(name) or f"{sides[name[0]]}_{limbs[name[1:]]}") for name in names]


def with_flag(points):
    return np.concatenate([points, np.ones((*points.shape[:2], 1))], axis=2)


def sixteen(points):
    """LSP's joints at MPII's places, pelvis and thorax far away."""
    found = np.full((len(points), 16, 2), 9999.0)
    for column, joint in enumerate(LSP.joints):
        found[:, MPII.index(joint)] = points[:, column]
    return found


def check(path, truth, points, counted):
    found = read(path, truth).keypoints
    assert found.dtype == np.float64
    np.testing.assert_allclose(found[:, counted], points[:, counted], atol=1e-4)  # what float32 keeps of 900 pixels


@pytest.mark.parametrize("write", MPII_FILES.values(), ids=MPII_FILES)
def test_files_of_mpii(tmp_path, write):
    counted = [MPII.index(joint) for joint in LSP.joints]  # Tompson's file has no pelvis and no thorax
    check(write(tmp_path), MPII_TRUTH, MPII_POINTS, counted)


@pytest.mark.parametrize("write", LSP_FILES.values(), ids=LSP_FILES)
def test_files_of_lsp(tmp_path, write):
    check(write(tmp_path), LSP_TRUTH, LSP_POINTS, list(range(14)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.int32, np.int64, np.uint16])
@pytest.mark.parametrize("write", [h5, mat, v73, npz])
def test_every_type_of_number(tmp_path, write, dtype):
    whole = np.rint(LSP_POINTS).astype(dtype)
    path = tmp_path / {h5: "a.h5", npz: "a.npz"}.get(write, "a.mat")
    np.testing.assert_array_equal(read(write(path, keypoints=whole), LSP_TRUTH).keypoints, np.rint(LSP_POINTS))


def test_scores_come_along(tmp_path):
    for name in ("MSPN results", "Newell training code, image, cell, score"):
        scores = present(read(MPII_FILES[name](tmp_path), MPII_TRUTH).scores)
        np.testing.assert_allclose(scores, CERTAIN[..., 0])


REFUSED = {
    "the test people of MPII": (
        lambda t: mat(t / "a.mat", preds=np.ones((11731, 16, 2))), MPII_TRUTH, "11731x16x2", "test people"
    ),
    "all of LSP": (
        lambda t: mat(t / "a.mat", pred=np.ones((14, 2, 2000))), LSP_TRUTH, "14x2x2000", "rows 1000 to 1999"
    ),
    "all of LSPET": (lambda t: mat(t / "a.mat", joints=np.ones((14, 3, 10000))), LSP_TRUTH, "14x3x10000", "9000"),
    "MPII's joints for LSP": (lambda t: npz(t / "a.npz", preds=sixteen(LSP_POINTS)), LSP_TRUTH, "30x16x2", "joints"),
    "rows of numbers": (lambda t: npz(t / "a.npz", preds=LSP_POINTS.reshape(30, 28)), LSP_TRUTH, "30x28", "one row"),
    "COCO results": (lambda t: dump(t / "a.json", records(np.ones((30, 51)))), MPII_TRUTH, "30x17x3", "COCO"),
    "people of different length": (
        lambda t: dump(t / "a.json", records([*MPII_POINTS[:29], MPII_POINTS[0, :3]])),
        MPII_TRUTH, "no array", "differ",
    ),
    "cells of MATLAB 7.3": (lambda t: references(t / "a.mat"), LSP_TRUTH, "no array", "cells"),
    "an annotation in COCO's format": (
        lambda t: dump(t / "a.json", {"images": [{"id": 1}], "annotations": [{"id": 1}]}), MPII_TRUTH, "no array",
        "annotation",
    ),
    "two that fit": (
        lambda t: h5(t / "a.h5", ours=MPII_POINTS, truth=MPII_POINTS), MPII_TRUTH, "more than one", "several"
    ),
    "images that are not there": (
        lambda t: dump(t / "a.json", records(MPII_POINTS, image=["x.jpg", *IMAGES[1:]])), MPII_TRUTH, "ids", "split"
    ),
    "an image with two rows": (
        lambda t: dump(t / "a.json", records(np.concatenate([MPII_POINTS, MPII_POINTS]), image=IMAGES * 2)),
        MPII_TRUTH, "ids", "twice",
    ),
}  # fmt: skip


def references(path):
    """A cell array as MATLAB 7.3 stores it: references to where the cells lie."""
    with h5py.File(path, "w", userblock_size=512) as file:
        found = [file.create_dataset(f"#refs#/{row}", data=person.T).ref for row, person in enumerate(LSP_POINTS)]
        file.create_dataset("pred", data=np.array(found, h5py.ref_dtype)[:, None], dtype=h5py.ref_dtype)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124))
    return path


@pytest.mark.parametrize(("write", "truth", "what", "cause"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_says_why(tmp_path, write, truth, what, cause):
    error = refused(write(tmp_path), what, truth)
    assert cause in error.cause
    assert error.next_step


def test_several_people_in_an_image_stay_in_order(tmp_path):
    """Names that come twice tell nothing apart, but they may confirm the order."""
    truth = people(4, images=("images/a.jpg", "images/b.jpg", "images/b.jpg", "images/c.jpg"))
    names = ["a.jpg", "b.jpg", "b.jpg", "c.jpg"]
    path = dump(tmp_path / "a.json", records(truth.keypoints, image=names))
    np.testing.assert_array_equal(read(path, truth).keypoints, truth.keypoints)
    refused(dump(tmp_path / "b.json", records(truth.keypoints[::-1], image=names[::-1])), "ids", truth)
