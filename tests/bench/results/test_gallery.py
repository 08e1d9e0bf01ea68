"""Pictures of people: who is shown, by rule, and what is drawn."""

import csv
import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from typed import present

from bench.results import gallery
from protocols.datasets.mannequin import people as mannequin
from protocols.pose.people import ABSENT, Predictions


@pytest.fixture(scope="module")
def people():
    return mannequin.people("val", count=26)


def shape(content: bytes) -> tuple[int, ...]:
    return present(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)).shape


def test_errors_are_mean_distances_in_windows(people):
    keypoints = people.keypoints.copy()
    keypoints[0] += (3.0, 4.0)  # every joint 5 pixels off
    keypoints[1, 0] += (30.0, 40.0)  # one of the annotated joints 50 pixels off
    visibility = people.visibility.copy()
    visibility[1, 2:] = ABSENT
    visibility[1, :2], visibility[2] = 2, ABSENT
    found = gallery.errors(replace(people, visibility=visibility), Predictions(keypoints))
    window = 250 * people.scale
    assert found[0] == pytest.approx(5 / window[0])
    assert found[1] == pytest.approx(50 / 2 / window[1])
    assert np.isnan(found[2]) and found[3] == 0


def test_extremes_are_the_best_the_median_and_the_worst():
    errors = np.arange(33.0)[::-1].copy()  # person 32 is best
    errors[5] = np.nan  # without annotation: of no group
    best, median, worst = present(gallery.extremes(errors))
    assert best.tolist() == [32, 31, 30, 29, 28, 27, 26, 25]
    assert median.tolist() == [20, 19, 18, 17, 16, 15, 14, 13], "places 13 to 20 of 32"
    assert worst.tolist() == [8, 7, 6, 4, 3, 2, 1, 0][:8]
    assert present(gallery.extremes(np.zeros(24))).ravel().tolist() == list(range(24)), "of equals the first is better"
    assert gallery.extremes(np.r_[np.zeros(23), np.nan]) is None


def test_what_a_cell_shows(people):
    keypoints = people.keypoints.copy()
    keypoints[7] += 100
    files = gallery.pictures(people, Predictions(keypoints))
    assert set(files) == {"gallery.webp", "extremes.webp", "extremes.csv"}
    assert shape(files["gallery.webp"]) == shape(files["extremes.webp"]) == (3 * 160, 8 * 160, 3)
    rows = list(csv.reader(io.StringIO(files["extremes.csv"].decode())))
    assert rows[0] == ["group", "person", "image", "error"]
    assert [row[0] for row in rows[1:]] == ["best"] * 8 + ["median"] * 8 + ["worst"] * 8
    off = 100 * 2**0.5 / (250 * people.scale[7])
    assert rows[-1] == ["worst", "7", "val/000007.png", f"{off:.4f}"]


def test_few_people_have_no_extremes(people):
    few = people.first(5)
    assert set(gallery.pictures(few, Predictions(few.keypoints))) == {"gallery.webp"}


def test_without_images_there_is_nothing_to_show(people):
    def missing(row):
        raise FileNotFoundError(row)

    assert gallery.pictures(replace(people, read_image=missing), Predictions(people.keypoints)) == {}


def test_a_defect_is_not_taken_for_a_missing_image(people):
    def broken(row):
        raise TypeError(row)

    with pytest.raises(TypeError):
        gallery.pictures(replace(people, read_image=broken), Predictions(people.keypoints))


def test_joints_nobody_placed_are_not_drawn(people):
    image = np.zeros((40, 40, 3), np.uint8)
    joints = np.full((16, 2), np.nan)
    assert not gallery.draw(image, joints, people.skeleton).any()
    joints[:2] = (10, 20), (30, 20)  # right ankle and right knee
    drawn = gallery.draw(image, joints, people.skeleton)
    assert tuple(drawn[20, 20]) == gallery.COLOURS["right"]
    assert tuple(gallery.draw(image, joints, people.skeleton, gallery.TRUTH)[20, 20]) == gallery.TRUTH
