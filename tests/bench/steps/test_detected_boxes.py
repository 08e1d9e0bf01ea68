"""COCO through bench on the boxes of a detector: what is cropped, what the key covers, what is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_bench
from typed import present

from bench.cells.cell import Cell, box_options
from bench.cells.plan import BLOCKED, MISSING, Task, plan
from bench.errors import DATA, USAGE, exit_code
from bench.store.digests import content_key
from bench.store.store import CELLS, PREDICTIONS, Store
from protocols.datasets import open_people, remembered
from protocols.pose.crops import windows

PERSON = {
    "id": 1, "image_id": 7, "category_id": 1, "iscrowd": 0, "area": 5000.0, "bbox": [10, 10, 60, 120],
    "keypoints": [40, 60, 2] * 17, "num_keypoints": 17,
}  # fmt: skip
BOX = {"image_id": 7, "category_id": 1, "bbox": [12, 8, 60, 120], "score": 0.9}


@pytest.fixture
def data(tmp_path) -> Path:
    """COCO with one person on one image, which nobody looks at."""
    place = tmp_path / "data" / "coco" / "annotations"
    place.mkdir(parents=True)
    document = {
        "info": {},
        "images": [{"id": 7, "file_name": "a.jpg", "width": 200, "height": 200}],
        "annotations": [PERSON],
        "categories": [{"id": 1, "name": "person"}],
    }
    (place / "person_keypoints_val2017.json").write_text(json.dumps(document))
    return tmp_path / "data"


@pytest.fixture
def boxes(tmp_path):
    """Writes a file of one detected box, with changes."""

    def write(name: str = "boxes.json", **changes) -> str:
        (tmp_path / name).write_text(json.dumps([{**BOX, **changes}]))
        return str(tmp_path / name)

    return write


def cell(**options) -> Cell:
    return Cell("mean-pose", "coco-ap", "coco", "val2017", trained_on="mannequin/train", options=options)


def located(chosen: Cell, data: Path) -> Task:
    (task,) = plan([chosen], Store(data / "runs"), data)
    return task


def predictions_key(chosen: Cell, data: Path) -> str:
    return content_key(located(chosen, data).inputs["predictions"])


def planned_anew(chosen: Cell, data: Path) -> Task:
    """As another process would: fingerprints are remembered within one."""
    remembered.cache_clear()
    return located(chosen, data)


def test_what_the_detector_says_decides_the_predictions(data, boxes):
    keys = {predictions_key(cell(), data)}
    for change in ({}, {"bbox": [12, 8, 60, 121]}, {"score": 0.8}):
        keys.add(content_key(planned_anew(cell(detections=boxes(**change)), data).inputs["predictions"]))
    assert len(keys) == 4


def test_the_preset_decides_the_predictions(data, boxes):
    for options in ({}, {"detections": boxes()}):
        default, hrnet, mspn = (
            predictions_key(cell(**options, **preset), data) for preset in ({}, {"preset": "hrnet"}, {"preset": "mspn"})
        )
        assert default == hrnet != mspn


def test_the_place_of_the_file_decides_nothing(data, boxes):
    first, second = (located(cell(detections=boxes(name)), data) for name in ("a.json", "b.json"))
    assert first.key == second.key


@pytest.mark.parametrize(("preset", "height"), [("hrnet", 1.25 * 120), ("mspn", 1.135 * 120)])
def test_the_preset_decides_the_crop(data, boxes, preset, height):
    chosen = cell(detections=boxes(), preset=preset)
    people = open_people("coco", "val2017", data, **box_options(chosen))
    centre, found = windows(people)
    np.testing.assert_allclose(centre, [[12 + 60 / 2, 8 + 120 / 2]])
    np.testing.assert_allclose(found, [height])  # 60 x 120 is narrower than 3:4
    assert present(people.box_scores).tolist() == [0.9]


@pytest.mark.parametrize(
    ("change", "said", "code"),
    [
        ({"options": {"detections": "nowhere.json"}}, "nowhere.json: there is no such file of detected boxes", DATA),
        ({"options": {"preset": "crop"}}, "There is no preset 'crop'", USAGE),
        ({"options": {"detections": "x"}, "dataset": "mannequin", "split": "val"}, "no detected boxes", USAGE),
    ],
)
def test_what_is_not_there_is_said_before_anything_is_trained(data, change, said, code):
    task = located(replace(cell(), **change), data)
    assert task.state == BLOCKED and said in task.why
    assert exit_code(present(task.problem)) == code


def test_a_file_of_something_else_is_said_before_anything_is_trained(data, boxes):
    task = located(cell(detections=boxes(image_id=8)), data)
    assert task.state == BLOCKED and "None of the 1 detected boxes" in task.why
    assert exit_code(present(task.problem)) == DATA
    assert located(cell(detections=boxes("other.json")), data).state == MISSING


def test_the_fixture_from_training_to_average_precision(real_data, tmp_path):
    """The first three detected boxes lie on the first image: those three are predicted, rescored and matched."""
    fixture, data = real_data / "coco/fixture", tmp_path / "data"
    (data / "coco/annotations").mkdir(parents=True)
    shutil.copy(fixture / "test_coco.json", data / "coco/annotations/person_keypoints_val2017.json")
    shutil.copytree(fixture, data / "coco/val2017")
    detections = fixture / "test_coco_det_AP_H_56.json"
    words = f"run mean-pose coco-ap --dataset coco --data {data} --store {tmp_path / 'runs'} --device cpu".split()
    words += f"--trained-on mannequin/train --recipe {small_bench.recipe(tmp_path)} --set input=64 --limit 3".split()
    words += ["--option", "resamples=0", "--option"]
    outcome = small_bench.bench(*words, f"detections={detections}", "--json")
    assert outcome.code == 0, outcome.err
    (document,) = outcome.json["cells"]
    assert document["conditions"]["boxes"] == "detected"
    store = Store(tmp_path / "runs")
    (key,) = store.keys(PREDICTIONS)
    with np.load(store.folder(PREDICTIONS, key) / "predictions.npz", allow_pickle=False) as file:
        points = file["keypoints"]
    first = json.loads(detections.read_text())[:3]
    assert points.shape == (3, 17, 2)
    for (x, y, width, height), person in zip((box["bbox"] for box in first), points, strict=True):
        window = 1.25 * max(height, width / (3 / 4))
        away = np.abs(person - [x + width / 2, y + height / 2]).max()
        assert away <= window / 2  # of this box, not of another one: the mean pose fills its window
        spread = np.ptp(person[:, 1])
        assert 0.3 * window < spread < window
    assert len(store.keys(CELLS)) == 1
    missing = small_bench.bench(*words, "detections=nowhere.json")
    assert missing.code == DATA and "nowhere.json: there is no such file of detected boxes" in missing.err
