"""Missing fields of an annotation are filled in and said; contradictions are said with their effect on the score."""

import json

import numpy as np
import pytest
from coco_cases import annotation, annotation_file, image, official, result

from protocols.coco import annotations, diagnosis, results
from protocols.coco.ap import score

POINTS = np.arange(34.0).reshape(17, 2) * 3 + 3


def files(tmp_path, **changes):
    """An annotation of four people with changes to each, and a result near each."""
    people = [{**annotation(at + 1, at + 1, POINTS + at), **changes} for at in range(4)]
    content = annotation_file([image(at + 1) for at in range(4)], people)
    found = [result(at + 1, POINTS + at + 2.0 * at, 1 - at / 10) for at in range(4)]
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    (tmp_path / "results.json").write_text(json.dumps(found))
    return content, found


def ap(tmp_path):
    truth = annotations.read(tmp_path / "annotations.json")
    return score(results.read(tmp_path / "results.json", truth), truth, resamples=0).values[0].value, truth


@pytest.mark.parametrize("field", ["num_keypoints", "bbox"])
def test_a_missing_field_is_filled_in(tmp_path, field):
    content, found = files(tmp_path)
    expected = official(content, found)[0]
    for person in content["annotations"]:
        del person[field]
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    value, truth = ap(tmp_path)
    assert value == pytest.approx(expected)
    assert np.isfinite(truth.boxes).all() and (truth.labelled == 17).all()
    (warning,) = truth.warnings
    assert warning.startswith(f"{field} is missing for 4 of 4 people")


def test_a_missing_size_of_an_image_is_no_matter(tmp_path):
    content, found = files(tmp_path)
    for item in content["images"]:
        del item["width"], item["height"]
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    value, truth = ap(tmp_path)
    assert value == pytest.approx(official(content, found)[0])
    assert truth.warnings == ("width or height is missing for 4 of 4 images: no score needs them.",)
    assert (truth.image_sizes[truth.image][:, None] > truth.keypoints).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_keypoints": 0}, "num_keypoints is 0 for all people: OKS ignores them"),
        ({"num_keypoints": 12}, "num_keypoints is not the number of labelled joints for 4 of 4 people"),
        ({"area": 0.0}, "area is 0 or less for 4 of 4 people"),
        ({"area": -5.0}, "area is 0 or less for 4 of 4 people"),
        ({"area": 0.4}, "area is below one pixel for 4 of 4 people"),
        ({"area": 1e7}, "area is larger than the box for 4 of 4 people"),
        ({"area": 20.0}, "area is under a fiftieth of the box for 4 of 4 people"),
        ({"keypoints": [0.1, 0.9, 2] * 17}, "All keypoints lie within 0 and 1"),
    ],
)
def test_contradictions_are_said(tmp_path, changes, words):
    files(tmp_path, **changes)
    assert any(warning.startswith(words) for warning in annotations.read(tmp_path / "annotations.json").warnings)


def test_a_sound_annotation_has_no_warnings(tmp_path, real_data):
    files(tmp_path)
    assert annotations.read(tmp_path / "annotations.json").warnings == ()
    assert annotations.read(real_data / "coco/annotations/person_keypoints_val2017.json").warnings == ()


def test_results_on_a_part_of_the_images(tmp_path):
    files(tmp_path)
    truth = annotations.read(tmp_path / "annotations.json")
    found = json.loads((tmp_path / "results.json").read_text())[:2]
    (tmp_path / "results.json").write_text(json.dumps(found))
    (warning,) = diagnosis.warnings(results.read(tmp_path / "results.json", truth), truth)
    alone = score(results.read(tmp_path / "results.json", truth), truth.on_images(np.array([1, 2])), resamples=0)
    assert warning.startswith("No result is on 2 of 4 images, 2 of them with people")
    assert warning.endswith(f"On the others AP is {alone.values[0].value:.5f}.")
