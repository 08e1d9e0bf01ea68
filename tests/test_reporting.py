"""`bench report`: the site of a store, and whether one that was written earlier is up to date."""

import json
import sys

import pytest

from bench import cli, reporting
from bench.store import Store


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
        return code, capsys.readouterr().out

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


def test_a_cell_of_fast_says_so(tmp_path):
    """Two cells that differ in --fast alone have equal numbers, and looked like one twice."""
    store = Store(tmp_path)
    for key, more in (("a" * 20, ()), ("b" * 20, ("fast",))):
        document = {
            "cell": key, "identity": ["net", "mpii-pckh", "{}", 0, "mannequin", "val", 0, "newell2016", "full", *more],
            "architecture": "net", "protocol": "mpii-pckh", "dataset": "mannequin", "split": "val", "seed": 0,
            "budget": "full", "recipe": "newell2016", "source": "measured", "inputs": {"version": 1}, "label": "net",
            "limit": 0, "conventions": {}, "settings": {}, "warnings": [],
            "provenance": {"date": "2026-01-02T03:04:05Z"},
        }  # fmt: skip
        with store.publish("cells", key) as folder:
            (folder / "cell.json").write_text(json.dumps(document))
            (folder / "measurements.jsonl").write_text("")
    found = {cell["cell"][0]: cell.get("fast", False) for cell in reporting.snapshot([], store).cells}
    assert found == {"a": False, "b": True}
