"""The ten COCO numbers against pycocotools and faster-coco-eval, and what is built on them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from coco_cases import annotation, annotation_file, image, jittered, official, random_case, result
from typed import interval, present

from protocols.coco import annotations as coco_annotations
from protocols.coco import ap as coco_ap
from protocols.coco import results as coco_results
from protocols.coco.ap import METRICS, difference, score, score_people
from protocols.coco.oks import pair_oks
from protocols.coco.top_down import HRNET, MSPN
from protocols.datasets import coco
from protocols.errors import DataError
from protocols.pose.people import People, Predictions
from protocols.pose.skeletons import COCO, MPII
from protocols.statistics import bootstrap


@pytest.fixture
def arrays(tmp_path):
    """Turns a case (annotation file, results) into what `score` takes."""

    def load(annotations, results):
        path = tmp_path / "annotations.json"
        path.write_text(json.dumps(annotations))
        truth = coco_annotations.read(path)
        return coco_results.from_entries(results, truth), truth

    return load


def numbers(scores):
    return np.array([value.value for value in scores.values])


def people_17(count=6, skeleton=COCO):
    """People of a dataset without COCO's ids, as mannequin gives them."""
    rng = np.random.default_rng(0)
    joints = len(skeleton)
    return People(
        dataset="synthetic", split="val", skeleton=skeleton, images=("a.png",) * count,
        keypoints=rng.uniform(0, 200, (count, joints, 2)), visibility=np.full((count, joints), 2, np.uint8),
        centre=np.full((count, 2), 100.0), scale=np.ones(count), head_size=None, origin=0, fingerprint="",
        read_image=lambda row: np.zeros((4, 4, 3), np.uint8), boxes=np.tile([0.0, 0.0, 200.0, 200.0], (count, 1)),
        areas=np.full(count, 20_000.0),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_equal_to_pycocotools_to_the_last_bit(arrays, seed):
    annotations, results = random_case(seed)
    if not results:
        pytest.skip("pycocotools cannot read an empty list")
    ours = numbers(score(*arrays(annotations, results), resamples=0))
    np.testing.assert_array_equal(ours, official(annotations, results))


@pytest.mark.parametrize("seed", range(0, 12))
def test_both_tools_as_backends(arrays, seed):
    pytest.importorskip("faster_coco_eval")
    annotations, results = random_case(seed)
    case = arrays(annotations, results)
    expected = official(annotations, results)
    reference = score(*case, backend="pycocotools", resamples=0)
    np.testing.assert_array_equal(numbers(reference), expected)
    fast = score(*case, backend="faster", resamples=0)
    np.testing.assert_allclose(numbers(fast), expected, rtol=0, atol=np.spacing(1))
    assert not reference.warnings and not fast.warnings


def test_a_tool_that_disagrees_is_reported(arrays, monkeypatch):
    case = arrays(*random_case(2))
    ours = score(*case, resamples=0)
    monkeypatch.setattr(coco_ap.coco_official, "numbers", lambda *_: numbers(ours) + 1e-6)
    other = score(*case, backend="pycocotools", resamples=0)
    assert "disagree" in other.warnings[0]
    np.testing.assert_array_equal(numbers(other), numbers(ours) + 1e-6)


@pytest.mark.parametrize("part", ["annotations/person_keypoints_val2017.json", "fixture/test_coco.json"])
@pytest.mark.parametrize("seed", range(3))
def test_real_annotations(real_data, part, seed):
    path = real_data / "coco" / part
    annotations = json.loads(path.read_text())
    results = jittered(annotations["annotations"], seed)
    truth = coco_annotations.read(path)
    scores = score(coco_results.from_entries(results, truth), truth, resamples=50)
    np.testing.assert_array_equal(numbers(scores), official(annotations, results))
    assert all(low <= high for low, _, high in map(interval, scores.values))
    assert [value.metric for value in scores.values] == list(METRICS)
    labelled = [a for a in annotations["annotations"] if a["num_keypoints"] and not a["iscrowd"]]
    assert scores.values[0].n == len(labelled)
    assert scores.values[3].n == sum(32**2 <= a["area"] <= 96**2 for a in labelled)


def test_an_oks_equal_to_the_threshold_is_a_hit(arrays):
    truth = np.zeros((17, 2))
    visibility = np.array([2] + [0] * 16)
    found = np.tile([1.0, 0.0], (17, 1))
    near = 1 / (2 * 0.026) ** 2 / 2 / np.log(2)  # one joint, one pixel away: exp(-ln 2) = 0.5, but for rounding
    areas = near + np.spacing(near) * np.arange(-20, 20)
    (area, *_) = [area for area in areas if oks_of_one(found, truth, visibility, area) == 0.5]
    annotations = annotation_file([image(1)], [annotation(1, 1, truth, visibility, area)])
    case = arrays(annotations, [result(1, found)])
    scores = score(*case, resamples=0)
    assert dict(zip(METRICS, numbers(scores), strict=True))["AR50"] == 1
    np.testing.assert_array_equal(numbers(scores), official(annotations, [result(1, found)]))


def oks_of_one(predicted, truth, visibility, area):
    return pair_oks(predicted[None], truth[None], visibility[None] > 0, np.array([area]), np.zeros((1, 4)))[0]


@pytest.mark.parametrize("side", [31, 32, 33, 96, 97])
def test_a_stranger_counts_in_the_ranges_its_own_area_falls_into(arrays, side):
    truth = np.arange(34.0).reshape(17, 2) * 6
    stranger = np.full((17, 2), 400.0)
    stranger[0] += side
    people = [annotation(1, 1, truth, area=2000), annotation(2, 2, truth, area=20_000)]
    annotations = annotation_file([image(1), image(2)], people)
    results = [result(1, stranger, 0.9), result(1, truth, 0.5), result(2, truth, 0.5)]
    found = dict(zip(METRICS, numbers(score(*arrays(annotations, results), resamples=0)), strict=True))
    assert found["APM"] == pytest.approx(0.5 if 32 <= side <= 96 else 1)
    assert found["APL"] == pytest.approx(0.5 if side >= 96 else 1)
    np.testing.assert_array_equal(list(found.values()), official(annotations, results))


def test_no_results_score_zero_in_every_backend(arrays):
    points = np.arange(34.0).reshape(17, 2) * 5
    case = arrays(annotation_file([image(1)], [annotation(1, 1, points, area=2000)]), [])
    for backend in ("own", "pycocotools"):
        scores = score(*case, backend=backend, resamples=0)
        assert numbers(scores)[[0, 1, 2, 3, 5, 6, 7, 8]].tolist() == [0] * 8
        assert np.isnan(numbers(scores)[[4, 9]]).all()  # nobody is large
        assert [value.n for value in scores.values] == [1, 1, 1, 1, 0, 1, 1, 1, 1, 0]
        assert "empty" in scores.warnings[0]


def test_an_unknown_tool_that_is_not_installed_is_said(arrays, monkeypatch):
    monkeypatch.setitem(coco_ap.coco_official.TOOLS, "faster", ("no_such_package:COCO", "no_such_package:COCOeval"))
    with pytest.raises(DataError, match="no_such_package is not installed"):
        score(*arrays(*random_case(1)), backend="faster", resamples=0)


@pytest.mark.parametrize("seed", [1, 5, 7, 11])
def test_a_resample_is_what_pycocotools_finds_on_copies_of_the_images(arrays, seed):
    annotations, results = random_case(seed)  # these seeds have no tied scores
    results, truth = arrays(annotations, results)
    weights = next(bootstrap.draws(len(truth.image_ids), 1, seed))[0]
    copies = {}  # image id -> the ids of its copies, next to each other
    for row, image_id in enumerate(truth.image_ids.tolist()):
        copies[image_id] = [1000 * (row + 1) + k for k in range(int(weights[row]))]
    images = [image(number) for numbers_ in copies.values() for number in numbers_]
    people = [{**a, "image_id": number} for a in annotations["annotations"] for number in copies[a["image_id"]]]
    people = [{**person, "id": i + 1} for i, person in enumerate(people)]
    entries = random_case(seed)[1]
    entries = [{**entry, "image_id": number} for entry in entries for number in copies[entry["image_id"]]]
    expected = official(annotation_file(images, people), entries)
    values = score(results, truth, resamples=1, seed=seed).values
    found = [np.nan if value.low is None else value.low for value in values]
    np.testing.assert_array_equal(found, np.where([value.n == 0 for value in values], np.nan, expected))


def test_resampling_is_decided_by_the_seed(arrays):
    case = arrays(*random_case(2))
    assert score(*case, resamples=30, seed=1).values == score(*case, resamples=30, seed=1).values
    assert score(*case, resamples=30, seed=1).values != score(*case, resamples=30, seed=2).values


def test_the_order_of_images_and_results_does_not_matter(arrays):
    annotations, results = random_case(5)
    expected = numbers(score(*arrays(annotations, results), resamples=0))
    annotations["images"].reverse()
    np.testing.assert_array_equal(numbers(score(*arrays(annotations, results[::-1]), resamples=0)), expected)


def test_difference_of_two_results(arrays):
    annotations, results = random_case(2)
    good, truth = arrays(annotations, results)
    worse = replace(good, keypoints=good.keypoints + 8)
    first, second = score(good, truth, resamples=1, seed=3), score(worse, truth, resamples=1, seed=3)
    for ours, a, b in zip(difference(first, second, resamples=1, seed=3), first.values, second.values, strict=True):
        assert ours.value == a.value - b.value
        low = present(a.low) - present(b.low)  # the same images were drawn for both
        assert ours.low == pytest.approx(low, abs=1e-15)
    assert {value.value for value in difference(first, first)} == {0.0}
    assert {value.high for value in difference(first, first)} == {0.0}
    other = score(*arrays(*random_case(5)), resamples=0)
    with pytest.raises(DataError, match="not scored on the same images"):
        difference(first, other)


def test_people_without_coco_ids_are_an_image_each():
    people = people_17()
    scores = score_people(Predictions(people.keypoints), people, resamples=20)
    assert numbers(scores)[[0, 4, 5, 9]].tolist() == [1, 1, 1, 1]
    assert scores.samples["image_ids"].tolist() == [1, 2, 3, 4, 5, 6]
    half = people.keypoints.copy()
    half[3:] += 1000
    assert numbers(score_people(Predictions(half), people, resamples=0))[5] == 0.5


def test_people_that_cannot_be_scored_are_refused():
    people = people_17()
    with pytest.raises(DataError, match=r"shape \(5, 17, 2\)"):
        score_people(Predictions(people.keypoints[:5]), people)
    with pytest.raises(DataError, match="shape"):
        score_people(Predictions(np.zeros((6, 16, 2))), people_17(skeleton=MPII))
    with pytest.raises(DataError, match="cannot be scored by OKS"):
        score_people(Predictions(people.keypoints), replace(people, areas=None))
    broken = people.keypoints.copy()
    broken[2, 0, 1] = np.nan
    with pytest.raises(DataError, match=r"y of its nose; 1 of 6 entries"):
        score_people(Predictions(broken), people)


@pytest.mark.parametrize("preset", [HRNET, MSPN], ids=["hrnet", "mspn"])
def test_ground_truth_boxes_meet_every_annotation(real_data, preset):
    people = coco.people("val2017", real_data, preset=preset)
    perfect = score_people(Predictions(people.keypoints), people, preset=preset, resamples=0)
    assert numbers(perfect).min() == 1
    file = json.loads((real_data / "coco/annotations/person_keypoints_val2017.json").read_text())
    rng = np.random.default_rng(0)
    noisy = people.keypoints + rng.normal(0, 8, people.keypoints.shape)
    scored = score_people(Predictions(noisy), people, preset=replace(preset, suppression=""), resamples=0)
    entries = [result(int(i), k, 1.0) for i, k in zip(present(people.image_ids), noisy, strict=True)]
    if preset is MSPN:  # all scores are 1: images descend, and within an image the order stays
        entries.sort(key=lambda entry: entry["image_id"], reverse=True)
    np.testing.assert_array_equal(numbers(scored), official(file, entries))
