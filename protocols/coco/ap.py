"""COCO keypoint AP and AR (protocol `coco-ap`), with intervals from resampled images.

Source: pycocotools 2.0.11, COCOeval.accumulate and summarize for iouType "keypoints". The ten numbers are equal
to the last bit. A resample of the images does not repeat the matching: it weights the stored matches.
"""

from dataclasses import dataclass

import numpy as np

from protocols import Value
from protocols.coco import official as coco_official
from protocols.coco.matching import AREA_RANGES, HIT, IGNORED, THRESHOLDS, Matches, match
from protocols.coco.results import Results, from_entries
from protocols.coco.top_down import HRNET, TopDown, assemble
from protocols.errors import DataError
from protocols.pose.people import GroundTruth, People, Predictions
from protocols.pose.skeletons import COCO
from protocols.statistics import bootstrap
from protocols.statistics.scores import Scores

RECALLS = np.linspace(0.0, 1.0, 101)
METRICS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
ROUNDING = 1e-12  # faster-coco-eval starts at a precision of 1, pycocotools at 1 - 2e-16
ALL, MEDIUM, LARGE = range(len(AREA_RANGES))
AT_50, AT_75 = 0, 5  # indices in THRESHOLDS


def score(
    results: Results, truth: GroundTruth, *, backend: str = "own", resamples: int = 1000, seed: int = 0
) -> Scores:
    """Compute the ten COCO numbers (0..1) of keypoint results, each with its 95 % bootstrap interval over images.

    Every image of `truth` counts, also without results. A number is NaN with n = 0 if no annotated person is in its
    area range (pycocotools writes -1). n counts people. An empty list of results scores 0.
    backend: "own"; or "pycocotools" or "faster" (faster-coco-eval) to take the ten numbers from that tool,
        with a warning if ours differ by more than rounding. Intervals are ours; resamples = 0 leaves them out.
    `samples` holds the fields of `Matches`, which `difference` needs to compare two results.
    """
    matches = match(results, truth)
    numbers = _numbers(_Ranking.of(matches), np.ones(len(truth.image_ids)))
    warnings = results.warnings
    if backend != "own":
        official = coco_official.numbers(results, truth, backend)
        if not np.allclose(official, numbers, rtol=0, atol=ROUNDING, equal_nan=True):
            warnings += (f"{backend} and this module disagree: {official.tolist()} against {numbers.tolist()}.",)
        numbers = official
    spread = _resampled([matches], resamples, seed)[:, 0]
    return Scores(values=_values(numbers, spread, matches.people), samples=dict(vars(matches)), warnings=warnings)


def score_people(
    predictions: Predictions,
    people: People,
    *,
    preset: TopDown = HRNET,
    backend: str = "own",
    resamples: int = 1000,
    seed: int = 0,
) -> Scores:
    """Compute the ten numbers of one prediction a box: rescored, suppressed and ordered as `preset` says.

    On COCO, results are scored against every annotation of the split (people.ground_truth). On other datasets each
    person is treated as an image with ids from 1, which needs COCO's 17 joints, areas and boxes. Box scores are those
    of the detector, 1 for ground-truth boxes; keypoint scores are 1 if the predictions have none. Raises DataError.
    """
    count = len(people)
    if predictions.keypoints.shape != (count, len(COCO), 2):
        raise DataError(
            f"{predictions.source or 'predictions'}: the keypoints have the shape {predictions.keypoints.shape}.",
            expected=f"{count} x 17 x 2: one row a box, COCO's joints",
            cause="predictions of another split or skeleton",
        )
    truth, image_ids, boxes = people.ground_truth, people.image_ids, people.boxes
    if truth is None or image_ids is None or boxes is None:
        truth = _one_image_each(people)
        image_ids, boxes = truth.image_ids, truth.boxes
    scores = np.ones((count, len(COCO))) if predictions.scores is None else predictions.scores
    box_scores = np.ones(count) if people.box_scores is None else people.box_scores
    keypoints = np.concatenate([predictions.keypoints, scores[..., None]], axis=2)
    entries = assemble(keypoints, box_scores, image_ids, boxes, preset)
    results = from_entries(entries, truth, predictions.source or "predictions")
    return score(results, truth, backend=backend, resamples=resamples, seed=seed)


def difference(first: Scores, second: Scores, *, resamples: int = 1000, seed: int = 0) -> tuple[Value, ...]:
    """Compute first minus second of each of the ten numbers, with an interval over the same resampled images.

    Raises DataError if the two were not scored against the same images and people.
    """
    pair = [Matches(**scores.samples) for scores in (first, second)]
    if not all(np.array_equal(getattr(pair[0], name), getattr(pair[1], name)) for name in ("image_ids", "people")):
        raise DataError(
            "The two results were not scored on the same images and people.",
            expected="the same annotation file for both",
            cause="another split, or a ground truth that changed since",
        )
    everywhere = np.ones(len(pair[0].image_ids))
    numbers = np.subtract(*(_numbers(_Ranking.of(matches), everywhere) for matches in pair))
    spread = np.subtract(*_resampled(pair, resamples, seed).transpose(1, 0, 2))
    return _values(numbers, spread, pair[0].people)


