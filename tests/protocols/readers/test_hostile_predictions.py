"""Prediction and result files that are broken or made to harm: a right score or a sentence, fast, in bounded memory."""

import json
import re
import subprocess
import sys

import h5py
import numpy as np
import pytest
import scipy.io
from coco_cases import annotation, annotation_file, image, result
from conftest import REPOSITORY
from hostile import answer, damaged
from small_people import near, people

from bench.results.snapshot import report_cell
from bench.steps import prediction_files as files
from bench.steps.score_file import file_cell, publish_file, score_file
from bench.store.store import CELLS, Store
from protocols.coco import annotations as coco_annotations
from protocols.coco import ap as coco_ap
from protocols.coco import results as coco_results
from protocols.joints import mpii_pckh
from protocols.readers.predictions import read
from reports.pages import page

TRUTH = people(20)
KEYPOINTS = near(TRUTH).keypoints
COUNTED = [joint for joint in range(16) if joint not in (6, 7)]  # no pelvis, no thorax
CASES = 120  # a format


def h5(path):
    with h5py.File(path, "w") as file:
        file["preds"] = KEYPOINTS
        file["ids"] = np.arange(20)


WRITERS = {
    "a.json": lambda path: path.write_text(json.dumps({"keypoints": KEYPOINTS.tolist(), "ids": list(range(20))})),
    "a.mat": lambda path: scipy.io.savemat(path, {"preds": KEYPOINTS, "joints": np.array(TRUTH.skeleton.joints)}),
    "packed.mat": lambda path: scipy.io.savemat(path, {"preds": KEYPOINTS}, do_compression=True),
    "a.h5": h5,
    "a.npz": lambda path: np.savez(path, keypoints=KEYPOINTS, ids=np.array(TRUTH.images), origin=1),
    "packed.npz": lambda path: np.savez_compressed(path, keypoints=KEYPOINTS),
    "a.npy": lambda path: np.save(path, KEYPOINTS),
}


