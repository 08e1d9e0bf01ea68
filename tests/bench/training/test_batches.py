"""Batches: after any augmentation the keypoints still point at the dots that were painted on them."""

import dataclasses

import msgspec
import numpy as np
import pytest
import torch

from bench.cells.recipe import Augmentation, Pixels
from bench.training import batches
from bench.training.batches import augmented, normalised, rows_of_step
from bench.training.prepare import MARGIN, Crops
from protocols.pose.skeletons import MPII

SIZE = (64, 48)  # height, width of the input
CACHED = (96, 72)  # larger by the margin
JOINTS = len(MPII)


def dotted() -> Crops:
    """Sixteen people in the same pose; the picture of person i has a dot on joint i alone."""
    rng = np.random.default_rng(0)
    points = np.array([36.0, 48.0]) + rng.uniform(-12, 12, (JOINTS, 2))
    y, x = np.mgrid[: CACHED[0], : CACHED[1]]
    squares = (x - points[:, :1, None]) ** 2 + (y - points[:, 1:, None]) ** 2
    dots = np.round(255 * np.exp(-squares / (2 * 1.5**2)))
    pixels = np.repeat(dots[..., None], 3, axis=-1).astype(np.uint8)
    annotated = np.ones((JOINTS, JOINTS), bool)
    return Crops(pixels, np.repeat(points[None], JOINTS, axis=0).astype(np.float32), annotated)


