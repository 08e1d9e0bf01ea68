"""Rows against rows: exact, statistical and noisy ones, paired where the samples are there."""

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from typed import present

from bench.cells.cell import Cell
from bench.gate import baseline
from bench.gate.compare import MISSING, MOVED, REGRESSED, Comparison, compare, worst_first
from bench.gate.rows import Measured
from bench.results.rows import rows_of
from protocols import PROTOCOLS, Value

KEY = ("mpii-pckh", "net", "mannequin", "val", "", 0)


def pckh(distance: np.ndarray, **more: Any) -> Measured:
    """A cell with the rows of PCKh@0.5 and their samples, from N x 16 distances in head sizes."""
    from protocols.joints import mpii_pckh
    from protocols.statistics import bootstrap

    values = [v for v in bootstrap.values([mpii_pckh.tally({"distance": distance})]) if v.metric == "PCKh@0.5"]
    found = rows_of(values, Cell("net", "mpii-pckh", "mannequin", "val"), "net", "0" * 20, "measured")
    return baseline.measured(KEY, [replace(row, **more) for row in found], {"distance": distance})


def mean_of(then: Measured, now: Measured) -> Comparison:
    return next(entry for entry in compare(then, now) if entry.row.part == "mean")


def change_of(found: Comparison) -> tuple[float, float, float]:
    """The change of a value between the ends of its interval."""
    return present(found.low), present(found.new) - present(found.old), present(found.high)


@pytest.fixture
def distance() -> np.ndarray:
    """400 people of whom each joint is hit (0.1) or missed (2.0)."""
    return np.where(np.random.default_rng(0).random((400, 16)) < 0.7, 0.1, 2.0)


def worse(distance: np.ndarray, share: float) -> np.ndarray:
    """The same with all joints of the first so many people missed."""
    moved = distance.copy()
    moved[: int(share * len(moved))] = 2.0
    return moved


def test_a_certain_and_large_drop_is_a_regression(distance):
    found = mean_of(pckh(distance), pckh(worse(distance, 0.1)))
    low, change, high = change_of(found)
    assert found.state == REGRESSED and change == pytest.approx(-7, abs=1)
    assert low < change < high < 0


def test_a_certain_drop_within_the_tolerance_is_none(distance):
    found = mean_of(pckh(distance), pckh(worse(distance, 0.02)))
    _, change, high = change_of(found)
    assert high < 0 and -2 < change < 0 and found.state == MOVED


def test_a_large_drop_that_may_be_chance_is_none(distance):
    other = np.where(np.random.default_rng(1).random((12, 16)) < 0.6, 0.1, 2.0)
    found = mean_of(pckh(distance[:12]), pckh(other))
    low, change, high = change_of(found)
    assert change < -2 and low < 0 < high and found.state == MOVED


def test_a_rise_is_no_regression(distance):
    assert mean_of(pckh(worse(distance, 0.2)), pckh(distance)).state == MOVED


def test_pairing_finds_what_intervals_alone_cannot(distance):
    then, now = pckh(distance), pckh(worse(distance, 0.045))
    assert mean_of(then, now).state == REGRESSED
    alone = mean_of(Measured(KEY, then.rows), now)
    assert alone.state == MOVED and "intervals only" in alone.why


def test_without_samples_intervals_that_are_apart_decide(distance):
    then = Measured(KEY, pckh(distance).rows)
    found = mean_of(then, pckh(worse(distance, 0.3)))
    assert found.state == REGRESSED and "intervals only" in found.why


def test_fewer_people_are_no_comparison(distance):
    found = mean_of(pckh(distance), pckh(distance[:200]))
    assert found.state == REGRESSED and "n was" in found.why


def test_samples_survive_the_file(distance, tmp_path):
    then, path = pckh(distance), tmp_path / "baseline.jsonl"
    baseline.write(path, [then], {}, "a start")
    (read,) = baseline.read(path).values()
    assert read.key == KEY
    np.testing.assert_array_equal(read.samples["distance"], distance.astype(np.float32))
    first = path.read_bytes(), path.with_suffix(".npz").read_bytes()
    baseline.write(path, [read], {KEY: read}, "another reason")
    assert first == (path.read_bytes(), path.with_suffix(".npz").read_bytes())  # nothing changed, so does no byte


