"""Fixed inputs of the gate: their kinds, their rows, and errors."""

from pathlib import Path

import numpy as np
import pytest

from bench.cells import matrix
from bench.errors import CELL_FAILED, Problem
from bench.gate import baseline, fixed, inputs
from bench.gate.compare import MOVED, REGRESSED, SAME, compare
from bench.gate.fixed import Row
from bench.gate.fixed.rows import of_array, of_text
from bench.gate.outcome import FAILED
from bench.gate.rows import Measured

REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_gate_computes_every_kind():
    assert matrix.read(REPOSITORY / "matrix.check.toml").fixed == fixed.KINDS
    assert {path.stem for path in (REPOSITORY / "bench/gate/fixed").glob("*.py")} == {
        *fixed.KINDS, "__init__", "annotation", "rows",
    }  # fmt: skip


def test_every_fixed_input_has_rows_in_the_baseline(tmp_path):
    known = {key[:2] for key, cell in baseline.read(REPOSITORY / "tests/golden/baseline.jsonl").items()}
    assert known >= {(kind, name) for kind in fixed.KINDS for name in fixed.cases(kind, tmp_path)}


@pytest.mark.parametrize(
    "change", [lambda a: a[::-1], lambda a: -a, lambda a: np.roll(a, 1), lambda a: np.where(a == 3, np.nan, a)]
)
def test_rows_of_an_array_change_with_order_sign_and_gaps(change):
    array = np.arange(-2.0, 7.0)
    assert [*of_array("x", array)] == [*of_array("x", array.copy())]
    assert [*of_array("x", array)] != [*of_array("x", change(array))]


def test_rows_of_an_array_by_hand():
    weights = np.random.RandomState(0).rand(3)
    above, weighted = of_array("x", np.array([[2.0, -4.0, np.nan]]))
    assert above == Row("x", "above zero", 1.0, 2)
    assert weighted == Row("x", "weighted", (2 * weights[0] + 4 * weights[1]) / 2, 2)
    assert of_text("name", "a") != of_text("name", "b")


def rows(kind: str, value: float) -> Measured:
    key = (kind, "name", "", "", "", 0)
    return Measured(key, [inputs.row_of(key, Row("x", "mean", value, 3))])


@pytest.mark.parametrize(
    ("kind", "after", "state"),
    [
        ("decoding", 1.0, SAME),
        ("decoding", 1.0 + 5e-7, MOVED),
        ("decoding", 1.0 + 5e-6, REGRESSED),
        ("network", 1.0 + 5e-5, MOVED),
        ("network", 1.0 - 5e-4, REGRESSED),
        ("scoring", float("nan"), REGRESSED),
    ],
)
def test_fixed_inputs_may_move_by_their_tolerance(kind, after, state):
    (found,) = compare(rows(kind, 1.0), rows(kind, after))
    assert found.state == state


def test_an_error_fails_one_input_and_leaves_the_others(monkeypatch):
    def broken():
        raise ValueError("it broke")
        yield

    cases = {"good": lambda: iter([Row("x", "mean", 1.0)]), "broken": broken}
    monkeypatch.setattr(fixed, "cases", lambda kind, folder: cases)
    good, bad = inputs.results(["decoding"])
    assert good.now is not None and good.now.rows[0].value == 1.0
    assert (bad.state, bad.code) == (FAILED, CELL_FAILED) and "it broke" in bad.why
    assert [result.key[1] for result in inputs.results(["decoding"], "g*")] == ["good"]


def test_an_unknown_kind_is_refused():
    with pytest.raises(Problem, match="no fixed inputs"):
        inputs.results(["decodings"])
