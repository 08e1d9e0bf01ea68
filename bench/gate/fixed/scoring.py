"""Fixed predictions under every protocol that scores some: errors on thresholds, several people an image, no answers.

They are errors of 5, 10, ... pixels along the sides of 3-4-5 triangles around the tiny annotation, as files of every
format that the readers know.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import scipy.io

from bench.gate.fixed import Case, Row
from bench.gate.fixed.annotation import SCALES, keypoints
from bench.gate.fixed.rows import of_array, of_value
from bench.results.paired import difference
from bench.steps.score import score_predictions
from bench.steps.score_file import file_cell, score_file
from protocols import PROTOCOLS, Options
from protocols.coco.annotations import PERSON
from protocols.coco.ap import score_people
from protocols.coco.top_down import HRNET
from protocols.datasets import open_people
from protocols.joints import occluded_limb
from protocols.joints.lsp_pck import TORSOS
from protocols.joints.occlusion import occlude
from protocols.pose.people import People, Predictions
from protocols.pose.skeletons import COCO, MPII_COLUMNS
from protocols.statistics.scores import Scores

RESAMPLES = 50
SPLITS = {"mpii": "val", "lspet": "train"}
OVERALL = ("mean", "all")  # parts whose intervals are kept
FILES: tuple[tuple[str, str, str, Options], ...] = (  # protocol, dataset, format of the file, options
    ("mpii-pckh", "mpii", "npz", {}),
    ("mpii-pckh", "mpii", "h5", {}),
    ("lsp-pck", "mpii", "mat", {}),
    *(("lsp-pck", "lspet", "json", {"torso": torso}) for torso in TORSOS),
    ("lsp-pckh", "mpii", "npz", {}),
    ("lsp-pckh", "lspet", "npz", {}),
    ("lsp-pcp", "mpii", "json", {}),
    ("lsp-pcp", "lspet", "npz", {}),
)


def cases(folder: Path) -> dict[str, Case]:
    """A case for each protocol with each of its options."""
    data = folder / "demo"
    found: dict[str, Case] = {}
    for protocol, dataset, suffix, options in FILES:
        words = "".join(f", {value}" for value in options.values())
        found[f"{protocol} {dataset} {suffix}{words}"] = partial(_keypoints, protocol, dataset, suffix, options, data)
    for dataset in ("mpii", "lspet"):
        found[f"occluded-limb {dataset}"] = partial(_covered, dataset, data)
    found["coco-ap results"] = partial(_results, data)
    for preset, boxes in (("hrnet", "ground-truth"), ("hrnet", "detections"), ("mspn", "detections")):
        found[f"coco-ap {preset}, {boxes}"] = partial(_boxes, preset, boxes, data)
    found["coco-ap soft"] = partial(_soft, data)
    return found | {f"cifar10-error {name}": partial(_classes, name, data) for name in ("scores", "classes")}


def moved(truth: np.ndarray, scales: Sequence[float], seed: int, step: float = 1.0) -> np.ndarray:
    """The truth, N x J x 2, off by 0, 5, ... 50 pixels times `step` and the scale, in eight directions."""
    draws = np.random.RandomState(seed)
    directions = np.array([(3, 4), (4, 3), (-3, 4), (-4, 3), (3, -4), (4, -3), (-3, -4), (-4, -3)], float)
    sides = directions[draws.randint(0, 8, truth.shape[:2])]
    steps = draws.randint(0, 11, truth.shape[:2]) * step
    return truth + sides * steps[..., None] * np.array(scales)[:, None, None]


def _keypoints(protocol: str, dataset: str, suffix: str, options: Options, data: Path) -> Iterator[Row]:
    """Values, curve and variants of a file with one joint left out; and its difference to other predictions."""
    rules = PROTOCOLS[protocol]
    chosen = options | {"resamples": RESAMPLES}
    people = open_people(dataset, SPLITS[dataset], data)
    found, other = (moved(people.keypoints, SCALES[: len(people)], seed) for seed in (1, 2))
    found[1, 9] = np.nan
    with tempfile.TemporaryDirectory(prefix="bench-fixed-") as folder:
        file = Path(folder) / f"fixed.{suffix}"
        _write(file, found, people)
        cell = file_cell("fixed", protocol, f"{dataset}/{SPLITS[dataset]}", chosen)
        scored = score_file(file, cell, data)
    yield from _scores(scored.scores)
    for variant in scored.variants:
        yield Row(f"{variant.metric}, variant", f"{variant.part}: {variant.convention}", variant.value)
    theirs = score_predictions(rules, Predictions(other), people, chosen)
    for value in difference(rules, [scored.scores], [theirs]):
        if (value.metric, value.part) == rules.headline:
            yield from of_value(replace(value, metric=f"difference {value.metric}"))


def _write(file: Path, found: np.ndarray, people: People) -> None:
    """Write predictions as the authors of networks do: other axes, other origins, other columns."""
    match file.suffix:
        case ".npz":
            np.savez(file, keypoints=found)
        case ".h5":
            with h5py.File(file, "w") as content:
                content["preds"] = found
        case ".mat":
            order = np.roll(np.arange(16), 3)
            names = np.array(MPII_COLUMNS, object)[order][None]
            scipy.io.savemat(file, {"pred": found.transpose(2, 1, 0)[:, order], "dataset_joints": names})
        case _:
            ids = np.arange(len(people))[::-1]
            content = {"keypoints": (found - people.origin)[ids].tolist(), "origin": 0, "ids": ids.tolist()}
            file.write_text(json.dumps(content))


def _scores(scores: Scores) -> Iterator[Row]:
    for value in scores.values:
        yield from of_value(value, intervals=value.part in OVERALL)
    if scores.curve:
        yield from of_array("curve", np.stack([*scores.curve.values()]))
    yield Row("warnings", "all", len(scores.warnings))


def _covered(dataset: str, data: Path) -> Iterator[Row]:
    """Covered pictures, and scores of predictions that confuse left and right where a calf is covered."""
    people = open_people(dataset, SPLITS[dataset], data)
    covered, occlusion = occlude(people)
    clean, found = (moved(people.keypoints, SCALES[: len(people)], seed, step=0.8) for seed in (1, 2))
    found[::2] = found[::2][:, list(people.skeleton.mirror)]
    scores = occluded_limb.score(Predictions(clean), Predictions(found), people, occlusion, resamples=RESAMPLES)
    yield from (row for value in scores.values for row in of_value(value, intervals=value.part in OVERALL))
    for name in ("side", "centre", "radius", "head_size", "other_ankle"):
        yield from of_array(name, getattr(occlusion, name))
    for row in (0, len(people) - 1):
        yield from of_array(f"picture {row}", covered.read_image(row)[::2, ::2])


def _results(data: Path) -> Iterator[Row]:
    """COCO results: two a person, equal scores, and similarities of exactly 8/16 and 12/16."""
    entries = []
    for row, place in enumerate(keypoints(COCO)):
        for copy in range(2):
            found = moved(place[None], SCALES[row : row + 1], seed=10 * row + copy, step=0.25)[0]
            if copy == 0 and row in (3, 7):  # their left ear, joint 3, is absent
                found = place + np.where(np.arange(len(COCO)) < {3: 9, 7: 13}[row], 0, 1e5)[:, None]
            flat = np.column_stack([found, np.ones(len(COCO))]).ravel().tolist()
            score = (row % 4 - copy) / 4
            entries.append({"image_id": 7 - row % 3, "category_id": PERSON, "keypoints": flat, "score": score})
    with tempfile.TemporaryDirectory(prefix="bench-fixed-") as folder:
        file = Path(folder) / "fixed.json"
        file.write_text(json.dumps(entries))
        cell = file_cell("fixed", "coco-ap", "coco/val2017", {"resamples": RESAMPLES})
        yield from _scores(score_file(file, cell, data).scores)


def _detected(boxes: str, data: Path) -> tuple[People, Predictions]:
    """People by box, and predictions around the person of each box; keypoint scores up to 1, some exactly 0.2."""
    people = open_people("coco", "val2017", data, boxes=boxes)
    if people.annotation_ids is None:  # three boxes each, but for somebody of another category
        rows = [row for row in range(len(SCALES)) if row != 6 for _ in range(3)]
        spread = [1, 2, 4] * (len(rows) // 3)
    else:
        rows, spread = (people.annotation_ids - 101).tolist(), [1] * len(people)
    size = [SCALES[row] * factor for row, factor in zip(rows, spread, strict=True)]
    found = moved(keypoints(COCO)[rows], size, seed=3, step=0.25)
    scores = np.random.RandomState(4).randint(0, 6, found.shape[:2]) / 5
    return people, Predictions(found, scores)


def _boxes(preset: str, boxes: str, data: Path) -> Iterator[Row]:
    people, predictions = _detected(boxes, data)
    options = {"preset": preset, "resamples": RESAMPLES}
    yield from _scores(score_predictions(PROTOCOLS["coco-ap"], predictions, people, options))


def _soft(data: Path) -> Iterator[Row]:
    """Suppression that lowers scores instead of removing people."""
    people, predictions = _detected("detections", data)
    preset = replace(HRNET, suppression="soft")
    yield from _scores(score_people(predictions, people, preset=preset, resamples=RESAMPLES))


def _classes(name: str, data: Path) -> Iterator[Row]:
    """Class scores with ties, or class numbers, of the twenty training pictures."""
    draws = np.random.RandomState(7)
    scores, classes = draws.randint(0, 3, (20, 10)) / 4, draws.randint(0, 10, 20)
    with tempfile.TemporaryDirectory(prefix="bench-fixed-") as folder:
        file = Path(folder) / "fixed.npz"
        np.savez(file, scores if name == "scores" else classes)
        scored = score_file(file, file_cell("fixed", "cifar10-error", "cifar10/train", {}), data)
        yield from (row for value in scored.scores.values for row in of_value(value))
