"""Mannequins as files, read back with the libraries that the official tools use."""

import json
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
from pycocotools.coco import COCO as OfficialCoco
from pycocotools.cocoeval import COCOeval
from scipy.io import loadmat
from typed import h5_arrays, present

from protocols.datasets import lsp
from protocols.datasets.mannequin.export import export
from protocols.datasets.mannequin.people import people, render
from protocols.datasets.mannequin.scene import annotate
from protocols.errors import DataError
from protocols.pose.people import ABSENT, VISIBLE

COUNT = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("export")
    export(out, COUNT)
    return out


def test_ground_truth_mat_has_hrnets_arrays(folder):
    mat = loadmat(folder / "mpii/gt_valid.mat", mat_dtype=True)
    truth = people("val", count=COUNT)
    names = [str(cell[0]) for cell in mat["dataset_joints"][0]]
    assert names[0] == "rank" and names[9] == "head" and names[15] == "lwri" and len(names) == 16
    assert mat["jnt_missing"].shape == (16, COUNT)
    assert mat["pos_gt_src"].shape == (16, 2, COUNT)
    assert np.array_equal(mat["jnt_missing"].T == 0, truth.annotated)
    position = mat["pos_gt_src"].transpose(2, 0, 1)
    assert position[truth.annotated] == pytest.approx(truth.keypoints[truth.annotated] + 1)  # counts from 1
    corners = mat["headboxes_src"]
    assert 0.6 * np.linalg.norm(corners[1] - corners[0], axis=0) == pytest.approx(truth.head_size)


def test_newell_h5_is_adjusted_once(folder):
    truth = people("val", count=COUNT)
    with h5py.File(folder / "mpii/valid.h5") as file:
        assert file.attrs["name"] == "mpii"
    h5 = h5_arrays(folder / "mpii/valid.h5")
    assert h5["imgname"].dtype == "S13"
    assert h5["part"].shape == (COUNT, 16, 2)
    assert np.array_equal(h5["part"], np.trunc(h5["part"]))
    assert h5["scale"] == pytest.approx(1.25 * truth.scale)
    assert np.abs(h5["center"] - (truth.centre + 1)).max() <= 0.5 + 1e-9  # objpos is whole pixels
    assert h5["normalize"] == pytest.approx(truth.head_size)
    assert np.array_equal(h5["visible"] == 1, truth.visibility == VISIBLE)


def test_hrnet_json_is_raw(folder):
    records = json.loads((folder / "mpii/annot/valid.json").read_text())
    truth = people("val", count=COUNT)
    for row, record in enumerate(records):
        centre = np.add(record["center"], (0, 15 * record["scale"]))  # what every reader adds
        assert np.abs(centre - truth.centre[row] - 1).max() <= 0.5 + 1e-9
        assert record["scale"] == pytest.approx(truth.scale[row])
        assert record["joints_vis"] == truth.annotated[row].astype(int).tolist()
        picture = present(cv2.imread(str(folder / "mpii/images" / record["image"])))[..., ::-1]
        drawn = render(annotate(2, row))
        assert picture.shape == drawn.shape
        assert np.abs(picture.astype(int) - drawn).mean() < 8  # JPEG


def test_lsp_is_read_back(folder):
    """The same people as those of mannequin/val, with LSP's joints, counted from 1."""
    read, truth = lsp.people("test", folder), people("val", skeleton="lsp", count=COUNT)
    np.testing.assert_allclose(read.keypoints, truth.keypoints + 1)
    assert read.read_image(0).shape == truth.read_image(0).shape
    with pytest.raises(DataError, match="nobody in this split"):
        lsp.people("train", folder)


def test_lsp_axes_and_flags(folder):
    joints = loadmat(folder / "lsp/joints.mat", mat_dtype=True)["joints"]
    truth = people("val", skeleton="lsp", count=COUNT)
    assert joints.shape == (3, 14, COUNT)
    assert joints[:2].transpose(2, 1, 0) == pytest.approx(truth.keypoints + 1)
    assert np.array_equal(joints[2].T == 1, truth.visibility != VISIBLE)
    assert len(list((folder / "lsp/images").glob("im00??.jpg"))) == COUNT


def test_pycocotools_loads_and_scores_the_truth_itself(folder):
    official = OfficialCoco(str(folder / "coco/annotations/person_keypoints_val2017.json"))
    annotations: Any = official.loadAnns(official.getAnnIds())
    assert len(annotations) == COUNT
    for annotation in annotations:
        keypoints = np.array(annotation["keypoints"]).reshape(17, 3)
        assert annotation["num_keypoints"] == (keypoints[:, 2] > 0).sum()
        assert (keypoints[keypoints[:, 2] == ABSENT] == 0).all()
        assert official.annToMask(annotation).sum() == pytest.approx(annotation["area"], rel=0.15)
        name = official.loadImgs(annotation["image_id"])[0]["file_name"]
        assert (folder / "coco/val2017" / name).is_file()
    kept = ("image_id", "category_id", "keypoints")
    results: Any = [{key: annotation[key] for key in kept} | {"score": 1.0} for annotation in annotations]
    evaluation = COCOeval(official, official.loadRes(results), "keypoints")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_train_has_its_own_names(tmp_path):
    files = export(tmp_path, 2, split="train")
    assert {file.name for file in files} == {
        "train.h5", "gt_train.mat", "train.json", "joints.mat", "person_keypoints_train2017.json"
    }  # fmt: skip
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]  # nothing unfinished stays


@pytest.mark.parametrize(("count", "split"), [(0, "val"), (3, "test")])
def test_what_cannot_be_written_is_refused(tmp_path, count, split):
    with pytest.raises(DataError, match="mannequin"):
        export(tmp_path, count, split)
    assert not list(tmp_path.iterdir())
