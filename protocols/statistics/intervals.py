"""95 % confidence intervals with a closed form; `bootstrap` has those that need resampling."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np


def student(numbers: Sequence[float] | np.ndarray) -> tuple[float, float] | tuple[None, None]:
    """Return Student's t interval of the mean of a few independent draws (seeds, rounds); (None, None) for one."""
    if len(numbers) < 2:
        return None, None
    from scipy.special import stdtrit  # the quantile alone: scipy.stats takes 0.7 s to import

    half = stdtrit(len(numbers) - 1, 0.975) * (np.std(numbers, ddof=1) / np.sqrt(len(numbers)))
    return float(np.mean(numbers) - half), float(np.mean(numbers) + half)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return Wilson's interval (1927) of the share of `hits` in `count`; it stays within 0 to 1."""
    z = NormalDist().inv_cdf(0.975)
    centre = (hits + z * z / 2) / (count + z * z)
    half = z / (count + z * z) * (hits * (count - hits) / count + z * z / 4) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)