def scored(path):
    """Score a file; every number must be finite and a percentage, and no counted position infinite."""
    predictions = answer(lambda: read(path, TRUTH))
    if predictions is None:
        return None
    assert predictions.keypoints.shape == KEYPOINTS.shape
    assert not np.isinf(predictions.keypoints[:, COUNTED]).any()
    with np.errstate(over="ignore"):  # a position of 1e300 pixels is far away
        scores = answer(lambda: mpii_pckh.score(predictions, TRUTH, resamples=0))
    if scores is None:
        return None
    assert all(np.isfinite(value.value) for value in scores.values)
    assert all(0 <= value.value <= 100 for value in scores.values if value.unit == "%")
    return scores


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.filterwarnings("ignore")
def test_damaged_predictions(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    assert scored(path)
    whole = path.read_bytes()
    refused = 0
    for seed in range(CASES):
        path.write_bytes(damaged(whole, seed))
        refused += scored(path) is None
    assert refused > CASES / 5


AXES = (
    np.zeros((20, 16, 2, *(1,) * 12)),  # fifteen axes have more orders than anybody can try
    np.zeros((1,) * 32),
    np.zeros(()),
    np.zeros((0, 16, 2)),
    np.zeros((20, 16, 2), complex),
    np.zeros((20, 16, 2), "datetime64[s]"),
    np.zeros((20, 16, 2), [("x", "f8")]),
    np.zeros((20, 16, 2), bool),
    np.full((20, 16, 2), "1"),
    np.full((20, 16, 2), np.finfo(np.float16).max * np.inf, np.float16),
)


@pytest.mark.parametrize("array", AXES, ids=lambda array: f"{array.ndim} {array.dtype}")
def test_axes_and_kinds_that_are_no_positions(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "b.npz", preds=array)
    assert scored(tmp_path / "a.npy") is None
    assert scored(tmp_path / "b.npz") is None


IDS = (
    np.full(20, np.nan),
    np.full(20, np.inf),
    np.arange(20) * 1j,
    np.arange(20).astype("datetime64[s]"),
    np.array([b"\xff\xfe"] * 20),
    np.array(["../../etc/passwd"] * 20),
    np.arange(20).astype(bool),
    np.zeros((0,)),
    np.full(20, 2**63, np.uint64),
)


@pytest.mark.parametrize("ids", IDS, ids=lambda ids: str(ids.dtype))
def test_ids_that_name_nobody(tmp_path, ids):
    np.savez(tmp_path / "a.npz", keypoints=KEYPOINTS, ids=ids)
    assert scored(tmp_path / "a.npz") is None
    np.savez(tmp_path / "b.npz", keypoints=KEYPOINTS, joints=np.array([b"\xff"] * 16))
    assert scored(tmp_path / "b.npz") is None


DOCUMENTS = (
    "[" * 100_000,
    "[" * 900 + "]" * 900,
    '{"keypoints":' * 50_000,
    "9" * 10_000,
    '{"keypoints": null}',
    '{"keypoints": [[[null, 1]]]}',
    '{"keypoints": {"a": 1}}',
    '[[1, [2, "x"]], true]',
    "NaN",
    '""',
)


@pytest.mark.parametrize("text", DOCUMENTS, ids=lambda text: text[:20])
def test_json_that_is_no_coordinates(tmp_path, coco_truth, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    assert scored(path) is None
    assert answer(lambda: coco_results.read(path, coco_truth)) is None
    assert answer(lambda: coco_results.read_detections(path)) is None


POINTS = np.arange(34.0).reshape(17, 2) * 6 + 3
PEOPLE = annotation_file([image(3), image(5)], [annotation(1, 3, POINTS), annotation(2, 5, POINTS + 50)])
FOUND = [result(3, POINTS, 0.9), result(5, POINTS + 51, 0.8)]
BOXES = [{"image_id": 3, "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.5}]


@pytest.fixture(scope="module")
def coco_truth(tmp_path_factory):
    path = tmp_path_factory.mktemp("coco") / "truth.json"
    path.write_text(json.dumps(PEOPLE))
    return coco_annotations.read(path)


def ap(results, truth):
    with np.errstate(all="ignore"):
        scores = coco_ap.score(results, truth, resamples=0)
    assert all(value.n == 0 or 0 <= value.value <= 1 for value in scores.values)  # NaN where nobody is annotated
    return scores


@pytest.mark.parametrize("block", range(4))
def test_damaged_coco_results(tmp_path, coco_truth, block):
    path = tmp_path / "a.json"
    whole = json.dumps(FOUND).encode()
    for seed in range(block * CASES, (block + 1) * CASES):
        path.write_bytes(damaged(whole, seed))
        results = answer(lambda: coco_results.read(path, coco_truth))
        if results is not None:
            assert np.isfinite(results.keypoints).all()
            assert np.isfinite(results.scores).all()
            answer(lambda r=results: ap(r, coco_truth))


def test_damaged_detections(tmp_path):
    path = tmp_path / "a.json"
    whole = json.dumps(BOXES).encode()
    for seed in range(2 * CASES):
        path.write_bytes(damaged(whole, seed))
        found = answer(lambda: coco_results.read_detections(path))
        assert found is None or (np.isfinite(found.boxes).all() and np.isfinite(found.scores).all())


@pytest.mark.parametrize(
    "value", ["1e308", "-1e308", "9" * 400, "1e999", "NaN", "-0.0", "1e-320", "null", "true", "{}"]
)
@pytest.mark.parametrize("key", ["score", "image_id", "category_id", "keypoints"])
def test_values_at_the_edge_in_coco_results(tmp_path, coco_truth, key, value):
    path = tmp_path / "a.json"
    entry = {**FOUND[0], key: "HERE"}
    text = json.dumps([entry]).replace('"HERE"', f"[{', '.join([value] * 51)}]" if key == "keypoints" else value)
    path.write_text(text)
    results = answer(lambda: coco_results.read(path, coco_truth))
    if results is not None:
        assert answer(lambda: ap(results, coco_truth)) is not None


BOMBS = """
import json, resource, sys, zipfile
from pathlib import Path
import h5py, numpy as np, scipy.io
from protocols.readers import arrays
from protocols.errors import DataError

folder = Path(sys.argv[1])
deflated = zipfile.ZipFile(folder / "a.npz", "w", zipfile.ZIP_DEFLATED)
with deflated, deflated.open("keypoints.npy", "w", force_zip64=True) as stream:
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f8", "fortran_order": False, "shape": (75_000_000,)})
    for _ in range(600):
        stream.write(bytes(1_000_000))
with h5py.File(folder / "b.h5", "w") as file:
    file.create_dataset("preds", (2**27, 2), "f8", chunks=(2**20, 2), compression="gzip", fillvalue=0)
# one cell, said to be small, with 64 MiB in it
cell = np.empty((1, 1), dtype=object)
cell[0, 0] = np.zeros(2**26, np.uint8)
scipy.io.savemat(folder / "c.mat", {"preds": cell}, do_compression=True)
(folder / "d.json").write_text(json.dumps(["x" * 2**20, *[""] * 2**20]))
header = {"descr": "<U536870911", "fortran_order": False, "shape": (2**20,)}
with (folder / "e.npy").open("wb") as stream:
    np.lib.format.write_array_header_1_0(stream, header)
(folder / "f.json").write_text("[" + '{"":0},' * 2_000_000 + "0]")
(folder / "g.json").write_text("[" + ",".join(['{"image":"' + "x" * 2**20 + '"}', *['{"image":""}'] * 2**20]) + "]")
with h5py.File(folder / "h.h5", "w") as file:  # references to one long text
    file.create_dataset("joints", data=["x" * 2**26] + [""] * 9, dtype=h5py.string_dtype())
struct = {"point": np.zeros(2**26, np.uint8)}
scipy.io.savemat(folder / "i.mat", {"preds": struct}, do_compression=True)
arrays.LIMIT = 2**29
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sorted(folder.iterdir()):
    arrays.LIMIT = 2**25 if path.suffix == ".mat" else 2**29
    try:
        arrays.load(path)
        print("read", path.name)
    except DataError as error:
        print("refused", path.name)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_bombs_stay_below_a_gibibyte(tmp_path):
    """Small files that would fill the memory: refused, at a growth below twice the 512 MiB that a file may hold."""
    run = subprocess.run(
        [sys.executable, "-c", BOMBS, str(tmp_path)], capture_output=True, text=True, cwd=REPOSITORY, timeout=600
    )
    *lines, growth = run.stdout.split("\n")[:-1]
    said = dict(line.split()[::-1] for line in lines)
    assert said.pop("h.h5", "") == "read", run.stdout + run.stderr  # without its names, which are no coordinates
    assert list(said.values()) == ["refused"] * 8, run.stdout
    assert int(growth) < 1024


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "..", ".", "a/b\\c", "<script>alert(1)</script>", "x" * 5000])
def test_names_of_cells_never_become_paths(tmp_path, monkeypatch, name):
    """A cell lies under a hash of what it is, and its pages under a name of safe characters."""
    monkeypatch.setattr(files, "open_people", lambda *_: TRUTH)
    np.savez(tmp_path / "a.npz", keypoints=KEYPOINTS)
    store = Store(tmp_path / "store")
    asked = file_cell(name, "mpii-pckh", "", {"resamples": 0})
    _, cell = publish_file(score_file(tmp_path / "a.npz", asked, tmp_path / "data"), store)
    assert cell.architecture == name
    assert store.keys(CELLS) == {cell.cell}
    assert {path.name for path in tmp_path.iterdir()} == {"a.npz", "store"}
    for path in (page.architecture_path(name), page.cell_path(report_cell(cell))):
        assert re.fullmatch(r"(architectures|cells)/[a-z0-9-]{1,80}\.html", path)
