"""The Ray executor on a real cluster: three nodes on this machine, one of which is killed in the middle of a run."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typed import present

from bench.cells.matrix import load
from bench.cells.plan import FRESH, Task, plan
from bench.context import RunContext
from bench.errors import Problem
from bench.executors import run
from bench.executors.ray_worker import Order, finish_order, outside_files, pack, shared_steps
from bench.steps import pipeline as steps
from bench.store.store import CELLS, PREDICTIONS, WEIGHTS, Store

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

REPOSITORY = Path(__file__).resolve().parents[3]

NETWORK = """
import tempfile
import time
from pathlib import Path

from architectures.baseline import MeanPose


class Held(MeanPose):
    def forward(self, images):
        while Path(tempfile.gettempdir(), "hold").exists():
            time.sleep(0.05)
        return super().forward(images)


def pose(*, joints=16, width=1.0):
    return Held(joints)


def broken(*, joints=16, width=1.0):
    raise RuntimeError("out of ideas")
"""
RECIPE = """
paper = ""
training = { optimizer = "adam", learning_rate = 1e-3, batch = 4, steps = 1, people = 8 }
targets = { sigma = 1.0 }
testing = { flip = false }
"""
MATRIX = """
[[cells]]
architectures = ["net.py:pose"]
protocols = ["mpii-pckh", "lsp-pck"]
recipe = "recipe.toml"
limit = 64
seeds = [0, 1, 2, 3, 4, 5]
set = { input = 64 }
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch) -> Path:
    """A folder with a matrix of cells that a node can hold, as the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NETWORK)
    Path("recipe.toml").write_text(RECIPE)
    Path("matrix.toml").write_text(MATRIX)
    return tmp_path


STARTS = 5  # Ray gives a node thirty seconds to start, which a busy machine may not have


@pytest.fixture
def cluster(place, monkeypatch):
    """A head without processors and two nodes with one each, all on 127.0.0.1, each with a disk of its own."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install ray[default]")
    monkeypatch.setenv("RAY_health_check_timeout_ms", "60000")  # a node that is slow to answer is not dead
    started = start(place, STARTS)
    try:
        yield started
    finally:
        started.shutdown()


def start(place: Path, tries: int) -> "Cluster":
    from ray.cluster_utils import Cluster

    shared = {"node_ip_address": "127.0.0.1", "include_dashboard": False, "object_store_memory": 100 * 2**20}
    shared |= {"dashboard_agent_listen_port": 0}  # a free one: another test may have a cluster, too
    cluster: Any = Cluster(initialize_head=False)
    try:
        cluster.add_node(**shared, num_cpus=0, memory=2**30)
        cluster.nodes_of_work = [
            cluster.add_node(**shared, num_cpus=1, memory=8 * 2**30, env_vars={"TMPDIR": str(disk(place, number))})
            for number in range(2)
        ]
    except Exception:  # the one that Ray raises has no name of its own
        cluster.shutdown()
        if tries == 1:
            raise
        return start(place, tries - 1)
    return cluster


def disk(place: Path, number: int) -> Path:
    folder = place / f"disk-{number}"
    folder.mkdir(exist_ok=True)
    return folder


def hold(folder: Path) -> Path:
    """From now on, the node with this disk begins to predict and comes to no end."""
    (folder / "hold").touch()
    return folder / "hold"


