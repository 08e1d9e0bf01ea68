"""PCK on LSP: the published number of CPM, an independent loop, and made-up people."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.io
from small_people import near, people, table

from protocols.datasets import lsp
from protocols.errors import DataError
from protocols.joints import lsp_pck
from protocols.pose.people import ABSENT, Predictions
from protocols.pose.skeletons import LSP, MPII
from protocols.readers.predictions import read

FILE = "lsp/wei2016_cpm_lsp_test_predictions.mat"


@pytest.fixture(scope="module")
def cpm(real_data):
    truth = lsp.people("test", real_data)
    return read(real_data / FILE, truth), truth


def test_cpm_has_its_published_score(cpm):
    """90.50: Wei et al. 2016, LSP person-centric, trained on MPII and LSP."""
    assert round(table(lsp_pck.score(*cpm, resamples=0))["PCK@0.2", "mean"], 2) == 90.50


def test_equals_a_loop_over_the_raw_files(real_data, cpm):
    truth = scipy.io.loadmat(real_data / "lsp/joints_pc_oc.mat")["joints"][:2, :, 1000:]
    predicted = scipy.io.loadmat(real_data / FILE, mat_dtype=True)["prediction_all"]
    hits = np.zeros((14, 21))
    for i in range(1000):
        torso = np.linalg.norm(truth[:, 9, i] - truth[:, 2, i])  # 1-based joints 10 and 3
        for j in range(14):
            distance = np.linalg.norm(predicted[j, :, i] - truth[:, j, i]) / torso
            hits[j] += distance <= np.arange(21) * 0.01
    percent = hits / 10
    scores = lsp_pck.score(*cpm, resamples=0)
    ours = table(scores)
    pairs = {"ankle": (0, 5), "knee": (1, 4), "hip": (2, 3), "wrist": (6, 11), "elbow": (7, 10), "shoulder": (8, 9)}
    for part, joints in (pairs | {"head": (12, 13), "mean": range(14)}).items():
        column = percent[list(joints)].mean(axis=0)
        np.testing.assert_allclose(scores.curve[part], column, rtol=1e-13)
        assert ours["PCK@0.2", part] == pytest.approx(column[20])
        assert ours["PCK@0.1", part] == pytest.approx(column[10])
        assert ours["AUC", part] == pytest.approx(np.trapezoid(column) * 0.01 / 0.2)


def test_observer_centric_truth_costs_15_to_18_points(real_data, cpm):
    """Spec section 2.1: 72.64 instead of 90.50."""
    observers = lsp.people("test-observer-centric", real_data)
    assert round(table(lsp_pck.score(cpm[0], observers, resamples=0))["PCK@0.2", "mean"], 2) == 72.64


def test_variants(cpm):
    """Spec section 2.2: other torsos move the mean by -0.95 to +0.26 points; integers are not shifted for free."""
    rows = {row.convention: row.value - row.standard for row in lsp_pck.variants(*cpm)}
    torsos = [moved for name, moved in rows.items() if name.startswith("torso")]
    assert len(torsos) == 3
    assert all(-0.955 <= moved <= 0.265 for moved in torsos)
    assert max(torsos) == pytest.approx(0.26, abs=0.005)
    assert rows["1 added to the predictions"] < 0 > rows["1 subtracted from the predictions"]
    assert rows["distance < threshold"] == pytest.approx(0, abs=1e-9)  # no ties


def test_variants_at_ties():
    """Torsos of 100 pixels, joints 20 off: a hit under `<=`, a miss under `<` and a pixel further; 18.5 is a hit."""
    truth = people(5, "lsp")
    truth.keypoints[:] = np.rint(truth.keypoints)
    truth.keypoints[:, LSP.index("left_shoulder")] = (100, 100)
    truth.keypoints[:, LSP.index("right_hip")] = (160, 180)

    def shown(offset):
        rows = lsp_pck.variants(Predictions(truth.keypoints + np.array([offset, 0])), truth)
        assert all(row.standard == pytest.approx(100) for row in rows)
        return {row.convention: row.value for row in rows}

    assert shown(20)["distance < threshold"] == 0
    assert shown(20)["1 added to the predictions"] == 0
    assert shown(20)["1 subtracted from the predictions"] == pytest.approx(100)
    assert shown(18.5)["1 added to the predictions"] == pytest.approx(100)
    assert shown(-18.5)["1 subtracted from the predictions"] == pytest.approx(100)


def test_torsos():
    """A person 60 wide and 80 tall between shoulders and hips: diagonals of 100, a middle line of 80."""
    truth = people(1, "lsp")
    corners = {"left_shoulder": (60, 0), "right_shoulder": (0, 0), "left_hip": (60, 80), "right_hip": (0, 80)}
    for joint, place in corners.items():
        truth.keypoints[0, LSP.index(joint)] = place
    lengths = {torso: lsp_pck.torso_lengths(truth, torso)[0] for torso in lsp_pck.TORSOS}
    assert lengths == {
        "left_shoulder-right_hip": 100,
        "right_shoulder-left_hip": 100,
        "mean of diagonals": 100,
        "mid_shoulder-mid_hip": 80,
    }
    truth.keypoints[0, LSP.index("right_hip")] = (60, 40)
    assert lsp_pck.torso_lengths(truth)[0] == 40
    predicted = truth.keypoints.copy()
    predicted[0, LSP.index("head_top"), 0] += 8.5  # beyond 0.2 x 40, within 0.2 x 100
    for torso, hit in (("left_shoulder-right_hip", 50), ("right_shoulder-left_hip", 100)):
        ours = lsp_pck.score(Predictions(predicted), truth, torso=torso, resamples=0)
        assert table(ours)["PCK@0.2", "head"] == hit
    with pytest.raises(DataError, match="no torso 'left'"):
        lsp_pck.score(Predictions(predicted), truth, torso="left")


def test_people_without_a_torso_are_left_out_and_it_is_said():
    truth = people(10, "lsp")
    predicted = truth.keypoints.copy()
    truth.visibility[:3, LSP.index("right_hip")] = ABSENT
    predicted[:3] += 1000
    scores = lsp_pck.score(Predictions(predicted), truth, resamples=0)
    assert table(scores)["PCK@0.2", "mean"] == pytest.approx(100)
    assert next(v.n for v in scores.values if v.part == "mean") == 7 * 14
    assert scores.warnings == ("3 of 10 people are not counted: a joint of their torso is not annotated.",)


def test_mpii_joints_are_found_by_name():
    """The same people with MPII's and with LSP's joints score the same."""
    truth = people(20)
    predictions = near(truth)
    order = [MPII.index(joint) for joint in LSP.joints]
    chosen = replace(truth, skeleton=LSP, keypoints=truth.keypoints[:, order], visibility=truth.visibility[:, order])
    one = table(lsp_pck.score(predictions, truth, resamples=0))
    assert one == table(lsp_pck.score(Predictions(predictions.keypoints[:, order]), chosen, resamples=0))
    assert 0 < one["PCK@0.2", "mean"] < 100
    with pytest.raises(DataError, match="no upper_neck and no head_top"):
        coco = people(3, "coco")
        lsp_pck.score(Predictions(coco.keypoints), coco)