def batch(crops: Crops, rules: Augmentation, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return augmented(crops, np.arange(len(crops)), SIZE, rules, Pixels(), MPII, generator, "cpu")


def dots(images: torch.Tensor) -> torch.Tensor:
    """Centre of mass of each picture: B x 2."""
    light = images.sum(1)
    y, x = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    return torch.stack([(light * x).sum((1, 2)), (light * y).sum((1, 2))], -1) / light.sum((1, 2))[:, None]


@pytest.mark.parametrize("flip", [0.0, 1.0])
@pytest.mark.parametrize(
    "rules",
    [
        Augmentation(),
        Augmentation(rotation=180.0),
        Augmentation(scale=(0.8, 1.3)),
        Augmentation(rotation=40.0, scale=(0.8, 1.3), rotation_probability=0.6),
    ],
)
def test_keypoints_point_at_the_dots(rules, flip):
    images, points, mask = batch(dotted(), msgspec.structs.replace(rules, flip=flip))
    assert images.shape == (JOINTS, 3, *SIZE) and points.shape == (JOINTS, JOINTS, 2) and mask.all()
    names = list(MPII.mirror) if flip else list(range(JOINTS))  # the dot of a right knee is now on a left one
    assert torch.allclose(dots(images), points[range(JOINTS), names], atol=0.1)


def test_without_augmentation_the_middle_is_copied():
    crops = dotted()
    images, points, _ = batch(crops, Augmentation())
    middle = torch.from_numpy(crops.pixels[:, 16:80, 12:60].astype(np.float32)).permute(0, 3, 1, 2) / 255
    assert torch.allclose(images, middle, atol=1e-5)
    assert torch.allclose(points, torch.from_numpy(crops.keypoints) - torch.tensor([12.0, 16.0]), atol=1e-4)


def test_a_mirror_image_is_the_mirror_image():
    images, points, _ = batch(dotted(), Augmentation())
    mirrored, mirrored_points, _ = batch(dotted(), Augmentation(flip=1.0))
    assert torch.allclose(mirrored, images.flip(-1), atol=1e-4)
    expected = points[:, list(MPII.mirror)]
    assert torch.allclose(mirrored_points[..., 0], SIZE[1] - 1 - expected[..., 0], atol=1e-4)
    assert torch.allclose(mirrored_points[..., 1], expected[..., 1], atol=1e-4)


@pytest.mark.parametrize("scale", [0.75, 1.25])
def test_a_larger_window_shows_a_smaller_person(scale):
    _, points, _ = batch(dotted(), Augmentation())
    _, scaled, _ = batch(dotted(), Augmentation(scale=(scale, scale)))
    middle = torch.tensor([SIZE[1] / 2, SIZE[0] / 2])
    assert torch.allclose(scaled - middle, (points - middle) / scale, atol=1e-4)


def test_rotation_stays_in_its_range_and_happens_as_often_as_asked():
    crops = dotted()
    _, upright, _ = batch(crops, Augmentation())
    middle = torch.tensor([SIZE[1] / 2, SIZE[0] / 2])
    angles = []
    for seed in range(40):
        _, turned, _ = batch(crops, Augmentation(rotation=30.0, rotation_probability=0.4), seed)
        before, after = (upright - middle)[:, 0], (turned - middle)[:, 0]
        angle = torch.atan2(after[:, 1], after[:, 0]) - torch.atan2(before[:, 1], before[:, 0])
        angles.append(torch.rad2deg((angle + np.pi) % (2 * np.pi) - np.pi))
    angles = torch.cat(angles).abs()  # 640 of them
    assert angles.max() <= 30.01
    assert 0.33 < (angles > 0.01).float().mean() < 0.47


def test_masks_swap_with_their_joints():
    crops = dotted()
    crops.visibility[:, MPII.index("left_wrist")] = False
    _, _, mask = batch(crops, Augmentation(flip=1.0))
    assert not mask[:, MPII.index("right_wrist")].any()
    assert mask.sum() == JOINTS * (JOINTS - 1)


def test_colour_changes_channels_apart_and_stays_in_range():
    crops = dotted()
    crops = dataclasses.replace(crops, pixels=np.full_like(crops.pixels, 200))
    images, _, _ = batch(crops, Augmentation(colour=0.4))
    middle = images[:, :, 24:40, 16:32]
    gain = middle[..., 0, 0] / (200 / 255)
    assert torch.allclose(middle, middle[..., :1, :1].expand_as(middle), atol=1e-5)
    assert 0.6 - 1e-5 <= gain.min() < 0.7 and gain.max() > 1.2 and middle.max() <= 1  # of 48, from 0.6 to 1.4
    assert len(gain.unique()) > JOINTS


def test_the_generator_decides_everything():
    rules = Augmentation(rotation=30.0, scale=(0.75, 1.25), flip=0.5, colour=0.4)
    assert all(torch.equal(a, b) for a, b in zip(batch(dotted(), rules), batch(dotted(), rules), strict=True))
    assert not torch.equal(batch(dotted(), rules)[1], batch(dotted(), rules, seed=1)[1])


def test_a_few_people_at_a_time_are_warped_as_all_at_once(monkeypatch):
    rules = Augmentation(rotation=40.0, scale=(0.8, 1.3), flip=0.5)
    whole, *_ = batch(dotted(), rules)
    for few in (1, 5, JOINTS):
        monkeypatch.setattr(batches, "CHUNK", few)
        assert torch.equal(batch(dotted(), rules)[0], whole)


def test_normalised():
    pixels = Pixels(mean=(0.5, 0.0, 0.25), std=(0.5, 1.0, 0.25))
    found = normalised(torch.full((1, 3, 1, 1), 0.75), pixels)
    assert found.flatten().tolist() == pytest.approx([0.5, 0.75, 2.0])


def test_cached_size_is_the_input_times_the_margin():
    assert tuple(round(side * MARGIN) for side in SIZE) == CACHED


def test_every_pass_shows_everyone_once_in_a_new_order():
    passes = [np.stack([rows_of_step(12 * p + s, 96, 8, seed=3) for s in range(12)]) for p in range(3)]
    for rows in passes:
        assert sorted(rows.ravel()) == list(range(96))
    assert not np.array_equal(passes[0], passes[1])
    assert not np.array_equal(passes[0][0], rows_of_step(0, 96, 8, seed=4))
    assert np.array_equal(passes[2][5], rows_of_step(29, 96, 8, seed=3))  # a function of its arguments alone


def test_a_rest_that_fills_no_batch_waits_for_the_next_pass():
    rows = np.stack([rows_of_step(step, 10, 4, seed=0) for step in range(2)])
    assert len(set(rows.ravel())) == 8
    assert len(rows_of_step(0, 3, 8, seed=0)) == 3  # fewer people than a batch: all of them, every time


def halves(seed: int = 0, **changes) -> torch.Tensor:
    """Where the joints of 16 equal people go when all are cropped to a half."""
    crops = dotted()
    rules = Augmentation(half_body=1.0, half_body_box=(0.0, 0.0), **changes)
    return batch(crops, rules, seed)[1]


LOWER = [index for index, joint in enumerate(MPII.joints) if joint.split("_")[-1] in ("ankle", "knee", "hip", "pelvis")]
UPPER = [index for index in range(JOINTS) if index not in LOWER]


HIPS = [index for index, joint in enumerate(MPII.joints) if joint.split("_")[-1] in ("hip", "pelvis")]
LEGS = [index for index in LOWER if index not in HIPS]


@pytest.mark.parametrize(
    ("share", "hips", "members"),
    [(1.0, "lower", UPPER), (0.0, "lower", LOWER), (1.0, "upper", UPPER + HIPS), (0.0, "upper", LEGS)],
)
def test_half_bodies_fill_the_window(share, hips, members):
    """Without growth the box of the chosen joints touches the window above and below, or left and right."""
    points = halves(half_body_upper=share, half_body_hips=hips)[:, members]
    low, high = points.amin(1), points.amax(1)
    size = torch.tensor([SIZE[1], SIZE[0]], dtype=torch.float32)
    assert torch.allclose((low + high) / 2, (size / 2).expand(JOINTS, 2), atol=1e-3)
    assert torch.allclose(((high - low) / size).amax(1), torch.ones(JOINTS), atol=1e-4)


def test_both_halves_come_up():
    heights = halves(half_body_upper=0.5)
    kinds = {tuple(round(value, 2) for value in person[0].tolist()) for person in heights}
    assert len(kinds) == 2


def test_half_bodies_need_enough_joints():
    whole = batch(dotted(), Augmentation())[1]
    assert torch.equal(halves(half_body_joints=JOINTS), whole)
    assert not torch.allclose(halves(half_body_joints=JOINTS - 1), whole)
    crops = dotted()
    crops.visibility[:, UPPER] = False  # the upper half has none: the lower one is taken
    rules = Augmentation(half_body=1.0, half_body_box=(0.0, 0.0), half_body_joints=3, half_body_upper=1.0)
    assert torch.allclose(batch(crops, rules)[1], halves(half_body_upper=0.0), atol=1e-4)


@pytest.mark.parametrize(
    ("up", "down", "wanted", "taken"),
    [
        (4, 7, 1.0, "upper"), (3, 7, 1.0, "lower"), (9, 4, 0.0, "lower"), (9, 3, 0.0, "upper"),
        (3, 3, 1.0, "upper"), (3, 3, 0.0, "upper"), (2, 3, 1.0, "none"), (2, 4, 1.0, "lower"),
    ],
)  # fmt: skip
def test_which_half_is_taken_where_few_joints_are_annotated(up, down, wanted, taken):
    """More than three of the wanted half, else more than three of the lower one, else at least three of the upper."""
    crops = dotted()
    crops.visibility[:, UPPER[up:] + LOWER[down:]] = False
    rules = Augmentation(half_body=1.0, half_body_box=(0.0, 0.0), half_body_joints=4, half_body_upper=wanted)
    found, plain = batch(crops, rules)[1], batch(crops, Augmentation())[1]
    members = {"upper": UPPER[:up], "lower": LOWER[:down], "none": []}[taken]
    if not members:
        assert torch.equal(found, plain)
    else:
        middle = (found[:, members].amin(1) + found[:, members].amax(1)) / 2
        assert torch.allclose(middle, torch.tensor([24.0, 32.0]).expand(JOINTS, 2), atol=1e-3)


def test_joints_in_one_place_fill_a_window_of_one_pixel():
    crops = dotted()
    crops.keypoints[:, UPPER] = torch.tensor([30.0, 40.0])
    rules = Augmentation(half_body=1.0, half_body_box=(0.0, 0.0), half_body_upper=1.0)
    points = batch(crops, rules)[1]
    assert torch.allclose(points[:, UPPER], torch.tensor([24.0, 32.0]), atol=1e-3)
    before, after = (
        crops.keypoints[0, LOWER[0]] - crops.keypoints[0, UPPER[0]],
        points[0, LOWER[0]] - points[0, UPPER[0]],
    )
    assert after.tolist() == pytest.approx((SIZE[0] * before).tolist(), rel=1e-3)


def test_half_bodies_happen_as_often_as_asked():
    whole = batch(dotted(), Augmentation())[1]
    changed = [(batch(dotted(), Augmentation(half_body=0.3), seed)[1] != whole).any(-1).any(-1) for seed in range(40)]
    assert 0.24 < torch.cat(changed).float().mean() < 0.36


def test_windows_around_boxes():
    """The box grows by up to the shares given, is fitted to 3 : 4 and multiplied by the margin."""
    crops = dataclasses.replace(dotted(), boxes=np.tile(np.array([16, 28, 30, 40], np.float32), (JOINTS, 1)))
    points = batch(crops, Augmentation(box=(1e-9, 1e-9), box_margin=1.25))[1]
    zoom = SIZE[0] / (40 * 1.25)  # 40 : 30 is the window's shape
    expected = (torch.from_numpy(crops.keypoints) - torch.tensor([31.0, 48.0])) * zoom + torch.tensor([24.0, 32.0])
    assert torch.allclose(points, expected, atol=1e-3)
    grown = batch(crops, Augmentation(box=(0.6, 0.8)))[1]
    spread = (points.amax(1) - points.amin(1))[:, 1] / (grown.amax(1) - grown.amin(1))[:, 1] * 1.25
    assert spread.min() >= 1 - 1e-4 and 1.3 < spread.max() <= 1.8
    wider = batch(crops, Augmentation(box=(1.0, 1e-9)))[1]  # 30 to 60 wide: 40 to 80 high
    spread = (points.amax(1) - points.amin(1))[:, 1] / (wider.amax(1) - wider.amin(1))[:, 1] * 1.25
    assert spread.min() >= 1 - 1e-4 and 1.5 < spread.max() <= 2


def test_parts_of_a_batch_are_what_they_are_in_the_whole():
    rules = Augmentation(rotation=30.0, scale=(0.75, 1.25), flip=0.5, colour=0.4, half_body=0.5)
    whole = batch(dotted(), rules)
    generator = torch.Generator().manual_seed(0)
    crops = dotted()
    part = augmented(
        crops, np.arange(JOINTS), SIZE, rules, Pixels(), MPII, generator, "cpu", slice(5, 9), crops.pixels[5:9]
    )
    assert all(torch.equal(found, all_of_them[5:9]) for found, all_of_them in zip(part, whole, strict=True))


def test_channels_in_the_order_of_opencv():
    found = normalised(torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1), Pixels(mean=(0.3, 0.0, 0.0), channels="bgr"))
    assert found.flatten().tolist() == pytest.approx([0.0, 0.2, 0.1])
