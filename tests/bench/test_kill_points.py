"""kill -9 at every point at which a process changes its files, one after the other: nothing is left to chance.

A process counts its changes (a file opened for writing, a rename, a removal, a flush, ...) and kills itself before a
given one; files that are opened also right after, when they are there and empty.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import small_bench
from test_kill import CONTEXT, RUN, check, work

from bench.store.store import CELLS, WEIGHTS, Failure, Store, write_atomically
from bench.training import prepare

pytestmark = pytest.mark.slow
KEY, OTHER = "0123456789abcdef0123", "fedcba9876543210fedc"
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
FINISHED, KILLED = 0, -signal.SIGKILL


def count_down(folder: Path, left: int) -> None:
    """From now on, let this process make so many changes below a folder, and kill it at the next one."""
    busy = False

    def change() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple) -> None:
        nonlocal busy
        if busy:
            return
        if event in CHANGES and (not Path(arguments[0]).is_absolute() or below(arguments[0])):
            change()
        elif event == "open" and isinstance(arguments[0], str) and arguments[2] & WRITES and below(arguments[0]):
            change()
            busy = True
            os.close(os.open(arguments[0], arguments[2], 0o666))  # as the open that follows will do, and no more
            busy = False
            change()

    def below(path: str | Path) -> bool:
        return str(Path(path).absolute()).startswith(f"{folder}/")

    os.fsync = lambda descriptor: change()  # not to the disk: a killed process loses nothing that was written
    sys.addaudithook(hook)


# the store alone


def make(store: Store) -> None:
    """A step with a finished part in files of its own, one of them moved and one of them copied."""
    place = store.work(WEIGHTS, KEY)
    if not (place / "checkpoint").exists():
        write_atomically(place / "checkpoint", "of the last step")
    if not (place / "pixels").exists():
        write_atomically(place / "pixels", "many")
    with store.publish(WEIGHTS, KEY) as folder:
        (place / "pixels").rename(folder / "pixels")
        shutil.copyfile(place / "checkpoint", folder / "best")
        (folder / "inner").mkdir()
        (folder / "inner" / "weights").write_text("numbers")


def make_once(root: Path) -> None:
    """What several processes do: the step, then the cell that needs it; an earlier failure of the cell is forgotten."""
    store = Store(root)
    with store.lock(CELLS, KEY, wait=True):
        if not store.has(CELLS, KEY):
            store.forget_failure(KEY)
            store.note_failure(OTHER, Failure("net", "no such luck"))
            store.forget_failure(OTHER)
            store.sweep(CELLS, KEY)
            store.ensure(WEIGHTS, KEY, lambda: make(store))
            with store.publish(CELLS, KEY) as folder:
                (folder / "cell.json").write_text("{}")


def make_again(root: Path) -> None:
    """What `bench score` does with a file that it has scored before: the folder that is there stays."""
    store = Store(root)
    with store.lock(CELLS, KEY, wait=True):
        store.sweep(CELLS, KEY)
        with store.publish(CELLS, KEY) as folder:
            (folder / "cell.json").write_text("{}")


def forked(job: Callable[[Path], None], root: Path, left: int | None = None) -> int:
    """The number of a child process that does a job, and kills itself after `left` changes."""
    child = os.fork()
    if child:
        return child
    try:
        count_down(root, sys.maxsize if left is None else left)
        job(root)
        os._exit(FINISHED)
    finally:
        os._exit(1)  # never back into pytest


def end(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def content(root: Path) -> dict[str, str]:
    """Everything below a store but the locks: the text of files, nothing for folders."""
    paths = (path for path in root.rglob("*") if path.parent.name != "locks")
    return {str(path.relative_to(root)): path.read_text() if path.is_file() else "" for path in paths}


@pytest.mark.parametrize("rivals", [0, 1], ids=["alone", "another process waits for the lock"])
def test_a_step_is_killed_at_every_point(tmp_path, rivals):
    once = tmp_path / "once"
    assert end(forked(make_once, once)) == FINISHED
    expected = content(once)
    assert set(expected) >= {f"weights/{KEY}/pixels", f"weights/{KEY}/inner/weights", f"cells/{KEY}/cell.json"}
    left, code = 0, KILLED
    while code == KILLED:
        root = tmp_path / f"store-{left}"
        Store(root).note_failure(KEY, Failure("net", "as the last time"))
        child = forked(make_once, root, left)
        others = [forked(make_once, root) for _ in range(rivals)]
        code = end(child)
        assert code in (FINISHED, KILLED)
        assert all(end(other) == FINISHED for other in others)
        for kind in (WEIGHTS, CELLS):  # whatever is visible is whole
            for key in Store(root).keys(kind):
                seen = {name: text for name, text in content(root).items() if name.startswith(f"{kind}/{key}")}
                assert seen == {name: text for name, text in expected.items() if name.startswith(f"{kind}/{key}")}
        assert end(forked(make_once, root)) == FINISHED
        assert content(root) == expected, f"killed after {left} changes"
        left += 1
    assert left > (0 if rivals else 40)  # alone, every change came to pass


def test_a_cell_that_is_there_is_made_again_and_killed_at_every_point(tmp_path):
    root, left, code = tmp_path / "store", 0, KILLED
    make_once(root)
    before = content(root)
    while code == KILLED:
        code = end(forked(make_again, root, left))
        assert code in (FINISHED, KILLED)
        assert end(forked(make_again, root)) == FINISHED
        assert content(root) == before
        left += 1
    assert left > 8


# a whole run

NETWORK = """
from torch import nn

