"""Closed-form intervals against the equations that define them."""

import pytest

from protocols.statistics.intervals import student, wilson


def test_wilson_interval_solves_its_equation():
    low, high = wilson(419, 10_000)  # an error of 4.19 %
    for bound in (low, high):  # |p - bound| = z sqrt(bound (1 - bound) / n)
        assert abs(0.0419 - bound) == pytest.approx(1.959963984540054 * (bound * (1 - bound) / 10_000) ** 0.5)
    assert wilson(0, 10)[0] == pytest.approx(0, abs=1e-15)
    assert wilson(10, 10)[1] == pytest.approx(1, abs=1e-15)


def test_student_interval_of_three():
    low, high = student([1.0, 2.0, 6.0])  # mean 3, variance 7
    half = 4.302652729911275 * (7 / 3) ** 0.5  # t(0.975) with two degrees of freedom
    assert (low, high) == (pytest.approx(3 - half), pytest.approx(3 + half))
    assert student([1.0]) == (None, None)
