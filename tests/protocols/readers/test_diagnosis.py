"""Faults planted into published predictions are named, with the true rise; sound ones are left in peace."""

from dataclasses import replace

import numpy as np
import pytest
from small_people import near, people, table

from protocols import PROTOCOLS
from protocols.datasets import lsp, mpii
from protocols.joints import lsp_pck, lsp_pcp, mpii_pckh
from protocols.pose import column_order
from protocols.pose.people import ABSENT, Predictions
from protocols.pose.skeletons import MPII
from protocols.readers import diagnosis
from protocols.readers.predictions import read


@pytest.fixture(scope="module")
def newell(real_data):
    truth = mpii.people("val", real_data)
    predictions = read(real_data / "mpii/newell2016_hourglass_valid_predictions.h5", truth)
    return truth, predictions, mpii_pckh


@pytest.fixture(scope="module")
def cpm(real_data):
    truth = lsp.people("test", real_data)
    return truth, read(real_data / "lsp/wei2016_cpm_lsp_test_predictions.mat", truth), lsp_pck


def diagnose(truth, keypoints, module):
    before = module.score(Predictions(keypoints), truth, resamples=0)
    return diagnosis.warnings(Predictions(keypoints), truth, scorer(truth, module)), table(before)


def scorer(truth, module):
    """The headline of a protocol as a function of predictions."""
    return lambda predictions: table(module.score(predictions, truth, resamples=0))[headline(module)]


@pytest.fixture(params=["newell", "cpm"])
def published(request):
    return request.getfixturevalue(request.param)


def headline(module):
    return next(rules.headline for rules in PROTOCOLS.values() if rules.module == module.__name__)


def said(published, keypoints) -> str:
    """The one sentence on faulty keypoints; its scores must be those before and after the fault."""
    truth, sound, module = published
    found, _ = diagnose(truth, keypoints, module)
    assert len(found) == 1
    before = table(module.score(Predictions(keypoints), truth, resamples=0))[headline(module)]
    after = table(module.score(sound, truth, resamples=0))[headline(module)]
    assert f"rise by {after - before:.2f} points, from {before:.2f} to {after:.2f}" in found[0]
    assert found[0].endswith("It was scored as it is.")
    return found[0]


def test_published_predictions_are_sound(published):
    truth, sound, module = published
    assert diagnose(truth, sound.keypoints, module)[0] == ()


def test_truth_is_sound(published):
    truth, _, module = published
    assert diagnose(truth, truth.keypoints, module)[0] == ()


def test_shift_by_one_pixel(published):
    _, sound, _ = published
    assert "as if counted from 0 instead of 1: with +1 added" in said(published, sound.keypoints - 1)
    assert "as if converted twice: with -1 added" in said(published, sound.keypoints + 1)


@pytest.mark.parametrize("seed", range(4))
def test_columns_in_any_order(published, seed):
    truth, sound, _ = published
    order = np.random.default_rng(seed).permutation(len(truth.skeleton))
    found = said(published, sound.keypoints[:, order])
    moved = [(column, truth.skeleton.joints[joint]) for column, joint in enumerate(order) if column != joint]
    assert "The columns look reordered (" in found and f"column {moved[0][0]} fits {moved[0][1]} best" in found


@pytest.mark.parametrize(
    "name", ["CrowdPose's order", "AI Challenger's order", "MPII's order without pelvis and thorax"]
)
def test_columns_in_a_known_order_are_named(cpm, name):
    truth, sound, _ = cpm
    columns = [truth.skeleton.index(joint) for joint in column_order.KNOWN[name]]
    assert f"The columns look reordered (they fit {name})" in said(cpm, sound.keypoints[:, columns])


def test_two_neighbouring_columns(published):
    """A wrist and an elbow exchanged on one side."""
    truth, sound, _ = published
    order = np.arange(len(truth.skeleton))
    pair = [truth.skeleton.index("left_wrist"), truth.skeleton.index("left_elbow")]
    order[pair] = order[pair[::-1]]
    assert "The columns look reordered" in said(published, sound.keypoints[:, order])


def test_left_and_right(published):
    truth, sound, _ = published
    assert "Left and right look swapped" in said(published, sound.keypoints[:, list(truth.skeleton.mirror)])


def test_axes(published):
    _, sound, _ = published
    assert "x and y look swapped" in said(published, sound.keypoints[..., ::-1])


