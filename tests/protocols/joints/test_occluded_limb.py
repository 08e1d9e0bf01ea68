"""Covered calves: the counts of the spec sheet on real data, guards on the pixels, and the scores in closed form."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike
from typed import interval

from protocols.datasets import open_people
from protocols.errors import DataError
from protocols.joints.occluded_limb import score, tally
from protocols.joints.occlusion import cover, head_sizes, occlude
from protocols.pose.people import VISIBLE, People, Predictions
from protocols.pose.skeletons import COCO, LSP, MPII
from protocols.statistics.bootstrap import paired_difference

HEAD = 20.0


def person(left=((60.0, 40), (60, 80)), right=((30.0, 40), (30, 80)), skeleton=MPII) -> np.ndarray:
    """J x 2 keypoints on a diagonal far from the legs, which are (knee, ankle) in pixels from 1."""
    points = np.stack([np.arange(len(skeleton)) * 0.5 + 100, np.arange(len(skeleton)) * 0.5 + 10], axis=1)
    for side, calf in (("left", left), ("right", right)):
        for joint, place in zip(("knee", "ankle"), calf, strict=True):
            points[skeleton.index(f"{side}_{joint}")] = place
    return points


def group(*keypoints: np.ndarray, images=None, skeleton=MPII, scale=0.5, **fields) -> People:
    points, count, picture = np.stack(keypoints), len(keypoints), np.full((120, 160, 3), 77, np.uint8)
    return People(
        dataset="test",
        split="all",
        skeleton=skeleton,
        images=images or tuple(f"images/{row}.png" for row in range(count)),
        keypoints=points,
        visibility=np.full((count, len(skeleton)), VISIBLE, np.uint8),
        centre=np.full((count, 2), 60.0),
        scale=np.full(count, scale),
        head_size=np.full(count, HEAD),
        origin=1,
        fingerprint="f",
        read_image=lambda row: picture.copy(),
        **fields,
    )


def calf(people: People, row: int, side: int) -> np.ndarray:
    name = ("left", "right")[side]
    return people.keypoints[row, [people.skeleton.index(f"{name}_{joint}") for joint in ("knee", "ankle")]]


# ------------------------------------------------------------------------------------- cover


def test_counts_of_mpii_validation(real_data):
    people = open_people("mpii", "val", real_data)
    joints = [[people.skeleton.index(f"{side}_{joint}") for joint in ("knee", "ankle")] for side in ("left", "right")]
    both = people.annotated[:, joints].all(axis=-1)
    length = np.linalg.norm(np.diff(people.keypoints[:, joints], axis=2)[:, :, 0], axis=-1)
    _, occlusion = occlude(people)
    assert len(people) == 2958
    assert (both.sum(), *both.sum(axis=0)) == (4231, 2117, 2114)
    assert round(np.median(length[both])) == 98
    assert (occlusion.eligible.sum(), *occlusion.eligible.sum(axis=0)) == (4179, 2094, 2085)
    assert occlusion.eligible.any(axis=1).sum() == (occlusion.side >= 0).sum() == 2155
    assert occlusion.eligible.all(axis=1).sum() == 2024
    assert (occlusion.side < 0).sum() == 803


def test_collateral_of_mpii_validation(real_data):
    """Over many seeds every eligible calf is chosen; the sheet's 297 and 243 also count the 52 short calves."""
    people = open_people("mpii", "val", real_data)
    ankles, knees, calves = set(), set(), set()
    for seed in range(16):
        _, occlusion = occlude(people, seed)
        for row, side in enumerate(occlusion.side):
            calves |= {(row, side)} if side >= 0 else set()
            ankles |= {(row, side)} if occlusion.other_ankle[row] else set()
            knees |= {(row, side)} if occlusion.other_knee[row] else set()
    assert len(calves) == 4179
    assert 297 - 52 <= len(ankles) <= 297
    assert 243 - 52 <= len(knees) <= 243


