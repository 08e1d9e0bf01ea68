"""95 % confidence intervals with a closed form; `bootstrap` has those that need resampling."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from scipy import stats


def student(numbers: Sequence[float] | np.ndarray) -> tuple[float, float] | tuple[None, None]:
    """Return Student's t interval of the mean of a few independent draws (seeds, rounds); (None, None) for one."""
    if len(numbers) < 2:
        return None, None
    half = stats.t.ppf(0.975, len(numbers) - 1) * stats.sem(numbers)
    return float(np.mean(numbers) - half), float(np.mean(numbers) + half)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return Wilson's interval (1927) of the share of `hits` in `count`; it stays within 0 to 1."""
    z = NormalDist().inv_cdf(0.975)
    centre = (hits + z * z / 2) / (count + z * z)
    half = z / (count + z * z) * (hits * (count - hits) / count + z * z / 4) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)
