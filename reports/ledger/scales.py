"""Receptive fields over the pathways of a block, as Liu et al. 2018 define them for figure 4."""

from dataclasses import dataclass
from functools import reduce
from itertools import zip_longest

import numpy as np


@dataclass(frozen=True)
class Scales:
    """counts[i] pathways have the field 1 + 2 i: 3x3 convolutions add 2, 1x1 convolutions nothing."""

    counts: tuple[int, ...]  # Python's integers: 80 residual blocks have 2^80 pathways

    def stacked(self, times: int) -> "Scales":
        """The same block `times` times in a row: fields add, so the counts convolve."""
        return Scales(tuple(reduce(np.convolve, [np.array(self.counts, object)] * times)))

    @property
    def fields(self) -> np.ndarray:
        return 1 + 2 * np.arange(len(self.counts))

    @property
    def shares(self) -> np.ndarray:
        """The proportion P(r) of pathways, of the paper's equation."""
        return np.array([count / self.paths for count in self.counts])

    @property
    def paths(self) -> int:
        return sum(self.counts)

    @property
    def largest(self) -> int:
        return int(self.fields[-1])

    @property
    def variance(self) -> float:
        return float(self.shares @ self.fields**2 - (self.shares @ self.fields) ** 2)

    @property
    def entropy(self) -> float:
        """In bits."""
        return float(-(self.shares * np.log2(self.shares)).sum())

    def share(self, field: int) -> float:
        """P(r <= field)."""
        return float(self.shares[self.fields <= field].sum())


def parallel(*branches: Scales) -> Scales:
    """Branches that are added or concatenated: the counts add."""
    return Scales(tuple(map(sum, zip_longest(*(branch.counts for branch in branches), fillvalue=0))))


IDENTITY = Scales((1,))
CONV = Scales((0, 1))  # 3x3; shares of an empty field are never asked for
RESIDUAL = parallel(IDENTITY, CONV)
INCEPTION = parallel(IDENTITY, IDENTITY, CONV, Scales((0, 0, 1)))  # shortcut, 1x1, one and two 3x3 (figure 3 b)
IOI = parallel(IDENTITY, *(INCEPTION.stacked(times) for times in (1, 2, 3)))  # figure 3 c
