"""The reader of CIFAR-10 batches and the top-1 error, on batches written byte by byte as the official ones are."""

import io
import json
import pickle
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from small_bench import bench

from bench.errors import DATA
from protocols.classes.cifar10_error import score
from protocols.datasets import contents
from protocols.datasets.cifar10 import CLASSES, load
from protocols.errors import DataError


def python2_batch(pixels, labels):
    """The opcodes that Python 2 and numpy 1 wrote: byte strings, numpy.core.multiarray, protocol 2."""

    def text(value):
        return b"U" + bytes([len(value)]) + value

    def number(value):
        return b"J" + struct.pack("<i", value)

    dtype = b"cnumpy\ndtype\n" + text(b"u1") + number(0) + number(1) + b"\x87R"
    dtype += b"(" + number(3) + text(b"|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    raw = pixels.tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + number(0) + b"\x85" + text(b"b") + b"\x87R"
    shape = number(pixels.shape[0]) + number(pixels.shape[1]) + b"\x86"
    array += b"(" + number(1) + shape + dtype + b"\x89" + b"T" + struct.pack("<i", len(raw)) + raw + b"tb"
    listed = b"](" + b"".join(map(number, labels)) + b"e"
    items = text(b"batch_label") + text(b"testing batch 1 of 1") + text(b"labels") + listed + text(b"data") + array
    return b"\x80\x02}(" + items + b"u."


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "cifar10/cifar-10-batches-py").mkdir(parents=True)
    return tmp_path


def write(folder, name, content):
    (folder / "cifar10/cifar-10-batches-py" / name).write_bytes(content)


def pixels_of(seed, count=4):
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)


def test_test_batch_of_python_2(folder):
    pixels = pixels_of(0)
    write(folder, "test_batch", python2_batch(pixels, [3, 8, 8, 0]))
    found = load("test", folder)
    assert found.images.shape == (4, 32, 32, 3)
    assert found.images[1, 5, 7].tolist() == [pixels[1, plane * 1024 + 5 * 32 + 7] for plane in range(3)]
    assert found.labels.tolist() == [3, 8, 8, 0]
    assert (found.notes["images"], found.notes["ship"], found.notes["dog"]) == (4, 2, 0)


def test_train_is_the_five_batches_in_order(folder):
    for i in range(1, 6):
        content = {b"data": pixels_of(i, 2), b"labels": [i, i], b"filenames": [b"a.png", b"b.png"]}
        write(folder, f"data_batch_{i}", pickle.dumps(content, protocol=2))  # as Python 3 writes it
    found = load("train", folder)
    assert found.labels.tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert (found.images[4].transpose(2, 0, 1).ravel() == pixels_of(3, 2)[0]).all()


def test_fingerprint_follows_the_content(folder):
    fingerprints = []
    for labels in ([0, 1], [0, 2], [0, 1]):
        write(folder, "test_batch", python2_batch(pixels_of(0, 2), labels))
        fingerprints.append(load("test", folder).fingerprint)
    assert fingerprints[0] == fingerprints[2] != fingerprints[1]


def test_a_fingerprint_is_that_of_the_files_in_this_working_directory(folder, monkeypatch):
    write(folder, "test_batch", python2_batch(pixels_of(0, 2), [0, 1]))
    shutil.copytree(folder / "cifar10", folder / "other/cifar10")
    write(folder / "other", "test_batch", python2_batch(pixels_of(0, 2), [0, 2]))
    monkeypatch.chdir(folder)
    here = contents("cifar10", "test", Path(), "")
    monkeypatch.chdir(folder / "other")
    assert contents("cifar10", "test", Path(), "") != here


class Evil:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps({b"data": Evil(), b"labels": []}), r"contains builtins\.print"),
        (b"\x80\x02cnumpy\nndarray\nJ\x00\x00\x00\x7f\x85R.", "not a CIFAR-10 batch"),  # ndarray(2**31) called
        (python2_batch(pixels_of(0), [0, 1, 2, 3])[:5000], "not a CIFAR-10 batch"),
        (b"", "not a CIFAR-10 batch"),
        (pickle.dumps({b"data": pixels_of(0), b"fine_labels": [0] * 4}, 2), "labels"),  # CIFAR-100
        (pickle.dumps({b"data": pixels_of(0)[:, :100], b"labels": [0] * 4}, 2), "N x 3072 bytes"),
        (pickle.dumps({b"data": pixels_of(0), b"labels": [0] * 3}, 2), "no list of 4 labels"),
        (pickle.dumps({b"data": pixels_of(0), b"labels": [0, 1, 2, 10]}, 2), "not all 0 to 9"),
    ],
)
def test_other_files_are_refused(folder, content, message, capsys):
    write(folder, "test_batch", content)
    with pytest.raises(DataError, match=message):
        load("test", folder)
    assert "executed" not in capsys.readouterr().out


