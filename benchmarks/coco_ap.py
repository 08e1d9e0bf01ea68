"""COCO keypoint AP of 5,000 images and 11,000 people, plain and with 1,000 resamples, against pycocotools."""

import contextlib
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks.rounds import Line, in_turn, main, seconds
from protocols.coco import annotations as coco_annotations
from protocols.coco import ap as coco_ap
from protocols.coco import results as coco_results
from protocols.coco.results import Entry

IMAGES, PEOPLE, RESAMPLES = 5000, 11_000, 1000


def sample(images: int, people: int) -> tuple[dict[str, object], list[Entry]]:
    """Draw an annotation file with people on half of its images, as in val2017, and results for most of them."""
    rng = np.random.default_rng(0)
    annotations: list[dict[str, object]] = []
    results: list[Entry] = []
    for number, image in enumerate(rng.integers(1, images // 2 + 1, people).tolist(), start=1):
        size, corner = np.exp(rng.uniform(np.log(20), np.log(400))), rng.uniform(0, 400, 2)
        points = corner + rng.uniform(0, 1, (17, 2)) * [size / 2, size]
        visibility = rng.integers(0, 3, (17, 1)) * (rng.random() > 0.3)
        annotations.append({
            "id": number, "image_id": image, "category_id": 1, "iscrowd": int(rng.random() < 0.02),
            "keypoints": np.hstack([points * (visibility > 0), visibility]).ravel().tolist(),
            "num_keypoints": int((visibility > 0).sum()), "area": float(size**2 * 0.3),
            "bbox": [*corner.tolist(), size / 2, size],
        })  # fmt: skip
        for _ in range(rng.choice([0, 1, 1, 2])):
            found = points + rng.normal(0, 0.05 * size, (17, 2))
            keypoints = np.hstack([found, np.ones((17, 1))]).ravel().tolist()
            results.append({"image_id": image, "category_id": 1, "keypoints": keypoints, "score": rng.random()})
    files = [{"id": i, "file_name": f"{i:012d}.jpg", "width": 640, "height": 480} for i in range(1, images + 1)]
    person = [{"id": 1, "name": "person"}]
    return {"info": {}, "images": files, "annotations": annotations, "categories": person}, results


def official(truth: COCO, results: COCO) -> np.ndarray:
    """Return the ten numbers of pycocotools."""
    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(truth, results, "keypoints")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run.stats


def lines(tiny: bool) -> Iterator[Line]:
    """Yield the comparisons, `tiny` ones to check that they run."""
    annotations, entries = sample(*((40, 90) if tiny else (IMAGES, PEOPLE)))
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / "truth.json"
        path.write_text(json.dumps(annotations))
        result_path = Path(folder) / "results.json"
        result_path.write_text(json.dumps(entries))
        truth, annotated = coco_annotations.read(path), COCO(str(path))
        results, found = coco_results.from_entries(entries, truth), annotated.loadRes(str(result_path))
    ours = [value.value for value in coco_ap.score(results, truth, resamples=0).values]
    np.testing.assert_array_equal(ours, official(annotated, found))
    rounds, resamples = (1, 5) if tiny else (3, RESAMPLES)
    plain, peer = in_turn(
        lambda: coco_ap.score(results, truth, resamples=0), lambda: official(annotated, found), rounds=rounds
    )
    what = f"COCO AP of {len(truth.image_ids):,} images, {len(truth):,} people, {len(results):,} results"
    yield Line(what, plain, rounds, "pycocotools", peer, reach=3, note="the ten numbers are equal to the last bit")
    whole = seconds(lambda: coco_ap.score(results, truth, resamples=resamples))
    against = f"{resamples:,} evaluations"
    note = f"ours once; the peer is one evaluation, times {resamples:,}"
    yield Line(f"the same with {resamples:,} resamples", whole, 1, against, peer * resamples, reach=200, note=note)


if __name__ == "__main__":
    main("coco_ap", lines)