def bench(*words: str, **options) -> subprocess.Popen:
    """`bench` in a process of its own, as a user calls it."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    environment |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # else Ray takes 127.0.0.1 for the machine's own address
    command = [sys.executable, "-m", "bench", *words]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, **options)


def ray_run(cluster, **options) -> subprocess.Popen:
    return bench("run", "--matrix", "matrix.toml", "--executor", "ray", "--address", cluster.address, **options)


def wait_until(condition, process: subprocess.Popen | None = None, seconds: float = 600) -> None:
    """Wait for a condition, and fail at once if the process that should bring it about has ended."""
    end = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, "the command has ended before"
        assert time.monotonic() < end, "what the test waits for does not happen"
        time.sleep(0.1)


def whole(count: int) -> bool:
    """Whether so many cells are there, each whole, with its weights and predictions, and nothing half-done."""
    store = Store(Path("runs"))
    for kind in (CELLS, WEIGHTS, PREDICTIONS):
        assert not [entry for entry in (store.root / kind).iterdir() if entry.name.startswith(".")]
    for key in store.keys(CELLS):
        assert store.read(CELLS, key, "cell.json", dict)["cell"] == key
        lines = (store.folder(CELLS, key) / "measurements.jsonl").read_text().splitlines()
        assert all(json.loads(line)["cell"] == key for line in lines) and lines
    return len(store.keys(CELLS)) == count


@pytest.mark.slow
def test_all_cells_end_up_whole_and_once_though_a_node_is_killed(cluster, place):
    store = Store(Path("runs"))
    at_work = disk(place, 1)
    hold(at_work)
    process = ray_run(cluster)
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.extend(present(process.stderr)), daemon=True)
    reader.start()
    doomed = cluster.nodes_of_work[1]
    # In the middle: some cells are back, and the node is at work on one.
    wait_until(lambda: len(store.keys(CELLS)) >= 2 and any(at_work.glob("repose-*/runs/work/predictions-*")), process)
    assert len(store.keys(CELLS)) < 12
    cluster.remove_node(doomed, allow_graceful=False)  # kill -9 of all its processes
    assert process.wait(timeout=900) == 0, "".join(said)
    reader.join()
    assert whole(12)
    assert len(store.keys(WEIGHTS)) == len(store.keys(PREDICTIONS)) == 6  # two protocols share each
    homes = [line for line in said if "cells are back" in line]
    assert homes[-1].startswith("12 of 12") and len(homes) == 12  # each came back once
    assert all(task.state == FRESH for task in plan(load(Path("matrix.toml")), store, Path("data")))
    document = store.read(CELLS, min(store.keys(CELLS)), "cell.json", dict)
    assert document["provenance"]["command"].startswith("bench run --matrix matrix.toml --executor ray")

    before = {path: path.stat().st_mtime_ns for path in Path("runs/cells").rglob("*")}
    again = bench("run", "--matrix", "matrix.toml", "--executor", "ray", "--address", "127.0.0.1:1")  # nobody there
    assert again.wait(timeout=900) == 0, present(again.stderr).read()  # finished cells are never sent
    assert before == {path: path.stat().st_mtime_ns for path in Path("runs/cells").rglob("*")}


@pytest.mark.slow
def test_ctrl_c_keeps_what_came_home_and_a_failing_cell_stops_no_other(cluster, place):
    Path("matrix.toml").write_text(
        MATRIX + '[[cells]]\narchitectures = ["net.py:broken"]\nprotocols = ["init-variance"]\n'
    )
    store = Store(Path("runs"))
    held = hold(disk(place, 1))
    process = ray_run(cluster)
    wait_until(lambda: len(store.keys(CELLS)) >= 1, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=900)
    assert process.returncode == 130 and "same command continues" in said
    kept = store.keys(CELLS)
    assert 1 <= len(kept) < 12 and whole(len(kept))
    held.unlink()
    process = ray_run(cluster)
    _, said = process.communicate(timeout=900)
    assert process.returncode == 3 and "out of ideas" in said
    assert whole(12) and kept < store.keys(CELLS)


def order(task: Task, store: Store) -> Order:
    """Inputs of a node for a cell whose predictions the driver has already."""
    steps = shared_steps(task)
    files = {name: Path(name).read_bytes() for name in outside_files(task.cell)}
    return Order(
        task, Path("data").resolve(), "cpu", files, {step: pack(store, step) for step in steps}, "code", "bench"
    )


def on_a_node(order: Order, waits: bool) -> None:
    """`finish_order` in a process of its own; one that waits says when the folders are here, and goes on when told."""
    if waits:
        here = run.run

        def wait(*arguments):
            Path(tempfile.gettempdir(), "here").touch()
            while not Path(tempfile.gettempdir(), "go on").exists():
                time.sleep(0.01)
            steps.predict = None  # what is here need not be made
            return here(*arguments)

        run.run = wait
    why, folders = finish_order(order)
    assert not why and set(folders) == {(CELLS, order.task.key)}, why


@pytest.mark.slow
def test_a_cell_keeps_the_folders_that_it_shares_with_another_one_on_the_same_node(
    place, tmp_path_factory, monkeypatch
):
    Path("matrix.toml").write_text(MATRIX.replace("[0, 1, 2, 3, 4, 5]", "[0]"))
    store, cells = Store(Path("runs")), load(Path("matrix.toml"))
    one, two = plan(cells, store, Path("data"))
    assert shared_steps(one) == shared_steps(two)
    run.run([one], RunContext(store, Path("data"), "cpu"))
    node = tmp_path_factory.mktemp("node")
    monkeypatch.setenv("TMPDIR", str(node))
    context = multiprocessing.get_context("spawn")
    slow = context.Process(target=on_a_node, args=(order(one, store), True))
    slow.start()
    wait_until(lambda: (node / "here").exists() or not slow.is_alive())
    quick = context.Process(target=on_a_node, args=(order(two, store), False))
    quick.start()
    quick.join()
    (node / "go on").touch()
    slow.join()
    assert (quick.exitcode, slow.exitcode) == (0, 0)
    (scratch,) = node.glob("repose-*")
    assert not [path for kind in (CELLS, PREDICTIONS, WEIGHTS) for path in (scratch / "runs" / kind).iterdir()]


def test_files_of_a_cell_travel_by_their_relative_path(place):
    (cell, *_) = load(Path("matrix.toml"))
    assert outside_files(cell) == ["net.py", "recipe.toml"]
    Path("matrix.toml").write_text(MATRIX.replace("recipe.toml", str(place / "recipe.toml")))
    with pytest.raises(Problem, match="below the working directory"):
        outside_files(load(Path("matrix.toml"))[0])


def test_networks_of_the_catalogue_need_no_files(place):
    Path("matrix.toml").write_text('[[cells]]\narchitectures = ["hourglass-1"]\nprotocols = ["mpii-pckh"]\n')
    assert outside_files(load(Path("matrix.toml"))[0]) == []
