"""OKS against pycocotools and arithmetic; suppression and rescoring against the sheet's rules."""

import math
from typing import Any

import numpy as np
import pytest
from coco_cases import annotation, annotation_file, image, result
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from protocols.coco.oks import nms, pair_oks, rescore, soft_nms


def one(predicted, truth, visibility, area=1000.0, box=(0, 0, 10, 10)):
    return pair_oks(predicted[None], truth[None], visibility[None] > 0, np.array([area]), np.array([box], float))[0]


def test_one_joint_off():
    truth = np.full((17, 2), 50.0)
    visibility = np.array([2, 1, 2] + [0] * 14)  # nose, both eyes: tenths .26 .25 .25
    predicted = truth.copy()
    predicted[0] += (3, 4)
    predicted[10] += 1000  # not labelled: does not count
    expected = (math.exp(-25 / (2 * 1000 * (2 * 0.026) ** 2)) + 2) / 3
    assert one(predicted, truth, visibility) == pytest.approx(expected, rel=1e-14)


def test_without_labelled_joints_the_box_counts():
    inside = np.full((17, 2), 5.0)
    assert one(inside, inside * 0, np.zeros(17), box=(0, 0, 10, 10)) == 1
    assert one(inside * 0 + (-10, 20), inside * 0, np.zeros(17), box=(0, 0, 10, 10)) == 1  # a box on every side
    outside = inside.copy()
    outside[0] = (-13, 24)  # 3 and 4 pixels beyond the enlarged box
    expected = (16 + math.exp(-25 / (2 * 1000 * (2 * 0.026) ** 2))) / 17
    assert one(outside, inside * 0, np.zeros(17)) == pytest.approx(expected, rel=1e-14)


def test_an_area_of_zero_is_a_point():
    truth = np.full((17, 2), 50.0)
    assert one(truth, truth, np.full(17, 2), area=0) == 1
    assert one(truth + 1e-3, truth, np.full(17, 2), area=0) == 0


@pytest.mark.parametrize("whole", [True, False])
def test_equal_to_pycocotools_to_the_last_bit(whole, capsys):
    rng = np.random.default_rng(int(whole))
    count = 400
    truth = rng.uniform(0, 200, (count, 17, 2))
    predicted = truth + rng.normal(0, 10, truth.shape)
    truth, predicted = (truth.round(), predicted.round()) if whole else (truth, predicted)
    visibility = (rng.random((count, 17)) < rng.random((count, 1))).astype(int) * 2
    visibility[:20] = 0
    areas, boxes = np.exp(rng.uniform(-3, 11, count)), rng.uniform(1, 80, (count, 4))
    people = [annotation(i + 1, i, truth[i], visibility[i], areas[i], boxes[i]) for i in range(count)]
    reference: Any = COCO()
    reference.dataset = annotation_file([image(i) for i in range(count)], people)
    reference.createIndex()
    results: Any = [result(i, predicted[i]) for i in range(count)]  # the stubs know files alone
    run = COCOeval(reference, reference.loadRes(results), "keypoints")
    run.evaluate()
    expected = np.array([np.asarray(run.ious[i, 1])[0, 0] for i in range(count)])
    np.testing.assert_array_equal(pair_oks(predicted, truth, visibility > 0, areas, boxes), expected)


def shifted(*pixels):
    return np.stack([np.tile([float(shift), 0.0], (17, 1)) for shift in pixels])


def similarity(pixels, area):
    """OKS of two people whose 17 joints all differ by `pixels` in x."""
    tenths = [.26, .25, .25, .35, .35, .79, .79, .72, .72, .62, .62, 1.07, 1.07, .87, .87, .89, .89]  # fmt: skip
    return sum(math.exp(-(pixels**2) / (2 * area * (t / 5) ** 2)) for t in tenths) / 17


def test_nms_keeps_the_best_and_what_is_far():
    keypoints, areas = shifted(0, 1, 500), np.full(3, 1e4)
    assert nms(keypoints, areas, np.array([0.5, 0.9, 0.1]), 0.9) == [1, 2]


def test_nms_takes_the_mean_area_and_keeps_an_oks_at_the_threshold():
    keypoints, areas = shifted(0, 5), np.array([1000.0, 3000.0])
    oks = similarity(5, 2000)
    scores = np.array([0.9, 0.5])
    assert nms(keypoints, areas, scores, oks + 1e-9) == [0, 1]
    assert nms(keypoints, areas, scores, oks - 1e-9) == [0]
    assert nms(shifted(0, 0), areas, scores, 1.0) == [0, 1]  # OKS 1, threshold 1: not above it


def test_nms_among_equal_scores_the_later_goes_first():
    assert nms(shifted(0, 0.1), np.full(2, 1e4), np.array([0.7, 0.7]), 0.9) == [1]


def test_soft_nms_orders_by_the_lowered_scores():
    keypoints, areas = shifted(0, 1, 500), np.full(3, 1e4)
    lowered = 0.8 * math.exp(-(similarity(1, 1e4) ** 2) / 0.9)
    assert lowered < 0.4
    assert soft_nms(keypoints, areas, np.array([0.9, 0.8, 0.4]), 0.9) == [0, 2, 1]
    assert soft_nms(keypoints, areas, np.array([0.9, 0.8, lowered - 1e-6]), 0.9) == [0, 1, 2]


def test_soft_nms_keeps_at_most_twenty():
    far = shifted(*range(0, 30_000, 1000))
    assert soft_nms(far, np.full(30, 100.0), np.linspace(0, 1, 30), 0.9) == list(range(29, 9, -1))


def test_rescoring():
    keypoints = np.zeros((3, 17))
    keypoints[0, :4] = (0.2, 0.4, 0.6, 0.1)  # 0.2 itself does not count
    keypoints[1] = 0.2
    keypoints[2] = 0.5
    boxes = np.array([0.5, 1.0, 0.8])
    np.testing.assert_allclose(rescore(boxes, keypoints, 0.2), [0.25, 0, 0.4], rtol=1e-15)
    np.testing.assert_allclose(rescore(boxes, keypoints, None), [0.5 * 1.3 / 17, 0.2, 0.4], rtol=1e-15)
