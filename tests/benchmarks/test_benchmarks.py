"""Benchmarks: every script runs at its smallest size, prints its lines, and checks both ways against each other."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.results.benchmarks import Benchmark
from bench.results.snapshot import Snapshot
from benchmarks.rounds import Line, in_turn, text
from reports import site

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = ("__init__", "__main__", "rounds")
NAMES = sorted(path.stem for path in (REPOSITORY / "benchmarks").glob("*.py") if path.stem not in SHARED)


def run(*words: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def stored(what: str, ours: float, **other) -> Benchmark:
    shared = {"benchmark": "x", "rounds": 3, "note": "<b>", "machine": "a machine", "date": "2026-01-02T03:04:05Z"}
    return Benchmark(what=what, ours=ours, **shared | other)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_script_prints_its_line_and_keeps_its_rows(name, tmp_path):
    path = tmp_path / "rows.jsonl"
    done = run(f"benchmarks.{name}", "--tiny", "--out", path)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    assert len(rows) == len(printed) > 0
    for line, row in zip(printed, rows, strict=True):
        assert re.match(rf"{name}: .+: [\d.e+]+ m?s", line)
        assert row["benchmark"] == name and row["ours"] > 0
        if row["peer"] is not None:
            assert row["ratio"] == pytest.approx(row["peer"] / row["ours"]) and f"{row['ratio']:.3g}x" in line


def test_rows_of_a_benchmark_are_replaced(tmp_path):
    path = tmp_path / "rows.jsonl"
    earlier = [stored("of an earlier run", 1, benchmark=name) for name in ("another", "pckh")]
    path.write_bytes(msgspec.json.Encoder().encode_lines(earlier))
    assert run("benchmarks.pckh", "--tiny", "--out", path).returncode == 0
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    assert [row["benchmark"] for row in rows] == ["another", "pckh"]
    assert rows[1]["what"] != "of an earlier run"


def test_an_unknown_name_is_refused():
    done = run("benchmarks", "pchk")
    assert done.returncode == 2 and "there is no benchmark pchk" in done.stderr


def test_ways_take_turns():
    calls = []
    found = in_turn(lambda: calls.append("a") or sum(range(10**7)), lambda: calls.append("b"), rounds=2)
    turns = [name for name, before in zip(calls, ["", *calls], strict=False) if name != before]
    assert turns == ["a", "b"] * 3  # once to warm up, then two rounds
    assert found[0] > found[1]


@pytest.mark.parametrize(
    ("line", "reached", "words"),
    [
        (Line("x", 0.002, 3, "y", 0.010, reach=4), True, "x: 2 ms; y: 10 ms, 5x; reaches 4x"),
        (Line("x", 0.002, 3, "y", 0.006, reach=4), False, "x: 2 ms; y: 6 ms, 3x; misses 4x"),
        (Line("x", 0.3, 3, reach=0.25), False, "x: 300 ms; misses 250 ms"),
        (Line("x", 2.0, 3, note="so"), None, "x: 2 s; so"),
    ],
)
def test_a_target_is_a_ratio_or_a_limit(line, reached, words):
    assert line.reached is reached
    assert text(line) == words


def test_the_site_shows_them(tmp_path):
    rows = (
        stored("one", 0.002, against="loops", peer=0.01, ratio=5, reach=4, reached=True),
        stored("two", 0.3, reach=0.25, reached=False),
    )
    folder = site.build(Snapshot([], [], [], [], benchmarks=rows), tmp_path / "site").parent
    page = (folder / "benchmarks.html").read_text().replace("\u00a0", " ")
    cells = (re.findall("<td.*?>(.*?)</td>", part) for part in page.split("<tr>")[2:])
    first, second = ([re.sub("<[^>]*>", "", cell) for cell in row] for row in cells)
    assert first == ["2 ms", "loops", "10 ms", "5", "≥ 4 ×", "yes", "3", "&lt;b&gt;"]
    assert second == ["300 ms", "–", "–", "–", "≤ 250 ms", "no", "3", "&lt;b&gt;"]
    assert "benchmarks.html" in (folder / "index.html").read_text()
    assert not (site.build(Snapshot([], [], [], []), tmp_path / "none").parent / "benchmarks.html").exists()
