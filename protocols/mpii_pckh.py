"""PCKh on MPII: the share of joints within a fraction of the head size of the truth.

Andriluka et al., CVPR 2014; the numbers are those of the evaluation in HRNet (Sun et al. 2019),
bit for bit, and with it those of the MPII toolkit: `<=`, occluded joints included, mean pooled
over 14 joints. "PCKh@0.5 unweighted" is the plain mean of the 14 percentages, as eval_PCKh prints it.
"""

import numpy as np

from protocols import pck
from protocols.errors import DataError
from protocols.keypoints import MPII
from protocols.people import People, Predictions
from protocols.scores import Scores
from protocols.tally import Statistic, Tally

RULE = pck.rule(MPII, "PCKh", steps=50, reported=(50, 10))
UNWEIGHTED = Statistic("PCKh@0.5 unweighted", "mean", "PCKh@0.5", RULE.mean)


def score(predictions: Predictions, people: People, *, resamples: int = 1000, seed: int = 0) -> Scores:
    """PCKh@0.5, PCKh@0.1 and AUC of every part, in per cent, with 95 % intervals over people.

    samples["distance"] is N x 16 float64, in head sizes, NaN where not annotated. Raises
    DataError for people of another skeleton or without head sizes, and as pck.distances does.
    """
    distance = pck.distances(predictions, people, head_sizes(people))
    return pck.scores(distance, RULE, resamples=resamples, seed=seed, extra=(UNWEIGHTED,))


def tally(samples: dict[str, np.ndarray]) -> Tally:
    """The credits behind stored samples, for bootstrap.values and bootstrap.paired_difference."""
    return pck.tally(samples["distance"], RULE, (UNWEIGHTED,))


def head_sizes(people: People) -> np.ndarray:
    """N float64, pixels: 0.6 x the diagonal of the head box."""
    if people.skeleton.name != MPII.name or people.head_size is None:
        raise DataError(
            what=f"{people.dataset}/{people.split} has no head sizes for MPII joints.",
            expected="The 16 MPII joints and a head box for every person.",
            cause="The dataset has none, or the annotation file that was read leaves them out.",
            next_step="Score it with lsp-pck, which divides by the torso instead.",
        )
    return people.head_size
