"""The MPII readers on the real files, and on the same annotation written in the other formats."""

import json
import shutil

import h5py
import numpy as np
import pytest
import scipy.io
from typed import h5_arrays, present

from protocols.datasets import mpii, open_people
from protocols.datasets.mpii_files import newell_h5, official_mat
from protocols.errors import DataError
from protocols.joints import mpii_pckh
from protocols.pose.people import ABSENT, OCCLUDED
from protocols.pose.skeletons import MPII


@pytest.fixture(scope="module")
def val(real_data):
    return mpii.people("val", real_data)


@pytest.fixture(scope="module")
def records(real_data):
    """Five people in HRNet's JSON format, from a public fixture."""
    return json.loads((real_data / "mpii/fixture/test_mpii.json").read_text())


def write(folder, name, records):
    (folder / "mpii/annot").mkdir(parents=True, exist_ok=True)
    (folder / "mpii/annot" / name).write_text(json.dumps(records))
    return folder


def test_counts_of_the_spec(val):
    """Spec section 1.3: 2,958 people, 44,240 annotated joints, 10,243 of them occluded; head sizes 14.52 to 311.11."""
    assert val.notes["people"] == len(val) == 2958
    assert val.notes["joints"] == val.annotated.sum() == 44240
    assert val.notes["missing"] == 3088
    assert val.notes["occluded"] == (val.visibility == OCCLUDED).sum() == 10243
    assert (round(val.head_size.min(), 2), round(val.head_size.max(), 2)) == (14.52, 311.11)
    assert round(float(np.median(val.head_size)), 2) == 68.93
    assert (val.origin, val.skeleton) == (1, MPII)
    assert not val.keypoints[~val.annotated].any()


def test_both_sources_agree(real_data, val, tmp_path):
    """The h5 alone: head sizes equal to 6e-5 pixels, keypoints cut to whole pixels, the same joints missing."""
    (tmp_path / "mpii").mkdir()
    shutil.copy(real_data / "mpii/valid.h5", tmp_path / "mpii")
    alone = mpii.people("val", tmp_path)
    np.testing.assert_array_equal(alone.annotated, val.annotated)
    assert np.abs(alone.head_size - val.head_size).max() < 6e-5
    difference = np.abs(alone.keypoints - val.keypoints)[val.annotated]
    assert (difference > 1.001).any(axis=1).sum() <= 13  # the zeroed coordinates of the mat, spec section 1.3
    assert alone.fingerprint != val.fingerprint


def test_centre_and_scale_are_the_raw_ones(val, records):
    """The h5 stores centre + 15 scale and 1.25 scale; the JSON of five of the people is raw."""
    for record in records:
        row = next(i for i, name in enumerate(val.images) if name == f"images/{record['image']}")
        assert list(val.centre[row]) == record["center"]
        assert val.scale[row] == pytest.approx(record["scale"], abs=5e-7)
    np.testing.assert_array_equal(val.centre, np.rint(val.centre))


def test_raw_h5_is_not_adjusted_again(real_data, tmp_path, val):
    """The training repository's h5 has raw centres and character codes for names."""
    raw = tmp_path / "valid.h5"
    source = h5_arrays(real_data / "mpii/valid.h5")
    with h5py.File(raw, "w") as target:
        for key in ("part", "visible", "normalize"):
            target[key] = source[key]
        target["center"], target["scale"] = val.centre, val.scale
        codes = [[*name, 0, 0, 0] for name in source["imgname"]]
        target["imgname"] = np.array(codes, dtype=np.float64)
    annotation = newell_h5(raw)
    np.testing.assert_array_equal(annotation.centre, val.centre)
    np.testing.assert_array_equal(annotation.scale, val.scale)
    assert tuple(f"images/{name}" for name in present(annotation.images)) == val.images


