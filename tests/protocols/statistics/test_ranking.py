"""Differences of a ranking that are larger than chance: Holm by hand, intervals as paired_difference has them."""

import math

import numpy as np
import pytest

from protocols.statistics import bootstrap, ranking
from protocols.statistics.tally import Statistic, Tally

JOINTS = 4


def tally(rates, people=400, seed=0, hard=None):
    """Hits drawn at a rate; `hard`: people of whom nobody finds a joint."""
    rng = np.random.default_rng(seed)
    hits = rng.random((people, JOINTS)) < rates
    if hard is not None:
        hits[hard] = False
    statistic = Statistic("PCK", "mean", "PCK", tuple(range(JOINTS)), pooled=True)
    return Tally({"PCK": hits}, np.ones_like(hits), (statistic,))


def test_holm_by_hand():
    """Of four: 0.01 x 4, 0.02 x 3, 0.03 x 2 (not below the one before), 0.6 x 1."""
    assert ranking.holm([0.03, 0.01, 0.6, 0.02]) == pytest.approx([0.06, 0.04, 0.6, 0.06])
    assert ranking.holm([0.9, 0.8]) == [1.0, 1.0]
    assert ranking.holm([]) == []


def test_intervals_are_those_of_paired_differences():
    tallies = [tally(rate, seed=at) for at, rate in enumerate((0.9, 0.88, 0.5))]
    for pair in ranking.pairs(tallies):
        (expected,) = bootstrap.paired_difference([tallies[pair.first]], [tallies[pair.second]])
        found = (pair.difference, pair.low, pair.high)
        assert found == pytest.approx((expected.value, expected.low, expected.high), abs=1e-9)


def test_p_is_that_of_a_paired_z_test():
    """Two methods with the same joints counted of everybody: the mean of the people's differences over its error."""
    one, two = tally(0.9, seed=1), tally(0.86, seed=2)
    gaps = 100 * (one.credits["PCK"].mean(axis=1) - two.credits["PCK"].mean(axis=1))
    z = gaps.mean() / (gaps.std(ddof=1) / math.sqrt(len(gaps)))
    (pair,) = ranking.pairs([one, two])
    assert pair.difference == pytest.approx(gaps.mean())
    assert pair.p == pytest.approx(math.erfc(abs(z) / math.sqrt(2)))


def test_equal_methods_are_not_told_apart_and_far_ones_are():
    same = tally(0.9)
    pairs = ranking.pairs([same, same, tally(0.5, seed=3)])
    assert [pair.decided for pair in pairs] == [False, True, True]
    assert pairs[0].p == 1 and (pairs[0].low, pairs[0].high) == (0, 0)


def test_by_chance_alone_one_family_in_twenty_decides_anything():
    """Six equal methods, 200 times: of 200 families about 10 have a pair below 5 % after the correction."""
    families = [
        ranking.pairs([tally(0.8, seed=10 * turn + at) for at in range(6)], resamples=50) for turn in range(200)
    ]
    wrong = sum(any(pair.decided for pair in family) for family in families)
    assert 1 <= wrong <= 20


def test_spread_of_independent_joints_is_that_of_a_binomial_share():
    """4 joints of a person drawn alone: sd of a person's share is sqrt(p (1 - p) / 4), so the factor is 1 / 2."""
    found = ranking.spread([tally(0.8, people=20_000, seed=at) for at in range(3)])
    assert found.factor == pytest.approx(0.5, abs=0.01)
    assert found.correlation == pytest.approx(0, abs=0.02)
    assert found.half_width(80) == pytest.approx(1.96 * 0.5 * math.sqrt(80 * 20 / 20_000), rel=0.03)
    assert found.half_width_of_difference(80, 80, 0) == pytest.approx(math.sqrt(2) * found.half_width(80))
    assert found.half_width_of_difference(80, 80, 1) == pytest.approx(0, abs=1e-6)


def test_people_that_are_hard_for_all_correlate():
    hard = np.arange(4000)
    found = ranking.spread([tally(0.9, people=8000, seed=at, hard=hard) for at in range(2)])
    assert found.correlation > 0.9 and found.factor > 0.9
