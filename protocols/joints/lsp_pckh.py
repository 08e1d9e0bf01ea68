"""PCKh for datasets without head boxes, such as LSP: within half the distance from the upper neck to the head top.

It is named PCKh-like: the head size of PCKh on MPII is 0.75 of this length (0.6 x the diagonal of the head box,
from which MPII's neck and head top are made), so that 0.5 here is 0.67 there. Joints, `<=` and means are lsp_pck's.
"""

from dataclasses import replace

import numpy as np

from protocols.joints import pck
from protocols.joints.lsp_pck import lsp_joints
from protocols.joints.occlusion import head_sizes
from protocols.pose.people import People, Predictions
from protocols.pose.skeletons import LSP
from protocols.statistics.scores import Scores
from protocols.statistics.tally import Tally

PCKH_LIKE = pck.definition(LSP, "PCKh-like", steps=50, reported=(50, 10))


def score(predictions: Predictions, people: People, *, resamples: int = 1000, seed: int = 0) -> Scores:
    """Compute PCKh-like@0.5, PCKh-like@0.1 and AUC of every part, in per cent, with 95 % intervals over people.

    Works for any skeleton with the 14 LSP joints. People whose neck or head top is not annotated are left out, with a
    warning. samples["distance"] is N x 14 float64, in head lengths, NaN where not counted. Raises
    DataError as pck.distances does.
    """
    predictions, people = lsp_joints(predictions, people)
    length, _ = head_sizes(replace(people, head_size=None))  # the same length for every dataset
    missing = int(np.isnan(length).sum())
    warnings = (f"{missing} of {len(people)} people are not counted: their neck or head top is not annotated.",)
    distance = pck.distances(predictions, people, length)
    scores = pck.scores(distance, PCKH_LIKE, resamples=resamples, seed=seed, warnings=warnings if missing else ())
    return pck.with_unanswered(scores, predictions, people)


def tally(samples: dict[str, np.ndarray]) -> Tally:
    """Return the credits of stored samples, for bootstrap.values and bootstrap.paired_difference."""
    return pck.tally(samples["distance"], PCKH_LIKE)
