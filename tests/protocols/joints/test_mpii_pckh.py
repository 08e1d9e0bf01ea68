"""PCKh against the official formula on a published prediction file, and its properties on made-up people."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from small_people import near, people, table
from typed import h5_arrays, interval, present

from protocols.datasets import mpii
from protocols.errors import DataError
from protocols.joints import mpii_pckh, pck
from protocols.pose.people import ABSENT, OCCLUDED, Predictions
from protocols.pose.skeletons import MPII
from protocols.readers.predictions import read

FILE = "mpii/newell2016_hourglass_valid_predictions.h5"


@pytest.fixture(scope="module")
def newell(real_data):
    truth = mpii.people("val", real_data)
    return truth, read(real_data / FILE, truth)


@pytest.fixture(scope="module")
def official(real_data):
    """The evaluation of HRNet, written from the spec sheet (section 1.4), on files read without our readers."""
    truth = scipy.io.loadmat(real_data / "mpii/gt_valid.mat")
    names = [str(name[0]) for name in truth["dataset_joints"][0]]
    predicted = np.transpose(h5_arrays(real_data / FILE)["preds"], (1, 2, 0))  # the file counts from 1 already
    visible = 1 - truth["jnt_missing"]
    error = np.linalg.norm(predicted - truth["pos_gt_src"], axis=1)
    head = np.linalg.norm(truth["headboxes_src"][1] - truth["headboxes_src"][0], axis=0) * 0.6
    scaled = error / (head * np.ones((16, 1))) * visible
    count = np.sum(visible, axis=1)

    def shares(threshold):
        return 100.0 * np.sum((scaled <= threshold) * visible, axis=1) / count

    masked = np.ma.array(count, mask=[6 <= row < 8 for row in range(16)])  # pelvis and thorax
    ratio = masked / np.sum(masked).astype(np.float64)
    grid = np.arange(0, 0.5 + 0.01, 0.01)
    return names, {t: shares(t) for t in (0.5, 0.1)}, [shares(t) for t in grid], ratio


def test_bit_equal_to_the_official_evaluation(newell, official):
    truth, predictions = newell
    names, at, curve, ratio = official
    scores = mpii_pckh.score(predictions, truth, resamples=0)
    ours = table(scores)
    for threshold, metric in ((0.5, "PCKh@0.5"), (0.1, "PCKh@0.1")):
        share = dict(zip(names, at[threshold], strict=True))
        assert ours[metric, "head"] == share["head"]
        for part, short in (("shoulder", "sho"), ("elbow", "elb"), ("wrist", "wri"), ("hip", "hip"), ("ankle", "ank")):
            assert ours[metric, part] == 0.5 * (share["l" + short] + share["r" + short])
        assert ours[metric, "knee"] == 0.5 * (share["lkne"] + share["rkne"])
        assert ours[metric, "mean"] == np.sum(np.ma.array(at[threshold], mask=ratio.mask) * ratio)
    means = np.array([np.sum(share * ratio) for share in curve])
    assert len(means) == 51
    np.testing.assert_allclose(scores.curve["mean"], means, rtol=1e-14)
    assert scores.curve["mean"][50] == ours["PCKh@0.5", "mean"]
    trapezoid = (means[:-1] + means[1:]).sum() / 2 * 0.01 / 0.5
    assert ours["AUC", "mean"] == pytest.approx(trapezoid, rel=1e-12)
    unmasked = [share for share, masked in zip(at[0.5], ratio.mask, strict=True) if not masked]
    arms = [row for row, name in enumerate(names) if name[1:] in ("sho", "elb", "wri")]
    upper = np.sum(at[0.5][arms] * ratio[arms]) / np.sum(ratio[arms])
    assert len(arms) == 6 and ours["PCKh@0.5", "upper body"] == pytest.approx(upper, rel=1e-12)
    assert ours["PCKh@0.5 unweighted", "mean"] == pytest.approx(np.mean(unmasked), rel=1e-14)


def test_counts_and_intervals_on_the_published_file(newell):
    """Joint counts are those of spec section 1.3; the printed mean lies inside its interval."""
    scores = mpii_pckh.score(*reversed(newell))
    values = {(value.metric, value.part): value for value in scores.values}
    missing = dict(zip(MPII.joints, [843, 473, 69, 70, 480, 839, 80, 26, 26, 26, 30, 23, 14, 14, 26, 49], strict=True))
    counted = sum(2958 - count for joint, count in missing.items() if joint not in ("pelvis", "thorax"))
    assert values["PCKh@0.5", "mean"].n == counted
    assert values["PCKh@0.5", "head"].n == 2958 - missing["head_top"]
    for low, value, high in map(interval, values.values()):
        assert low < value < high
    # About +-0.6 points: the binomial interval of 38,430 independent joints would be 0.3, people are correlated.
    low, mean, _ = interval(values["PCKh@0.5", "mean"])
    assert 0.3 < mean - low < 1.0
    assert scores.samples["distance"].shape == (2958, 16)
    assert np.isnan(scores.samples["distance"]).sum() == 3088


def test_variants_show_the_effects_of_the_spec(newell):
    """Sections 0 and 1 of the spec: each convention moves the mean by the stated amount."""
    rows = {row.convention: row for row in mpii_pckh.variants(*reversed(newell))}
    moved = {name: row.value - row.standard for name, row in rows.items()}
    assert 4.8 <= moved["only visible joints count"] <= 6.0
    assert -0.88 <= moved["plain mean of the 14 joints' percentages"] <= -0.47
    assert -0.10 <= moved["1 added to the predictions"] <= -0.01
    assert rows["threshold 0.11"].value == pytest.approx(32.81, abs=0.005)
    assert rows["threshold 0.11"].standard == pytest.approx(28.65, abs=0.005)
    assert 0.7 <= moved["mean of upper neck and head top"] <= 1.3
    assert abs(moved["ground truth truncated to whole pixels"]) <= 0.0215
    assert moved["distance < threshold"] == 0  # no exact ties in this file
    assert -0.3 <= moved["plain mean of the 51 points"] <= -0.2


def whole(size):
    """Ten people on whole pixels, all heads of one size."""
    truth = people(10)
    return replace(truth, keypoints=np.rint(truth.keypoints), head_size=np.full(10, float(size)))


def shown(truth, keypoints):
    """Convention of a metric -> value, of these predictions."""
    return {(row.metric, row.convention): row.value for row in mpii_pckh.variants(Predictions(keypoints), truth)}


def test_variants_at_ties():
    """All distances are the threshold itself: hits under `<=`, misses under `<`."""
    truth = whole(40)
    rows = shown(truth, truth.keypoints + np.array([20, 0]))
    for row in mpii_pckh.variants(Predictions(truth.keypoints + np.array([20, 0])), truth):
        assert row.standard == {"PCKh@0.5": 100, "PCKh@0.1": 0}.get(row.metric, row.standard)
    missed = {"distance < threshold", "distance < threshold, in float32", "1 added to the predictions"}
    for (metric, convention), value in rows.items():
        if metric == "PCKh@0.5":
            assert value == (0 if convention in missed else 100), convention
    tenth = mpii_pckh.variants(Predictions(truth.keypoints + np.array([4, 0])), truth)
    (strict,) = (row for row in tenth if (row.metric, row.convention) == ("PCKh@0.1", "distance < threshold"))
    assert (strict.value, strict.standard) == (0, 100)
    truth = whole(100)
    rows = shown(truth, truth.keypoints + np.array([11, 0]))
    assert rows["PCKh@0.1", "threshold 0.11"] == 100
    assert mpii_pckh.variants(Predictions(truth.keypoints + np.array([11, 0])), truth)[-5].standard == 0


def test_variants_of_who_counts():
    """Everybody is hit but for one joint each of a kind that a convention leaves out: 1 of 140 is 5/7 of a point."""
    truth = whole(40)
    left, right = MPII.index("left_wrist"), MPII.index("right_wrist")
    for place, out in (((1, 300), {"Lua"}), ((0, 300), {"Lua", "Python"}), ((300, 1), {"Lua"})):
        moved = replace(truth, keypoints=truth.keypoints.copy())
        moved.keypoints[3, left] = place
        predicted = moved.keypoints.copy()
        predicted[3, left] += 500
        rows = {row.source.split(", ")[-1]: row.value for row in mpii_pckh.variants(Predictions(predicted), moved)}
        for code in ("Lua", "Python"):
            assert rows[code] == pytest.approx(100 if code in out else 100 * 139 / 140)
    truth.visibility[2, right] = OCCLUDED
    predicted = truth.keypoints.copy()
    predicted[2, right] += 500
    rows = shown(truth, predicted)
    assert rows["PCKh@0.5", "only visible joints count"] == 100
    assert rows["PCKh@0.5", "pooled over shoulders, elbows and wrists"] == pytest.approx(100 * 59 / 60)
    assert rows["PCKh@0.5", "pooled over all 16 joints, pelvis and thorax too"] == pytest.approx(100 * 159 / 160)
    assert rows["PCKh@0.5", "plain mean of the 7 columns"] == pytest.approx(100 - 5 / 7)


def test_closed_form():
    """Head top of person 0 is half a head away (a tie, a hit), the left wrist of person 1 a bit more (a miss)."""
    truth = people(2, head_size=np.array([40.0, 40.0]))
    predicted = truth.keypoints.copy()
    predicted[0, MPII.index("head_top"), 0] = truth.keypoints[0, MPII.index("head_top"), 0] + 20
    predicted[1, MPII.index("left_wrist"), 1] += 20.001
    truth.keypoints[0, MPII.index("head_top"), 0] = np.rint(truth.keypoints[0, MPII.index("head_top"), 0])
    predicted[0, MPII.index("head_top"), 0] = truth.keypoints[0, MPII.index("head_top"), 0] + 20
    scores = mpii_pckh.score(Predictions(predicted), truth, resamples=0)
    ours = table(scores)
    assert ours["PCKh@0.5", "head"] == 100
    assert ours["PCKh@0.5", "wrist"] == 75
    assert ours["PCKh@0.5", "mean"] == pytest.approx(100 * 27 / 28, rel=1e-15)
    assert ours["PCKh@0.1", "head"] == 50
    # The tie is hit at the last threshold only: half a trapezoid of 50.
    assert ours["AUC", "head"] == pytest.approx((100 + 0.5 / 50 * 100) / 2)


@given(st.integers(0, 50), st.integers(-3, 3))
def test_first_threshold_equals_comparison_at_ties(step, ulps):
    """Distances at a threshold, and a few floats beside it, land where `<=` puts them."""
    thresholds = mpii_pckh.PCKH.thresholds
    distance = thresholds[step]
    for _ in range(abs(ulps)):
        distance = np.nextafter(distance, np.inf if ulps > 0 else -1.0)
    distance = max(distance, 0.0)
    first = pck.first_threshold(np.array([[distance]]), thresholds)[0, 0]
    assert first == np.sum(~(distance <= thresholds))


@given(st.lists(st.floats(0, 1e300) | st.just(np.nan), min_size=1, max_size=30))
def test_first_threshold_equals_comparison(distances):
    thresholds = mpii_pckh.PCKH.thresholds
    first = pck.first_threshold(np.array([distances]), thresholds)[0]
    expected = [np.sum(~(distance <= thresholds)) for distance in distances]
    assert list(first) == expected


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_order_of_people_changes_nothing(seed):
    truth = people(30)
    predictions = near(truth)
    order = np.random.default_rng(seed).permutation(30)
    shuffled = replace(truth, keypoints=truth.keypoints[order], head_size=present(truth.head_size)[order])
    ours = mpii_pckh.score(predictions, truth, resamples=0)
    again = mpii_pckh.score(Predictions(predictions.keypoints[order]), shuffled, resamples=0)
    assert table(ours) == table(again)


def test_mirroring_swaps_sides():
    """A mirrored image with exchanged names scores the same; each joint's distances move to its partner."""
    truth = people(30)
    predictions = near(truth)
    mirror = list(MPII.mirror)

    def mirrored(keypoints):
        return (np.array([1000.0, 0.0]) + keypoints * (-1, 1))[:, mirror]

    one = mpii_pckh.score(predictions, truth, resamples=0)
    other = mpii_pckh.score(
        Predictions(mirrored(predictions.keypoints)), replace(truth, keypoints=mirrored(truth.keypoints)), resamples=0
    )
    np.testing.assert_allclose(other.samples["distance"], one.samples["distance"][:, mirror], atol=1e-9)
    assert table(other) == pytest.approx(table(one))


