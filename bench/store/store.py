"""The store: finished steps as folders named by a content key, published by one rename.

    runs/
      prepared/KEY/      decoded, pre-cropped people
      weights/KEY/       a trained network
      predictions/KEY/   what a network said about a data set
      cells/KEY/         what a protocol made of it
      work/KIND-KEY/     the finished part of a step that is under way
      failed/KEY.json    why a cell could not be finished
      locks/             who works on what
      format             the FORMAT of all this

A folder under its key is whole. Whatever else lies there can be deleted without loss.
"""

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from bench.errors import CELL_FAILED, Problem

PREPARED, WEIGHTS, PREDICTIONS, CELLS = "prepared", "weights", "predictions", "cells"
FORMAT = 2  # of keys and documents; raise it when those of before mean something else
T = TypeVar("T")
_decoder = cache(msgspec.json.Decoder)  # of a type


def write_whole(path: Path, content: bytes | str, temporary: Path | None = None) -> None:
    """Write a file beside its place, flush it, and rename it: readers see the old or the new one."""
    content = content.encode() if isinstance(content, str) else content
    temporary = temporary or path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def archive(**arrays: np.ndarray) -> bytes:
    """Arrays as the bytes of an .npz file."""
    buffer = BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


class Failure(msgspec.Struct, frozen=True):
    """The last try to finish a cell: what it raised, in which run, and the end of its log."""

    cell: str  # its label
    why: str
    code: int = CELL_FAILED  # the exit code that the error asks for
    run: str = ""
    command: str = ""
    log: str = ""


@dataclass(frozen=True)
class Store:
    """A folder of finished steps."""

    root: Path

    def folder(self, kind: str, key: str) -> Path:
        return self.root / kind / key

    def has(self, kind: str, key: str) -> bool:
        return self.folder(kind, key).is_dir()

    def keys(self, kind: str) -> set[str]:
        """The keys of everything finished of a kind. Raises Problem for a store of another format."""
        self._check_format()
        folder = self.root / kind
        return {entry.name for entry in os.scandir(folder) if entry.name[0] != "."} if folder.is_dir() else set()

    def read(self, kind: str, key: str, name: str, type: type[T]) -> T:
        """A JSON file of a finished step. Raises Problem where it does not hold a `type`."""
        with self._readable(kind, key, name):
            return _decoder(type).decode((self.folder(kind, key) / name).read_bytes())

    def read_lines(self, kind: str, key: str, name: str, type: type[T]) -> list[T]:
        """A file of a finished step with one JSON document a line. Raises Problem where one is not a `type`."""
        with self._readable(kind, key, name):
            return _decoder(type).decode_lines((self.folder(kind, key) / name).read_bytes())

    @contextmanager
    def _readable(self, kind: str, key: str, name: str) -> Iterator[None]:
        """Turn what msgspec finds wrong with a file into a Problem."""
        try:
            yield
        except msgspec.MsgspecError as error:
            raise Problem(
                f"{self.folder(kind, key) / name}: {error}.",
                cause="another version of Repose wrote it, or it was edited by hand",
                next_step="move that folder away: the next run makes it anew",
                code=CELL_FAILED,
            ) from error

    def read_arrays(self, kind: str, key: str, name: str) -> dict[str, np.ndarray]:
        """The arrays of an .npz file of a finished step; none where it keeps no such file."""
        path = self.folder(kind, key) / name
        if not path.is_file():
            return {}
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)

    def work(self, kind: str, key: str) -> Path:
        """The folder in which a step keeps its finished part; what an earlier try left is still there."""
        folder = self.root / "work" / f"{kind}-{key}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _check_format(self, begin: bool = False) -> None:
        """Refuse a store of another format; give its format to one that begins."""
        path, kinds = self.root / "format", (PREPARED, WEIGHTS, PREDICTIONS, CELLS)
        begun = any((self.root / kind).is_dir() for kind in kinds)  # looked at first: others may begin just now
        found = path.read_text().split("\n")[0] if path.is_file() else ""
        if found == str(FORMAT):
            return
        if found or begun:
            raise Problem(
                f"{self.root} was written by another version of Repose: its keys mean something else.",
                next_step="move it away or name another folder with --store; all is trained and measured anew",
            )
        if begin:
            self.root.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:  # appended: whole, or nothing, also where several processes begin at once
                file.write(f"{FORMAT}\n")
                file.flush()
                os.fsync(file.fileno())

    @contextmanager
    def publish(self, kind: str, key: str) -> Iterator[Path]:
        """A new folder to fill; it appears under its key when the block ends, or not at all."""
        self._check_format(begin=True)
        place = self.folder(kind, key)
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = place.with_name(f".{key}.{uuid.uuid4().hex[:8]}")
        temporary.mkdir()
        try:
            yield temporary
            for path in [*temporary.rglob("*"), temporary]:
                _flush(path)
            try:
                temporary.rename(place)
            except OSError:  # another process was first: what it published stays
                if not place.is_dir():
                    raise
            _flush(place.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    @contextmanager
    def lock(self, kind: str, key: str, wait: bool, shared: bool = False) -> Iterator[bool]:
        """Hold the right to work on a step; yields False if another process has it and `wait` is off.

        Several may hold it together if all of them share it. The operating system lets go of it when the process
        ends, however it ends. Raises Problem for a store of another format.
        """
        self._check_format(begin=True)
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{kind}-{key}").open("a") as file:
            try:
                fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True

    def ensure(self, kind: str, key: str, make: Callable[[], None]) -> Path:
        """The folder of a step, which `make` publishes if it is not there; of several processes, one makes it."""
        if not self.has(kind, key):
            with self.lock(kind, key, wait=True):
                if not self.has(kind, key):
                    self.sweep(kind, key)
                    make()
        # Here rather than in `publish`: a kill may come right after the rename, and the next run has to tidy up.
        self.discard_work(kind, key)
        return self.folder(kind, key)

    def discard_work(self, kind: str, key: str) -> None:
        """Remove what a finished step kept on the way."""
        shutil.rmtree(self.root / "work" / f"{kind}-{key}", ignore_errors=True)

    def sweep(self, kind: str, key: str) -> None:
        """Remove what killed processes left of a step; call with its lock held."""
        for left in (self.root / kind).glob(f".{key}.*"):
            shutil.rmtree(left, ignore_errors=True)

    def remove(self, kind: str, key: str) -> None:
        """Remove a finished step, which nobody uses; it goes at once, as it came."""
        place = self.folder(kind, key)
        if place.is_dir():
            place.rename(place.with_name(f".{key}.{uuid.uuid4().hex[:8]}"))
            self.sweep(kind, key)

    def note_failure(self, key: str, failure: Failure) -> None:
        """Keep why a cell failed; call with its lock held, as of the next one."""
        folder = self.root / "failed"
        folder.mkdir(parents=True, exist_ok=True)
        text = msgspec.json.format(msgspec.json.encode(failure), indent=1)
        write_whole(folder / f"{key}.json", text, folder / f".{key}.json")  # a known name: it can be swept

    def forget_failure(self, key: str) -> None:
        for name in (f"{key}.json", f".{key}.json"):
            (self.root / "failed" / name).unlink(missing_ok=True)

    def failure(self, key: str) -> Failure | None:
        """Why a cell failed the last time; None if it did not."""
        try:
            return _decoder(Failure).decode((self.root / "failed" / f"{key}.json").read_bytes())
        except FileNotFoundError:  # never asked whether it is there: another process may forget it at any time
            return None


def _flush(path: Path) -> None:
    """Make the operating system write a file or the entries of a folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
