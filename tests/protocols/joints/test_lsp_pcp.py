"""PCP on LSP: the published row of CPM, the official layout of the sticks, and closed forms."""

import numpy as np
import pytest
import scipy.io
from small_people import near, people, table

from protocols.datasets import lsp
from protocols.joints import lsp_pcp
from protocols.pose.people import ABSENT, Predictions
from protocols.pose.skeletons import LSP
from protocols.readers.predictions import read

FILE = "lsp/wei2016_cpm_lsp_test_predictions.mat"


def test_equals_a_loop_over_the_raw_files(real_data):
    """Spec section 2.3 written as loops; also the zero-length leg of image 1185, a miss for every rule."""
    truth = scipy.io.loadmat(real_data / "lsp/joints_pc_oc.mat")["joints"][:2, :, 1000:].transpose(2, 1, 0)
    predicted = scipy.io.loadmat(real_data / FILE, mat_dtype=True)["prediction_all"].transpose(2, 0, 1)
    sticks = [(0, 1), (1, 2), (3, 4), (4, 5), (6, 7), (7, 8), (9, 10), (10, 11), (12, 13)]

    def ends(points):
        return [(points[a], points[b]) for a, b in sticks] + [(points[[8, 9]].mean(0), points[[2, 3]].mean(0))]

    lengths = np.array([[np.linalg.norm(a - b) for a, b in ends(person)] for person in truth])
    hits = dict.fromkeys(("PCP", "PCPm", "PCP loose"), 0)
    for i in range(1000):
        for k, ((a, b), (p, q)) in enumerate(zip(ends(truth[i]), ends(predicted[i]), strict=True)):
            first, second = np.linalg.norm(a - p), np.linalg.norm(b - q)
            if lengths[i, k] > 0:
                hits["PCP"] += first <= 0.5 * lengths[i, k] and second <= 0.5 * lengths[i, k]
                hits["PCPm"] += max(first, second) <= 0.5 * lengths[:, k].mean()
                hits["PCP loose"] += (first + second) / 2 <= 0.5 * lengths[i, k]
    assert lengths[184, 0] == 0
    people_ = lsp.people("test", real_data)
    ours = table(lsp_pcp.score(read(real_data / FILE, people_), people_, resamples=0))
    for metric, count in hits.items():
        assert ours[metric, "mean"] == pytest.approx(count / 100)


def test_ends_within_half_the_length():
    """A horizontal forearm of 100 pixels; each row moves its ends by known distances."""
    moves = ((50, 50), (50.01, 0), (0, 0), (60, 40), (60.1, 40))  # elbow, wrist
    truth = people(len(moves), "lsp")
    wrist, elbow = LSP.index("left_wrist"), LSP.index("left_elbow")
    truth.keypoints[:, elbow] = (300, 300)
    truth.keypoints[:, wrist] = (400, 300)
    predicted = truth.keypoints.copy()
    for row, (at_elbow, at_wrist) in enumerate(moves):
        predicted[row, elbow, 1] += at_elbow
        predicted[row, wrist, 1] += at_wrist
    ours = table(lsp_pcp.score(Predictions(predicted), truth, resamples=0))
    assert ours["PCP", "left lower arm"] == 40  # the tie and the exact one
    assert ours["PCPm", "left lower arm"] == 40  # all lengths equal their mean
    assert ours["PCP loose", "left lower arm"] == 80  # means of 50, 25, 0, 50 and 50.05
    assert ours["PCP", "right lower arm"] == 100
    assert ours["PCP", "lower arm"] == 70


def test_mean_length_is_the_rule_of_pcpm():
    """Sticks of 20 and 180 pixels, both with an error of 30: misses by their own length only for the short one."""
    truth = people(2, "lsp")
    wrist, elbow = LSP.index("left_wrist"), LSP.index("left_elbow")
    truth.keypoints[:, elbow] = (300, 300)
    truth.keypoints[0, wrist], truth.keypoints[1, wrist] = (320, 300), (480, 300)
    predicted = truth.keypoints.copy()
    predicted[:, wrist, 1] += 30
    ours = table(lsp_pcp.score(Predictions(predicted), truth, resamples=0))
    assert ours["PCP", "left lower arm"] == 50
    assert ours["PCPm", "left lower arm"] == 100


def test_a_stick_of_length_zero_is_a_miss_even_if_exact():
    truth = people(4, "lsp")
    truth.keypoints[0, LSP.index("right_ankle")] = truth.keypoints[0, LSP.index("right_knee")]
    ours = table(lsp_pcp.score(Predictions(truth.keypoints), truth, resamples=0))
    assert {ours[metric, "right lower leg"] for metric in lsp_pcp.METRICS} == {75.0}
    assert ours["PCP", "right upper leg"] == 100


def test_ends_are_not_exchanged():
    truth = people(6, "lsp")
    predicted = truth.keypoints[:, list(LSP.mirror)]
    ours = table(lsp_pcp.score(Predictions(predicted), truth, resamples=0))
    assert ours["PCP", "torso"] == 100  # midpoints do not move
    assert ours["PCP", "lower arm"] < 50


def test_absent_joints_remove_their_sticks():
    truth = people(8, "lsp")
    truth.visibility[:3, LSP.index("right_knee")] = ABSENT
    predicted = near(truth, 1).keypoints
    predicted[:3, LSP.index("right_knee")] = 1e6
    scores = lsp_pcp.score(Predictions(predicted), truth, resamples=0)
    counted = {value.part: value.n for value in scores.values if value.metric == "PCP"}
    assert counted["right upper leg"] == counted["right lower leg"] == 5
    assert counted["left upper leg"] == 8
    assert counted["mean"] == 8 * 10 - 6
    assert table(scores)["PCP", "right lower leg"] == 100


def test_works_on_mpii_joints():
    truth = people(10)
    assert set(table(lsp_pcp.score(Predictions(truth.keypoints), truth, resamples=0)).values()) == {100.0}