def test_scaling_head_size_scales_thresholds():
    """Heads five times as large at 0.1 are the heads at 0.5."""
    truth = people(50)
    predictions = near(truth)
    large = replace(truth, head_size=5 * present(truth.head_size))
    at_half = table(mpii_pckh.score(predictions, truth, resamples=0))
    at_tenth = table(mpii_pckh.score(predictions, large, resamples=0))
    for part in ("head", "shoulder", "wrist", "ankle", "mean"):
        assert at_tenth["PCKh@0.1", part] == pytest.approx(at_half["PCKh@0.5", part])


@pytest.mark.parametrize("joint", MPII.joints)
def test_every_joint_counts_once_but_pelvis_and_thorax(joint):
    """Missing one joint everywhere costs the mean 1/14, and nothing for pelvis and thorax."""
    truth = people(10)
    predicted = truth.keypoints.copy()
    predicted[:, MPII.index(joint)] += 1000
    mean = table(mpii_pckh.score(Predictions(predicted), truth, resamples=0))["PCKh@0.5", "mean"]
    assert mean == pytest.approx(100 if joint in ("pelvis", "thorax") else 100 * 13 / 14)


def test_occluded_joints_count_and_absent_ones_do_not():
    truth = people(10)
    truth.visibility[:, MPII.index("left_wrist")] = OCCLUDED
    truth.visibility[:4, MPII.index("right_wrist")] = ABSENT
    predicted = truth.keypoints.copy()
    predicted[:, MPII.index("left_wrist")] += 1000
    predicted[:4, MPII.index("right_wrist")] += 1000
    ours = mpii_pckh.score(Predictions(predicted), truth, resamples=0)
    assert table(ours)["PCKh@0.5", "wrist"] == 50
    assert table(ours)["PCKh@0.5", "mean"] == pytest.approx(100 * (136 - 10) / 136)
    assert next(v.n for v in ours.values if v.part == "wrist") == 16


