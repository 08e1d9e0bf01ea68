"""Annotations that are broken or made to harm: finite people or a sentence, and names that stay below their folder."""

import json

import h5py
import numpy as np
import pytest
import scipy.io
from coco_cases import annotation, annotation_file, image
from hostile import answer, damaged
from small_people import near
from small_people import people as made_up
from typed import present

from protocols.datasets import coco, lsp, mpii
from protocols.datasets.mpii_files import official_mat
from protocols.errors import DataError
from protocols.joints import mpii_pckh
from protocols.pose.skeletons import SHORT_NAMES

TRUTH = made_up(6)
POINTS = np.round(TRUTH.keypoints)
NAMES = [f"{i}.jpg" for i in range(6)]
CASES = 120  # a format


def gt_valid(path):
    boxes = np.stack([POINTS[:, 0], POINTS[:, 0] + 30]).transpose(0, 2, 1)
    names = np.array(list(SHORT_NAMES)[:16], dtype=object)
    arrays = {"dataset_joints": names, "jnt_missing": np.zeros((16, 6)), "headboxes_src": boxes}
    scipy.io.savemat(path, arrays | {"pos_gt_src": POINTS.transpose(1, 2, 0)})


def valid_h5(path):
    with h5py.File(path, "w") as file:
        file["part"], file["visible"], file["center"] = POINTS, np.ones((6, 16)), np.full((6, 2), 300.0)
        file["scale"], file["normalize"], file["imgname"] = np.ones(6), np.full(6, 40.0), np.array(NAMES, "S")


def records(path, names=NAMES):
    people = [
        {"image": name, "center": [300, 300], "scale": 1.5, "joints": points.tolist(), "joints_vis": [1] * 16}
        for name, points in zip(names, POINTS, strict=True)
    ]
    path.write_text(json.dumps(people))


def release(path):
    def rectangle(points):
        listed = [{"x": x, "y": y, "id": i, "is_visible": "1"} for i, (x, y) in enumerate(points)]
        box = {"x1": 10.0, "y1": 20.0, "x2": 40.0, "y2": 60.0}
        return box | {"annopoints": {"point": listed}, "scale": 1.5, "objpos": {"x": 300.0, "y": 300.0}}

    images = [
        {"image": {"name": name}, "annorect": rectangle(points)} for name, points in zip(NAMES, POINTS, strict=True)
    ]
    scipy.io.savemat(path, {"RELEASE": {"annolist": images, "img_train": np.ones(6)}}, long_field_names=True)


def checked(people):
    """People that were accepted are scored against without a number that is not finite."""
    if people is None:
        return None
    assert np.isfinite(people.keypoints).all()
    if people.head_size is not None and people.keypoints.shape == POINTS.shape:
        with np.errstate(all="ignore"):
            scores = answer(lambda: mpii_pckh.score(near(people), people, resamples=0))
        assert scores is None or all(np.isfinite(value.value) for value in scores.values if value.n)
    return people


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "write"), [("gt_valid.mat", gt_valid), ("valid.h5", valid_h5), ("valid.json", records)]
)
def test_damaged_mpii(tmp_path, name, write):
    (tmp_path / "mpii").mkdir()
    path = tmp_path / "mpii" / name
    write(path)
    assert len(present(checked(mpii.people("val", tmp_path)))) == 6
    whole = path.read_bytes()
    for seed in range(CASES):
        path.write_bytes(damaged(whole, seed))
        checked(answer(lambda: mpii.people("val", tmp_path)))


@pytest.mark.filterwarnings("ignore")
def test_damaged_mpii_release(tmp_path):
    path = tmp_path / "release.mat"
    release(path)
    assert len(present(official_mat(path).images)) == 6
    whole = path.read_bytes()
    for seed in range(CASES):
        path.write_bytes(damaged(whole, seed))
        found = answer(lambda: official_mat(path))
        assert found is None or found.keypoints.shape[1:] == (16, 2)


@pytest.mark.filterwarnings("ignore")
def test_damaged_lsp(tmp_path):
    (tmp_path / "lsp").mkdir()
    path = tmp_path / "lsp/joints.mat"
    scipy.io.savemat(path, {"joints": np.round(np.random.default_rng(0).uniform(0, 200, (3, 14, 2000)))})
    assert len(lsp.people("test", tmp_path)) == 1000
    whole = path.read_bytes()
    for seed in range(CASES // 2):
        path.write_bytes(damaged(whole, seed))
        checked(answer(lambda: lsp.people("test", tmp_path)))
    for array in (np.full((3, 14, 2000), "x"), np.zeros((3, 14, 2000)) * 1j, np.full((3, 14, 2000), np.nan)):
        scipy.io.savemat(path, {"joints": array})
        assert answer(lambda: lsp.people("test", tmp_path)) is None


def coco_file(folder, name="a.jpg"):
    points = np.arange(34.0).reshape(17, 2) * 6 + 3
    path = folder / "coco/annotations/person_keypoints_tiny.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    files = [{**image(3), "file_name": name}, image(5)]
    path.write_text(json.dumps(annotation_file(files, [annotation(1, 3, points), annotation(2, 5, points + 50)])))
    return path


def test_damaged_coco(tmp_path):
    path = coco_file(tmp_path)
    whole = path.read_bytes()
    for seed in range(2 * CASES):
        path.write_bytes(damaged(whole, seed))
        with np.errstate(all="ignore"):
            checked(answer(lambda: coco.people("tiny", tmp_path)))


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a/../../b.jpg", "..\\b.jpg", "a\0.jpg", "a" * 400]
)
def test_names_never_leave_their_folder(tmp_path, name):
    coco_file(tmp_path, name)
    with pytest.raises(DataError, match="leaves its folder"):
        coco.people("tiny", tmp_path)
    (tmp_path / "mpii").mkdir()
    records(tmp_path / "mpii/valid.json", [name, *NAMES[1:]])
    with pytest.raises(DataError, match="leaves its folder"):
        mpii.people("val", tmp_path)


@pytest.mark.parametrize("text", ["[" * 100_000, "{}", "[[]]", "[{}]", "[null]", '[{"joint_self": 1}]', "", "\xff"])
def test_json_that_is_no_annotation(tmp_path, text):
    (tmp_path / "mpii").mkdir()
    (tmp_path / "mpii/valid.json").write_text(text, encoding="latin-1")
    assert answer(lambda: mpii.people("val", tmp_path)) is None
    path = coco_file(tmp_path)
    path.write_text(text, encoding="latin-1")
    assert answer(lambda: coco.people("tiny", tmp_path)) is None