def test_json(real_data, records, tmp_path, val):
    """HRNet's JSON alone: the same joints, no head sizes, and images from the folder."""
    write(tmp_path, "valid.json", records)
    (tmp_path / "mpii/images").mkdir()
    shutil.copy(real_data / "mpii/fixture/005808361.jpg", tmp_path / "mpii/images")
    people = mpii.people("val", tmp_path)
    assert (len(people), people.head_size) == (5, None)
    np.testing.assert_allclose(people.keypoints[0], records[0]["joints"], atol=0)
    row = val.images.index("images/005808361.jpg")
    np.testing.assert_allclose(people.keypoints[0], val.keypoints[row], atol=1e-4)
    assert people.read_image(0).shape == (720, 1280, 3)
    with pytest.raises(DataError, match=r"052475643.jpg: the image is missing"):
        people.read_image(1)


def test_json_training_and_pytorch_pose(records, tmp_path):
    write(tmp_path, "train.json", records[:2])
    assert len(mpii.people("train", tmp_path)) == 2
    posed = [
        {
            "img_paths": record["image"],
            "isValidation": float(i % 2),
            "joint_self": [
                [*joint, visible] for joint, visible in zip(record["joints"], record["joints_vis"], strict=True)
            ],
            "objpos": record["center"],
            "scale_provided": record["scale"],
        }
        for i, record in enumerate(records)
    ]
    other = write(tmp_path / "other", "mpii_annotations.json", posed)
    assert mpii.people("train", other).images == tuple(f"images/{r['image']}" for r in records[::2])
    assert mpii.people("val", other).images == tuple(f"images/{r['image']}" for r in records[1::2])


def release(path, people, without=(), training=1, others=True):
    """The official mat with one image a person, two images without people, points in reversed order.

    without: fields that the last person lacks; training: 0 for test images; others: False for no other images.
    """

    def image(name, rectangle):
        return {"image": {"name": name}, "annorect": rectangle}

    def rectangle(record, row):
        points = [
            {"x": x, "y": y, "id": i, "is_visible": [np.array([]), "1", 1, "0"][row % 4]}
            for i, ((x, y), there) in enumerate(zip(record["joints"], record["joints_vis"], strict=True))
            if there
        ][::-1]
        # 30 x 40 pixels: a diagonal of 50, a head size of 30.
        box = {"x1": 10.0, "y1": 20.0, "x2": 40.0, "y2": 60.0}
        position = dict(zip(("x", "y"), record["center"], strict=True))
        made = box | {"annopoints": {"point": points}, "scale": record["scale"], "objpos": position}
        return {name: value for name, value in made.items() if row < len(people) - 1 or name not in without}

    images = [image(record["image"], rectangle(record, row)) for row, record in enumerate(people)]
    if others:
        images += [image("nobody.jpg", np.array([])), image("box.jpg", {"x1": 1.0, "y1": 1.0, "x2": 2.0, "y2": 2.0})]
    flags = np.array([training] * (len(images)))
    content = {"annolist": images if len(images) > 1 else images[0], "img_train": flags}
    scipy.io.savemat(path, {"RELEASE": content}, long_field_names=True)


@pytest.mark.parametrize(
    ("without", "why"),
    [(("x1", "y1", "x2", "y2"), "without head box"), (("scale",), "without scale"), (("objpos",), "without position")],
)
def test_a_person_who_lacks_a_field_is_left_out_and_counted(records, tmp_path, without, why):
    write(tmp_path, "valid.json", records[:2])
    release(tmp_path / "mpii" / mpii.OFFICIAL, records, without)
    train = mpii.people("train", tmp_path)
    assert len(train) == len(records) - 3 and train.notes[f"left out {why}"] == 1