def test_parts_that_nobody_has_are_missing_not_zero():
    truth = people(5)
    truth.visibility[:, MPII.index("head_top")] = ABSENT
    ours = table(mpii_pckh.score(Predictions(truth.keypoints), truth, resamples=10))
    assert ("PCKh@0.5", "head") not in ours
    assert ours["PCKh@0.5", "mean"] == pytest.approx(100)


def test_a_mask_of_visible_joints_is_noticed(newell):
    truth, predictions = newell
    assert mpii_pckh.score(predictions, truth, resamples=0).warnings == ()
    visible = replace(truth, visibility=np.where(truth.visibility == OCCLUDED, ABSENT, truth.visibility))
    (warning,) = mpii_pckh.score(predictions, visible, resamples=0).warnings
    assert warning.startswith("28% of the joints are marked as not annotated")  # 13,331 of 47,328


def test_refusals():
    truth = people(5)
    good = truth.keypoints
    with pytest.raises(DataError, match="5x14x2") as caught:
        mpii_pckh.score(Predictions(good[:, :14]), truth)
    assert "5x16x2" in caught.value.expected
    bad = good.copy()
    bad[3, 10, 1] = np.inf
    with pytest.raises(DataError, match=r"1 joints have infinite coordinates, first person 3, right_wrist"):
        mpii_pckh.score(Predictions(bad), truth)
    truth.visibility[3, 10] = ABSENT
    mpii_pckh.score(Predictions(bad), truth, resamples=0)  # not annotated, so not looked at
    with pytest.raises(DataError, match="no head sizes"):
        mpii_pckh.score(Predictions(good), replace(truth, head_size=None))
    with pytest.raises(DataError, match="person 2 has a size of 0"):
        mpii_pckh.score(Predictions(good), replace(truth, head_size=np.array([1.0, 1, 0, 1, 1])))