class Net(nn.Module):
    def __init__(self, joints):
        super().__init__()
        self.body = nn.Conv2d(3, joints, 4, 4)

    def forward(self, images):
        return (self.body(images),)

def net(*, joints=16):
    return Net(joints)
"""
MATRIX = """
[[cells]]
architectures = ["net.py:net"]
protocols = ["mpii-pckh"]
set = { input = 32 }
recipe = "RECIPE"
limit = 8
"""
STRIDE = int(os.environ.get("REPOSE_KILL_STRIDE", 5))  # 1: every point of a run, some seven minutes
STEPS = 2 + 1 + 1 + 1  # crops to train and to validate on, weights, predictions, the cell


def counted(folder: Path, left: int) -> None:
    """`work` of the random kills, killed after so many changes."""
    fill_all = prepare._fill_all  # by this process: the workers' own changes are pixels, in a file that is there
    prepare._fill_all = lambda chunks, *how: [fill_all([start], *how) for start in chunks]
    count_down(folder, left)
    work(folder, RUN)


def killed_after(folder: Path, left: int) -> bool:
    """Run the matrix until it has made so many changes; whether it was killed then."""
    process = CONTEXT.Process(target=counted, args=(folder, left))
    process.start()
    process.join()
    assert process.exitcode in (FINISHED, KILLED), (folder / "log").read_text()
    return process.exitcode == KILLED


def test_a_run_is_killed_from_its_first_to_its_last_point(tmp_path):
    (tmp_path / "net.py").write_text(NETWORK)
    (tmp_path / "tiny-matrix.toml").write_text(MATRIX.replace("RECIPE", small_bench.recipe(tmp_path)))
    runs, whole, left, numbers = tmp_path / "runs", tmp_path / "whole", 0, set()
    assert not killed_after(tmp_path, sys.maxsize)
    runs.rename(whole)
    assert check(whole, whole) == STEPS
    while killed_after(tmp_path, left):
        numbers.add(check(runs, whole))
        assert not killed_after(tmp_path, sys.maxsize)
        assert check(runs, whole) == STEPS
        assert not list(runs.rglob(".*")) and not list((runs / "work").iterdir()), f"killed after {left} changes"
        assert not list(runs.glob("failed/*"))
        shutil.rmtree(runs)
        left += STRIDE
    assert left > 5 * STRIDE and len(numbers) > 2  # within steps and between them; how many points, Python decides