def one_row(protocol: str, value: float, metric: str, part: str, **more: Any) -> Measured:
    unit = PROTOCOLS[protocol].metric(metric).unit.partition(" or ")[0]
    found = rows_of([Value(metric, part, value, unit, 5)], Cell("net", protocol), "net", "0" * 20, "measured")
    return baseline.measured((protocol, "net", "", "", "", 0), [replace(row, **more) for row in found], {})


@pytest.mark.parametrize(
    ("protocol", "metric", "part", "factor", "state"),
    [
        ("speed", "latency", "float32 eager", 10.0, MOVED),
        ("init-variance", "variance msr", "max", 1.0005, MOVED),
        ("init-variance", "variance msr", "max", 1.002, REGRESSED),
        ("init-variance", "variance msr", "max", 0.998, REGRESSED),
        ("receptive-field", "rf_max", "network", 1.0005, MOVED),
        ("receptive-field", "rf_max", "network", 1.002, REGRESSED),
        ("complexity", "macs", "all", 1 + 1e-9, REGRESSED),
    ],
)
def test_kinds(protocol, metric, part, factor, state):
    (found,) = compare(one_row(protocol, 3.0, metric, part), one_row(protocol, 3.0 * factor, metric, part))
    assert found.state == state


@pytest.mark.parametrize(
    ("protocol", "metric", "then", "loss"),  # the largest loss that is none, in the unit of the metric
    [
        ("mpii-pckh", "PCKh@0.5", 80.0, -2.0), ("lsp-pck", "PCK@0.2", 80.0, -2.0), ("lsp-pcp", "PCP", 80.0, -2.0),
        ("lsp-pckh", "PCKh-like@0.5", 80.0, -2.0), ("occluded-limb", "PCKh@0.5", 80.0, -2.0),
        ("cifar10-error", "error", 5.0, 0.5), ("coco-ap", "AP", 0.7, -0.02),
    ],
)  # fmt: skip
def test_a_certain_loss_is_a_regression_beyond_the_tolerance(protocol, metric, then, loss):
    """Intervals of no width: only the tolerance decides."""
    for share, state in ((0.9, MOVED), (1.1, REGRESSED)):
        now = then + share * loss
        cells = [one_row(protocol, value, metric, "mean", low=value, high=value) for value in (then, now)]
        assert [entry.state for entry in compare(*cells)] == [state]


def test_a_row_that_counts_a_quarter_may_lose_twice_as_much():
    """The spread of a share falls with the root of what it counts: 4 points where the tolerance is 2."""

    def cell(wrist: float) -> Measured:
        values = (("mean", 80.0, 100), ("wrist", wrist, 25))
        found = [one_row("mpii-pckh", v, "PCKh@0.5", part, low=v, high=v, n=n).rows[0] for part, v, n in values]
        return Measured(KEY, found)

    for lost, state in ((3.9, MOVED), (4.1, REGRESSED)):
        _, wrist = compare(cell(70.0), cell(70.0 - lost))
        assert (wrist.row.part, wrist.state) == ("wrist", state)


def test_worst_first_is_by_the_relative_change():
    """10 of 100 lost, 2 of 10 lost, 5 of 100 won: all of them must be identical; a missing row leads."""
    numbers = {"a": (100.0, 90.0), "b": (10.0, 8.0), "c": (100.0, 105.0), "d": (1.0, None)}
    then, now = ([one_row("receptive-field", pair[i], "paths", part).rows[0] for part, pair in numbers.items()
                  if pair[i] is not None] for i in (0, 1))  # fmt: skip
    found = compare(Measured(KEY, then), Measured(KEY, now))
    assert [entry.row.part for entry in worst_first(found)] == ["d", "b", "a", "c"]
    assert [entry.row.part for entry in worst_first(found, allow_missing=True)] == ["b", "a", "c"]


@pytest.mark.parametrize(("now", "state"), [(9.0, REGRESSED), (1.0, MOVED)])
def test_less_is_better_of_a_drop(now, state):
    then = one_row("occluded-limb", 5.0, "drop", "mean", low=4.5, high=5.5)
    (found,) = compare(then, one_row("occluded-limb", now, "drop", "mean", low=now - 0.5, high=now + 0.5))
    assert found.state == state


def test_missing_is_missing(distance):
    assert {entry.state for entry in compare(pckh(distance), None)} == {MISSING}