@pytest.mark.parametrize("swap", [False, True])
def test_mirrored_images(published, swap):
    """The line is fitted to each person, so the rise is nearly, not exactly, what the fault cost."""
    truth, sound, module = published
    keypoints = sound.keypoints * (-1, 1) + (1000, 0)
    keypoints = keypoints[:, list(truth.skeleton.mirror)] if swap else keypoints
    found, before = diagnose(truth, keypoints, module)
    assert "look mirrored" in found[0]
    assert ("names exchanged" in found[0]) is swap
    rise = float(found[0].split("rise by ")[1].split()[0])
    cost = table(module.score(sound, truth, resamples=0))[headline(module)] - before[headline(module)]
    assert rise == pytest.approx(cost, abs=1)


@pytest.mark.parametrize(
    ("side", "words"), [(1, "fractions of the crop"), (64, "heatmap of 64"), (256, "heatmap of 256")]
)
def test_crop_coordinates(newell, side, words):
    """Of crops as HRNet and Newell cut them on MPII: 250 scale high, centred 15 scale below objpos."""
    truth, sound, _ = newell
    middle = truth.centre + np.stack([np.zeros(len(truth)), 15 * truth.scale], axis=1)
    inside = (sound.keypoints - middle[:, None]) / (250 * truth.scale)[:, None, None] + 0.5
    found, _ = diagnose(truth, np.clip(inside, 0, 1) * side, mpii_pckh)
    assert words in found[0]
    assert float(found[0].split(" to ")[-1].split(". ")[0]) == pytest.approx(88.04, abs=1)


def test_fractions_of_the_image():
    """Images of 1200 x 1000: where they are at hand, fractions of them are known for what they are."""
    truth = people(60, read_image=lambda row: np.zeros((1000, 1200, 3), np.uint8))
    sound = near(truth)
    found, _ = diagnose(truth, (sound.keypoints - 1) / (1200, 1000), mpii_pckh)
    assert "fractions of the image" in found[0]


def test_fractions_of_unknown_images(cpm):
    """LSP without images: it is said that the frame is wrong, and what fitting each person gives."""
    truth, sound, module = cpm
    found, _ = diagnose(truth, sound.keypoints / 200, module)
    assert "look like fractions" in found[0]
    assert float(found[0].split("rise by ")[1].split()[0]) > 50


def test_reordered_people(newell):
    truth, sound, module = newell
    order = np.random.default_rng(0).permutation(len(truth))
    for keypoints in (sound.keypoints[order], np.roll(sound.keypoints, 1, axis=0)):
        found, _ = diagnose(truth, keypoints, module)
        assert "look reordered" in found[0]
        assert float(found[0].split("rise by ")[1].split()[0]) > 60


def test_elsewhere():
    """Every second person predicted a thousand pixels away: no repair is known, but it is said."""
    truth = people(40)
    keypoints = near(truth).keypoints
    keypoints[::2] += np.random.default_rng(0).uniform(1000, 2000, (20, 1, 2))
    found, _ = diagnose(truth, keypoints, mpii_pckh)
    assert found[0].startswith("50% of the people are predicted more than their own extent away")


def test_weak_networks_are_not_accused():
    """Uniform noise in the crop, the mean pose, and half of the joints wrong."""
    truth = people(200)
    rng = np.random.default_rng(2)
    noise = truth.centre[:, None] + rng.uniform(-125, 125, truth.keypoints.shape)
    relative = truth.keypoints - truth.centre[:, None]
    mean = truth.centre[:, None] + relative.mean(axis=0)
    half = np.where(rng.random((200, 16, 1)) < 0.5, noise, near(truth).keypoints)
    for keypoints in (noise, np.broadcast_to(mean, noise.shape), half):
        assert diagnose(truth, keypoints, mpii_pckh)[0] == ()


def test_absent_joints_and_columns_are_not_looked_at():
    """People without any joint, absent joints at (0, 0), and columns that the file lacks (NaN)."""
    truth = people(80)
    truth.visibility[:5] = ABSENT
    truth.visibility[:, MPII.index("pelvis")] = ABSENT
    truth.visibility[20:40, 12:] = ABSENT
    truth.keypoints[truth.visibility == ABSENT] = 0
    predictions = near(people(80))
    predictions.keypoints[:, MPII.index("pelvis")] = np.nan
    assert diagnose(truth, predictions.keypoints, mpii_pckh)[0] == ()
    swapped = predictions.keypoints[:, list(MPII.mirror)]
    assert "Left and right" in diagnose(truth, swapped, mpii_pckh)[0][0]


def test_works_for_sticks_and_leaves_predictions_alone():
    truth = people(50, "lsp")
    predictions = replace(near(truth, 3), source="file")
    kept = predictions.keypoints.copy()
    swapped = replace(predictions, keypoints=predictions.keypoints[:, list(truth.skeleton.mirror)])
    found = diagnosis.warnings(swapped, truth, scorer(truth, lsp_pcp))
    assert "Left and right" in found[0]
    np.testing.assert_array_equal(predictions.keypoints, kept)
