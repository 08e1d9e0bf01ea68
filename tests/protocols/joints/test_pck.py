"""Joints without an answer: misses that are counted, and refused where there is nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from small_people import people, table

from protocols.datasets import lsp
from protocols.errors import DataError
from protocols.joints import lsp_pck, lsp_pcp, mpii_pckh
from protocols.pose.people import ABSENT, Predictions
from protocols.pose.skeletons import LSP
from protocols.readers.predictions import read

SCORERS = {"mpii": mpii_pckh.score, "pck": lsp_pck.score, "pcp": lsp_pcp.score}


def without(truth, person, joint):
    """Perfect predictions but for one joint, which has no answer."""
    keypoints = truth.keypoints.copy()
    keypoints[person, joint] = np.nan
    return Predictions(keypoints)


def test_no_answer_is_a_miss_and_is_counted():
    """5 people with 14 joints that count: 69 hits of 70; its own joint 9 of 10."""
    truth = people(5)
    found = table(mpii_pckh.score(without(truth, 2, truth.skeleton.index("left_wrist")), truth, resamples=0))
    assert found["PCKh@0.5", "mean"] == pytest.approx(100 * 69 / 70)
    assert found["PCKh@0.5", "wrist"] == pytest.approx(90)
    assert found["no answer", "all"] == 1
    assert ("no answer", "all") not in table(mpii_pckh.score(Predictions(truth.keypoints), truth, resamples=0))


def test_a_stick_with_an_end_without_an_answer_is_a_miss():
    truth = people(5)
    found = table(lsp_pcp.score(without(truth, 2, truth.skeleton.index("left_wrist")), truth, resamples=0))
    assert found["PCP", "left lower arm"] == pytest.approx(80)
    assert found["PCP", "mean"] == pytest.approx(98)
    assert found["no answer", "all"] == 1


def test_what_is_not_annotated_or_does_not_count_needs_no_answer():
    truth = people(5)
    truth.visibility[2, 0] = ABSENT
    keypoints = truth.keypoints.copy()
    keypoints[2, 0] = keypoints[:, truth.skeleton.index("pelvis")] = np.nan
    found = table(mpii_pckh.score(Predictions(keypoints), truth, resamples=0))
    assert found["PCKh@0.5", "mean"] == 100 and ("no answer", "all") not in found


@pytest.mark.parametrize("score", SCORERS.values(), ids=SCORERS)
def test_many_are_a_warning_and_nothing_else_is_refused(score):
    truth = people(10)
    keypoints = truth.keypoints.copy()
    keypoints[:2] = np.nan
    assert not score(Predictions(keypoints), truth, resamples=0).warnings  # 28 of 140 are a fifth, not more
    keypoints[2, 0] = np.nan
    (warning,) = score(Predictions(keypoints), truth, resamples=0).warnings
    assert warning == "29 of 140 annotated joints have no answer; each counts as a miss."
    with pytest.raises(DataError, match="none of the 140 annotated joints has an answer"):
        score(Predictions(np.full_like(truth.keypoints, np.nan)), truth)


def test_the_published_score_of_a_file_with_gaps(real_data):
    """Fan et al. 2015: 50 NaN are 25 joints; PCK@0.2 73.0, head 92.4, as the official toolkit gives."""
    truth = lsp.people("test", real_data)
    predictions = read(real_data / "lsp/predictions/fan2015.mat", truth)
    found = table(lsp_pck.score(predictions, truth, resamples=0))
    assert found["no answer", "all"] == 25
    assert round(found["PCK@0.2", "mean"], 1) == 73.0
    assert found["PCK@0.2", "head"] == pytest.approx(92.4)
    whole = replace(predictions, keypoints=np.nan_to_num(predictions.keypoints, nan=-1e6))
    assert found["PCK@0.2", "mean"] == table(lsp_pck.score(whole, truth, resamples=0))["PCK@0.2", "mean"]
    assert truth.skeleton == LSP
