"""The store: finished steps as folders named by a content key, published by one rename.

    runs/
      prepared/KEY/      decoded, pre-cropped people
      weights/KEY/       a trained network
      predictions/KEY/   predictions of a network on a dataset
      cells/KEY/         measurements of a cell
      work/KIND-KEY/     the finished part of an unfinished step
      failed/KEY.json    why a cell failed
      locks/             locks of the steps in progress
      format             the FORMAT of keys and documents

A folder under its key is complete. All other files can be deleted without loss.
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
FORMAT = 2  # of keys and documents; raise it when old ones would be misread
T = TypeVar("T")
_decoder = cache(msgspec.json.Decoder)  # type -> decoder


def write_atomically(path: Path, content: bytes | str, temporary: Path | None = None) -> None:
    """Write a file under a temporary name, flush it, and rename it: readers see the old content or the new."""
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
    """Encode arrays as the bytes of an .npz file."""
    buffer = BytesIO()
    np.savez(buffer, **arrays)  # pyright: ignore[reportArgumentType] - no array is called allow_pickle
    return buffer.getvalue()


class Failure(msgspec.Struct, frozen=True):
    """The last failure of a cell: its reason, the run, and the end of the log."""

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
        """Read a JSON file of a finished step. Raises Problem where it does not hold a `type`."""
        with self._readable(kind, key, name):
            return _decoder(type).decode((self.folder(kind, key) / name).read_bytes())

    def read_lines(self, kind: str, key: str, name: str, type: type[T]) -> list[T]:
        """Read a JSON-lines file of a finished step. Raises Problem where a line is not a `type`."""
        with self._readable(kind, key, name):
            return _decoder(type).decode_lines((self.folder(kind, key) / name).read_bytes())

    @contextmanager
    def _readable(self, kind: str, key: str, name: str) -> Iterator[None]:
        """Turn an error of msgspec about a file into a Problem."""
        try:
            yield
        except msgspec.MsgspecError as error:
            raise Problem(
                f"{self.folder(kind, key) / name}: {error}.",
                cause="another version of Repose wrote it, or it was edited by hand",
                next_step="move that folder away: the next run makes it again",
                code=CELL_FAILED,
            ) from error

    def read_arrays(self, kind: str, key: str, name: str) -> dict[str, np.ndarray]:
        """Arrays of an .npz file of a finished step; none if it has no such file."""
        path = self.folder(kind, key) / name
        if not path.is_file():
            return {}
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)

    def work(self, kind: str, key: str) -> Path:
        """Folder for the finished part of an unfinished step, with what an earlier run left there."""
        folder = self.root / "work" / f"{kind}-{key}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _check_format(self, begin: bool = False) -> None:
        """Raise Problem for a store of another format; with `begin` write the format of a new one."""
        path, kinds = self.root / "format", (PREPARED, WEIGHTS, PREDICTIONS, CELLS)
        used = any((self.root / kind).is_dir() for kind in kinds)  # before the format: another process may begin now
        found = path.read_text().split("\n")[0] if path.is_file() else ""
        if found == str(FORMAT):
            return
        if found or used:
            raise Problem(
                f"{self.root} was written by another version of Repose: its keys have another meaning.",
                next_step="move it away or name another folder with --store; all is trained and measured again",
            )
        if begin:
            self.root.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:  # appended: several processes may begin at once
                file.write(f"{FORMAT}\n")
                file.flush()
                os.fsync(file.fileno())

    @contextmanager
    def publish(self, kind: str, key: str) -> Iterator[Path]:
        """Yield a temporary folder to fill; it is renamed to its key when the block ends without an error."""
        self._check_format(begin=True)
        final = self.folder(kind, key)
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.with_name(f".{key}.{uuid.uuid4().hex[:8]}")
        temporary.mkdir()
        try:
            yield temporary
            for path in [*temporary.rglob("*"), temporary]:
                _flush(path)
            try:
                temporary.rename(final)
            except OSError:  # another process published it first: its folder stays
                if not final.is_dir():
                    raise
            _flush(final.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    @contextmanager
    def lock(self, kind: str, key: str, wait: bool, shared: bool = False) -> Iterator[bool]:
        """Hold the lock of a step; yields False if another process holds it and `wait` is off.

        With `shared`, several processes may hold it together. The operating system releases it when the process
        ends, even by a kill. Raises Problem for a store of another format.
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
        """Return the folder of a step; if it is missing, one process calls `make`, which publishes it."""
        if not self.has(kind, key):
            with self.lock(kind, key, wait=True):
                if not self.has(kind, key):
                    self.sweep(kind, key)
                    make()
        # Not in `publish`: after a kill right behind the rename, the next run has to tidy up.
        self.discard_work(kind, key)
        return self.folder(kind, key)

    def discard_work(self, kind: str, key: str) -> None:
        """Remove the work folder of a finished step."""
        shutil.rmtree(self.root / "work" / f"{kind}-{key}", ignore_errors=True)

    def sweep(self, kind: str, key: str) -> None:
        """Remove temporary folders that killed processes left of a step; call with its lock held."""
        for left in (self.root / kind).glob(f".{key}.*"):
            shutil.rmtree(left, ignore_errors=True)

    def remove(self, kind: str, key: str) -> None:
        """Remove a finished step that no process uses, by one rename."""
        folder = self.folder(kind, key)
        if folder.is_dir():
            folder.rename(folder.with_name(f".{key}.{uuid.uuid4().hex[:8]}"))
            self.sweep(kind, key)

    def note_failure(self, key: str, failure: Failure) -> None:
        """Record why a cell failed; call with its lock held, as for `forget_failure`."""
        folder = self.root / "failed"
        folder.mkdir(parents=True, exist_ok=True)
        text = msgspec.json.format(msgspec.json.encode(failure), indent=1)
        write_atomically(folder / f"{key}.json", text, folder / f".{key}.json")  # a fixed name, to be replaced

    def forget_failure(self, key: str) -> None:
        """Remove the record of a failure; call with the lock of the cell held."""
        for name in (f"{key}.json", f".{key}.json"):
            (self.root / "failed" / name).unlink(missing_ok=True)

    def failure(self, key: str) -> Failure | None:
        """Return the last failure of a cell; None if there is none."""
        try:
            return _decoder(Failure).decode((self.root / "failed" / f"{key}.json").read_bytes())
        except FileNotFoundError:  # no check before reading: another process may remove it at any time
            return None


def _flush(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
