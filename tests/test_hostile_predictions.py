"""Prediction and result files that are broken or made to harm: a right score or a sentence, fast, in bounded memory."""

import json

import h5py
import numpy as np
import pytest
import scipy.io
from hostile import answer, damaged
from small_people import near, people

from protocols import mpii_pckh
from protocols.predictions import read

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
    """Score a file; every number must be finite and a percentage, and every counted position finite."""
    predictions = answer(lambda: read(path, TRUTH))
    if predictions is None:
        return None
    assert predictions.keypoints.shape == KEYPOINTS.shape
    assert np.isfinite(predictions.keypoints[:, COUNTED]).all()
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
