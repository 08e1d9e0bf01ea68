"""What is refused, what is repaired with a word, and what is read as it is."""

import json

import numpy as np
import pytest
from coco_cases import annotation, annotation_file, image, official, result

from protocols.coco import annotations as coco_annotations
from protocols.coco import json_files as coco_json
from protocols.coco import results as coco_results
from protocols.coco.ap import score
from protocols.errors import DataError

POINTS = np.arange(34.0).reshape(17, 2) * 6 + 3


@pytest.fixture
def file(tmp_path):
    """Writes JSON, or text as it is, and gives the path."""

    def write(content, name="results.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


@pytest.fixture
def truth(file):
    people = [annotation(7, 3, POINTS), annotation(8, 5, POINTS)]
    return coco_annotations.read(file(annotation_file([image(3), image(5)], people), "annotations.json"))


def broken(**changes):
    """A good entry and one with changes; None removes the key."""
    entry = {**result(5, POINTS), **changes}
    return [result(3, POINTS), {key: value for key, value in entry.items() if value is not None}]


def keypoints(**changes):
    numbers = result(5, POINTS)["keypoints"]
    return [changes.get(f"n{i}", number) for i, number in enumerate(numbers)]


def test_a_good_file(file, truth):
    results = coco_results.read(file([result(5, POINTS, 0.25), result(3, POINTS + 1, 0.5)]), truth)
    assert results.image_ids.tolist() == [5, 3]
    assert results.scores.tolist() == [0.25, 0.5]
    np.testing.assert_array_equal(results.keypoints, [POINTS, POINTS + 1])
    np.testing.assert_array_equal(results.keypoint_scores, np.ones((2, 17)))
    assert (results.source, results.warnings) == ("results.json", ())


def test_a_list_for_each_joint(file, truth):
    """The same as one after the other, for every joint of every entry."""
    flat = [result(5, POINTS, 0.25), result(3, POINTS + 1, 0.5)]
    nested = [{**entry, "keypoints": np.reshape(entry["keypoints"], (17, 3)).tolist()} for entry in flat]
    one, other = (coco_results.read(file(content), truth) for content in (flat, nested))
    np.testing.assert_array_equal(one.keypoints, other.keypoints)
    np.testing.assert_array_equal(one.keypoint_scores, other.keypoint_scores)


def test_files_of_other_code(file, truth):
    """HRNet adds centre and scale, mmpose an area, detectron2 a box; cocoapi's fake results are whole numbers."""
    whole = {**result(5, POINTS), "keypoints": [int(number) for number in result(5, POINTS)["keypoints"]], "score": 1}
    hrnet = {**result(3, POINTS), "center": [1.0, 2.0], "scale": [0.5, 0.7]}
    mmpose = {**result(3, POINTS), "id": 7, "area": 12.0}
    np.testing.assert_array_equal(coco_results.read(file([whole, hrnet, mmpose]), truth).keypoints, [POINTS] * 3)
    detectron = {**result(5, POINTS), "bbox": [1.0, 2.0, 3.0, 4.0], "segmentation": {"size": [1, 1], "counts": "0"}}
    assert "bbox" in coco_results.read(file([detectron]), truth).warnings[0]


def test_keys_that_other_code_adds_are_let_be(file, truth):
    extra = broken(center=[1.5, 2.0], scale=[1.0, 1.3], area=12.0, id=4)
    assert coco_results.read(file(extra), truth).warnings == ()


@pytest.mark.parametrize(
    ("changes", "how"),
    [
        ({"image_id": 5.0}, "a float"),
        ({"image_id": "5"}, "a number as text"),
        ({"image_id": "folder/000000000005.jpg"}, "its file name"),
        ({"image_id": "x/000000000005.png"}, "its file name"),
        ({"image_id": None, "file_name": "000000000005.jpg"}, "its file name"),
    ],
)
def test_images_named_in_another_way_are_translated_and_said(file, truth, changes, how):
    entry = {key: value for key, value in {**result(5, POINTS), **changes}.items() if value is not None}
    found = coco_results.read(file([result(3, POINTS), entry]), truth)
    assert found.image_ids.tolist() == [3, 5]
    assert found.warnings == (f"1 of 2 results name their image by {how}: translated.",)


def test_a_list_inside_an_object_is_read(file, truth):
    found = coco_results.read(file({"info": {}, "results": [result(5, POINTS)]}), truth)
    assert len(found) == 1 and "'results' of an object" in found.warnings[0]


def test_repeated_results_are_said(file, truth):
    (warning,) = coco_results.read(file([result(5, POINTS)] * 3 + [result(3, POINTS)]), truth).warnings
    assert warning.startswith("2 of 4 results are there more than once")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (broken(keypoints=keypoints(n31=float("nan"))), r"entry 1 .* nan as y of its right_wrist"),
        (broken(keypoints=keypoints(n0=float("inf"))), r"entry 1 .* inf as x of its nose; 1 of 2"),
        (broken(keypoints=keypoints(n2=float("-inf"))), r"entry 1 .* -inf as score of its nose"),
        (broken(keypoints=[0.0] * 34), r"entry 1 .*34 numbers as keypoints"),
        (broken(keypoints=[]), r"entry 1 .*0 numbers as keypoints"),
        (broken(keypoints=keypoints(n4="12")), r"entry 1 .*keypoints\[4\]: Expected float . array, got str"),
        (broken(keypoints=keypoints(n4=[1])), r"entry 1 .*keypoints\[0\] is "),
        (broken(keypoints=POINTS.tolist()), r"entry 1 .*keypoints\[0\] is \[3.0, 9.0\]"),
        (broken(keypoints=[[1, 2, 3]] * 16), r"entry 1 .*48 numbers as keypoints"),
        (broken(keypoints=[[[1, 2, 3]] * 17]), r"entry 1 .*keypoints\[0\]\[0\]: Expected float"),
        (broken(keypoints=None), r"entry 1 .*missing required field keypoints"),
        (broken(score=None), r"entry 1 .*missing required field score"),
        (broken(score="0.9"), r"entry 1 .*score: Expected float, got str"),
        (broken(score=float("nan")), r"entry 1 .* the score nan"),
        (broken(score=True), r"entry 1 .*score: Expected float, got bool"),
        (broken(image_id=4), r"entry 1 .*image 4, which annotations.json does not have; so are 1 of 2"),
        (broken(image_id="4.jpg"), r"entry 1 .*image '4.jpg', a file name that is not in annotations.json"),
        (broken(image_id=[5]), r"entry 1 .*\[5\] as its image"),
        (broken(image_id=5.5), r"entry 1 .*5.5 as its image"),
        (broken(image_id=None), r"entry 1 .*names no image: it has category_id, keypoints, score"),
        (broken(category_id=None), r"entry 1 .*has no category_id"),
        (broken(image_id=2**70), r"entry 1 .*image_id: Expected int"),
        (broken(keypoints=keypoints(n4=None)), r"entry 1 .*null as y of its left_eye"),
        ({"images": [], "annotations": broken()}, r"results.json is an annotation file"),
        ({"one": broken(), "two": 1}, r"results.json is an object with one, two"),
        ([[1, 2]], r"entry 0 .*is \[1, 2\]"),
        ([{**result(5, POINTS), "category_id": 0}], r"none of the 1 results is of a person .* category_id is 0"),
        (json.dumps(broken())[:-40], r"not JSON"),
        ('[{"nested": ' + "[" * 100_000, r"not JSON"),
    ],
)
def test_refused(file, truth, content, message):
    with pytest.raises(DataError, match=message):
        coco_results.read(file(content), truth)


