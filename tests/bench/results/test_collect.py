"""`bench report`: the site of a store, and whether one that was written earlier is up to date."""

import json
import sys
from dataclasses import replace

import msgspec
import pytest

from bench.cells.cell import Cell
from bench.cells.plan import FRESH, MISSING, Task, plan
from bench.cells.record import record
from bench.cli import main as cli
from bench.results import collect as reporting
from bench.store.provenance import Provenance
from bench.store.store import CELLS, Store


@pytest.fixture
def report(tmp_path, monkeypatch, capsys):
    """Runs `bench report` with some options on an empty store: exit code and output."""

    def run(*options):
        place = [
            "--store",
            str(tmp_path / "runs"),
            "--matrix",
            str(tmp_path / "none.toml"),
            "--out",
            str(tmp_path / "site"),
        ]
        monkeypatch.setattr(sys, "argv", ["bench", "report", *place, *options])
        code = cli.main()
        said = capsys.readouterr()
        return code, said.out + said.err * (code == 3)

    return run


def test_a_site_is_up_to_date_until_something_changes(report, tmp_path):
    assert report("--check")[0] == 4, "without a site nothing was compared"
    assert report()[0] == 0
    code, text = report("--check")
    assert code == 0 and "up to date" in text
    (tmp_path / "site" / "runs.html").write_text("edited by hand")
    (tmp_path / "site" / "stray.html").write_text("left over")
    picture = tmp_path / "site" / "files" / "papers" / "nie2019" / "tables.png"
    picture.write_bytes(picture.read_bytes()[:-1])
    (tmp_path / "site" / "claims.html").unlink()
    code, text = report("--check")
    changed = ["claims.html", "files/papers/nie2019/tables.png", "runs.html", "stray.html"]
    assert code == 1 and text.split() == changed
    code, text = report("--check", "--json")
    assert code == 1 and json.loads(text) == {"different": changed}
    assert (tmp_path / "site" / "runs.html").read_text() == "edited by hand", "nothing was written"


def test_cells_that_differ_in_one_thing_do_not_look_alike(tmp_path):
    """Two that differed in --fast or in their recipe alone looked like one twice."""
    usual = Cell("hourglass-1", "mpii-pckh", "mannequin", "val", recipe="newell2016")
    others = [replace(usual, fast=True), replace(usual, recipe="ablation")]
    shown = reporting.snapshot([Task(cell, MISSING, "") for cell in (usual, *others)], Store(tmp_path)).cells
    assert sorted(cell.tags for cell in shown) == [(), ("fast",), ("recipe ablation",)]


def test_a_cell_of_another_version_is_named(report, tmp_path):
    store = Store(tmp_path / "runs")
    with store.publish("cells", "a" * 20) as folder:
        (folder / "cell.json").write_text('{"cell": "a", "architecture": "net"}')
    code, text = report()
    assert code == 3 and f"{'a' * 20}/cell.json: Object missing required field `label`" in text
    assert "another version of Repose" in text and (tmp_path / "site" / "index.html").is_file()


def test_an_option_at_its_default_shows_no_cell_twice(tmp_path):
    """Both names stand for one key, so for one cell: the one that was measured."""
    store, plain = Store(tmp_path / "runs"), Cell("hourglass-1", "complexity")
    written = replace(plain, overrides={"width": 1.0})
    (task,) = plan([plain], store, tmp_path)
    with store.publish(CELLS, task.key) as folder:
        document = record(plain, task.key, task.inputs, "measured", provenance=Provenance(date="2026-01-01"))
        (folder / "cell.json").write_bytes(msgspec.json.encode(document))
        (folder / "measurements.jsonl").touch()
    for cells in ([plain], [written], [plain, written]):
        tasks = plan(cells, store, tmp_path)
        assert {task.state for task in tasks} == {FRESH}
        assert [cell.cell for cell in reporting.snapshot(tasks, store).cells] == [task.key]
