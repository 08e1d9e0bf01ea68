"""PCKh on MPII: share of joints whose distance to the ground truth is within a fraction of the head size.

Andriluka et al., CVPR 2014; the numbers equal those of the evaluation in HRNet (Sun et al. 2019)
bit for bit, and so those of the MPII toolkit: `<=`, occluded joints included, mean pooled
over 14 joints, "upper body" over the six of the arms. "PCKh@0.5 unweighted" is the plain mean of the 14 percentages,
as eval_PCKh prints it.
`variants` scores the same predictions under the other conventions in use.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from protocols.errors import DataError
from protocols.joints import pck
from protocols.joints.pck import Variant
from protocols.pose.people import VISIBLE, People, Predictions
from protocols.pose.skeletons import MPII
from protocols.statistics.scores import Scores
from protocols.statistics.tally import Statistic, Tally, percentages

PCKH = pck.definition(MPII, "PCKh", steps=50, reported=(50, 10))
UNWEIGHTED = Statistic("PCKh@0.5 unweighted", "mean", "PCKh@0.5", PCKH.mean)
UPPER_JOINTS = tuple(joint for part, joints in PCKH.parts if part in ("shoulder", "elbow", "wrist") for joint in joints)
UPPER_BODY = Statistic("PCKh@0.5", "upper body", "PCKh@0.5", UPPER_JOINTS, pooled=True)
EXTRA = (UNWEIGHTED, UPPER_BODY)


def score(predictions: Predictions, people: People, *, resamples: int = 1000, seed: int = 0) -> Scores:
    """Compute PCKh@0.5, PCKh@0.1 and AUC of every part, in per cent, with 95 % intervals over people.

    samples["distance"] is N x 16 float64, in head sizes, NaN where not annotated. Raises
    DataError for people of another skeleton or without head sizes, and as pck.distances does.
    """
    distance = pck.distances(predictions, people, head_sizes(people))
    scores = pck.scores(distance, PCKH, resamples=resamples, seed=seed, extra=EXTRA, warnings=_mask_warning(people))
    return pck.with_unanswered(scores, predictions, people)


def _mask_warning(people: People) -> tuple[str, ...]:
    """Warn if far more than MPII's 6.5 % of joints are not annotated, as if occluded joints had been removed."""
    missing = float(np.mean(~people.annotated))
    if people.dataset != "mpii" or missing <= 0.2:
        return ()
    return (
        f"{missing:.0%} of the joints are marked as not annotated, on MPII it is 6.5 %: "
        "the flag of the annotation may mean visible instead. Without occluded joints PCKh is about 5 points higher.",
    )


def tally(samples: dict[str, np.ndarray]) -> Tally:
    """Return the credits of stored samples, for bootstrap.values and bootstrap.paired_difference."""
    return pck.tally(samples["distance"], PCKH, EXTRA)


def variants(predictions: Predictions, people: People) -> list[Variant]:
    """Score these predictions as other code does, named by `source`, beside our value.

    Raises DataError as score does.
    """
    size = head_sizes(people)
    distance = pck.distances(predictions, people, size)
    rows = _means(distance, people) + _masks(distance, people) + _frames(predictions, people, size)
    return rows + _heads(distance) + _strict(distance) + _areas(distance)


def _means(distance: np.ndarray, people: People) -> list[Variant]:
    """Return PCKh@0.5 over other joints and with other averages."""
    hits = distance <= 0.5
    counted = people.annotated
    ours = _pooled(hits, counted)
    each = _shares(hits, counted)
    columns = float(np.mean([each[list(joints)].mean() for _, joints in PCKH.parts]))
    rows = (
        ("plain mean of the 14 joints' percentages", "eval_PCKh.py, eval_PCKh.m", float(each[list(PCKH.mean)].mean())),
        ("plain mean of the 7 columns", "pypose", columns),
        ("pooled over all 16 joints, pelvis and thorax too", "code without a joint mask", _pooled(hits, counted, _ALL)),
        ("pooled over shoulders, elbows and wrists", "MPII toolkit, upper body", _pooled(hits, counted, UPPER_JOINTS)),
    )
    return [Variant("PCKh@0.5", "mean", convention, source, value, ours) for convention, source, value in rows]


def _masks(distance: np.ndarray, people: People) -> list[Variant]:
    """Return PCKh@0.5 with other rules for which joints count."""
    hits, counted, truth = distance <= 0.5, people.annotated, people.keypoints
    rows = (
        ("only visible joints count", "code that masks with `visible`", people.visibility == VISIBLE),
        ("joints with x <= 1 or y <= 1 do not count", "Newell et al., Lua", (truth > 1).all(axis=-1)),
        ("joints with x <= 0 do not count", "Newell et al., Python", truth[..., 0] > 0),
        ("exact hits (distance 0) do not count", "pypose", distance > 0),
    )
    ours = _pooled(hits, counted)
    return [
        Variant("PCKh@0.5", "mean", convention, source, _pooled(hits, counted & mask), ours)
        for convention, source, mask in rows
    ]