def test_a_nan_is_named_with_its_joint(file, truth):
    with pytest.raises(DataError, match=r"entry 1 \(the first is 0\) has nan as y of its left_hip") as error:
        coco_results.read(file(broken(keypoints=keypoints(n34=float("nan")))), truth)
    assert "perfect hit" in error.value.cause


def test_what_pycocotools_makes_of_nan():
    """The reason for refusing: NaN is a perfect hit there."""
    people = [annotation(1, 3, POINTS)]
    poses = result(3, POINTS + 300)
    poses["keypoints"][0] = float("nan")
    assert official(annotation_file([image(3)], people), [poses])[0] == pytest.approx(1)


def test_missing_or_huge_files_are_refused(file, truth, monkeypatch, tmp_path):
    with pytest.raises(DataError, match="no such file"):
        coco_results.read(tmp_path / "nothing.json", truth)
    monkeypatch.setattr(coco_json, "MAX_BYTES", 100)
    with pytest.raises(DataError, match="too many"):
        coco_results.read(file(broken()), truth)


def test_a_bbox_key_is_left_out_with_a_word(file, truth):
    people = [annotation(7, 3, POINTS), annotation(8, 5, POINTS)]
    plain = [result(3, POINTS + 2, 0.8), result(5, POINTS + 100, 0.9)]
    boxed = [{**entry, "bbox": [0, 0, 50, 50]} for entry in plain]
    results = coco_results.read(file(boxed), truth)
    assert "bbox" in results.warnings[0]
    files = annotation_file([image(3), image(5)], people)
    ours = [value.value for value in score(results, truth, resamples=0).values]
    np.testing.assert_array_equal(ours, official(files, plain))
    assert not np.array_equal(ours, official(files, boxed), equal_nan=True)  # what the word warns of


