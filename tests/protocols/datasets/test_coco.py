"""The COCO reader: which boxes are tested, the windows around them, and the files it refuses."""

import json
import shutil

import numpy as np
import pytest
from coco_cases import annotation, annotation_file, image
from typed import present

from protocols.coco.top_down import MSPN
from protocols.datasets import coco
from protocols.errors import DataError

POINTS = np.arange(34.0).reshape(17, 2) * 6 + 3


@pytest.fixture
def folder(tmp_path):
    """A data folder whose split `tiny` holds the given annotations on two images of 200 x 100."""

    def write(people, detections=None, name="a.jpg"):
        files = [{**image(3, 200, 100), "file_name": name}, image(5, 200, 100)]
        (tmp_path / "coco/annotations").mkdir(parents=True)
        path = tmp_path / "coco/annotations/person_keypoints_tiny.json"
        path.write_text(json.dumps(annotation_file(files, people)))
        if detections is not None:
            (tmp_path / "boxes.json").write_text(json.dumps(detections))
        return tmp_path

    return write


def test_boxes_are_clipped_to_the_image_and_empty_people_left_out(folder):
    people = [
        annotation(1, 5, POINTS, bbox=(-10, 20, 50, 200)),
        annotation(2, 3, POINTS, bbox=(150, 10, 50, 30)),
        annotation(3, 3, POINTS * 0, visibility=0, bbox=(10, 10, 50, 30)),
        annotation(4, 3, POINTS, bbox=(10, 10, 50, 30), iscrowd=1),
        annotation(5, 3, POINTS, bbox=(10, 10, 50, 30), area=0),
        annotation(6, 3, POINTS, bbox=(250, 10, 50, 30)),  # right of the image
    ]
    found = coco.people("tiny", folder(people))
    assert present(found.annotation_ids).tolist() == [2, 1]  # image by image
    assert present(found.image_ids).tolist() == [3, 5]
    # x 150 to min(199, 150 + 49), y 10 to 39; x 0 to 0 + 49, y 20 to min(99, 219)
    assert present(found.boxes).tolist() == [[150, 10, 49, 29], [0, 20, 49, 79]]
    assert found.centre.tolist() == [[174.5, 24.5], [24.5, 59.5]]
    np.testing.assert_allclose(250 * found.scale, [49 / 3 * 4 * 1.25, 79 * 1.25])
    assert len(present(found.ground_truth)) == 6
    assert found.origin == 0
    assert (found.notes["people"], found.notes["joints"], found.notes["missing"]) == (2, 34, 0)


def test_detected_boxes_are_taken_as_they_are(folder):
    boxes = [
        {"image_id": 5, "category_id": 1, "bbox": [-20, 5, 30, 80], "score": 0.25},
        {"image_id": 77, "category_id": 1, "bbox": [0, 5, 30, 40], "score": 0.5},
        {"image_id": 3, "category_id": 2, "bbox": [0, 5, 30, 40], "score": 0.5},
    ]
    data = folder([annotation(1, 5, POINTS)], boxes)
    found = coco.people("tiny", data, boxes="detections", detections=data / "boxes.json", preset=MSPN)
    assert present(found.boxes).tolist() == [[-20, 5, 30, 80]]
    assert (present(found.box_scores).tolist(), present(found.image_ids).tolist()) == ([0.25], [5])
    assert not found.annotated.any()
    np.testing.assert_allclose(250 * found.scale, [80 * 1.135])


def test_detections_of_another_split_are_refused(folder):
    data = folder([annotation(1, 5, POINTS)], [{"image_id": 7, "category_id": 1, "bbox": [0, 0, 9, 9], "score": 1}])
    with pytest.raises(DataError, match="None of the 1 detected boxes is on one of the 2 images"):
        coco.people("tiny", data, boxes="detections", detections=data / "boxes.json")
    with pytest.raises(DataError, match="no boxes called 'oracle'"):
        coco.people("tiny", data, boxes="oracle")


def test_no_annotation_file_and_no_image(folder):
    data = folder([annotation(1, 3, POINTS)])
    with pytest.raises(DataError, match=r"person_keypoints_other\.json: there is no such file"):
        coco.people("other", data)
    with pytest.raises(DataError, match=r"a\.jpg: this image is missing"):
        coco.people("tiny", data).read_image(0)


@pytest.mark.parametrize("name", ["../../secret.jpg", "/etc/secret.jpg", "..\\secret.jpg"])
def test_an_image_outside_its_folder_is_refused(folder, name):
    with pytest.raises(DataError, match="leaves its folder"):
        coco.people("tiny", folder([annotation(1, 3, POINTS)], name=name))


def test_the_fingerprint_follows_the_annotation(folder, tmp_path):
    data = folder([annotation(1, 3, POINTS)])
    before = coco.people("tiny", data).fingerprint
    assert coco.people("tiny", data).fingerprint == before
    path = data / "coco/annotations/person_keypoints_tiny.json"
    path.write_text(path.read_text().replace('"info": {}', '"info": {"year": 2017}'))
    assert coco.people("tiny", data).fingerprint == before
    path.write_text(path.read_text().replace('"area": 5000.0', '"area": 5001.0'))
    assert coco.people("tiny", data).fingerprint != before


def test_the_first_people_keep_their_images_only(folder):
    people = [annotation(1, 3, POINTS), annotation(2, 5, POINTS), annotation(3, 3, POINTS, iscrowd=1)]
    first = coco.people("tiny", folder(people)).first(1)
    truth = present(first.ground_truth)
    assert present(first.annotation_ids).tolist() == [1]
    assert truth.ids.tolist() == [1, 3]
    assert truth.image.tolist() == [0, 0]
    assert truth.image_ids.tolist() == [3]


def test_val2017(real_data):
    people = coco.people("val2017", real_data)
    content = json.loads((real_data / "coco/annotations/person_keypoints_val2017.json").read_text())
    sizes = {place["id"]: (place["width"], place["height"]) for place in content["images"]}
    expected = {}
    for person in content["annotations"]:
        x, y, w, h = person["bbox"]
        width, height = sizes[person["image_id"]]
        if person["area"] > 0 and max(person["keypoints"]) > 0 and not person["iscrowd"]:
            x1, y1 = max(0, x), max(0, y)
            x2, y2 = min(width - 1, x1 + max(0, w - 1)), min(height - 1, y1 + max(0, h - 1))
            expected[person["id"]] = [x1, y1, x2 - x1, y2 - y1]
    found = dict(zip(present(people.annotation_ids).tolist(), present(people.boxes).tolist(), strict=True))
    assert found == expected
    picture = people.read_image(0)
    assert picture.dtype == np.uint8
    assert picture.shape[:2] == sizes[int(present(people.image_ids)[0])][::-1]


def test_the_fixture_with_its_detector(real_data, tmp_path):
    source = real_data / "coco/fixture"
    (tmp_path / "coco/annotations").mkdir(parents=True)
    shutil.copy(source / "test_coco.json", tmp_path / "coco/annotations/person_keypoints_fixture.json")
    shutil.copytree(source, tmp_path / "coco/fixture")
    boxes = source / "test_coco_det_AP_H_56.json"
    people = coco.people("fixture", tmp_path, boxes="detections", detections=boxes)
    entries = json.loads(boxes.read_text())
    assert len(people) == len(entries) == 118
    assert present(people.image_ids).tolist() == [entry["image_id"] for entry in entries]
    assert all(people.read_image(row).ndim == 3 for row in range(len(people)))
