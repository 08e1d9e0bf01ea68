"""The LSP and LSPET readers: splits, conventions, flags, axes, images."""

import cv2
import numpy as np
import pytest
import scipy.io

from protocols.datasets import lsp, lspet
from protocols.errors import DataError
from protocols.pose.people import ABSENT, OCCLUDED, VISIBLE
from protocols.pose.skeletons import LSP


def test_splits_and_flags(real_data):
    """Spec section 2.1: in LSP, flag 1 means occluded; 2,044 joints of the 28,000 are, all are annotated."""
    train, test = (lsp.people(split, real_data) for split in ("train", "test"))
    raw = scipy.io.loadmat(real_data / "lsp/joints_pc_oc.mat")["joints"]
    np.testing.assert_array_equal(train.keypoints[0], raw[:2, :, 0].T)
    np.testing.assert_array_equal(test.keypoints[0], raw[:2, :, 1000].T)
    assert (len(train), len(test)) == (1000, 1000)
    assert sum(int((p.visibility == OCCLUDED).sum()) for p in (train, test)) == 2044
    assert train.annotated.all() and test.annotated.all()
    assert (test.images[0], test.origin, test.head_size) == ("images/im1001.jpg", 1, None)


def test_observer_centric_truth_is_the_stated_conversion(real_data):
    """Spec section 2.1: turn the torso upright, then swap legs and arms by their x, each on their own."""
    mirror = np.array(LSP.mirror)
    legs = [i for i, joint in enumerate(LSP.joints) if any(word in joint for word in ("hip", "knee", "ankle"))]
    arms = [i for i, joint in enumerate(LSP.joints) if any(word in joint for word in ("shoulder", "elbow", "wrist"))]
    changed = 0
    for split in ("train", "test"):
        own, seen = lsp.people(split, real_data), lsp.people(split, real_data, "observer-centric")
        for points, expected in zip(own.keypoints, seen.keypoints, strict=True):
            down = points[[2, 3]].mean(axis=0) - points[[8, 9]].mean(axis=0)
            across = points @ (down[1], -down[0])  # x after turning the torso to point down
            order = np.arange(14)
            for part, right, left in ((legs, 2, 3), (arms, 8, 9)):
                if across[right] > across[left]:
                    order[part] = mirror[part]
            np.testing.assert_array_equal(points[order], expected)
            changed += not np.array_equal(order, np.arange(14))
        assert seen.split == f"{split}-observer-centric"
        assert seen.fingerprint != own.fingerprint
    assert changed == 756


def test_absent_images_leave_scale_unknown(real_data):
    people = lsp.people("test", real_data)
    if people.notes["images absent"] == 0:
        pytest.skip("the LSP images are here")
    assert np.isnan(people.scale).all() and np.isnan(people.centre).all()
    with pytest.raises(DataError, match=r"im1001.jpg: the image is missing"):
        people.read_image(0)


def test_centre_and_scale_come_from_the_image(real_data, tmp_path):
    """150 x 100 pixels counted from 1: centre (75.5, 50.5); 150 / 200, so that the crop is 1.25 x 150 wide."""
    (tmp_path / "lsp/images").mkdir(parents=True)
    raw = scipy.io.loadmat(real_data / "lsp/joints_pc_oc.mat")["joints"]
    scipy.io.savemat(tmp_path / "lsp/joints.mat", {"joints": raw})
    picture = np.zeros((100, 150, 3), np.uint8)
    picture[..., 0] = 255  # blue, for OpenCV
    cv2.imwrite(str(tmp_path / "lsp/images/im1001.png"), picture)
    people = lsp.people("test", tmp_path)
    assert (list(people.centre[0]), people.scale[0]) == ([75.5, 50.5], 0.75)
    assert np.isnan(people.scale[1:]).all()
    assert list(people.read_image(0)[0, 0]) == [0, 0, 255]  # red, green, blue
    assert people.fingerprint == lsp.people("test", real_data).fingerprint
    with pytest.raises(DataError, match="has no variable oc_joints"):
        lsp.people("test-observer-centric", tmp_path)