def _one_image_each(people: People) -> GroundTruth:
    """Return people as ground truth with an image for each of them."""
    if people.skeleton.name != COCO.name or people.areas is None or people.boxes is None:
        raise DataError(
            f"{people.dataset}/{people.split} cannot be scored by OKS as it was read.",
            expected="COCO's 17 joints, areas and boxes",
            next_step="score on coco, or on mannequin with its coco skeleton",
        )
    row = np.arange(len(people))
    return GroundTruth(
        image_ids=row + 1,
        image_names=people.images,
        image_sizes=np.zeros((len(people), 2), dtype=np.int64),  # not needed by the metric
        ids=row + 1,
        image=row,
        keypoints=people.keypoints,
        visibility=people.visibility,
        areas=people.areas,
        boxes=people.boxes,
        crowd=np.zeros(len(people), dtype=bool),
        labelled=people.annotated.sum(axis=1),
        source=f"{people.dataset}/{people.split}",
    )


@dataclass(frozen=True)
class _Row:
    """One area range and threshold of `Matches`: indices of results, best first."""

    hits: np.ndarray  # H
    changes: np.ndarray  # results that count here and not at the lowest threshold, or the other way round
    signs: np.ndarray  # 1.0 or -1.0 for each change
    before: np.ndarray  # H: number of changes up to each hit


@dataclass(frozen=True)
class _Ranking:
    """Matches, prepared for many accumulations."""

    image: np.ndarray  # D: row of the image of each result
    counted: np.ndarray  # area x D float64: 1 where a result is not ignored at the lowest threshold
    rows: list[list[_Row]]  # area, threshold
    people: np.ndarray  # area x I

    @classmethod
    def of(cls, matches: Matches) -> "_Ranking":
        """Prepare matches for many accumulations."""
        counts = matches.outcome != IGNORED
        rows = [
            [_row(outcome == HIT, counted, area[0]) for outcome, counted in zip(outcomes, area, strict=True)]
            for outcomes, area in zip(matches.outcome, counts, strict=True)
        ]
        return cls(matches.image, counts[:, 0].astype(np.float64), rows, matches.people)


def _row(hit: np.ndarray, counted: np.ndarray, lowest: np.ndarray) -> _Row:
    hits, changes = np.flatnonzero(hit), np.flatnonzero(counted != lowest)
    signs = np.where(counted[changes], 1.0, -1.0)
    return _Row(hits, changes, signs, np.searchsorted(changes, hits, side="right"))


def _numbers(ranking: _Ranking, weights: np.ndarray) -> np.ndarray:
    """Return the ten numbers if image i occurs `weights[i]` times; NaN if there are no people to find.

    Among equal scores, copies of an image are adjacent, as if their image ids were.
    """
    people = ranking.people @ weights
    weight = weights[ranking.image]
    precision = np.zeros((len(AREA_RANGES), len(THRESHOLDS), len(RECALLS)))
    recall = np.zeros((len(AREA_RANGES), len(THRESHOLDS)))
    for a in np.flatnonzero(people):
        counted = np.cumsum(weight * ranking.counted[a])
        for t, row in enumerate(ranking.rows[a]):
            if len(row.hits):
                precision[a, t], recall[a, t] = _curve(row, weight, counted, people[a])
    pick = (
        (ALL, slice(None)),
        (ALL, slice(AT_50, AT_50 + 1)),
        (ALL, slice(AT_75, AT_75 + 1)),
        (MEDIUM, slice(None)),
        (LARGE, slice(None)),
    )
    means = [table[a, t].mean() if people[a] else np.nan for table in (precision, recall) for a, t in pick]
    return np.array(means)


def _curve(row: _Row, weight: np.ndarray, counted: np.ndarray, people: float) -> tuple[np.ndarray, float]:
    """Return precision at the 101 recalls, 0 above the highest one reached, and that highest recall.

    Only hits matter: a miss lowers precision and leaves recall, so that the best precision at or above any recall is
    that of a hit. `counted` is the running number of results at the lowest threshold.
    """
    true = np.cumsum(weight[row.hits])
    changed = np.cumsum(np.append(0.0, weight[row.changes] * row.signs))
    precision = true / (counted[row.hits] + changed[row.before] + np.spacing(1))
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    reached = true / people
    place = np.searchsorted(reached, RECALLS, side="left")
    return np.append(envelope, 0.0)[place], reached[-1]


def _resampled(several: list[Matches], resamples: int, seed: int) -> np.ndarray:
    """Return resamples x results x 10: the numbers on images drawn with replacement, the same for all results."""
    rankings = [_Ranking.of(matches) for matches in several]
    numbers = [
        [_numbers(ranking, weights) for ranking in rankings]
        for block in bootstrap.draws(len(several[0].image_ids), resamples, seed)
        for weights in block.astype(np.float64)
    ]
    return np.array(numbers).reshape(resamples, len(several), len(METRICS))


def _values(numbers: np.ndarray, spread: np.ndarray, people: np.ndarray) -> tuple[Value, ...]:
    """Return the ten values; without an interval for a single image, without resamples, or without people."""
    count = dict(zip(AREA_RANGES, people.sum(axis=1).tolist(), strict=True))
    rows = []
    for i, metric in enumerate(METRICS):
        n = count[{"M": "medium", "L": "large"}.get(metric[-1], "all")]
        some = n and len(spread) and people.shape[1] > 1
        low, high = map(float, bootstrap.interval(spread[:, i])) if some else (None, None)
        rows.append(Value(metric, "all", float(numbers[i]), "", n, low, high))
    return tuple(rows)
