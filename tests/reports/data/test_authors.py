"""The committed rows of the authors' predictions: of today's protocols and of the listed files, in every site."""

from collections import Counter

import pytest
from msgspec import structs

from bench.results import fragment
from bench.results.snapshot import Snapshot
from bench.steps.prediction_lists import read_list, score_list
from bench.store.store import Store
from protocols import PROTOCOLS
from reports.data.authors import FILE, with_authors
from reports.data.methods import FILE as METHODS
from reports.data.published import papers
from reports.tables.published_vs_measured import compare

LIST = METHODS.with_name("predictions.toml")


@pytest.fixture(scope="module")
def site() -> Snapshot:
    """A snapshot of nothing but the authors' files."""
    return with_authors(Snapshot([], [], [], list(PROTOCOLS.values())))


def test_every_listed_file_is_kept_under_its_digest(site):
    listed = {(item.method, item.sha256, protocol) for item in read_list(LIST) for protocol in item.protocols}
    kept = {(cell.method, cell.inputs["predictions"]["file"], cell.protocol) for cell in site.cells if cell.inputs}
    assert kept == listed
    assert {cell.state for cell in site.cells} == {"fresh"}, "bench score --list, bench keep --list"


def test_all_printed_numbers_with_a_file_are_reproduced(site):
    """Six methods with eight columns in three papers: Chu 2017 Table 2, Yang 2017 Table 2, Liu 2018 Table 6."""
    values = [value for paper in papers().values() for value in paper.values() if value.dataset == "lsp"]
    found = [item for item in compare(values, site) if item.row]
    assert Counter((item.published.paper, item.published.table, item.verdict) for item in found) == {
        ("chu2017", "Table 2", "reproduced"): 48,
        ("yang2017", "Table 2", "reproduced"): 48,
        ("liu2018", "Table 6", "reproduced"): 48,
    }
    assert {item.source for item in found} == {"predictions"}
    assert all(abs(item.delta or 0) <= 0.05 + 1e-9 for item in found)


def test_a_whole_digit_beside_is_above_or_below(site):
    (paper,) = (paper for paper in papers().values() if paper.key == "chu2017")
    (value,) = (one for one in paper.values() if (one.table, one.method, one.part) == ("Table 2", "wei2016", "mean"))
    assert value.value == 90.5
    verdicts = {
        printed: compare([structs.replace(value, value=printed)], site)[0].verdict for printed in (90.4, 90.5, 90.6)
    }
    assert verdicts == {90.4: "above", 90.5: "reproduced", 90.6: "below"}


def test_another_split_is_not_comparable_and_says_so(site):
    (paper,) = (paper for paper in papers().values() if paper.key == "yang2017")
    values = [one for one in paper.values() if (one.table, one.method) == ("Table 2", "pishchulin2016")]
    observers = [cell for cell in site.cells if cell.split == "test-observer-centric"]
    rows = [row for row in site.measurements if row.split == "test-observer-centric"]
    found = compare(values, Snapshot(rows, observers, [], list(PROTOCOLS.values())))
    assert {item.verdict for item in found} == {"not comparable"}
    assert found[0].reason == "Not comparable: split test-observer-centric, in the paper test."


def test_another_torso_is_not_comparable(site):
    (paper,) = (paper for paper in papers().values() if paper.key == "yang2017")
    (value,) = (one for one in paper.values() if (one.table, one.method, one.part) == ("Table 2", "wei2016", "mean"))
    (cell,) = (one for one in site.cells if (one.method, one.protocol) == ("wei2016", "lsp-pck"))
    other = structs.replace(cell.conditions, options={"torso": "mid_shoulder-mid_hip"})
    changed = structs.replace(cell, conditions=other)
    (item,) = compare([value], Snapshot(site.rows[cell.cell], [changed], [], list(PROTOCOLS.values())))
    assert item.verdict == "not comparable" and "torso" in item.reason


def test_a_file_that_was_scored_elsewhere_is_shown_as_it_was(site):
    """The same file under the same method on the other annotation: its committed row gives way."""
    (cell,) = (one for one in site.cells if (one.method, one.protocol) == ("wei2016", "lsp-pck"))
    other = structs.replace(cell.conditions, split="test-observer-centric")
    moved = structs.replace(cell, cell="0" * 20, conditions=other)
    rows = [structs.replace(row, cell="0" * 20, split=other.split) for row in site.rows[cell.cell]]
    found = with_authors(Snapshot(rows, [moved], [], list(PROTOCOLS.values())))
    (paper,) = (paper for paper in papers().values() if paper.key == "chu2017")
    values = [one for one in paper.values() if (one.table, one.method) == ("Table 2", "wei2016")]
    assert {item.verdict for item in compare(values, found)} == {"not comparable"}


def test_what_a_store_has_itself_is_not_added_twice(site):
    (cell, *_) = site.cells
    own = Snapshot(site.rows[cell.cell], [cell], [], list(PROTOCOLS.values()))
    assert len(with_authors(own).cells) == len(site.cells)
    assert len(with_authors(own).measurements) == len(site.measurements)


def test_cells_of_an_older_protocol_are_stale(tmp_path):
    (line, *_) = fragment.read(FILE).lines
    assert isinstance(line, fragment.CellLine)
    old = structs.replace(line, conditions=structs.replace(line.conditions, version=0))
    (tmp_path / "authors.jsonl").write_bytes(fragment.Fragment("authors", (old,)).encode())
    found = with_authors(Snapshot([], [], [], list(PROTOCOLS.values())), tmp_path / "authors.jsonl")
    assert [cell.state for cell in found.cells] == ["stale"] and not found.measurements


def test_the_files_themselves_give_the_committed_rows(real_data, tmp_path, site):
    kept = {(row.cell, row.metric, row.part): row for row in site.measurements}
    scored = list(score_list(read_list(LIST), real_data, Store(tmp_path)))
    assert not [item for item in scored if item.skipped or item.refused]
    rows = [row for item in scored for row in item.rows]
    assert {(row.cell, row.metric, row.part) for row in rows} == kept.keys()
    for row in rows:
        assert row.value == pytest.approx(kept[row.cell, row.metric, row.part].value, abs=6e-4)