def test_disc_leaves_knee_and_ankle():
    people = group(person())
    covered, occlusion = occlude(people)
    side = occlusion.side[0]
    knee, ankle = calf(people, 0, side)
    assert occlusion.centre[0] == pytest.approx((knee + ankle) / 2)
    assert occlusion.radius[0] == pytest.approx(0.4 * 40)
    before, after = people.read_image(0), covered.read_image(0)
    for x, y in ((knee - 1).astype(int), (ankle - 1).astype(int)):
        assert (before[y, x] == after[y, x]).all()
    x, y = (occlusion.centre[0] - 1).astype(int)
    changed = (before != after).any(axis=-1)
    assert changed[y, x]
    assert changed.sum() == pytest.approx(np.pi * 16**2, rel=0.03)
    rows, columns = np.nonzero(changed)
    assert np.hypot(columns - x, rows - y).max() <= 16


def test_noise_is_clipped_at_the_border_and_the_rest_is_the_same():
    image = np.zeros((40, 40, 3), np.uint8)
    wide = np.zeros((40, 80, 3), np.uint8)
    narrow = cover(image, (36.0, 20.0), 12.0, 2, np.random.default_rng(3))
    whole = cover(wide, (36.0, 20.0), 12.0, 2, np.random.default_rng(3))
    assert (narrow == whole[:, :40]).all()
    assert (whole[:, 41:] > 0).any()


def test_noise_comes_in_cells_of_a_crop_pixel():
    covered, occlusion = occlude(group(person(), scale=4.0))  # round(250 * 4 / 256) = 4 pixels
    image = covered.read_image(0)
    corner = np.floor(occlusion.centre[0] - 1 - occlusion.radius[0]).astype(int)
    x, y = corner + 4 * 3  # a cell well inside the disc
    block = image[y : y + 4, x : x + 4].reshape(-1, 3)
    assert (block == block[0]).all()
    assert (image[y, x] != image[y, x + 4]).any() and (image[y, x] != image[y, x - 1]).any()


def test_noise_is_uniform_over_all_bytes():
    noise = cover(np.zeros((400, 400, 3), np.uint8), (200.0, 200.0), 150.0, 1, np.random.default_rng(0))
    values = noise[noise.any(axis=-1)]
    assert (values.min(), values.max()) == (0, 255)
    assert values.std() == pytest.approx(73.9, abs=1)


def test_same_seed_same_bytes_other_seed_other_side_or_noise():
    people = group(*(person() for _ in range(12)))
    (first, one), (again, _), (other, two) = (occlude(people, seed) for seed in (5, 5, 6))
    for row in range(12):
        assert first.read_image(row).tobytes() == again.read_image(row).tobytes()
        assert first.read_image(row).tobytes() != other.read_image(row).tobytes()
    assert set(one.side) == {0, 1}
    assert not np.array_equal(one.side, two.side)
    assert first.fingerprint != other.fingerprint != people.fingerprint


def test_draws_do_not_depend_on_the_order_of_images_or_on_their_folder():
    images = tuple(f"a/{image}.png" for image in (1, 1, 2, 3, 4, 5))
    people = group(*(person() for _ in range(6)), images=images)
    covered, occlusion = occlude(people)
    order = [3, 0, 5, 1, 4, 2]  # the two people of 1.png stay in order
    moved = group(*(person() for _ in range(6)), images=tuple(people.images[row].replace("a/", "") for row in order))
    there, same = occlude(moved)
    assert same.side.tolist() == occlusion.side[order].tolist()
    for row, origin in enumerate(order):
        assert there.read_image(row).tobytes() == covered.read_image(origin).tobytes()
    assert covered.read_image(0).tobytes() != covered.read_image(1).tobytes()


def test_who_is_not_covered():
    short = person(left=((60, 40), (60, 49)), right=((30, 40), (30, 49)))  # 9 pixels < half a head
    people = group(short, person(left=((60, 40), (60, 50)), right=((30, 40), (30, 49))))  # 10 pixels: left only
    people.visibility[1, MPII.index("right_ankle")] = 0
    covered, occlusion = occlude(people)
    assert occlusion.side.tolist() == [-1, 0]
    assert (covered.read_image(0) == people.read_image(0)).all()
    assert np.isnan(occlusion.radius[0])


