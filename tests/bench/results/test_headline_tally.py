"""Packed credits of the headline: the same numbers and the same differences as the samples that they come from."""

import numpy as np
import pytest
from small_people import near, people

from bench.results.headline_tally import headline_tally, of_samples, pack, unpack
from protocols import PROTOCOLS
from protocols.joints import lsp_pck, lsp_pcp, mpii_pckh
from protocols.pose.people import ABSENT
from protocols.statistics.bootstrap import paired_difference, values

SCORERS = {"mpii-pckh": mpii_pckh, "lsp-pck": lsp_pck, "lsp-pcp": lsp_pcp}


def crowd():
    truth = people(40)
    truth.visibility[::3, 4] = ABSENT
    return truth, [near(truth, pixels, seed=at) for at, pixels in enumerate((5.0, 20.0))]


def same(one, two):
    assert (one.metric, one.part, one.unit, one.n) == (two.metric, two.part, two.unit, two.n)
    assert (one.value, one.low, one.high) == pytest.approx((two.value, two.low, two.high), rel=1e-12)


def test_what_was_packed_gives_the_same_headline_and_difference():
    truth, predictions = crowd()
    for name, module in SCORERS.items():
        headline = PROTOCOLS[name].headline
        samples = [module.score(one, truth, resamples=0).samples for one in predictions]
        whole = [module.tally(one) for one in samples]
        again = []
        for one in samples:
            tally = of_samples(PROTOCOLS[name], one)
            packed = tally and pack(tally)
            assert packed
            again.append(unpack(packed, headline))
        for one, two in zip(whole, again, strict=True):
            (found,) = values([two])
            same(found, next(value for value in values([one]) if (value.metric, value.part) == headline))
        (found,) = paired_difference([again[0]], [again[1]])
        all_parts = paired_difference([whole[0]], [whole[1]])
        same(found, next(value for value in all_parts if (value.metric, value.part) == headline))


def test_credits_that_are_no_hits_are_not_packed():
    truth, (predictions, _) = crowd()
    tally = mpii_pckh.tally(mpii_pckh.score(predictions, truth, resamples=0).samples)
    assert pack(headline_tally(tally, ("AUC", "mean"))) is None
    assert pack(headline_tally(tally, ("PCKh@0.5", "wrist"))) is None, "left and right are averaged"


def test_networks_alone_have_no_credits():
    assert of_samples(PROTOCOLS["coco-ap"], {"a": np.zeros(1)}) is None
