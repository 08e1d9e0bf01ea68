"""mannequin: the same person everywhere, annotated as its geometry says."""

import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from typed import present

from protocols.datasets.mannequin.body import LIMITS, PART, PARTS, POINTS, sample_pose, skeleton
from protocols.datasets.mannequin.people import (
    SEEDS,
    annotate,
    annotate_once,
    contact_sheet,
    fingerprint,
    people,
    render,
)
from protocols.errors import DataError
from protocols.pose.people import ABSENT, OCCLUDED, VISIBLE
from protocols.pose.skeletons import COCO, LSP, MPII

SCENES = [annotate(2, index) for index in range(200)]
RESTING = {"trunk": np.zeros(7)} | {
    f"{side}_{limb}": np.zeros(n) for side in ("left", "right") for limb, n in (("leg", 5), ("arm", 4))
}


def rest() -> dict[str, np.ndarray]:
    """Joint -> place of a body that hangs its arms and faces the camera."""
    return dict(zip(POINTS, skeleton(RESTING, np.ones(5), np.eye(3))[0], strict=True))


def test_a_scene_does_not_depend_on_order_or_threads():
    first = [render(annotate(2, index)) for index in range(6)]
    assert all(np.array_equal(render(annotate(2, index)), first[index]) for index in reversed(range(6)))
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1 if threads > 1 else 4)
        assert all(np.array_equal(render(annotate(2, index)), first[index]) for index in range(6))
    finally:
        cv2.setNumThreads(threads)
    with ThreadPoolExecutor(3) as pool:
        at_once = list(pool.map(lambda index: render(annotate(2, index)), range(6)))
    assert all(np.array_equal(a, b) for a, b in zip(first, at_once, strict=True))


def test_scenes_differ_by_seed_and_by_index():
    keypoints = [annotate(seed, index).keypoints.tobytes() for seed in (1, 2, 3) for index in range(20)]
    assert len(set(keypoints)) == 60


def test_the_same_scene_at_another_size():
    for person in SCENES[:6]:
        small = cv2.resize(render(person), (64, 64), interpolation=cv2.INTER_AREA).astype(float)
        native = render(person, size=64)
        assert native.shape == (64, 64, 3) and native.dtype == np.uint8
        assert np.corrcoef(small.ravel(), native.ravel())[0, 1] > 0.8


def test_visibility_codes_follow_the_frame():
    for person in SCENES:
        inside = ((person.keypoints >= -0.5) & (person.keypoints <= 255.5)).all(axis=1)
        assert person.visibility.dtype == np.uint8
        assert np.array_equal(person.visibility > ABSENT, inside)
    codes = np.stack([person.visibility for person in SCENES])
    shares = [(codes == code).mean() for code in (ABSENT, OCCLUDED, VISIBLE)]
    assert all(share > 0 for share in shares) and shares[2] > 0.5


def test_the_far_shoulder_of_a_profile_is_hidden():
    """Seen from the side and upright, the chest hides the far shoulder, never the near one, unless an arm does."""
    near_hidden = far_hidden = count = 0
    for person in (annotate(9, index) for index in range(1500)):
        left, right = person.joints[MPII.index("left_shoulder")], person.joints[MPII.index("right_shoulder")]
        across = left - right
        if abs(across[2]) < 0.97 * np.linalg.norm(across) or len(person.obstacles):
            continue
        far, near = ("left", "right") if left[2] > right[2] else ("right", "left")
        count += 1
        far_hidden += person.visibility[MPII.index(f"{far}_shoulder")] != VISIBLE
        near_hidden += person.visibility[MPII.index(f"{near}_shoulder")] != VISIBLE
    assert count > 20
    assert far_hidden > 0.8 * count and near_hidden < 0.4 * count


def test_the_box_holds_all_joints_of_the_image():
    for person in SCENES:
        seen = person.keypoints[person.visibility > ABSENT]
        x, y, width, height = person.box
        assert (seen > (x - 1, y - 1)).all() and (seen < (x + width + 1, y + height + 1)).all()
        assert 0 < person.area <= (width + 2) * (height + 2)


def test_head_box_holds_the_head_and_gives_its_size():
    for person in SCENES:
        low, high = person.head_box[:2], person.head_box[2:]
        for joint in ("upper_neck", "head_top"):
            point = person.keypoints[MPII.index(joint)]
            assert (low <= point).all() and (point <= high).all()
        assert person.head_size == pytest.approx(0.6 * np.linalg.norm(high - low))


def test_scale_is_the_standing_height():
    """A body of height 1 with straight limbs: from the sole to the top of the head."""
    at = rest()
    height = at["left_toe"][1] - at["head_top"][1] + PARTS[PART["left_foot"]].radii[1]
    assert height == pytest.approx(1.0, abs=0.04)
    for person in SCENES:
        assert 0.45 * 256 <= person.body.height <= 0.85 * 256
        assert 200 * person.scale == pytest.approx(person.body.height, rel=0.08)