def test_absent_files_and_splits_are_named(folder):
    with pytest.raises(DataError, match="test_batch was not found"):
        load("test", folder)
    with pytest.raises(DataError, match="no split 'val'"):
        load("val", folder)
    write(folder, "data_batch_1", python2_batch(pixels_of(0), [0] * 4))
    with pytest.raises(DataError, match="data_batch_2 was not found"):
        load("train", folder)


def test_error_by_hand():
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    logits = np.eye(10)[[0, 1, 0, 1, 1, 2, 0, 1]] - 5
    found = score(logits, labels)
    values = {value.part: value for value in found.values}
    assert (values["all"].value, values["all"].n) == (100 * 3 / 8, 8)
    assert values["airplane"].value == pytest.approx(100 / 3)
    assert values["automobile"].value == 0
    assert values["bird"].value == pytest.approx(200 / 3)
    assert set(values) == {"all", *CLASSES[:3]}
    assert found.samples["error"].tolist() == [0, 100, 0, 0, 0, 0, 100, 100]
    assert score(logits.argmax(1), labels).values == found.values


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        (np.zeros((3, 10)), "shape 3x10"),
        (np.zeros((2, 100)), "shape 2x100"),
        (np.full((2, 10), np.nan), "2 images are not finite"),
        (np.array([1, 10]), "from 1 to 10"),
        (np.array([0.5, 1]), "from 0.5 to 1"),
    ],
)
def test_predictions_of_another_kind_are_refused(predictions, message):
    with pytest.raises(DataError, match=message):
        score(predictions, np.array([0, 1]))


def test_one_class_for_all_is_told():
    assert "Every image is predicted as airplane" in score(np.zeros((2, 10)), np.array([0, 1])).warnings[0]
    assert score(np.eye(10)[:2], np.array([0, 1])).warnings == ()


def test_the_bytes_of_the_test_are_a_pickle():
    """What the fixture writes is what plain pickle reads: the reader is not tested against a private format."""
    content = pickle.load(io.BytesIO(python2_batch(pixels_of(0), [1, 2, 3, 4])), encoding="bytes")
    assert (content[b"data"] == pixels_of(0)).all()
    assert content[b"labels"] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mine.npz", {"scores": np.eye(10)[[3, 8, 1, 0]]}),
        ("mine.npz", {"classes": np.array([3, 8, 1, 0]), "probabilities": np.ones((4, 10))}),
        ("mine.json", [3, 8, 1, 0]),
    ],
)
def test_prediction_files(folder, monkeypatch, name, content):
    """Labels 3 8 8 0, one of four is missed."""
    monkeypatch.chdir(folder)
    write(folder, "test_batch", python2_batch(pixels_of(0), [3, 8, 8, 0]))
    (folder / name).write_text(json.dumps(content)) if name.endswith("json") else np.savez(folder / name, **content)
    outcome = bench("score", name, "--protocol", "cifar10-error", "--data", ".", "--json")
    assert outcome.code == 0, outcome.err
    (row,) = (row for row in outcome.json["measurements"] if row["part"] == "all")
    assert (row["value"], row["n"], row["source"], row["dataset"]) == (25.0, 4, "predictions", "cifar10")


def test_prediction_files_that_could_mean_two_things(folder, monkeypatch):
    monkeypatch.chdir(folder)
    write(folder, "test_batch", python2_batch(pixels_of(0), [3, 8, 8, 0]))
    np.savez("mine.npz", first=np.eye(10)[:4], second=np.eye(10)[:4])
    outcome = bench("score", "mine.npz", "--protocol", "cifar10-error", "--data", ".")
    assert outcome.code == DATA and "mine.npz holds 2 arrays of numbers: first, second" in outcome.err
