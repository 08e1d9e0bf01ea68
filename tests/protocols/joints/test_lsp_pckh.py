"""The PCKh for LSP's labels: a loop over the raw file, people without heads, another length than MPII's."""

import numpy as np
import pytest
import scipy.io
from small_people import near, people, table
from typed import present

from protocols.datasets import lsp, mpii
from protocols.joints import lsp_pckh
from protocols.pose.people import ABSENT, Predictions
from protocols.pose.skeletons import LSP
from protocols.readers.predictions import read
from protocols.statistics import bootstrap

FILE = "lsp/wei2016_cpm_lsp_test_predictions.mat"


def test_equals_a_loop_over_the_raw_files(real_data):
    truth = lsp.people("test", real_data)
    scores = lsp_pckh.score(read(real_data / FILE, truth), truth, resamples=0)
    raw = scipy.io.loadmat(real_data / "lsp/joints_pc_oc.mat")["joints"][:2, :, 1000:]
    predicted = scipy.io.loadmat(real_data / FILE, mat_dtype=True)["prediction_all"]
    hits = np.zeros((14, 51))
    for i in range(1000):
        head = np.linalg.norm(raw[:, 13, i] - raw[:, 12, i])  # 1-based joints 14 and 13
        for j in range(14):
            hits[j] += np.linalg.norm(predicted[j, :, i] - raw[:, j, i]) / head <= np.arange(51) * 0.01
    mean, ours = hits.mean(axis=0) / 10, table(scores)
    np.testing.assert_allclose(scores.curve["mean"], mean, rtol=1e-13)
    assert ours["PCKh-like@0.5", "mean"] == pytest.approx(mean[50])
    assert ours["PCKh-like@0.1", "mean"] == pytest.approx(mean[10])
    assert ours["PCKh-like@0.5", "ankle"] == pytest.approx(hits[[0, 5], 50].mean() / 10)


def test_half_a_head_counts_and_more_does_not():
    truth = people(2, "lsp")
    truth.keypoints[:, LSP.index("upper_neck")] = truth.keypoints[:, LSP.index("head_top")] + (0, 40)
    predicted = truth.keypoints.copy()
    predicted[0, LSP.index("left_ankle"), 0] += 20
    predicted[1, LSP.index("left_ankle"), 0] += 20.001
    ours = table(lsp_pckh.score(Predictions(predicted), truth, resamples=0))
    assert ours["PCKh-like@0.5", "ankle"] == 75  # three of four
    assert ours["PCKh-like@0.5", "mean"] == pytest.approx(100 * 27 / 28)


def test_people_without_a_head_are_left_out_with_a_word():
    truth = people(4, "lsp")
    assert lsp_pckh.score(near(truth), truth, resamples=0).warnings == ()
    truth.visibility[1, LSP.index("head_top")] = truth.visibility[3, LSP.index("upper_neck")] = ABSENT
    scores = lsp_pckh.score(near(truth), truth, resamples=0)
    assert scores.warnings == ("2 of 4 people are not counted: their neck or head top is not annotated.",)
    assert np.isnan(scores.samples["distance"][[1, 3]]).all()
    assert not np.isnan(scores.samples["distance"][[0, 2]]).any()


def test_the_difference_of_two_files_has_every_value_of_a_file():
    truth = people(20, "lsp")
    one, two = (lsp_pckh.score(near(truth, spread), truth, resamples=0) for spread in (6, 10))
    found = bootstrap.paired_difference([lsp_pckh.tally(one.samples)], [lsp_pckh.tally(two.samples)], resamples=0)
    expected = {key: table(one)[key] - table(two)[key] for key in table(one)}
    assert {(value.metric, value.part): value.value for value in found} == pytest.approx(expected)
    assert {"PCKh-like@0.5", "PCKh-like@0.1", "AUC"} == {value.metric for value in found}


def test_head_boxes_are_not_looked_at():
    truth = people(5, "mpii")
    found = near(truth)
    plain = lsp_pckh.score(found, truth, resamples=0)
    present(truth.head_size)[:] = 1.0
    assert table(lsp_pckh.score(found, truth, resamples=0)) == table(plain)


def test_mpii_s_head_size_is_three_quarters_of_it(real_data):
    """Why it has another name: what is half a length here is two thirds of a head size there."""
    truth = mpii.people("val", real_data)
    neck, top = (truth.skeleton.index(name) for name in ("upper_neck", "head_top"))
    length = np.linalg.norm(truth.keypoints[:, top] - truth.keypoints[:, neck], axis=1)
    known = truth.annotated[:, [neck, top]].all(axis=1) & (length > 0)
    assert np.median(np.abs(present(truth.head_size)[known] / length[known] - 0.75)) < 1e-4
