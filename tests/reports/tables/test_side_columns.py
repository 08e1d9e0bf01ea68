"""What stands beside a score: numbers of the same network, and of no other."""

from typing import Any

import pytest
from msgspec.structs import replace
from snapshots import COMPLEXITY, PCKH, cell, counts, key, network_alone, pckh, row

from bench.results.snapshot import Snapshot
from protocols import PROTOCOLS
from reports import site
from reports.pages.protocol import leaderboard
from reports.tables import leaderboards

OCCLUDED, SPEED = PROTOCOLS["occluded-limb"], PROTOCOLS["speed"]
NARROW = "hourglass-1@input=64,width=0.25"


def clean(name=NARROW, **other):
    made = cell(name, "mpii-pckh", "mannequin", "val", **other)
    return made, pckh(made, 50.0)


def covered(name=NARROW, value=20.0, dataset="mannequin", split="val", **other):
    own = key(name, value, dataset, split, *other.items())
    made = cell(name, "occluded-limb", dataset, split, **{"cell": own, **other})
    return made, [row(made, "PCKh@0.5", "ankle covered", value, value - 2, value + 2)]


def counted(name, parameters=218_000):
    made = cell(name, "complexity")
    return made, counts(made, parameters, 30e6)


def timed(name, milliseconds, date="2026-01-02T03:04:05Z"):
    made, rows = network_alone(name, "speed", [("latency", "float32 eager", milliseconds, "ms"),
                                               ("latency", "bfloat16 eager", 1.0, "ms")])  # fmt: skip
    made = replace(made, cell=f"{made.cell[:8]}{milliseconds:g}", provenance=replace(made.provenance, date=date))
    return made, [replace(line, cell=made.cell) for line in rows]


def snapshot(*parts) -> Snapshot:
    rows = [line for _, lines in parts for line in lines]
    return Snapshot(rows, [made for made, _ in parts], [], [PCKH, OCCLUDED, COMPLEXITY, SPEED])


def beside(*parts) -> dict[str, float | None]:
    """Of the first part, the numbers beside its score."""
    found = leaderboards.leaderboards(snapshot(*parts), PCKH)
    [entry] = [entry for board in found for entry in board.entries if entry.cell is parts[0][0]]
    return {name: line.value for name, line in entry.side.items()}


def test_every_number_of_the_same_network():
    found = beside(clean(), covered(), counted(NARROW), timed(NARROW, 5.4))
    assert found == {"occluded limb": 20.0, "parameters": 218_000, "MACs": 30e6, "latency": 5.4}


def test_never_the_numbers_of_another_network():
    wide = "hourglass-1"
    assert beside(clean(), covered(wide), counted(wide), timed(wide, 5.4)) == {}
    assert beside(clean(wide), covered(NARROW), counted(NARROW), timed(NARROW, 5.4)) == {}


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"budget": "quick"},
        {"dataset": "mpii"},
        {"split": "test"},
        {"limit": 10},
        {"recipe": "yang2017"},
        {"settings": {"flip": "no", "scales": "1"}},
    ],
)
def test_a_covered_limb_counts_under_equal_conditions_only(other):
    assert beside(clean(), covered(**other)) == {}
    assert beside(clean(), covered(value=30.0, **other), covered()) == {"occluded limb": 20.0}


def test_of_several_machines_the_newest():
    old, new = timed(NARROW, 9.0, "2026-01-01T00:00:00Z"), timed(NARROW, 7.0, "2026-02-01T00:00:00Z")
    assert beside(clean(), old, new) == beside(clean(), new, old) == {"latency": 7.0}


def test_a_file_named_like_a_network_is_not_that_network():
    made = cell(NARROW, "mpii-pckh", "mannequin", "val")
    assert beside((made, pckh(made, 50, source="predictions")), counted(NARROW), covered()) == {}


def test_columns_where_they_mean_something():
    found = snapshot(clean(), covered(), counted(NARROW))
    names = {
        rules.name: [column.name for board in leaderboards.leaderboards(found, rules) for column in board.side]
        for rules in (PCKH, OCCLUDED, COMPLEXITY)
    }
    costs = ["parameters", "MACs", "latency"]
    assert names == {"mpii-pckh": ["occluded limb", *costs], "occluded-limb": costs, "complexity": []}
    elsewhere = Snapshot(found.measurements, found.cells, [], [PCKH, replace(OCCLUDED, ground_truth=("image ids",))])
    [board] = leaderboards.leaderboards(elsewhere, PCKH)
    assert [column.name for column in board.side] == costs, "no limb can be covered on this dataset"


def test_page_links_what_is_there_and_says_what_is_not(tmp_path):
    part = covered()
    out = site.build(snapshot(clean(), part), tmp_path / "site").parent
    text = (out / "protocols" / "mpii-pckh.html").read_text("utf-8")
    assert f'<td data-value="20.0"><a href="../cells/{part[0].cell}.html">20.0</a> <small>18.0–22.0</small>' in text
    assert text.count('title="complexity not measured"') == 2 and text.count('title="speed not measured"') == 1


def test_data_leaves_missing_numbers_empty():
    [board] = leaderboards.leaderboards(snapshot(clean(), covered()), PCKH)
    sheet = leaderboard(board)
    [entries] = sheet.rows
    line: dict[str, Any] = dict(zip(sheet.columns, entries, strict=True))
    assert line["occluded limb (%)"].value == 20.0
    assert [line[name].value for name in ("parameters", "MACs", "latency (ms)")] == [None] * 3
