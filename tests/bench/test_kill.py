"""kill -9 at random moments: no partial step is ever visible, and the next call finishes with the same numbers.

What moments there are is for test_kill_points.py, which leaves none out; here real workers are at work, too.

REPOSE_KILLS says how many kills there are (default 10), REPOSE_KILL_SEED which moments they fall on (default 0).
"""

import multiprocessing
import os
import random
import shutil
import sys
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import small_bench
from typed import present

from bench.cli import main as cli
from bench.steps import predict
from bench.store.store import CELLS, PREDICTIONS, PREPARED, WEIGHTS
from bench.training import prepare
from bench.training import train as training

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("REPOSE_KILLS", "10"))
SEED = int(os.environ.get("REPOSE_KILL_SEED", "0"))
SAME_BYTES = ("pixels.npy", "weights.safetensors", "predictions.npz", "measurements.jsonl", "samples.npz")
NEVER_KILLED = 1200.0  # seconds

CONTEXT = multiprocessing.get_context("forkserver")  # one process imports everything, all others are forks of it
USED = """bench.executors.local bench.cells.matrix bench.cli.site protocols.datasets.mannequin.people
protocols.joints.lsp_pck protocols.joints.mpii_pckh protocols.pose.mix pytest small_bench torch._dynamo"""
CONTEXT.set_forkserver_preload([*USED.split()])


RUN, REPORT = ("run", "--jobs", "1"), ("report", "--out", "site")


def work(folder: Path, words: tuple[str, ...]) -> None:
    """What is killed: a command on the tiny matrix, with many small steps."""
    os.chdir(folder)
    log = (folder / "log").open("a")
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    training.CHECKPOINT_SECONDS, predict.SHARD, prepare.CHUNK = 0.0, 2, 4
    sys.argv = ["bench", *words, "--matrix", "tiny-matrix.toml"]
    sys.exit(cli.main())


def started(folder: Path, words: tuple[str, ...]) -> BaseProcess:
    process = CONTEXT.Process(target=work, args=(folder, words))
    process.start()
    return process


def finished(folder: Path, words: tuple[str, ...]) -> float:
    """Let a command come to its end; returns the seconds it took."""
    begin = time.monotonic()
    process = started(folder, words)
    process.join(NEVER_KILLED)
    assert process.exitcode == 0, (folder / "log").read_text()
    return time.monotonic() - begin


def killed(folder: Path, words: tuple[str, ...], seconds: float) -> bool:
    """Start a command and kill it after so many seconds; whether it was still at work."""
    process = started(folder, words)
    process.join(seconds)
    alive = process.is_alive()
    process.kill()
    process.join()
    assert alive or process.exitcode == 0, (folder / "log").read_text()
    return alive


def steps(store: Path) -> Iterator[tuple[str, Path]]:
    """Every finished step: its kind, and its folder."""
    for kind in (PREPARED, WEIGHTS, PREDICTIONS, CELLS):
        for folder in (store / kind).glob("[!.]*"):
            yield kind, folder


def check(store: Path, reference: Path) -> int:
    """Every visible step is the step of an undisturbed run, to the byte; returns how many there are."""
    count = 0
    for kind, folder in steps(store):
        twin = reference / kind / folder.name
        assert {path.name for path in folder.iterdir()} == {path.name for path in twin.iterdir()}, folder
        for name in SAME_BYTES:
            if (twin / name).exists():
                assert (folder / name).read_bytes() == (twin / name).read_bytes(), folder / name
        count += 1
    return count


def files(site: Path) -> set[str]:
    return {str(path.relative_to(site)) for path in site.rglob("*")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The folder of an undisturbed run."""
    folder = tmp_path_factory.mktemp("whole")
    small_bench.matrix(folder)
    finished(folder, RUN)
    return folder


def test_kills_of_a_run(whole, tmp_path):
    small_bench.matrix(tmp_path)
    seconds = finished(tmp_path, RUN)  # of the second one: the first waits for the imports
    everything = check(whole / "runs", whole / "runs")
    assert everything >= 2 + 2 + 2 + 5 and check(tmp_path / "runs", whole / "runs") == everything
    chance, kills = random.Random(SEED), 0
    while kills < KILLS:
        shutil.rmtree(tmp_path / "runs")
        while kills < KILLS and killed(tmp_path, RUN, chance.uniform(0.02, seconds)):
            kills += 1
            check(tmp_path / "runs", whole / "runs")
        finished(tmp_path, RUN)  # whatever was killed how often before it
        assert check(tmp_path / "runs", whole / "runs") == everything
        assert not list((tmp_path / "runs").glob("*/.*"))  # what the killed left is swept
        assert not list((tmp_path / "runs" / "work").iterdir())


def test_kills_of_a_report(whole):
    seconds = finished(whole, REPORT)
    names = files(whole / "site")
    assert "index.html" in names
    chance = random.Random(SEED)
    for _ in range(max(2, KILLS // 5)):
        shutil.rmtree(whole / "site", ignore_errors=True)
        stopped = killed(whole, REPORT, chance.uniform(0.02, seconds))
        assert files(whole / "site") in (set(), names)
        assert stopped or (whole / "site").exists()
        killed(whole, REPORT, chance.uniform(0.02, seconds))  # perhaps while one site takes the place of another
        assert files(whole / "site") in (set(), names)
    finished(whole, REPORT)
    assert files(whole / "site") == names


def test_helpers_end_with_a_killed_run(tmp_path):
    small_bench.recipe(tmp_path)
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(recipe.read_text().replace("steps = 4", "steps = 1000000"))
    words = ("--recipe", recipe, *small_bench.TINY, "--store", tmp_path / "runs", "--jobs", "2")
    process = small_bench.start("run", "hourglass-[12]", "mpii-pckh", *words)
    for line in present(process.stderr):
        if "crops  done" in line:
            break
    family = descendants(process.pid)
    assert family
    process.kill()
    process.wait()
    end = time.monotonic() + 300
    while any(map(alive, family)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(alive, family))


def descendants(parent: int) -> list[int]:
    """The processes that a process has started, and those that they have started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[1]) == parent:
            child = int(path.parent.name)
            found += [child, *descendants(child)]
    return found


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