def _frames(predictions: Predictions, people: People, size: np.ndarray) -> list[Variant]:
    """Return PCKh@0.5 with predictions shifted by a pixel, and with a truncated ground truth."""

    def value(keypoints: np.ndarray, truth: np.ndarray) -> float:
        moved = replace(predictions, keypoints=keypoints), replace(people, keypoints=truth)
        return _pooled(pck.distances(*moved, size) <= 0.5, people.annotated)

    given, truth = predictions.keypoints, people.keypoints
    ours = value(given, truth)
    rows = (
        ("1 added to the predictions", "HRNet, if the file already counts from 1", value(given + 1, truth)),
        ("1 subtracted from the predictions", "a file that counts from 0, unconverted", value(given - 1, truth)),
        ("ground truth truncated to whole pixels", "Newell et al., `part` of their h5", value(given, np.trunc(truth))),
    )
    return [Variant("PCKh@0.5", "mean", convention, source, moved, ours) for convention, source, moved in rows]


def _heads(distance: np.ndarray) -> list[Variant]:
    """Return the head column with the neck in it."""
    share = _shares(distance <= 0.5, ~np.isnan(distance))
    top, neck = share[MPII.index("head_top")], share[MPII.index("upper_neck")]
    convention = "mean of upper neck and head top"
    return [Variant("PCKh@0.5", "head", convention, "Newell et al., demo", float((top + neck) / 2), float(top))]


def _strict(distance: np.ndarray) -> list[Variant]:
    """Return `<` instead of `<=`, float32, and threshold 0.11 instead of 0.1."""
    counted = ~np.isnan(distance)
    half, tenth, eleven = (PCKH.thresholds[step] for step in (50, 10, 11))
    single = distance.astype(np.float32) < np.float32(0.5)
    rows = (
        ("PCKh@0.5", "distance < threshold", "eval_PCKh", distance < half, distance <= half),
        ("PCKh@0.5", "distance < threshold, in float32", "mmpose", single, distance <= half),
        ("PCKh@0.1", "threshold 0.11", "HRNet and MSPN, Mean@0.1", distance <= eleven, distance <= tenth),
        ("PCKh@0.1", "distance < threshold", "mmpose", distance < tenth, distance <= tenth),
    )
    return [
        Variant(metric, "mean", convention, source, _pooled(hits, counted), _pooled(ours, counted))
        for metric, convention, source, hits, ours in rows
    ]


def _areas(distance: np.ndarray) -> list[Variant]:
    """Return other summaries of the curve than the trapezoid rule over 0 to 0.5."""
    curve = pck.curves(distance, PCKH)["mean"]
    ours = float(np.trapezoid(curve) / PCKH.steps)
    rows = (
        ("plain mean of the 51 points", "common practice", curve.mean()),
        ("plain mean of the 50 points below 0.5", "eval_PCKh.py's thresholds", curve[:-1].mean()),
        ("trapezoids over 11 points, 0.05 apart", "Newell et al., demo's thresholds", np.trapezoid(curve[::5]) / 10),
    )
    return [Variant("AUC", "mean", convention, source, float(value), ours) for convention, source, value in rows]


_ALL = tuple(range(len(MPII)))


def _shares(hits: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Return the percentages of the 16 joints."""
    return percentages((hits & counted).sum(axis=0), counted.sum(axis=0))


def _pooled(hits: np.ndarray, counted: np.ndarray, joints: Sequence[int] = PCKH.mean) -> float:
    """Return the percentage of hits among the counted joints; NaN if none is counted."""
    chosen = list(joints)
    return float(percentages((hits & counted)[:, chosen].sum(), counted[:, chosen].sum()))


def head_sizes(people: People) -> np.ndarray:
    """Return head sizes, N float64 pixels: 0.6 x the diagonal of the head box."""
    if people.skeleton.name != MPII.name or people.head_size is None:
        elsewhere = str(people.notes.get("head sizes", ""))  # where its reader would find them
        raise DataError(
            what=f"{people.dataset}/{people.split} has no head sizes for MPII joints.",
            expected="the 16 MPII joints and a head box for every person",
            cause=f"{people.notes.get('files', 'its annotation')} holds no head boxes" if elsewhere else "it has none",
            next_step=f"they are {elsewhere}"
            if elsewhere
            else "score it with lsp-pck, which divides by the torso instead",
        )
    return people.head_size