def test_a_release_of_one_image_or_of_test_images(records, tmp_path):
    write(tmp_path, "valid.json", records[:1])
    path = tmp_path / "mpii" / mpii.OFFICIAL
    release(path, records[:1], others=False)
    assert official_mat(path).images == (records[0]["image"],)
    with pytest.raises(DataError, match="lists nobody of mpii/train") as caught:
        mpii.people("train", tmp_path)
    assert caught.value.cause == "all of its people belong to the validation set"
    release(path, records, training=0)
    with pytest.raises(DataError, match="has no training images: img_train is 0 for all 7"):
        mpii.people("train", tmp_path)


def test_a_list_without_heads_says_where_they_are(records, tmp_path):
    val = mpii.people("val", write(tmp_path, "valid.json", records))
    with pytest.raises(DataError, match="has no head sizes") as caught:
        mpii_pckh.head_sizes(val)
    assert caught.value.cause == "valid.json holds no head boxes" and "gt_valid.mat" in caught.value.next_step


def test_official_mat(records, tmp_path):
    write(tmp_path, "valid.json", records[:2])
    path = tmp_path / "mpii" / mpii.OFFICIAL
    release(path, records)
    annotation = official_mat(path)
    assert annotation.images == tuple(record["image"] for record in records)
    np.testing.assert_array_equal(annotation.head_size, np.full(5, 30.0))
    for row, record in enumerate(records):
        there = np.array(record["joints_vis"]) > 0
        np.testing.assert_array_equal(annotation.annotated[row], there)
        np.testing.assert_array_equal(annotation.keypoints[row][there], np.array(record["joints"])[there])
    visible = present(annotation.visible)
    assert not visible[3].any()  # "0"
    assert visible[0].sum() == sum(records[0]["joints_vis"])  # empty
    train = mpii.people("train", tmp_path)
    assert train.images == tuple(f"images/{record['image']}" for record in records[2:])
    whole = mpii.people("train-25925", tmp_path)
    assert whole.images == train.images
    val = mpii.people("val", tmp_path)
    assert val.notes["files"] == f"valid.json, {mpii.OFFICIAL}"
    np.testing.assert_array_equal(val.head_size, [30.0, 30.0])


def test_two_training_sets_of_one_release(records, tmp_path):
    """A neighbour of a validation person: left out of `train` with the image, part of `train-25925`."""
    beside = dict(records[0], center=[5.0, 6.0])
    write(tmp_path, "valid.json", records[:2])
    release(tmp_path / "mpii" / mpii.OFFICIAL, [*records, beside])
    assert len(mpii.people("train", tmp_path)) == 3
    whole = mpii.people("train-25925", tmp_path)
    assert whole.split == "train-25925" and len(whole) == 4
    np.testing.assert_array_equal(whole.centre[-1], [5.0, 6.0])


def test_the_withheld_test_annotation_is_read_where_somebody_has_it(records, tmp_path):
    release(write(tmp_path, "valid.json", records[:1]) / "mpii" / mpii.OFFICIAL, records)
    with pytest.raises(DataError, match="no annotation was found") as caught:
        open_people("mpii", "test", tmp_path)
    assert "withheld" in caught.value.cause
    assert len(mpii.people("test", write(tmp_path, "test.json", records[:3]))) == 3


def test_official_mat_alone_has_no_validation_list(records, tmp_path):
    (tmp_path / "mpii").mkdir()
    release(tmp_path / "mpii" / mpii.OFFICIAL, records)
    for split in ("train", "val"):
        with pytest.raises(DataError, match="does not say which people are the validation set"):
            mpii.people(split, tmp_path)


def test_fingerprint_follows_the_annotation(records, tmp_path):
    prints = []
    for change in (0, 0, 1):
        records[0]["joints"][0][0] += change
        prints.append(mpii.people("val", write(tmp_path, "valid.json", records)).fingerprint)
    records[0]["joints"][0][0] -= 1
    assert prints[0] == prints[1] != prints[2]


def test_absent_annotation(tmp_path):
    with pytest.raises(DataError, match="no annotation was found") as caught:
        mpii.people("val", tmp_path)
    assert "gt_valid.mat" in caught.value.expected
    assert str(tmp_path) in caught.value.expected
    with pytest.raises(DataError, match="no split 'none'"):
        mpii.people("none", tmp_path)


