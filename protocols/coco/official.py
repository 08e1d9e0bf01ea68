"""Ten COCO numbers from the official evaluator, or from its port to C++: the reference for `coco.ap`."""

import contextlib
import importlib
import io
from typing import Any

import numpy as np

from protocols.coco.annotations import PERSON
from protocols.coco.results import Entry, Results
from protocols.errors import DataError
from protocols.pose.people import GroundTruth

TOOLS = {
    "pycocotools": ("pycocotools.coco:COCO", "pycocotools.cocoeval:COCOeval"),
    "faster": ("faster_coco_eval:COCO", "faster_coco_eval:COCOeval_faster"),
}


def numbers(results: Results, truth: GroundTruth, tool: str) -> np.ndarray:
    """Compute AP, AP50, AP75, APM, APL, AR, AR50, AR75, ARM, ARL; NaN if an area range has no people.

    `tool` is a key of TOOLS; faster-coco-eval comes with the extra `fast`. No results give zeros, as in
    faster-coco-eval; pycocotools would raise an IndexError. Raises DataError if the tool is not installed.
    """
    if tool not in TOOLS:
        raise DataError(f"There is no evaluator {tool!r} of COCO results.", expected=f"one of {', '.join(TOOLS)}")
    try:
        dataset, evaluation = (_load(reference) for reference in TOOLS[tool])
    except ImportError as error:
        raise DataError(
            f"{tool}: the package {error.name} is not installed.",
            next_step="pip install 'repose[fast]', or score without naming a tool",
        ) from None
    with contextlib.redirect_stdout(io.StringIO()):  # both tools print a table
        annotated = dataset()
        annotated.dataset = _annotation_file(truth)
        annotated.createIndex()
        predicted = annotated.loadRes(_result_file(results) or [_unmatchable(truth)])
        run = evaluation(annotated, predicted, "keypoints")
        run.evaluate()
        run.accumulate()
        run.summarize()
    stats = np.array(run.stats[:10], dtype=np.float64)
    return np.where(stats == -1, np.nan, stats)


def _load(reference: str) -> Any:  # a class of a package without types
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def _annotation_file(truth: GroundTruth) -> dict[str, object]:
    """Return the content of a person_keypoints_*.json, as far as the metric reads it."""
    keypoints = np.concatenate([truth.keypoints, truth.visibility[..., None]], axis=2).reshape(-1, 51).tolist()
    image_ids = truth.image_ids[truth.image].tolist()
    columns = zip(
        truth.ids.tolist(), image_ids, keypoints, truth.labelled.tolist(), truth.areas.tolist(),
        truth.boxes.tolist(), truth.crowd.astype(int).tolist(), strict=True,
    )  # fmt: skip
    names = ("id", "image_id", "keypoints", "num_keypoints", "area", "bbox", "iscrowd")
    return {
        "info": {},
        "images": [{"id": image} for image in truth.image_ids.tolist()],
        "categories": [{"id": PERSON, "name": "person"}],
        "annotations": [dict(zip(names, row, strict=True), category_id=PERSON) for row in columns],
    }


def _result_file(results: Results) -> list[Entry]:
    keypoints = np.concatenate([results.keypoints, results.keypoint_scores[..., None]], axis=2)
    columns = zip(results.image_ids.tolist(), keypoints.reshape(-1, 51).tolist(), results.scores.tolist(), strict=True)
    return [{"image_id": i, "category_id": PERSON, "keypoints": k, "score": s} for i, k, s in columns]


def _unmatchable(truth: GroundTruth) -> Entry:
    """Return a result far away from everybody, so that an empty list can be evaluated."""
    return {
        "image_id": int(truth.image_ids[0]),
        "category_id": PERSON,
        "keypoints": [-1e9, -1e9, 0.0] * 16 + [-1.1e9, -1.1e9, 0.0],
        "score": 0.0,
    }
