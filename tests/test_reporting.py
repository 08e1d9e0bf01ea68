"""What the site is made of: every cell once, as it stands."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.cell import Cell
from bench.plan import plan
from bench.publish import describe
from bench.reporting import snapshot
from bench.store import CELLS, Store
from protocols import PROTOCOLS

NOWHERE = Path("nowhere")
CELL = Cell("hourglass-1", "complexity")
ROW = {"metric": "macs", "part": "all", "value": 1.0}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "runs")


def finish(cell: Cell, store: Store, date: str) -> str:
    """Leave behind what a finished cell leaves; returns its key."""
    (task,) = plan([cell], store, NOWHERE)
    with store.publish(CELLS, task.key) as folder:
        (folder / "measurements.jsonl").write_text(json.dumps(ROW | {"cell": task.key}) + "\n")
        (folder / "cell.json").write_text(json.dumps(describe(task, "measured") | {"provenance": {"date": date}}))
    return task.key


def newer(monkeypatch) -> None:
    rules = PROTOCOLS["complexity"]
    monkeypatch.setitem(PROTOCOLS, "complexity", replace(rules, version=rules.version + 1))


def test_cell_of_the_matrix_whose_protocol_moved_on_is_shown_once_without_its_old_number(store, monkeypatch):
    finish(CELL, store, "2026-01-01T00:00:00Z")
    newer(monkeypatch)
    shown = snapshot(plan([CELL], store, NOWHERE), store)
    assert [cell["state"] for cell in shown.cells] == ["stale"]
    assert shown.measurements == []


def test_of_cells_outside_the_matrix_the_newest_counts(store, monkeypatch):
    old = finish(CELL, store, "2026-01-01T00:00:00Z")
    newer(monkeypatch)
    new = finish(CELL, store, "2026-01-02T00:00:00Z")
    assert old != new
    shown = snapshot([], store)
    assert [(cell["cell"], cell["state"]) for cell in shown.cells] == [(new, "fresh")]
    assert [row["cell"] for row in shown.measurements] == [new]


def test_cell_that_was_not_run_is_missing_and_says_what_it_needs(store):
    shown = snapshot(plan([CELL], store, NOWHERE), store)
    assert [(cell["state"], cell["step"]) for cell in shown.cells] == [("missing", "measure")]
