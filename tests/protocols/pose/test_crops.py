"""Crops: the closed form of HRNet, its inverse, and pictures in which a dot says where it went."""

import cv2
import numpy as np
import pytest
from small_people import people as small_people

from protocols.pose.crops import affine, crop, to_crop, to_image, windows

SIZE = (128, 96)  # height, width


@pytest.mark.parametrize("height", [64.0, 128.0, 300.0])
def test_closed_form(height):
    centre, point = np.array([50.0, 70.0]), np.array([61.0, 42.0])
    k = 128 / height
    x, y = to_crop(point[None, None], centre[None], np.array([height]), SIZE)[0, 0]
    assert x == pytest.approx(k * (61 - 50) + 96 / 2)
    assert y == pytest.approx(k * (42 - 70) + 128 / 2)
    assert affine(centre, height, SIZE) @ [61, 42, 1] == pytest.approx([x, y])


def test_the_centre_goes_to_the_middle_and_the_window_to_the_borders():
    centre, height = np.array([[50.0, 70.0]]), np.array([40.0])
    top, bottom = np.array([50.0, 70.0 - 20.0]), np.array([50.0, 70.0 + 20.0])
    places = to_crop(np.stack([centre[0], top, bottom])[None], centre, height, SIZE)[0]
    assert places == pytest.approx(np.array([[48, 64], [48, 0], [48, 128]]))


def test_to_image_inverts_to_crop():
    rng = np.random.default_rng(0)
    points, centre, height = rng.uniform(-50, 700, (5, 16, 2)), rng.uniform(0, 600, (5, 2)), rng.uniform(20, 900, 5)
    there = to_crop(points, centre, height, SIZE)
    assert to_image(there, centre, height, SIZE) == pytest.approx(points, abs=1e-9)


def test_windows_of_mpii_move_down_the_chest():
    people = small_people(2, dataset="mpii", origin=1, centre_down=15.0)
    centre, height = windows(people)
    assert centre == pytest.approx(people.centre - 1 + np.stack([0 * people.scale, 15 * people.scale], axis=1))
    assert height == pytest.approx(250 * people.scale)


def test_windows_of_others_stay():
    people = small_people(2, dataset="mannequin", origin=0)
    assert windows(people)[0] == pytest.approx(people.centre)


# A window of 32 pixels is enlarged four times, one of 128 copied, those of 300 and 1000 averaged by 2 and 7 first.
@pytest.mark.parametrize("height", [32.0, 128.0, 200.0, 300.0, 1000.0])
def test_a_dot_lands_where_to_crop_says(height):
    centre = np.array([401.0, 333.0])
    dot = centre + np.array([0.1, -0.2]) * height
    image = np.zeros((700, 800, 3), np.uint8)
    y, x = np.mgrid[:700, :800]
    radius = max(1.5, 2.0 * height / SIZE[0])
    blob = 255 * np.exp(-((x - dot[0]) ** 2 + (y - dot[1]) ** 2) / (2 * radius**2))
    image[:] = blob[..., None].astype(np.uint8)

    found = crop(image, centre, height, SIZE)[..., 0].astype(float)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    seen = np.array([(x * found).sum(), (y * found).sum()]) / found.sum()
    expected = to_crop(dot[None, None], centre[None], np.array([height]), SIZE)[0, 0]
    assert found.shape == SIZE
    assert seen == pytest.approx(expected, abs=0.1)


def test_a_window_of_the_size_of_the_crop_copies_pixels():
    image = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    found = crop(image, np.array([148.0, 164.0]), 128.0, SIZE)
    assert np.array_equal(found, image[100:228, 100:196])


def test_outside_the_image_is_black():
    image = np.full((50, 50, 3), 200, np.uint8)
    found = crop(image, np.array([0.0, 0.0]), 128.0, SIZE)
    assert not found[:64].any() and not found[:, :48].any()
    assert (found[66:110, 50:95] == 200).all()


def test_shrinking_averages_stripes_instead_of_skipping_them():
    image = np.zeros((800, 800, 3), np.uint8)
    image[:, ::2] = 255  # stripes of one pixel
    found = crop(image, np.array([400.0, 400.0]), 800.0, SIZE)[2:-2, 2:-2]
    assert abs(found.astype(float) - 127.5).max() <= 1  # a bare linear kernel leaves 0 and 255


def test_an_image_smaller_than_a_block_is_no_error():
    found = crop(np.full((3, 3, 3), 9, np.uint8), np.array([1.0, 1.0]), 4000.0, SIZE)
    assert found.shape == (*SIZE, 3)


def test_agrees_with_opencv_on_inverse_mapping():
    image = np.random.default_rng(1).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    image = cv2.GaussianBlur(image, (9, 9), 3)
    centre, height = np.array([100.0, 90.0]), 100.0
    found = crop(image, centre, height, SIZE).astype(float)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    there = to_image(np.stack([x, y], -1).reshape(1, -1, 2), centre[None], np.array([height]), SIZE)[0]
    across, down = there.astype(np.float32).reshape(*SIZE, 2).transpose(2, 0, 1)
    expected = cv2.remap(image, across, down, cv2.INTER_LINEAR)
    assert abs(found - expected).max() <= 2  # OpenCV rounds positions to 1/32 pixel
