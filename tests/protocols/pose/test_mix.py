"""Mixes: joints go by their names, windows stay what they were, unknown joints are NaN."""

from pathlib import Path

import numpy as np
import pytest
from small_people import people
from typed import present

from bench.cells.splits import parts_of
from bench.cells.training_sets import Source, source_of
from protocols.pose.crops import windows
from protocols.pose.mix import join
from protocols.pose.people import ABSENT, VISIBLE
from protocols.pose.skeletons import LSP, MPII

NOWHERE = Path("nowhere")


def image_of(value: int):
    return lambda row: np.full((2, 2, 3), 10 * value + row, np.uint8)


@pytest.fixture
def mpii():
    return people(3, "mpii", dataset="mpii", split="train", fingerprint="a", read_image=image_of(1))


@pytest.fixture
def lsp():
    return people(
        2, "lsp", seed=1, dataset="lsp", split="train", fingerprint="b", read_image=image_of(2), head_size=None
    )


def test_joints_go_by_their_names(mpii, lsp):
    mixed = join([mpii, lsp], MPII)
    assert len(mixed) == 5 and mixed.keypoints.shape == (5, 16, 2)
    assert np.array_equal(mixed.keypoints[:3], mpii.keypoints - 1)  # first pixel at 0
    for joint in LSP.joints:
        ours = mixed.keypoints[3:, MPII.index(joint)]
        assert np.array_equal(ours, lsp.keypoints[:, LSP.index(joint)] - 1)
    for joint in ("pelvis", "thorax"):
        assert np.isnan(mixed.keypoints[3:, MPII.index(joint)]).all()
        assert (mixed.visibility[3:, MPII.index(joint)] == ABSENT).all()
        assert (mixed.visibility[:3, MPII.index(joint)] == VISIBLE).all()


def test_a_smaller_skeleton_leaves_joints_out(mpii, lsp):
    mixed = join([mpii, lsp], LSP)
    assert mixed.keypoints.shape == (5, 14, 2) and not np.isnan(mixed.keypoints).any()
    assert np.array_equal(mixed.keypoints[0, LSP.index("head_top")], mpii.keypoints[0, MPII.index("head_top")] - 1)


def test_windows_stay_what_they_were(mpii, lsp):
    """MPII's windows are moved down by 15 pixels a unit of scale, LSP's are not."""
    centres, heights = windows(join([mpii, lsp], MPII))
    for part, rows in ((mpii, slice(0, 3)), (lsp, slice(3, 5))):
        assert np.allclose(centres[rows], windows(part)[0]) and np.allclose(heights[rows], windows(part)[1])


def test_images_come_from_their_own_part(mpii, lsp):
    mixed = join([mpii, lsp], MPII)
    assert [int(mixed.read_image(row)[0, 0, 0]) for row in range(5)] == [10, 11, 12, 20, 21]
    assert mixed.images[3] == "lsp/images/0.jpg"
    assert int(mixed.first(4).read_image(3)[0, 0, 0]) == 20


def test_the_fingerprint_follows_the_parts_their_order_and_the_joints(mpii, lsp):
    found = {join(*words).fingerprint for words in [([mpii, lsp], MPII), ([lsp, mpii], MPII), ([mpii, lsp], LSP)]}
    assert len(found) == 3


def test_head_sizes_are_kept_if_all_have_them(mpii, lsp):
    assert join([mpii, lsp], MPII).head_size is None
    assert np.array_equal(present(join([mpii, mpii], MPII).head_size), np.tile(mpii.head_size, 2))


def test_names_of_mixes():
    assert parts_of("mannequin/train+lsp") == [("mannequin", "train"), ("lsp", "train")]
    assert source_of("mannequin", NOWHERE, "coco") == Source("mannequin", "train", NOWHERE, "coco")
    assert source_of("mannequin/val", NOWHERE, "mpii").label == "mannequin/val"
    assert source_of("mpii+lsp/train", NOWHERE, "mpii", 7).label == "mpii+lsp/train"


def test_a_mix_of_synthetic_people_opens():
    mixed = Source("mannequin/val+mannequin/test", "", NOWHERE, "mpii", limit=3).open()
    assert len(mixed) == 3 and mixed.skeleton is MPII
    assert mixed.read_image(0).ndim == 3


def test_mpii_and_lsp_as_the_papers_mix_them(real_data):
    mixed = Source("mpii/val+lsp/test", "", real_data, "lsp").open()
    assert len(mixed) == 2958 + 1000
    known = mixed.annotated.mean(axis=1)
    assert known[2958:].mean() == 1 and known[:2958].mean() > 0.9
