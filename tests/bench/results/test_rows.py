"""Rows of measurements: a value without a record, or with another unit, is refused where it would be kept."""

import pytest

from bench.cells.cell import Cell
from bench.errors import Problem
from bench.results.rows import rows_of
from protocols import Value

CELL = Cell("net", "receptive-field")


def rows(value: Value):
    return rows_of([value], CELL, "net", "0" * 20, "measured")


@pytest.mark.parametrize(("metric", "unit"), [("rf_max", "px"), ("rf_max", "cells"), ("P(r<=3)", "share")])
def test_a_value_with_a_record_becomes_a_row(metric, unit):
    (row,) = rows(Value(metric, "network", 3.0, unit, 1))
    assert (row.metric, row.unit, row.value) == (metric, unit, 3.0)


@pytest.mark.parametrize(
    ("metric", "unit", "what", "next_step"),
    [
        ("rf_min", "px", "receptive-field has no record of the metric 'rf_min'", "[receptive-field.metrics]"),
        ("rf_max", "km", "receptive-field: a value of rf_max has the unit 'km'", "correct the unit"),
    ],
)
def test_another_value_is_refused_with_a_sentence(metric, unit, what, next_step):
    with pytest.raises(Problem) as caught:
        rows(Value(metric, "network", 3.0, unit, 1))
    assert what in str(caught.value) and next_step in caught.value.next_step
