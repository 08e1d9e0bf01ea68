"""Intervals and differences against closed forms and against resampling done by hand."""

import numpy as np
import pytest
from small_people import near, people, table
from typed import interval

from protocols.errors import DataError
from protocols.joints import lsp_pcp, mpii_pckh
from protocols.pose.people import Predictions
from protocols.statistics import bootstrap
from protocols.statistics.tally import Statistic, Tally


def coin(hits: np.ndarray) -> Tally:
    """One joint a person, hit or not."""
    column = np.asarray(hits, dtype=np.int64)[:, None]
    return Tally({"hit": column}, np.ones_like(column, dtype=bool), (Statistic("share", "all", "hit", (0,), True),))


def test_draws_hold_as_many_people_as_there_are():
    counts = np.concatenate(list(bootstrap.draws(37, 100, seed=3)))
    assert counts.shape == (100, 37)
    assert (counts.sum(axis=1) == 37).all()
    # Each person is drawn 1 +- sqrt(36/37) times; the mean of 100 is within 5 standard errors.
    assert np.abs(counts.mean(axis=0) - 1).max() < 0.5
    assert counts.var() == pytest.approx(36 / 37, rel=0.1)
    again = np.concatenate(list(bootstrap.draws(37, 100, seed=3)))
    np.testing.assert_array_equal(counts, again)
    assert not np.array_equal(counts, np.concatenate(list(bootstrap.draws(37, 100, seed=4))))


def test_interval_of_a_share_is_the_binomial_one():
    """400 people, 30 % hits: 1.96 sqrt(0.3 x 0.7 / 400) = 4.49 points to each side."""
    low, value, high = interval(*bootstrap.values([coin(np.arange(400) < 120)], resamples=4000))
    assert value == 30
    half = 100 * 1.96 * np.sqrt(0.3 * 0.7 / 400)
    assert value - low == pytest.approx(half, rel=0.06)
    assert high - value == pytest.approx(half, rel=0.06)


def test_resampling_equals_scoring_the_drawn_people():
    """The matrix product gives what scoring the people of a draw, one by one, gives."""
    truth = people(25)
    predictions = near(truth, 12)
    samples = mpii_pckh.score(predictions, truth, resamples=0).samples
    expected = []
    for counts in np.concatenate(list(bootstrap.draws(25, 40, seed=5))):
        drawn = {"distance": np.repeat(samples["distance"], counts.astype(int), axis=0)}
        expected.append([v.value for v in bootstrap.values([mpii_pckh.tally(drawn)], resamples=0)])
    values = bootstrap.values([mpii_pckh.tally(samples)], resamples=40, seed=5)
    low, high = np.percentile(expected, (2.5, 97.5), axis=0)
    np.testing.assert_allclose([interval(v)[0] for v in values], low, rtol=1e-12)
    np.testing.assert_allclose([interval(v)[2] for v in values], high, rtol=1e-12)


def test_seeds_widen_the_interval():
    """Seeds that hit everybody and nobody: the mean is 50, and the interval reaches from one to the other."""
    everybody, nobody = coin(np.ones(100)), coin(np.zeros(100))
    (value,) = bootstrap.values([everybody, nobody])
    assert (value.value, value.low, value.high) == (50, 0, 100)
    half = coin(np.arange(100) < 50)
    (same,) = bootstrap.values([half, half])
    (alone,) = bootstrap.values([half])
    assert (same.low, same.high) == (alone.low, alone.high)


def test_as_many_seeds_are_drawn_as_there_are():
    """Three of six seeds hit everybody, three nobody: of six draws one hits or fewer in 7 / 64, none in 1 / 64."""
    seeds = [coin(np.full(50, hit)) for hit in (1, 1, 1, 0, 0, 0)]
    (value,) = bootstrap.values(seeds, resamples=4000)
    assert (value.value, value.low, value.high) == pytest.approx((50, 100 / 6, 500 / 6))


def test_the_seeds_of_two_sides_are_drawn_apart():
    """Each side is 0 or 100 in a quarter of the draws: the difference is 100 in a sixteenth of them, and -100."""
    seeds = [coin(np.ones(50)), coin(np.zeros(50))]
    (difference,) = bootstrap.paired_difference(seeds, seeds, resamples=4000)
    assert (difference.value, difference.low, difference.high) == (0, -100, 100)


def test_difference_is_paired():
    """Ours hits exactly one more person in a hundred than theirs: the spread between people cancels."""
    theirs, ours = np.arange(1000) < 500, np.arange(1000) < 510
    low, difference, high = interval(*bootstrap.paired_difference([coin(ours)], [coin(theirs)], resamples=4000))
    assert difference == pytest.approx(1.0)
    half = 100 * 1.96 * np.sqrt(0.01 * 0.99 / 1000)  # 0.62; unpaired it would be 4.4
    assert high - low == pytest.approx(2 * half, rel=0.15)
    assert low > 0


def test_difference_of_scores_is_the_difference_of_their_values():
    truth = people(60)
    good, bad = (mpii_pckh.score(near(truth, spread), truth, resamples=0) for spread in (6, 10))
    found = bootstrap.paired_difference([mpii_pckh.tally(good.samples)], [mpii_pckh.tally(bad.samples)])
    for value in found:
        key = value.metric, value.part
        assert value.value == pytest.approx(table(good)[key] - table(bad)[key])
        assert value.unit == "points"
    low, mean, high = interval(next(value for value in found if (value.metric, value.part) == ("PCKh@0.5", "mean")))
    assert 0 < low < mean < high
    equal = bootstrap.paired_difference([mpii_pckh.tally(good.samples)], [mpii_pckh.tally(good.samples)])
    assert {(v.value, v.low, v.high) for v in equal} == {(0.0, 0.0, 0.0)}


def test_difference_of_sticks():
    truth = people(40, "lsp")
    good, bad = (lsp_pcp.score(near(truth, spread), truth, resamples=0) for spread in (6, 30))
    found = bootstrap.paired_difference([lsp_pcp.tally(good.samples)], [lsp_pcp.tally(bad.samples)])
    mean = next(value for value in found if (value.metric, value.part) == ("PCP", "mean"))
    assert mean.value == pytest.approx(table(good)["PCP", "mean"] - table(bad)["PCP", "mean"])


def test_other_people_are_not_compared():
    with pytest.raises(DataError, match="not scored on the same people"):
        bootstrap.paired_difference([coin(np.ones(5))], [coin(np.ones(6))])
    share = (Statistic("share", "all", "hit", (0,), True),)
    one, other = (np.array([[first], [not first]]) for first in (True, False))  # as many, but not the same
    with pytest.raises(DataError, match="not scored on the same people"):
        bootstrap.paired_difference(*([Tally({"hit": counted * 1}, counted, share)] for counted in (one, other)))


def test_one_person_has_no_interval():
    truth = people(1)
    assert {v.low for v in mpii_pckh.score(Predictions(truth.keypoints), truth).values} == {None}


def test_joints_that_few_people_have_keep_an_interval():
    """A joint annotated for one of ten people is absent from a third of the resamples; those are left out."""
    truth = people(10)
    truth.visibility[1:, 9] = 0
    value = next(v for v in mpii_pckh.score(near(truth), truth).values if v.part == "head")
    assert value.n == 1
    assert value.low == value.high == value.value
