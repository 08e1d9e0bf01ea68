"""Windows around boxes and the assembly of results, by the arithmetic of the sheet."""

from dataclasses import replace

import numpy as np

from protocols.coco.top_down import HRNET, MSPN, assemble, box_windows


def test_windows_of_tall_and_wide_boxes():
    boxes = np.array([[10.0, 20, 30, 80], [0, 0, 120, 40]])
    centre, height = box_windows(boxes, HRNET)
    assert centre.tolist() == [[25, 60], [60, 20]]
    np.testing.assert_allclose(height, [80 * 1.25, 120 / 3 * 4 * 1.25])
    centre, height = box_windows(boxes, MSPN)  # margins first, then 3:4
    assert centre.tolist() == [[25, 60], [60, 20]]
    np.testing.assert_allclose(height, [80 * 1.135, 120 * 1.09 / 3 * 4])


def people(*places):
    """N x 17 x 3: one stiff person a place, all keypoint scores 0.5."""
    rng = np.random.default_rng(0)
    shape = rng.uniform(0, 100, (17, 2))
    return np.stack([np.concatenate([shape + place, np.full((17, 1), 0.5)], axis=1) for place in places])


BOXES = np.tile([0.0, 0.0, 75.0, 100.0], (5, 1))


def test_hrnet_suppresses_doubles_of_the_same_image_only():
    keypoints = people(0, 1, 300, 0, 0)
    image_ids = np.array([9, 9, 9, 4, 9])
    results = assemble(keypoints, np.array([0.5, 1.0, 0.7, 0.6, 0.2]), image_ids, BOXES, HRNET)
    assert [(r["image_id"], r["score"]) for r in results] == [(9, 0.5), (9, 0.35), (4, 0.3)]
    assert results[0]["keypoints"] == keypoints[1].ravel().tolist()
    assert {r["category_id"] for r in results} == {1}
    assert all(type(number) is float for number in results[0]["keypoints"])


def test_hrnet_compares_with_the_padded_window():
    shift = 12.0
    keypoints = people(0, shift)
    pairs = [0.25, 0.35, 0.79, 0.72, 0.62, 1.07, 0.87, 0.89]
    tenths = np.array([0.26, *np.repeat(pairs, 2)])
    area = 75 * 1.25 * 100 * 1.25
    oks = np.exp(-2 * shift**2 / (2 * area * (tenths / 5) ** 2)).mean()
    for threshold, left in ((oks + 1e-9, 2), (oks - 1e-9, 1)):
        preset = replace(HRNET, nms_threshold=threshold)
        assert len(assemble(keypoints, np.array([1.0, 0.5]), np.array([1, 1]), BOXES[:2], preset)) == left


def test_soft_suppression_keeps_doubles():
    preset = replace(HRNET, suppression="soft")
    results = assemble(people(0, 0, 300), np.array([1.0, 0.9, 0.6]), np.array([1, 1, 1]), BOXES[:3], preset)
    assert [r["score"] for r in results] == [0.5, 0.3, 0.45]  # the double falls behind but keeps its score


def test_mspn_keeps_all_and_writes_them_in_descending_order():
    image_ids = np.array([1, 2, 1, 2, 1])
    results = assemble(people(0, 0, 0, 0, 0), np.array([0.2, 0.4, 0.6, 0.8, 1.0]), image_ids, BOXES, MSPN)
    assert [(r["image_id"], r["score"]) for r in results] == [(2, 0.4), (2, 0.2), (1, 0.5), (1, 0.3), (1, 0.1)]


def test_no_box_gives_no_result():
    assert assemble(np.zeros((0, 17, 3)), np.zeros(0), np.zeros(0, int), np.zeros((0, 4)), HRNET) == []
