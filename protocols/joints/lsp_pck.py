"""PCK on LSP: share of joints whose distance to the ground truth is within a fraction of the torso length.

Pishchulin's LSP toolkit and the evaluation of CPM (Wei et al. 2016): torso = left shoulder to
right hip of the same person, `<=`, all 14 joints, occluded ones included.
"""

from dataclasses import replace

import numpy as np

from protocols.errors import DataError
from protocols.joints import pck
from protocols.joints.pck import Variant
from protocols.pose.people import People, Predictions
from protocols.pose.skeletons import LSP
from protocols.statistics.scores import Scores
from protocols.statistics.tally import Tally, percentages

PCK = pck.definition(LSP, "PCK", steps=20, reported=(20, 10))

# A torso length is the mean length of its segments; a segment joins the midpoints of its two ends.
TORSOS = {
    "left_shoulder-right_hip": ((("left_shoulder",), ("right_hip",)),),
    "right_shoulder-left_hip": ((("right_shoulder",), ("left_hip",)),),
    "mean of diagonals": ((("left_shoulder",), ("right_hip",)), (("right_shoulder",), ("left_hip",))),
    "mid_shoulder-mid_hip": ((("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")),),
}
TORSO = "left_shoulder-right_hip"


def score(
    predictions: Predictions, people: People, *, torso: str = TORSO, resamples: int = 1000, seed: int = 0
) -> Scores:
    """Compute PCK@0.2, PCK@0.1 and AUC of every part, in per cent, with 95 % intervals over people.

    Works for any skeleton with the 14 LSP joints (pelvis and thorax do not count). People without a
    torso length are left out, with a warning. samples["distance"] is N x 14
    float64, in torso lengths, NaN where not counted. Raises DataError as pck.distances does.
    """
    predictions, people = lsp_joints(predictions, people)
    length = torso_lengths(people, torso)
    missing = int(np.isnan(length).sum())
    warnings = (f"{missing} of {len(people)} people are not counted: a joint of their torso is not annotated.",)
    distance = pck.distances(predictions, people, length)
    scores = pck.scores(distance, PCK, resamples=resamples, seed=seed, warnings=warnings if missing else ())
    return pck.with_unanswered(scores, predictions, people)


def tally(samples: dict[str, np.ndarray]) -> Tally:
    """Return the credits of stored samples, for bootstrap.values and bootstrap.paired_difference."""
    return pck.tally(samples["distance"], PCK)


def variants(predictions: Predictions, people: People) -> list[Variant]:
    """Compute PCK@0.2 with the other torsos, with `<`, and shifted by a pixel, beside our value.

    Raises DataError as score does.
    """
    ours = _mean(predictions, people)

    def shifted(step: int) -> float:
        return _mean(replace(predictions, keypoints=predictions.keypoints + step), people)

    chosen = lsp_joints(predictions, people)
    distance = pck.distances(*chosen, torso_lengths(chosen[1]))
    strict = percentages((distance < PCK.thresholds[20]).sum(), (~np.isnan(distance)).sum())
    rows = [(f"torso: {torso}", "other code", _mean(predictions, people, torso)) for torso in TORSOS if torso != TORSO]
    rows += [
        ("distance < threshold", "other code", float(strict)),
        ("1 added to the predictions", "a file converted twice", shifted(1)),
        ("1 subtracted from the predictions", "a file that counts from 0, unconverted", shifted(-1)),
    ]
    return [Variant("PCK@0.2", "mean", convention, source, value, ours) for convention, source, value in rows]


def _mean(predictions: Predictions, people: People, torso: str = TORSO) -> float:
    found = score(predictions, people, torso=torso, resamples=0).values
    return next(value.value for value in found if (value.metric, value.part) == ("PCK@0.2", "mean"))


def torso_lengths(people: People, torso: str = TORSO) -> np.ndarray:
    """Return torso lengths, N float64 pixels; NaN for people with an end that is not annotated."""
    if torso not in TORSOS:
        raise DataError(f"There is no torso {torso!r}.", expected=f"one of {', '.join(TORSOS)}")
    keypoints = np.where(people.annotated[..., None], people.keypoints, np.nan)
    lengths = []
    for ends in TORSOS[torso]:
        start, stop = (keypoints[:, [people.skeleton.index(joint) for joint in end]].mean(axis=1) for end in ends)
        lengths.append(np.sqrt(((start - stop) ** 2).sum(axis=1)))
    return np.mean(lengths, axis=0)


def lsp_joints(predictions: Predictions, people: People) -> tuple[Predictions, People]:
    """Return both with the 14 LSP joints in LSP's order, found by name."""
    pck.check(predictions, people)
    if people.skeleton.name == LSP.name:
        return predictions, people
    if absent := [joint for joint in LSP.joints if joint not in people.skeleton.joints]:
        raise DataError(
            what=f"{people.dataset}/{people.split} has no {' and no '.join(absent)}.",
            expected="the 14 joints of LSP",
            cause="the dataset's skeleton leaves them out",
            next_step="choose mannequin, mpii, lsp or lspet",
        )
    order = [people.skeleton.index(joint) for joint in LSP.joints]
    chosen = replace(people, skeleton=LSP, keypoints=people.keypoints[:, order], visibility=people.visibility[:, order])
    return replace(predictions, keypoints=predictions.keypoints[:, order]), chosen
