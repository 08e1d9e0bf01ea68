"""Results spoilt in a known way are called what they are; sound ones are left in peace."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from coco_cases import jittered

from protocols.coco import annotations as coco_annotations
from protocols.coco import diagnosis as coco_diagnosis
from protocols.coco import results as coco_results
from protocols.coco.ap import score
from protocols.pose import column_order
from protocols.pose.skeletons import COCO

OPENPOSE = [COCO.index(joint) for joint in column_order.KNOWN["OpenPose's COCO order without the neck"]]


@pytest.fixture
def case(real_data):
    path = real_data / "coco/annotations/person_keypoints_val2017.json"
    truth = coco_annotations.read(path)
    entries = jittered(json.loads(path.read_text())["annotations"], seed=0, share=0.02)
    return coco_results.from_entries(entries, truth), truth


def sizes(results, truth):
    return truth.image_sizes[np.searchsorted(truth.image_ids, results.image_ids)][:, None]


def test_sound_results_are_left_in_peace(case):
    results, truth = case
    assert coco_diagnosis.warnings(results, truth) == ()
    assert coco_diagnosis.warnings(replace(results, keypoints=results.keypoints + np.array([3, 0])), truth) == ()
    strangers = np.random.default_rng(0).uniform(0, 400, results.keypoints.shape)
    assert coco_diagnosis.warnings(replace(results, keypoints=strangers), truth) == ()
    assert coco_diagnosis.warnings(coco_results.from_entries([], truth), truth) == ()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda points, size: points[:, list(COCO.mirror)], "Left and right look swapped"),
        (lambda points, size: points[..., ::-1], "x and y look swapped"),
        (lambda points, size: (size[..., :1] - 1) * (1, 0) - points * (1, -1), "reflected in the image AP"),
        (
            lambda points, size: ((size[..., :1] - 1) * (1, 0) - points * (1, -1))[:, list(COCO.mirror)],
            "with left and right exchanged",
        ),
        (lambda points, size: points / size, "fractions of the image"),
        (lambda points, size: points / 2, "resized to 1/2 of their size: multiplied by 2 AP"),
        (lambda points, size: points * 2, "enlarged 2 times: divided by 2 AP"),
        (lambda points, size: points * 800 / size.max(axis=-1, keepdims=True), "to 800 pixels along the longer side"),
        (lambda points, size: points[:, OPENPOSE], r"reordered \(they fit OpenPose's COCO order without the neck\)"),
        (
            lambda points, size: points[:, [1, 2, 0, *range(3, 17)]],
            r"reordered \(column 0 fits left_eye best, column 1",
        ),
        (lambda points, size: points + 1, r"shifted by \(\+1, \+1\) pixels"),
        (lambda points, size: points - 1, r"shifted by \(-1, -1\) pixels"),
    ],
)
def test_spoilt_results_are_called_what_they_are(case, spoil, words):
    results, truth = case
    ap = score(results, truth, resamples=0).values[0].value
    spoilt = replace(results, keypoints=spoil(results.keypoints, sizes(results, truth)))
    before = score(spoilt, truth, resamples=0).values[0].value
    (sentence,) = coco_diagnosis.warnings(spoilt, truth)
    assert re.search(words, sentence)
    assert f"AP would be {ap:.3f} instead of {before:.3f}" in sentence