def test_other_categories_are_left_out_with_a_word(file, truth):
    results = coco_results.read(file([{**result(3, POINTS), "category_id": 2}, result(5, POINTS)]), truth)
    assert results.image_ids.tolist() == [5]
    assert "1 of 2 results" in results.warnings[0]


@pytest.mark.parametrize(("factor", "word"), [(1 / 250, "normalized"), (60 / 201, "heatmap")])
def test_coordinates_of_another_frame_are_scored_with_a_word(file, truth, factor, word):
    results = coco_results.read(file([result(3, POINTS * factor), result(5, POINTS * factor)]), truth)
    assert word in results.warnings[0]
    assert score(results, truth, resamples=0).values[0].value == 0


def test_an_empty_list_finds_nobody(file, truth):
    results = coco_results.read(file([]), truth)
    assert len(results) == 0 and "empty" in results.warnings[0]


def test_detections(file):
    boxes = [
        {"image_id": 3, "category_id": 1, "bbox": [1, 2, 3.5, 4], "score": 0.5},
        {"image_id": 3, "category_id": 18, "bbox": [0, 0, 0, 0], "score": 0.9},
    ]
    found = coco_results.read_detections(file(boxes))
    assert found.boxes.tolist() == [[1, 2, 3.5, 4]]
    assert (found.image_ids.tolist(), found.scores.tolist(), found.others) == ([3], [0.5], 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bbox": [5, 5, 0, 4]}, "1 of 1 person boxes are invalid"),
        ({"bbox": [5, 5, 3, -4]}, "invalid"),
        ({"bbox": [5, 5, float("nan"), 4]}, "invalid"),
        ({"score": float("inf")}, "invalid"),
        ({"bbox": [5, 5, 3]}, "bbox: Expected array of length 4"),
        ({"score": "high"}, "score: Expected float"),
    ],
)
def test_detections_that_are_refused(file, change, message):
    box = {"image_id": 3, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}
    with pytest.raises(DataError, match=message):
        coco_results.read_detections(file([{**box, **change}]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": 0}, "id 0"),
        ({"id": 1}, "annotation 1 occurs twice"),
        ({"image_id": 99}, "annotation 2 is on image 99"),
        ({"keypoints": [0] * 34}, "annotation 2 has 34 numbers"),
        ({"keypoints": [0, 0, 3] * 17}, "visibility other than"),
        ({"area": float("nan")}, "annotation 2 has a number that is not finite"),
        ({"category_id": 3}, "annotation 2 has category 3"),
        ({"area": None}, r"annotation 2 has no area; so have 1 of 2"),
    ],
)
def test_annotations_that_are_refused(file, changes, message):
    second = {**annotation(2, 3, POINTS), **changes}
    second = {key: value for key, value in second.items() if value is not None}
    with pytest.raises(DataError, match=message):
        coco_annotations.read(file(annotation_file([image(3)], [annotation(1, 3, POINTS), second])))


def test_ids_from_zero_are_what_pycocotools_takes_for_no_match():
    """The reason for refusing: a perfect result loses a person."""
    people = [annotation(i, i, POINTS) for i in range(6)]
    poses = [result(i, POINTS, 1 - i / 10) for i in range(6)]
    perfect = [annotation(i + 1, i, POINTS) for i in range(6)]
    images = [image(i) for i in range(6)]
    assert official(annotation_file(images, perfect), poses)[0] == pytest.approx(1)
    assert official(annotation_file(images, people), poses)[0] < 0.9


def test_twice_the_same_image_is_refused(file):
    with pytest.raises(DataError, match="image id occurs twice"):
        coco_annotations.read(file(annotation_file([image(3), image(3)], [])))
    with pytest.raises(DataError, match="no images"):
        coco_annotations.read(file(annotation_file([], [])))


def test_real_files(real_data):
    path = real_data / "coco/fixture/test_coco_det_AP_H_56.json"
    entries = json.loads(path.read_text())
    found = coco_results.read_detections(path)
    assert found.boxes.tolist() == [entry["bbox"] for entry in entries]
    path = real_data / "coco/annotations/person_keypoints_val2017.json"
    content = json.loads(path.read_text())
    truth = coco_annotations.read(path)
    assert truth.ids.tolist() == [person["id"] for person in content["annotations"]]
    assert truth.image_ids[truth.image].tolist() == [person["image_id"] for person in content["annotations"]]
    assert truth.crowd.sum() == sum(person["iscrowd"] for person in content["annotations"])
    np.testing.assert_array_equal(truth.labelled, (truth.visibility > 0).sum(axis=1))
