"""Prediction files: every format gives the same predictions, and what is ambiguous or broken is refused by name."""

import json
import os
import pickle
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from small_people import near, people

from protocols.datasets import row_counts
from protocols.errors import DataError
from protocols.pose.people import Predictions
from protocols.pose.skeletons import MPII, SHORT_NAMES
from protocols.readers import arrays
from protocols.readers.predictions import read

TRUTH = people(20)
KEYPOINTS = near(TRUTH).keypoints
SCORES = np.linspace(0, 1, 20 * 16).reshape(20, 16)


def h5(path, **content):
    with h5py.File(path, "w") as file:
        for name, value in content.items():
            file[name] = value
    return path


def npz(path, **content):
    np.savez(path, **content)
    return path


def mat(path, **content):
    scipy.io.savemat(path, content)
    return path


def dump(path, document):
    path.write_text(json.dumps(document))
    return path


def npy(path, array):
    np.save(path, array)
    return path


FORMATS = {
    "hourglass h5": lambda t: h5(t / "a.h5", preds=KEYPOINTS),
    "HRNet mat": lambda t: mat(t / "a.mat", preds=KEYPOINTS),
    "CPM mat": lambda t: mat(t / "a.mat", prediction_all=KEYPOINTS.transpose(1, 2, 0)),
    "MATLAB 7.3": lambda t: v73(t / "a.mat", KEYPOINTS.transpose(1, 2, 0)),
    "npz": lambda t: npz(t / "a.npz", keypoints=KEYPOINTS),
    "npy": lambda t: npy(t / "a.npy", KEYPOINTS),
    "json list": lambda t: dump(t / "a.json", KEYPOINTS.tolist()),
    "json ids": lambda t: dump(t / "a.json", {"keypoints": KEYPOINTS[::-1].tolist(), "ids": list(range(20))[::-1]}),
    "image names": lambda t: npz(t / "a.npz", keypoints=KEYPOINTS[::-1], ids=np.array(TRUTH.images[::-1])),
    "counted from 0": lambda t: npz(t / "a.npz", keypoints=KEYPOINTS - 1, origin=0),
    "counted from 1": lambda t: npz(t / "a.npz", keypoints=KEYPOINTS, origin=1),
    "unknown name": lambda t: h5(t / "a.h5", mine=KEYPOINTS.transpose(2, 0, 1)),
}


