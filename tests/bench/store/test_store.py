"""The store: a folder under a key is whole or not there, whatever happens to the process that writes it."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typed import present

from bench.errors import Problem
from bench.store.digests import content_key, file_digest
from bench.store.store import CELLS, FORMAT, WEIGHTS, Failure, Store, write_atomically

KEY = "0123456789abcdef0123"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def everything(store: Store, kind: str) -> set[str]:
    """Names below a kind, hidden ones included."""
    folder = store.root / kind
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def python(store: Store, code: str, **options) -> subprocess.Popen:
    """Another process that knows `store` and runs `code`."""
    head = "import sys; from pathlib import Path; from bench.store.store import CELLS, Store\n"
    head += f"store = Store(Path({str(store.root)!r}))\n"
    return subprocess.Popen([sys.executable, "-c", head + code], stdout=subprocess.PIPE, text=True, **options)


def test_a_store_of_another_format_is_refused_before_anything_is_done(store):
    assert store.keys(CELLS) == set() and not store.root.exists()  # looking leaves nothing behind
    with store.publish(CELLS, KEY):
        pass
    assert store.keys(CELLS) == {KEY} and (store.root / "format").read_text() == f"{FORMAT}\n"
    for content in (None, "1\n"):  # before there was such a file, and of another time
        (store.root / "format").unlink(missing_ok=True)
        if content:
            (store.root / "format").write_text(content)
        for use in (lambda: store.keys(WEIGHTS), lambda: store.ensure(WEIGHTS, KEY, list), lambda: refused(store)):
            with pytest.raises(Problem, match="another version of Repose") as caught:
                use()
        assert "move it away" in caught.value.next_step and not store.has(WEIGHTS, KEY)


def refused(store: Store) -> None:
    with store.publish(WEIGHTS, KEY):
        pass


def test_nothing_is_visible_before_the_end_of_the_block(store):
    with store.publish(CELLS, KEY) as folder:
        (folder / "cell.json").write_text("{}")
        assert not store.has(CELLS, KEY)
        assert store.keys(CELLS) == set()
    assert store.has(CELLS, KEY)
    assert store.keys(CELLS) == {KEY}
    assert store.read(CELLS, KEY, "cell.json", dict) == {}
    assert everything(store, CELLS) == {KEY}


def test_files_are_flushed_before_the_rename(store, monkeypatch):
    """A rename that reaches the disk before the content would show an empty file after a power cut."""
    events = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(descriptor: int) -> None:
        events.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def noted_rename(path: Path, target: Path) -> Path:
        events.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    with store.publish(CELLS, KEY) as folder:
        (folder / "cell.json").write_text("{}")
    assert events.pop(0) == "format" and set(events[:2]) == {"cell.json", "digests"}
    assert events[2].startswith(f".{KEY}")
    assert events[3:] == ["rename", "cells"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_nothing_but_the_finished_part(store, error):
    (store.work(CELLS, KEY) / "shard").write_text("a shard")
    with pytest.raises(error), store.publish(CELLS, KEY) as folder:
        (folder / "cell.json").write_text("{}")
        raise error
    assert everything(store, CELLS) == set()
    assert (store.work(CELLS, KEY) / "shard").read_text() == "a shard"


def test_a_disk_that_fills_up_while_flushing_leaves_nothing(store, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*/runs/"), store.publish(CELLS, KEY) as folder:
        (folder / "cell.json").write_text("{}")
    assert everything(store, CELLS) == set()


def publish_only(store: Store) -> None:
    with store.publish(WEIGHTS, KEY):
        pass


def test_the_finished_part_goes_once_the_step_is_published(store):
    def make():
        (store.work(WEIGHTS, KEY) / "checkpoint").write_text("half")
        publish_only(store)

    store.ensure(WEIGHTS, KEY, make)
    assert not (store.root / "work" / f"{WEIGHTS}-{KEY}").exists()


def test_the_finished_part_goes_also_when_a_kill_came_right_after_the_rename(store):
    publish_only(store)
    (store.work(WEIGHTS, KEY) / "checkpoint").write_text("whole")  # as it lies there after such a kill
    store.ensure(WEIGHTS, KEY, make=lambda: pytest.fail("the step is there"))
    assert not (store.root / "work" / f"{WEIGHTS}-{KEY}").exists()


def test_of_two_publishers_the_first_stays(store):
    with store.publish(CELLS, KEY) as slow:
        (slow / "who").write_text("slow")
        with store.publish(CELLS, KEY) as fast:
            (fast / "who").write_text("fast")
    assert (store.folder(CELLS, KEY) / "who").read_text() == "fast"
    assert everything(store, CELLS) == {KEY}


def test_two_publishers_at_the_very_same_time(store, monkeypatch):
    """The other one's rename comes between the look and our own."""
    rename = Path.rename

    def late(path: Path, target: Path) -> Path:
        target.mkdir()
        (target / "who").write_text("the other")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", late)
    with store.publish(CELLS, KEY) as folder:
        (folder / "who").write_text("we")
    assert (store.folder(CELLS, KEY) / "who").read_text() == "the other"
    assert everything(store, CELLS) == {KEY}