@pytest.mark.parametrize("shape", [(3, 14, 3), (14, 3, 14), (3, 14, 1999), (2000, 14, 3), (2, 14, 2000)])
def test_other_axes_are_not_guessed(tmp_path, shape):
    (tmp_path / "lsp").mkdir()
    scipy.io.savemat(tmp_path / "lsp/joints.mat", {"joints": np.ones(shape)})
    with pytest.raises(DataError, match="joints has the shape " + "x".join(map(str, shape))) as caught:
        lsp.people("test", tmp_path)
    assert "3x14x2000" in caught.value.expected


def test_both_orders_of_axes_are_read(real_data, tmp_path):
    (tmp_path / "lsp").mkdir()
    raw = scipy.io.loadmat(real_data / "lsp/joints_pc_oc.mat")["joints"]
    scipy.io.savemat(tmp_path / "lsp/joints.mat", {"joints": raw.transpose(1, 0, 2)})
    assert lsp.people("test", tmp_path).fingerprint == lsp.people("test", real_data).fingerprint


def test_a_file_that_says_its_own_split(tmp_path):
    """Five images, two to train on: the files and people of the others are number 3 to 5."""
    (tmp_path / "lsp").mkdir()
    joints = np.arange(3.0 * 14 * 5).reshape(3, 14, 5)
    joints[2] = 0
    scipy.io.savemat(tmp_path / "lsp/joints.mat", {"joints": joints, "training": 2})
    train, test = (lsp.people(split, tmp_path) for split in ("train", "test"))
    assert test.images == ("images/im0003.jpg", "images/im0004.jpg", "images/im0005.jpg")
    assert train.images == ("images/im0001.jpg", "images/im0002.jpg")
    np.testing.assert_array_equal(test.keypoints, joints[:2, :, 2:].T)
    scipy.io.savemat(tmp_path / "lsp/joints.mat", {"joints": joints, "training": 0})
    assert len(lsp.people("test", tmp_path)) == 5
    with pytest.raises(DataError, match="nobody in this split: 0 of its 5"):
        lsp.people("train", tmp_path)


def test_not_finite(tmp_path):
    (tmp_path / "lsp").mkdir()
    joints = np.ones((3, 14, 2000))
    joints[0, 13, 1499] = np.nan
    scipy.io.savemat(tmp_path / "lsp/joints.mat", {"joints": joints})
    with pytest.raises(DataError, match="image 1500, head_top is not finite"):
        lsp.people("test", tmp_path)


@pytest.mark.parametrize("reader", [lsp, lspet])
def test_absent_and_unknown(reader, tmp_path):
    with pytest.raises(DataError, match="annotation was not found") as caught:
        reader.people("train", tmp_path)
    assert str(tmp_path) in caught.value.expected
    with pytest.raises(DataError, match="no split 'val'"):
        reader.people("val", tmp_path)


def test_lspet(real_data):
    """Spec section 2.4: 123,213 joints with flag 1 and 16,787 without; coordinates of the latter are never used."""
    train, holdout = (lspet.people(split, real_data) for split in ("train", "holdout"))
    assert (len(train), len(holdout)) == (9000, 1000)
    for note, count in (("joints", 123213), ("missing", 16787)):
        assert int(train.notes[note]) + int(holdout.notes[note]) == count
    raw = scipy.io.loadmat(real_data / "lspet/joints.mat")["joints"]
    flags = raw[:, 2, 9000] == 1
    np.testing.assert_array_equal(holdout.visibility[0], np.where(flags, VISIBLE, ABSENT))
    np.testing.assert_array_equal(holdout.keypoints[0][flags], raw[flags, :2, 9000])
    assert not holdout.keypoints[0][~flags].any()
    assert holdout.images[0] == "images/im09001.webp"
    assert list(holdout.centre[0]) == [96.5, 96.5]  # the crops are 192 x 192
    assert holdout.scale[0] == 0.96
    assert holdout.read_image(0).shape == (192, 192, 3)
