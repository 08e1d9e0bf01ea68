"""Executors of one machine: one process a device, and no cell twice."""

import json
import os
from pathlib import Path

import pytest

from bench.cells.matrix import load
from bench.cells.plan import FRESH, plan
from bench.context import RunContext
from bench.errors import Problem
from bench.executors.local import devices, execute, local
from bench.store.store import CELLS, Store

NETWORK = """
import os
from torch import nn

def tiny(*, joints=16, width=1.0, kernel=1):
    with open("made", "a") as file:
        file.write(f"{kernel} {os.getpid()}\\n")
    import time; time.sleep(0.5)
    return nn.Conv2d(3, joints, kernel_size=kernel)
"""
MATRIX = """
[[cells]]
architectures = ["net.py:tiny"]
protocols = ["complexity"]
set = {{ kernel = {kernel} }}
"""
KERNELS = (1, 3, 5, 7, 9, 11)


@pytest.mark.parametrize(
    ("device", "jobs", "cores", "accelerators", "expected"),
    [
        ("cpu", 0, 3, 0, ["cpu", "cpu", "cpu"]),
        ("cpu", 2, 8, 4, ["cpu", "cpu"]),
        ("cuda", 0, 8, 3, ["cuda:0", "cuda:1", "cuda:2"]),
        ("cuda", 1, 8, 3, ["cuda:0"]),
        ("cuda", 4, 8, 3, ["cuda:0", "cuda:1", "cuda:2", "cuda:0"]),
        ("cuda:1", 0, 8, 3, ["cuda:1"]),
    ],
)
def test_one_process_a_device(device, jobs, cores, accelerators, expected):
    assert devices(device, jobs, cores, accelerators) == expected


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch) -> list:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NETWORK)
    Path("matrix.toml").write_text("".join(MATRIX.format(kernel=kernel) for kernel in KERNELS))
    return plan(load(Path("matrix.toml")), Store(Path("runs")), Path("data"))


def made() -> list[list[str]]:
    """Kernel size and process of every network that was built."""
    return [line.split() for line in Path("made").read_text().splitlines()]


@pytest.mark.slow
def test_processes_share_the_cells_and_make_none_twice(tasks):
    store = Store(Path("runs"))
    done, failed = local(tasks, RunContext(store, Path("data"), "cpu"), jobs=3)
    assert len(done) == len(KERNELS) and not failed
    assert sorted(int(kernel) for kernel, _ in made()) == list(KERNELS)
    counts = {}
    for key in store.keys(CELLS):
        rows = (store.folder(CELLS, key) / "measurements.jsonl").read_text().splitlines()
        values = {(row["metric"], row["part"]): row["value"] for row in map(json.loads, rows)}
        counts[store.read(CELLS, key, "cell.json", dict)["architecture"]] = values["parameters", "all"]
    assert sorted(counts.values()) == [16 * 3 * kernel**2 + 16 for kernel in KERNELS]


def test_one_job_stays_in_this_process(tasks):
    execute(tasks, RunContext(Store(Path("runs")), Path("data"), "cpu"), "local", jobs=1)
    assert {process for _, process in made()} == {str(os.getpid())}


def test_finished_cells_are_not_made_again(tasks):
    here = RunContext(Store(Path("runs")), Path("data"), "cpu")
    execute(tasks, here, "local", jobs=1)
    again = plan([task.cell for task in tasks], here.store, here.data)
    assert {task.state for task in again} == {FRESH}
    done, failed = execute(again, here, "local", jobs=3)
    assert len(done) == len(KERNELS) and not failed and len(made()) == len(KERNELS)


def test_there_are_two_executors(tasks):
    with pytest.raises(Problem, match="no executor 'slurm'"):
        execute(tasks, RunContext(Store(Path("runs")), Path("data"), "cpu"), "slurm")