def test_jitter_keeps_both_joints_clear():
    people = group(*(person() for _ in range(50)))
    _, still = occlude(people)
    _, moved = occlude(people, jitter=True)
    assert still.side.tolist() == moved.side.tolist()
    shift = np.linalg.norm(moved.centre - still.centre, axis=1)
    assert 0 < shift.max() <= 0.05 * 40 and shift.std() > 0


def test_collateral_is_flagged():
    crossed = person(left=((60, 40), (60, 80)), right=((20, 62), (62, 62)))  # right ankle on the left calf
    people = group(*(crossed for _ in range(20)))
    _, occlusion = occlude(people)
    assert (occlusion.other_ankle == (occlusion.side == 0)).all()
    assert not occlusion.other_knee.any()
    people.visibility[:, MPII.index("right_ankle")] = 0  # the label says nothing of it
    assert not occlude(people)[1].other_ankle.any()


def test_what_the_edge_of_the_disc_touches_is_covered():
    """Radius 16 about (60, 60): the other ankle, or knee, 16 pixels beside it is hidden; so is a pixel there."""
    for joint, right in (("ankle", ((44, 30), (44, 60))), ("knee", ((44, 60), (44, 90)))):
        people = group(*(person(right=right) for _ in range(20)))
        _, occlusion = occlude(people)
        left = occlusion.side == 0
        assert 0 < left.sum() < 20
        assert (getattr(occlusion, f"other_{joint}") == left).all()
        assert not getattr(occlusion, f"other_{'knee' if joint == 'ankle' else 'ankle'}").any()
        _, values = scored(people, occlusion)
        assert values["PCKh@0.5", "ankle without collateral"].n == 2 * (20 - left.sum())
    changed = np.any(cover(np.zeros((41, 41, 3), np.uint8), (20, 20), 5.0, 1, np.random.default_rng(0)), axis=-1)
    assert changed[20, 25] and changed[15, 20] and changed[17, 24] and not changed[20, 26]


def test_heads_without_boxes():
    points = person(skeleton=LSP)
    points[LSP.index("upper_neck")], points[LSP.index("head_top")] = (100, 50), (100, 20)
    flat = points.copy()
    flat[LSP.index("head_top")] = (100, 50)
    people = replace(group(points, points, flat, skeleton=LSP), head_size=None)
    people.visibility[1, LSP.index("head_top")] = 0
    size, rule = head_sizes(people)
    assert size[0] == 30 and np.isnan(size[1:]).all()
    assert "upper neck" in rule
    _, occlusion = occlude(people)
    assert occlusion.side[0] >= 0 and occlusion.side[1] == -1
    with pytest.raises(DataError, match="no head sizes"):
        head_sizes(replace(group(person(skeleton=COCO), skeleton=COCO), head_size=None))


def test_no_scale_is_an_error_when_the_image_is_read():
    covered, _ = occlude(group(person(), scale=np.nan))
    with pytest.raises(DataError, match="no scale"):
        covered.read_image(0)


def test_real_images_of_lspet(real_data):
    people = open_people("lspet", "holdout", real_data).first(20)
    covered, occlusion = occlude(people)
    row = int(np.flatnonzero(occlusion.side >= 0)[0])
    before, after = people.read_image(row), covered.read_image(row)
    changed = (before != after).any(axis=-1).sum()
    assert 0 < changed <= np.pi * (occlusion.radius[row] + 1) ** 2


# ------------------------------------------------------------------------------------- score


def scored(people, occlusion, clean: ArrayLike = 0.0, occluded: ArrayLike = 0.0, **options):
    """Predictions off by so many head sizes: a number, or person x joint."""

    def moved(offset: ArrayLike) -> Predictions:
        shift = np.zeros_like(people.keypoints)
        shift[..., 0] = np.broadcast_to(offset, shift.shape[:2]) * HEAD
        return Predictions(people.keypoints + shift)

    result = score(moved(clean), moved(occluded), people, occlusion, **options)
    return result, {(value.metric, value.part): value for value in result.values}


@pytest.fixture
def crowd():
    people = group(*(person() for _ in range(40)))
    return people, occlude(people)[1]


def test_perfect_predictions(crowd):
    _, values = scored(*crowd)
    assert values["PCKh@0.5", "mean"].value == values["PCKh@0.5 clean", "mean"].value == 100
    assert values["drop", "ankle covered"].value == 0
    assert values["drop", "ankle covered"].unit == "points"
    assert values["left-right confusion", "ankle covered"].value == 0


