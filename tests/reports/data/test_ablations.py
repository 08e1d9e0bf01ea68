"""Committed ablations: names without what a matrix shares, what is asked, and the committed files themselves."""

import re
import tomllib

import pytest
from typed import present

import architectures
from bench.cells.conditions import TEXT_OF_RECIPE, difference
from bench.cli.options import pairs
from bench.results.fragment import PairLine
from reports.data import ablations
from reports.data.ablations import BASELINE, network
from reports.data.published import papers

COMMITTED = ablations.committed()


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("liu-ioi", "liu-ioi"),
        ("liu-ioi@input=64,width=0.25", "liu-ioi"),
        ("pyranet-bstar-2@initialization=msr,input=64,width=0.25", "pyranet-bstar-2@initialization=msr"),
        ("pyranet-b-2@scales=3", "pyranet-b-2@scales=3"),
    ],
)
def test_name_without_what_is_shared(name, short):
    assert network(name) == short


def test_every_question_is_about_networks_of_its_table():
    for ablation in ablations.ablations().values():
        assert ablation.paper in {*papers(), ""}
        for name in ablation.networks:
            family, _, changes = name.partition("@")
            architectures.describe(family, **pairs(changes.split(",") if changes else []))
        for item in ablation.comparisons:
            assert {item.ours, item.theirs} <= {*ablation.networks, BASELINE} and item.ours != item.theirs
            assert item.asks.endswith("?")


@pytest.mark.parametrize("committed", COMMITTED, ids=lambda committed: committed.fragment.name)
def test_committed_rows(committed):
    """They come from the matrix of their name, from a commit without changes, name no folder, and stay small."""
    path = ablations.FOLDER / f"{committed.fragment.name}.jsonl"
    assert path.stat().st_size < 2**20 and committed.fragment.encode() == path.read_bytes()
    assert not re.search(r"(?<![\w.])/(tmp|home|root|work|data|mnt)/", path.read_text())
    matrix = tomllib.loads((ablations.FOLDER.parents[1] / f"matrix.{path.stem}.toml").read_text())
    asked = {name for block in matrix["cells"] for name in block["architectures"]}
    for cell in committed.snapshot.cells:
        assert cell.architecture.partition("@")[0] in asked
        assert cell.seeds or re.fullmatch(r"[0-9a-f]{12}", cell.provenance.commit)
    for row in committed.snapshot.measurements:
        assert row.low is None or row.low <= row.high


def test_means_and_differences_follow_from_the_cells():
    """A mean over seeds is the mean of the seeds' values; a difference is that of two means."""
    found = 0
    for committed in COMMITTED:
        snapshot = committed.snapshot
        value = {(row.cell, row.metric, row.part): row.value for row in snapshot.measurements}
        for cell in snapshot.cells:
            for row in snapshot.rows[cell.cell] if cell.seeds else ():
                seeds = [present(value[key, row.metric, row.part]) for key in cell.seeds]
                assert row.value == pytest.approx(sum(seeds) / len(seeds), abs=2e-3), row
        for line in (line for line in committed.fragment.lines if isinstance(line, PairLine)):
            for paired in snapshot.paired(line.ours, line.theirs):
                ours, theirs = (present(value[key, paired.metric, paired.part]) for key in (line.ours, line.theirs))
                assert paired.value == pytest.approx(ours - theirs, abs=2e-3), line
                found += 1
    assert found > 1000


def test_committed_differences_are_of_networks_trained_the_same_way():
    """The baseline is not trained, and stands beside networks that were tested in any way."""
    for committed in COMMITTED:
        cells = committed.snapshot.cell
        for line in committed.fragment.lines:
            if isinstance(line, PairLine):
                ours, theirs = cells[line.ours], cells[line.theirs]
                besides = TEXT_OF_RECIPE if network(theirs.architecture) == BASELINE else ()
                assert not difference(ours.conditions, theirs.conditions, besides)