def test_files_of_other_people_are_not_joined(real_data, tmp_path):
    (tmp_path / "mpii").mkdir()
    shutil.copy(real_data / "mpii/gt_valid.mat", tmp_path / "mpii")
    with h5py.File(tmp_path / "mpii/valid.h5", "w") as target:
        for key, array in h5_arrays(real_data / "mpii/valid.h5").items():
            target[key] = array[::-1]
    with pytest.raises(DataError, match="not the same people in the same order"):
        mpii.people("val", tmp_path)


def ground_truth(real_data, **changes):
    names = ("dataset_joints", "jnt_missing", "pos_gt_src", "headboxes_src")
    loaded = scipy.io.loadmat(real_data / "mpii/gt_valid.mat")
    return {name: loaded[name] for name in names} | changes


def test_columns_are_found_by_name(real_data, tmp_path, val):
    (tmp_path / "mpii").mkdir()
    whole = ground_truth(real_data)
    order = np.random.default_rng(0).permutation(16)
    changed = {name: whole[name][order] for name in ("jnt_missing", "pos_gt_src")}
    changed["dataset_joints"] = whole["dataset_joints"][:, order]
    scipy.io.savemat(tmp_path / "mpii/gt_valid.mat", whole | changed)
    people = mpii.people("val", tmp_path)
    np.testing.assert_array_equal(people.keypoints, val.keypoints)
    np.testing.assert_array_equal(people.annotated, val.annotated)
    assert np.isnan(people.scale).all()  # no other file says it
    assert people.notes["occluded"] == "unknown"
    assert (people.visibility[~people.annotated] == ABSENT).all()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("dataset_joints", lambda x: np.where(np.arange(16) == 3, x[:, :1], x), "names the joints"),
        ("pos_gt_src", lambda x: x.transpose(1, 0, 2), "pos_gt_src has the shape 2x16x2958"),
        ("jnt_missing", lambda x: x[:, :7], "jnt_missing has the shape 16x7"),
        ("headboxes_src", None, "has no headboxes_src"),
    ],
)
def test_damaged_ground_truth(real_data, tmp_path, name, change, message):
    (tmp_path / "mpii").mkdir()
    whole = ground_truth(real_data)
    whole = whole | {name: change(whole[name])} if change else {k: v for k, v in whole.items() if k != name}
    scipy.io.savemat(tmp_path / "mpii/gt_valid.mat", whole)
    with pytest.raises(DataError, match=message):
        mpii.people("val", tmp_path)


def test_damaged_records(records, tmp_path):
    short = [dict(records[0]), dict(records[1], joints=records[1]["joints"][:15])]
    with pytest.raises(DataError, match="record 1 has no joints of 16 x 2 numbers"):
        mpii.people("val", write(tmp_path, "valid.json", short))
    with pytest.raises(DataError, match="not a list of people"):
        mpii.people("val", write(tmp_path, "valid.json", {"a": 1}))


def test_images_stay_in_their_folder(records, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"x")
    for name in ("../../secret.jpg", "/secret.jpg", "..\\secret.jpg", "a/../../secret.jpg", "a\0.jpg"):
        with pytest.raises(DataError, match="leaves its folder"):
            mpii.people("val", write(tmp_path, "valid.json", [dict(records[0], image=name)]))


def test_links_out_of_the_folder_of_images_are_not_followed(records, tmp_path):
    (tmp_path / "mpii/images").mkdir(parents=True)
    (tmp_path / "mpii/images/link.jpg").symlink_to(tmp_path / "secret.jpg")
    people = mpii.people("val", write(tmp_path, "valid.json", [dict(records[0], image="link.jpg")]))
    with pytest.raises(DataError, match="no image below"):
        people.read_image(0)