def test_a_distance_at_the_threshold_counts(crowd):
    _, values = scored(*crowd, clean=0.5, occluded=np.nextafter(0.5, 1) + 1e-9)
    assert values["PCKh@0.5 clean", "mean"].value == 100
    assert values["PCKh@0.5", "mean"].value == 0


def test_the_covered_side_alone_is_hit(crowd):
    people, occlusion = crowd
    offset = np.zeros(people.keypoints.shape[:2])
    for row, side in enumerate(occlusion.side):
        offset[row, MPII.index(f"{('left', 'right')[side]}_ankle")] = -0.6
    _, values = scored(people, occlusion, occluded=offset)
    assert values["PCKh@0.5", "ankle covered"].value == 0
    assert values["PCKh@0.5", "ankle untouched"].value == 100
    assert values["PCKh@0.5", "knee covered"].value == 100
    assert values["drop", "ankle covered"].value == 100
    assert values["drop", "ankle"].value == 50  # diluted by two
    assert values["drop", "ankle covered"].n == 40
    assert values["drop", "mean"].value == pytest.approx(100 / 14)  # one of fourteen joints


def test_people_without_a_covered_calf_stay_in_the_denominator():
    people = group(person(), person())
    people.visibility[1, MPII.index("left_knee")] = people.visibility[1, MPII.index("right_knee")] = 0
    _, occlusion = occlude(people)
    _, values = scored(people, occlusion)
    assert values["PCKh@0.5", "ankle"].n == 4
    assert values["PCKh@0.5", "ankle covered"].n == 1
    assert values["PCKh@0.5", "ankle untouched"].n == 1


def test_confusion_counts_the_other_sides_place():
    near = person(left=((60, 40), (60, 80)), right=((45, 40), (45, 80)))  # 15 pixels: not told apart
    people = group(*[person()] * 3, near)
    _, occlusion = occlude(people)
    swapped = people.keypoints.copy()
    ankles = [MPII.index("left_ankle"), MPII.index("right_ankle")]
    swapped[[0, 3]] = swapped[[0, 3]][:, MPII.mirror]  # persons 0 and 3 mixed up
    chosen = ankles[occlusion.side[1]]
    swapped[1, chosen] += (0, 500)  # person 1 simply missed
    other = ankles[1 - occlusion.side[2]]
    swapped[2, ankles[occlusion.side[2]]] = people.keypoints[2, other] + (0, 0.6 * HEAD)  # person 2 nearly mixed up
    clean = Predictions(people.keypoints)
    values = {(v.metric, v.part): v for v in score(clean, Predictions(swapped), people, occlusion).values}
    rate = values["left-right confusion", "ankle covered"]
    assert (rate.value, rate.n) == (pytest.approx(100 / 3), 3)
    assert values["left-right confusion clean", "ankle covered"].value == 0
    share = values["confusion of errors", "ankle covered"]
    assert (share.value, share.n) == (pytest.approx(100 / 3), 3)
    assert ("confusion of errors clean", "ankle covered") not in values  # no errors, no share


def test_confusion_at_its_edges():
    """A head is 20 pixels: 10 from the other ankle is at its place, 10 from the own a hit, 20 apart too near."""
    edge, beyond = (person(left=((60, 40), (60, 80)), right=((x, 40), (x, 80))) for x in (40, 39))
    people = group(*[person()] * 2, edge, beyond)
    _, occlusion = occlude(people)
    ankles = [MPII.index("left_ankle"), MPII.index("right_ankle")]
    own, other = ([ankles[side if mine else 1 - side] for side in occlusion.side] for mine in (True, False))
    predicted = people.keypoints.copy()
    towards = np.sign(people.keypoints[0, own[0], 0] - people.keypoints[0, other[0], 0])
    predicted[0, own[0]] = people.keypoints[0, other[0]] + (10 * towards, 0)  # 20 from its own place
    predicted[1, own[1]] += (0, 10)
    predicted[[2, 3], [own[2], own[3]]] = people.keypoints[[2, 3], [other[2], other[3]]]
    clean = Predictions(people.keypoints)
    values = {(v.metric, v.part): v for v in score(clean, Predictions(predicted), people, occlusion).values}
    rate, share = (values[metric, "ankle covered"] for metric in ("left-right confusion", "confusion of errors"))
    assert (rate.value, rate.n) == (pytest.approx(200 / 3), 3)
    assert (share.value, share.n) == (100, 2)


