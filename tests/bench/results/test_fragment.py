"""Fragments: what is written is what a report reads, and a broken line is named."""

import pytest

from bench.cells.conditions import Conditions
from bench.results.fragment import CellLine, Fragment, PairLine, ShortValue, read
from bench.store.provenance import Provenance

MADE = Conditions("lsp-pck", 1, "lspet", "holdout", recipe="ablation", budget="quick")
LINES = (
    CellLine(
        "k0",
        "a",
        MADE,
        (ShortValue("PCK@0.2", "mean", 12.5, "%", 11.0, 14.0, 900),),
        0,
        provenance=Provenance(commit="c"),
    ),
    CellLine("m", "a", MADE, (ShortValue("PCK@0.2", "mean", 12.0, "%", None, None, 900),), seeds=("k0", "k1")),
    PairLine("m", "n", (ShortValue("PCK@0.2", "mean", 1.5, "points", 0.5, 2.5, 900),)),
)  # fmt: skip


def test_a_file_is_a_snapshot(tmp_path):
    (tmp_path / "cpu.jsonl").write_bytes(Fragment("cpu", LINES).encode())
    found = read(tmp_path / "cpu.jsonl")
    assert found == Fragment("cpu", LINES)
    cell, mean = found.snapshot.cells
    assert (cell.dataset, cell.protocol, cell.state, cell.seed) == ("lspet", "lsp-pck", "fresh", 0)
    assert (mean.seed, mean.seeds) == (None, ("k0", "k1"))
    row, _ = found.snapshot.measurements
    assert (row.architecture, row.cell, row.value, row.interval, row.n) == ("a", "k0", 12.5, (11.0, 14.0), 900)
    (value,) = found.snapshot.paired("m", "n")
    assert (value.metric, value.value, value.unit, value.low) == ("PCK@0.2", 1.5, "points", 0.5)
    assert not found.snapshot.paired("n", "m")


def test_a_line_of_something_else_is_named(tmp_path):
    (tmp_path / "cpu.jsonl").write_text('{"kind":"mean"}\n')
    with pytest.raises(ValueError, match=r"cpu\.jsonl: Invalid value 'mean'.*bench keep writes it anew"):
        read(tmp_path / "cpu.jsonl")