def test_foreshortening_only_shortens():
    """For ends a and b, x / z differ by at most L sqrt(1 + |x_a / z_a|^2) / z_b (Cauchy and Schwarz)."""
    for person in SCENES:
        space, drawn = person.joints, person.keypoints
        tangent = space[:, :2] / space[:, 2:]
        focal = np.linalg.norm(drawn[9] - drawn[6]) / np.linalg.norm(tangent[9] - tangent[6])
        assert drawn - drawn[6] == pytest.approx(focal * (tangent - tangent[6]))  # one camera for all joints
        for a, b in ((MPII.index(a), MPII.index(b)) for a, b in MPII.limbs):
            bone = np.linalg.norm(space[a] - space[b])
            longest = focal * bone * np.hypot(1.0, np.linalg.norm(tangent[a])) / space[b, 2]
            assert np.linalg.norm(drawn[a] - drawn[b]) <= longest * (1 + 1e-9)


def test_bones_keep_their_length_in_every_pose():
    rng = np.random.default_rng(0)
    bones = [limb for limb in MPII.limbs if limb[0].split("_")[0] == limb[1].split("_")[0] in ("left", "right")]
    ends = np.array([[MPII.index(a), MPII.index(b)] for a, b in bones])
    resting = np.stack([rest()[joint] for joint in MPII.joints])
    length = np.linalg.norm(resting[ends[:, 0]] - resting[ends[:, 1]], axis=1)
    assert len(bones) == 8
    for _ in range(20):
        points, _ = skeleton(sample_pose(rng), np.ones(5), np.eye(3))
        assert np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1) == pytest.approx(length)


def test_poses_keep_joint_limits():
    rng = np.random.default_rng(1)
    poses = [sample_pose(rng) for _ in range(500)]
    knees = np.array([pose["left_leg"][3] for pose in poses])
    elbows = np.array([pose["right_arm"][3] for pose in poses])
    assert knees.min() >= LIMITS["knee"][0] and knees.max() <= LIMITS["knee"][1]
    assert elbows.min() >= LIMITS["elbow"][0] and elbows.max() <= LIMITS["elbow"][1]


def test_left_is_left():
    """A resting body faces the camera: its left is the image's right, its nose is nearer than its ears."""
    at = rest()
    for joint in MPII.joints:
        if joint.startswith("left_"):
            other = at[joint.replace("left_", "right_")]
            assert at[joint][0] > other[0]
            assert at[joint] == pytest.approx(other * (-1, 1, 1))
    assert at["nose"][2] < at["left_ear"][2]
    assert at["head_top"][1] < at["thorax"][1] < at["pelvis"][1] < at["left_ankle"][1]


def test_a_mirrored_pose_is_the_mirror_image():
    """Swapping the sides of a pose and mirroring it in space gives the flip permutation of the skeleton."""
    pose = sample_pose(np.random.default_rng(3))
    trunk = pose["trunk"] * (1, 1, -1, -1, 1, -1, -1)  # bend, twist and the head's turn and tilt change sign
    swapped = {"trunk": trunk} | {
        f"{side}_{limb}": pose[f"{other}_{limb}"]
        for side, other in (("left", "right"), ("right", "left"))
        for limb in ("leg", "arm")
    }
    original = skeleton(pose, np.ones(5), np.eye(3))[0][:16]
    mirrored = skeleton(swapped, np.ones(5), np.eye(3))[0][:16]
    assert mirrored == pytest.approx(original[list(MPII.mirror)] * (-1, 1, 1))


def test_people_of_each_skeleton():
    mpii, lsp, coco = (people("val", skeleton=name, count=20) for name in ("mpii", "lsp", "coco"))
    assert [p.keypoints.shape for p in (mpii, lsp, coco)] == [(20, 16, 2), (20, 14, 2), (20, 17, 2)]
    for of, skeleton_of in ((lsp, LSP), (coco, COCO)):
        for joint in set(MPII.joints) & set(skeleton_of.joints):
            same = mpii.keypoints[:, MPII.index(joint)]
            assert np.array_equal(of.keypoints[:, skeleton_of.index(joint)], same)
    assert np.array_equal(mpii.read_image(7), render(annotate(SEEDS["val"], 7)))
    assert mpii.notes["joints"] == int(mpii.annotated.sum())
    assert present(mpii.head_size).min() > 0 and mpii.origin == 0


def test_default_counts_and_fingerprints():
    assert [len(people(split)) for split in ("val", "test")] == [1024, 1024]
    marks = {fingerprint("val"), fingerprint("test"), fingerprint("val", "lsp"), fingerprint("val", "mpii", 7)}
    assert len(marks) == 4
    assert fingerprint("val") == people("val").fingerprint == fingerprint("val", "mpii", 1024)


def test_many_people_are_annotated_in_seconds():
    annotate_once.cache_clear()
    start = time.process_time()
    people("val")
    assert time.process_time() - start < 10  # about 0.5 s on an idle core; ten times that is a defect


@pytest.mark.parametrize(
    "wrong", [{"split": "dev"}, {"split": "val", "skeleton": "h36m"}, {"split": "val", "count": 0}]
)
def test_wrong_names_are_refused(wrong):
    with pytest.raises(DataError, match="mannequin"):
        people(**wrong)


def test_contact_sheet_tiles_scenes():
    sheet = contact_sheet(count=5, columns=3, tile=32)
    assert sheet.shape == (64, 96, 3)
    tile = cv2.resize(render(annotate(2, 4)), (32, 32), interpolation=cv2.INTER_AREA)
    assert np.array_equal(sheet[32:64, 32:64], tile)