def test_only_the_covered_side_of_people_whose_other_side_is_known_is_confused(crowd):
    """All are mirrored: each covered ankle is an error and a mix-up, and the other ankles count for nothing."""
    people, _ = crowd
    people.visibility[:10, MPII.index("right_ankle")] = 0  # these are covered on the left
    _, occlusion = occlude(people)
    assert 0 < (occlusion.side[10:] == 0).sum() < 30
    found = score(Predictions(people.keypoints), Predictions(people.keypoints[:, MPII.mirror]), people, occlusion)
    values = {(v.metric, v.part): v for v in found.values}
    for metric in ("left-right confusion", "confusion of errors"):
        assert (values[metric, "ankle covered"].value, values[metric, "ankle covered"].n) == (100, 30)


def test_the_mean_is_over_joints(crowd):
    crowd[0].visibility[10:, MPII.index("left_wrist")] = 0  # the 10 that are left, and nothing else, are missed
    _, values = scored(*crowd, occluded=np.where(np.arange(16) == MPII.index("left_wrist"), 0.6, 0.0))
    assert values["PCKh@0.5", "mean"].value == pytest.approx(100 * (1 - 10 / (14 * 40 - 30)))


def test_without_collateral_leaves_people_out():
    crossed = person(left=((60, 40), (60, 80)), right=((20, 62), (62, 62)))
    people = group(*(crossed for _ in range(20)))
    _, occlusion = occlude(people)
    _, values = scored(people, occlusion)
    assert values["PCKh@0.5", "ankle without collateral"].n == 2 * int((occlusion.side == 1).sum())


def paired(ours, theirs):
    rows = paired_difference([tally(ours.samples)], [tally(theirs.samples)])
    return {(value.metric, value.part): value for value in rows}


def test_paired_difference_of_two_networks(crowd):
    people, occlusion = crowd
    rows = np.arange(40)[:, None] < 10
    ours, _ = scored(people, occlusion)
    theirs, _ = scored(people, occlusion, occluded=np.where(rows, 0.6, 0.0))
    values = paired(ours, theirs)
    low, gain, high = interval(values["PCKh@0.5", "ankle covered"])
    assert gain == 25
    assert 0 < low < 25 < high < 50
    assert values["PCKh@0.5 clean", "ankle covered"].value == 0
    assert values["drop", "ankle covered"].value == -25
    same = paired(theirs, theirs)
    assert (same["drop", "mean"].low, same["drop", "mean"].high) == (0, 0)


def test_order_of_people_changes_nothing(crowd):
    people, occlusion = crowd
    offset = np.random.default_rng(0).uniform(0, 1, people.keypoints.shape[:2])
    order = np.random.default_rng(1).permutation(40)
    _, values = scored(people, occlusion, occluded=offset, resamples=0)
    shuffled = replace(people, keypoints=people.keypoints[order])
    moved = replace(occlusion, side=occlusion.side[order], centre=occlusion.centre[order])
    _, again = scored(shuffled, moved, occluded=offset[order], resamples=0)
    assert {key: value.value for key, value in values.items()} == {key: value.value for key, value in again.items()}


def test_samples_are_enough_to_score_again(crowd):
    result, values = scored(*crowd, occluded=np.linspace(0, 1, 16)[None])
    counted = tally(result.samples)
    estimates = counted.estimates(counted.sums())
    for statistic, estimate in zip(counted.statistics, estimates, strict=True):
        assert values[statistic.metric, statistic.part].value == estimate


def test_errors(crowd):
    people, occlusion = crowd
    with pytest.raises(DataError, match="occlusion is of 40 people"):
        scored(people.first(10), occlusion)
    with pytest.raises(DataError, match=r"none of the .* annotated joints has an answer"):
        scored(people, occlusion, occluded=np.nan)