def v73(path, array):
    """MATLAB 7.3 is HDF5 behind a 512-byte user block, axes reversed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file["prediction_all"] = array.T
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124))
    return path


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_every_format_gives_the_same(tmp_path, write):
    predictions = read(write(tmp_path), TRUTH)
    np.testing.assert_allclose(predictions.keypoints, KEYPOINTS, atol=1e-12)
    assert predictions.keypoints.dtype == np.float64
    assert predictions.source.startswith("a.")


def test_scores_are_the_third_column(tmp_path):
    whole = np.concatenate([KEYPOINTS, SCORES[..., None]], axis=-1)
    predictions = read(npz(tmp_path / "a.npz", keypoints=whole), TRUTH)
    np.testing.assert_array_equal(predictions.scores, SCORES)
    np.testing.assert_array_equal(predictions.keypoints, KEYPOINTS)


@settings(max_examples=20)
@given(st.permutations(range(16)), st.booleans())
def test_named_columns_may_have_any_order(tmp_path_factory, order, short):
    path = tmp_path_factory.mktemp("files") / "a.mat"
    names = [MPII.joints[i] for i in order]
    names = [next(k for k, v in SHORT_NAMES.items() if v == name) for name in names] if short else names
    mat(path, pos_pred_src=KEYPOINTS[:, order].transpose(1, 2, 0), dataset_joints=np.array(names, dtype=object))
    np.testing.assert_array_equal(read(path, TRUTH).keypoints, KEYPOINTS)


def test_pelvis_and_thorax_may_be_absent(tmp_path):
    names = [joint for joint in MPII.joints if joint not in ("pelvis", "thorax")]
    kept = [MPII.index(name) for name in names]
    predictions = read(npz(tmp_path / "a.npz", keypoints=KEYPOINTS[:, kept], joints=np.array(names)), TRUTH)
    np.testing.assert_array_equal(predictions.keypoints[:, kept], KEYPOINTS[:, kept])
    assert np.isnan(predictions.keypoints[:, [6, 7]]).all()


def refused(path, message, truth=TRUTH):
    with pytest.raises(DataError, match=message) as caught:
        read(path, truth, row_counts())
    error = caught.value
    assert path.name in error.what
    assert error.expected
    return error


def changed(index, value):
    array = KEYPOINTS.copy()
    array[index] = value
    return array


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_refused_with_its_place(tmp_path, value):
    path = npz(tmp_path / "a.npz", keypoints=changed((7, 3, 1), value))
    refused(path, r"1 numbers are infinite, the first at person 7, joint 3, y")
    refused(dump(tmp_path / "b.json", changed((7, 3, 0), value).tolist()), "person 7, joint 3, x")


def test_a_joint_without_an_answer_is_nan(tmp_path):
    """NaN, null in JSON and the mask of a masked array mean the same."""
    expected = changed((7, 3), np.nan)
    nulls = KEYPOINTS.tolist()
    nulls[7][3] = [None, None]
    masked = np.ma.masked_array(KEYPOINTS.astype(int), np.isnan(expected))
    for path in (npz(tmp_path / "a.npz", keypoints=expected), dump(tmp_path / "b.json", {"keypoints": nulls}),
                 dump(tmp_path / "c.json", nulls)):  # fmt: skip
        np.testing.assert_array_equal(read(path, TRUTH).keypoints, expected)
    whole = np.where(np.isnan(expected), np.nan, KEYPOINTS.astype(int))
    np.testing.assert_array_equal(Predictions(masked).keypoints, whole)


def test_other_people_or_joints(tmp_path):
    error = refused(npz(tmp_path / "a.npz", keypoints=KEYPOINTS[:19]), "the shape 19x16x2|has the shape 19x16x2")
    assert "20x16x2" in error.expected
    assert "20 people" in error.cause
    assert "joints" in refused(npz(tmp_path / "a.npz", keypoints=KEYPOINTS[:, :14]), "20x14x2").cause
    assert "heatmaps" in refused(npz(tmp_path / "a.npz", keypoints=np.ones((20, 16, 8, 8))), "20x16x8x8").cause
    refused(npz(tmp_path / "a.npz", keypoints=KEYPOINTS.reshape(20, 32)), "20x32")
    refused(npz(tmp_path / "a.npz", keypoints=np.float64(7)), "of a single number")
    assert "another order" in refused(npz(tmp_path / "a.npz", keypoints=KEYPOINTS.transpose(1, 0, 2)), "16x20x2").cause


@pytest.mark.parametrize("count", [2, 3, 16])
def test_ambiguous_axes_are_not_guessed(tmp_path, count):
    """Sixteen people with sixteen joints, or two people with two coordinates: either reading would fit."""
    truth = people(count, "mpii" if count == 16 else "lsp")
    array = truth.keypoints if count != 3 else np.concatenate([truth.keypoints, np.ones((3, 14, 1))], axis=-1)
    error = refused(h5(tmp_path / "a.h5", preds=array), "fits in 2 ways", truth)
    assert "numpy.savez" in error.next_step
    np.testing.assert_array_equal(read(npz(tmp_path / "a.npz", keypoints=array), truth).keypoints, truth.keypoints)


def test_integers_that_wrap(tmp_path):
    """Coordinates up to 900 do not fit into 8 bits; whole numbers that fit are read."""
    refused(h5(tmp_path / "a.h5", preds=KEYPOINTS.astype(np.int64).astype(np.uint8)), "uint8, which ends at 255")
    whole = read(h5(tmp_path / "b.h5", preds=KEYPOINTS.astype(np.int16)), TRUTH)
    np.testing.assert_array_equal(whole.keypoints, np.trunc(KEYPOINTS))


def test_whole_doubles_of_a_mat_file_stay_doubles(real_data):
    """MATLAB stores them as 8-bit integers, and scipy hands those back unless told otherwise."""
    path = real_data / "lsp/wei2016_cpm_lsp_test_predictions.mat"
    assert scipy.io.loadmat(path)["prediction_all"].dtype == np.uint8
    assert arrays.load(path)["prediction_all"].dtype == np.float64


def test_names_missing_or_doubled(tmp_path):
    names = list(MPII.joints)
    doubled = npz(tmp_path / "a.npz", keypoints=KEYPOINTS, joints=np.array([*names[:15], names[0]]))
    refused(doubled, "names are doubled: right_ankle")
    unknown = npz(tmp_path / "b.npz", keypoints=KEYPOINTS, joints=np.array([*names[:15], "tail"]))
    refused(unknown, "names are missing: left_wrist")


@pytest.mark.parametrize("ids", [list(range(1, 21)), [0, *range(19)], [0.5, *range(1, 20)], ["x"] * 20])
def test_ids_must_be_everybody_once(tmp_path, ids):
    refused(npz(tmp_path / "a.npz", keypoints=KEYPOINTS, ids=np.array(ids)), "ids are not those of the 20 people")


def test_what_the_file_holds_must_be_clear(tmp_path):
    refused(npz(tmp_path / "a.npz", keypoints=KEYPOINTS, preds=KEYPOINTS), "more than one array")
    refused(npz(tmp_path / "a.npz", loss=np.ones(3)), "no array could be")
    refused(npz(tmp_path / "a.npz", keypoints=KEYPOINTS, origin=2), "origin is 2")
    refused(npz(tmp_path / "a.npz", keypoints=KEYPOINTS.astype(str)), "holds <U")
    refused(npz(tmp_path / "a.npz", keypoints=KEYPOINTS + 1j), "holds complex128")
    error = refused(dump(tmp_path / "a.json", [{"image_id": 1, "keypoints": [0] * 51}]), "1x17x3")
    assert "coco-ap" in error.cause


class Boom:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_pickles_are_never_loaded(tmp_path):
    planted = tmp_path / "planted"
    array = np.array([Boom(planted)], dtype=object)
    np.savez(tmp_path / "a.npz", keypoints=array, allow_pickle=True)
    np.save(tmp_path / "b.npy", array, allow_pickle=True)
    (tmp_path / "c.npy").write_bytes(pickle.dumps(Boom(planted)))
    for name in ("a.npz", "b.npy", "c.npy"):
        with pytest.raises(DataError, match=name):
            read(tmp_path / name, TRUTH)
    assert not planted.exists()


def header(shape):
    """An npy header that promises more than follows."""
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text = text.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def test_promised_sizes_are_checked_before_loading(tmp_path, monkeypatch):
    (tmp_path / "a.npy").write_bytes(header((2**31, 16, 2)))
    refused(tmp_path / "a.npy", "holds 524,288 MiB")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("keypoints.npy", header((2**31, 16, 2)))
    refused(tmp_path / "b.npz", "holds 524,288 MiB")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("preds", (2**31, 16, 2), "f8", chunks=True, compression="gzip")
    refused(tmp_path / "c.h5", "holds 524,288 MiB")
    monkeypatch.setattr(arrays, "LIMIT", 2**20)
    for suffix, write in {".npz": np.savez_compressed, ".mat": compressed_mat}.items():
        path = tmp_path / f"zeros{suffix}"
        write(path, keypoints=np.zeros((2**12, 16, 4)))
        assert path.stat().st_size < 2**16
        refused(path, "holds 2 MiB|holds more than 1 MiB once inflated")
    refused(dump(tmp_path / "long.json", [0] * 2**16), "holds 3 MiB")


def compressed_mat(path, **content):
    scipy.io.savemat(path, content, do_compression=True)


def test_links_out_of_an_h5_file_are_not_followed(tmp_path):
    h5(tmp_path / "other.h5", preds=KEYPOINTS)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["preds"] = h5py.ExternalLink("other.h5", "preds")
        layout = h5py.VirtualLayout(KEYPOINTS.shape, "f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "preds", KEYPOINTS.shape)
        file.create_virtual_dataset("keypoints", layout)
    assert arrays.load(tmp_path / "a.h5") == {}
    refused(tmp_path / "a.h5", "no array could be")


@pytest.mark.parametrize("suffix", [".h5", ".mat", ".npz", ".npy", ".json"])
def test_damaged_files(tmp_path, suffix):
    for content in (b"", b"<!DOCTYPE html>", b"\x00" * 300):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(content)
        error = refused(path, f"cannot be read as {suffix[1:]}|holds")
        assert error.next_step


def test_truncated_files(tmp_path):
    for name, write in FORMATS.items():
        path = write(tmp_path)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) * 2 // 3])
        with pytest.raises(DataError):
            read(path, TRUTH)
        assert name


def test_absent_and_unknown_files(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "a.npz", TRUTH)
    (tmp_path / "a.pkl").write_bytes(b"x")
    refused(tmp_path / "a.pkl", "files ending in .pkl are not supported")