def test_kill_9_leaves_nothing_visible_and_sweep_removes_the_rest(store):
    code = f"""
with store.publish(CELLS, {KEY!r}) as folder:
    (folder / "cell.json").write_text("half")
    print("there", flush=True)
    sys.stdin.read()
"""
    process = python(store, code, stdin=subprocess.PIPE)
    assert present(process.stdout).readline() == "there\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert store.keys(CELLS) == set()
    assert not store.has(CELLS, KEY)
    assert len(everything(store, CELLS)) == 1
    store.sweep(CELLS, KEY)
    assert everything(store, CELLS) == set()


def test_sweep_touches_no_other_key(store):
    with store.publish(CELLS, KEY):
        pass
    other = store.root / CELLS / ".fedcba.1"
    other.mkdir()
    store.sweep(CELLS, KEY)
    assert everything(store, CELLS) == {KEY, ".fedcba.1"}


def test_a_lock_holds_across_processes_and_ends_with_its_process(store):
    code = f"""
with store.lock(CELLS, {KEY!r}, wait=True) as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""
    process = python(store, code, stdin=subprocess.PIPE)
    assert present(process.stdout).readline() == "True\n"
    with store.lock(CELLS, KEY, wait=False) as mine:
        assert not mine
    with store.lock(CELLS, "another", wait=False) as mine:
        assert mine
    process.kill()
    process.wait()
    with store.lock(CELLS, KEY, wait=False) as mine:
        assert mine


def test_of_several_processes_one_makes_a_step(store):
    code = f"""
import time
def make():
    with store.publish(CELLS, {KEY!r}) as folder:
        time.sleep(0.3)
        (folder / "who").write_text("one")
    print("made it")
print(store.ensure(CELLS, {KEY!r}, make) / "who")
"""
    outputs = [process.communicate()[0] for process in [python(store, code) for _ in range(3)]]
    assert sorted(output.count("made it") for output in outputs) == [0, 0, 1]
    assert (store.folder(CELLS, KEY) / "who").read_text() == "one"


def test_write_atomically_replaces_or_leaves(tmp_path, monkeypatch):
    path = tmp_path / "state"
    write_atomically(path, "old")
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["state"]


def test_failures_are_kept_until_forgotten(store):
    assert store.failure(KEY) is None
    store.note_failure(KEY, Failure("net", "too hot"))
    assert store.failure(KEY) == Failure("net", "too hot")
    store.forget_failure(KEY)
    store.forget_failure(KEY)
    assert store.failure(KEY) is None


def test_an_absent_store_is_empty(store):
    assert store.keys(CELLS) == set()
    assert not store.has(CELLS, KEY)
    store.sweep(CELLS, KEY)
    assert not store.root.exists()


def test_keys_ignore_the_order_of_inputs_and_nothing_else():
    key = content_key({"a": 1, "b": {"c": [1, 2], "d": 0.5}})
    assert key == content_key({"b": {"d": 0.5, "c": [1, 2]}, "a": 1})
    others = [{"a": 2, "b": {"c": [1, 2], "d": 0.5}}, {"a": 1, "b": {"c": [2, 1], "d": 0.5}}, {"a": 1}]
    assert len({key, *map(content_key, others)}) == 4
    assert len(key) == 20 and int(key, 16) >= 0


def test_digest_is_sha_256(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert file_digest(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
