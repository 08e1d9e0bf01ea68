"""The store: finished steps as folders named by a content key, published by one rename.

    runs/
      prepared/KEY/      decoded, pre-cropped people
      weights/KEY/       a trained network
      predictions/KEY/   predictions of a network on a dataset
      cells/KEY/         measurements of a cell
      work/KIND-KEY/     the finished part of an unfinished step
      failed/KEY.json    why a cell failed
      damaged/           folders that no longer fit their digests, moved out of the way
      locks/             locks of the steps in progress
      format             the FORMAT of keys and documents

A folder under its key is complete, and holds the digests of its files: bench.store.integrity. All other files can be
deleted without loss; files and folders whose names are no keys are passed over.
"""

import fcntl
import os
import re
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

from bench import progress
from bench.errors import CELL_FAILED, Problem
from bench.plain_text import to_json
from bench.store.integrity import DIGESTS, Damaged, fault, read_file, read_files, write_digests

PREPARED, WEIGHTS, PREDICTIONS, CELLS = KINDS = "prepared", "weights", "predictions", "cells"
FORMAT = "3"  # of keys and documents; raise it when old ones would be misread
WITHOUT_DIGESTS = "2"  # the same keys and documents, but no digests beside them
_is_key = re.compile("[0-9a-f]{20,}").fullmatch
T = TypeVar("T")
_decoder = cache(msgspec.json.Decoder)  # type -> decoder


def write_atomically(path: Path, content: bytes | str, temporary: Path | None = None) -> None:
    """Write a file under a temporary name, flush it, and rename it: readers see the old content or the new."""
    content = content.encode() if isinstance(content, str) else content
    temporary = temporary or path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with _naming(path), temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name a path in errors of writing, such as a full disk, that come without one."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


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
        if not folder.is_dir():
            return set()
        return {entry.name for entry in os.scandir(folder) if _is_key(entry.name) and entry.is_dir()}

    def fault(self, kind: str, key: str, whole: bool = False) -> str:
        """Return which file of a finished step does not fit its digest, and how; "" if all fit.

        `whole`: large files are read, too; otherwise only their size counts.
        """
        return fault(f"{self.root}/{kind}/{key}", whole)

    def usable(self, kind: str, key: str, whole: bool = False) -> bool:
        """Return whether a step is finished and undamaged; `whole`: read large files, too."""
        return self.has(kind, key) and not self.fault(kind, key, whole)

    def damage(self, kind: str, key: str, fault: str, name: str = "") -> Problem:
        """The problem of a damaged folder; `name`: of its cell."""
        return Problem(
            f"{name + ': ' if name else ''}{self.folder(kind, key)}: {fault}.",
            cause="the file was damaged or changed after it was written",
            next_step="delete that folder, or bench status --repair moves it aside: the next run makes it anew"
            + (" (a prediction file is scored again by bench score)" if kind == CELLS else ""),
            code=CELL_FAILED,
        )

    def read_bytes(self, kind: str, key: str, name: str) -> bytes | None:
        """Read a file of a finished step; None if it has no such file. Raises Problem if it is damaged."""
        try:
            return read_file(f"{self.root}/{kind}/{key}", name)
        except Damaged as damaged:
            raise self.damage(kind, key, str(damaged)) from damaged

    def read_files(self, kind: str, key: str) -> dict[str, bytes]:
        """Read all files of a finished step by name. Raises Problem if one is damaged."""
        try:
            return read_files(f"{self.root}/{kind}/{key}")
        except Damaged as damaged:
            raise self.damage(kind, key, str(damaged)) from damaged

    def read(self, kind: str, key: str, name: str, type: type[T]) -> T:
        """Read a JSON file of a finished step. Raises Problem if it is damaged or does not hold a `type`."""
        with self._readable(kind, key, name):
            return _decoder(type).decode(self._required(kind, key, name))

    def read_lines(self, kind: str, key: str, name: str, type: type[T]) -> list[T]:
        """Read a JSON-lines file of a finished step. Raises Problem if it is damaged or a line is not a `type`."""
        with self._readable(kind, key, name):
            return _decoder(type).decode_lines(self._required(kind, key, name))

    def _required(self, kind: str, key: str, name: str) -> bytes:
        content = self.read_bytes(kind, key, name)
        if content is None:
            raise self.damage(kind, key, f"{name} is missing")
        return content

    @contextmanager
    def _readable(self, kind: str, key: str, name: str) -> Iterator[None]:
        """Turn an error of msgspec about a file into a Problem."""
        try:
            yield
        except msgspec.MsgspecError as error:
            raise Problem(
                f"{self.folder(kind, key) / name}: {error}.",
                cause="another version of Repose wrote it",
                next_step="move that folder away: the next run makes it again",
                code=CELL_FAILED,
            ) from error

    def read_arrays(self, kind: str, key: str, name: str) -> dict[str, np.ndarray]:
        """Arrays of an .npz file of a finished step; none if it has no such file. Raises Problem if it is damaged."""
        content = self.read_bytes(kind, key, name)
        if content is None:
            return {}
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            return dict(arrays)

    def work(self, kind: str, key: str) -> Path:
        """Folder for the finished part of an unfinished step, with what an earlier run left there."""
        folder = self.root / "work" / f"{kind}-{key}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _check_format(self, begin: bool = False) -> None:
        """Raise Problem for a store of another format; with `begin` write the format of a new one."""
        found, used = self._format()
        if found == FORMAT:
            return
        if found == WITHOUT_DIGESTS:
            raise Problem(
                f"{self.root}: its finished work has no digests yet, so damage to it could not be noticed.",
                cause="an earlier version of Repose wrote it",
                next_step=f"bench status --repair --store {self.root}, once: all work is kept",
            )
        if found or used:
            raise Problem(
                f"{self.root} was written by another version of Repose: its keys have another meaning.",
                next_step="move it away or name another folder with --store; all is trained and measured again",
            )
        if begin:
            self.root.mkdir(parents=True, exist_ok=True)
            with (
                _naming(self.root / "format"),
                (self.root / "format").open("a") as file,
            ):  # appended: several processes may begin at once
                file.write(f"{FORMAT}\n")
                file.flush()
                os.fsync(file.fileno())

    def _format(self) -> tuple[str, bool]:
        """Format of the store, "" for none, and whether there is any work in it."""
        path = self.root / "format"
        used = any((self.root / kind).is_dir() for kind in KINDS)  # before the format: another process may begin now
        return (path.read_bytes().split(b"\n")[0].decode(errors="replace") if path.is_file() else ""), used

    def add_digests(self) -> int:
        """Write the digests of a store from before there were any; returns of how many steps, 0 for other stores."""
        if self._format()[0] != WITHOUT_DIGESTS:
            return 0
        folders = [path for kind in KINDS for path in (self.root / kind).glob("*") if _is_key(path.name)]
        for folder in folders:
            write_digests(folder)
            _flush(folder / DIGESTS)
        write_atomically(self.root / "format", f"{FORMAT}\n")
        return len(folders)

    @contextmanager
    def publish(self, kind: str, key: str) -> Iterator[Path]:
        """Yield a temporary folder to fill; it is renamed to its key when the block ends without an error."""
        self._check_format(begin=True)
        final = self.folder(kind, key)
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.with_name(f".{key}.{uuid.uuid4().hex[:8]}")
        temporary.mkdir()
        try:
            with _naming(final):
                yield temporary
                write_digests(temporary)
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
        """Return the folder of a step; if it is missing or damaged, one process calls `make`, which publishes it."""
        if not self.usable(kind, key, whole=True):
            with self.lock(kind, key, wait=True):
                if not self.usable(kind, key, whole=True):
                    self.set_aside(kind, key)
                    self.sweep(kind, key)
                    make()
        # Not in `publish`: after a kill right behind the rename, the next run has to tidy up.
        self.discard_work(kind, key)
        return self.folder(kind, key)

    def set_aside(self, kind: str, key: str) -> None:
        """Move a damaged folder out of the way, and say so; call with its lock held."""
        if self.has(kind, key) and (found := self.fault(kind, key, whole=True)):
            place = self.root / "damaged" / f"{kind}-{key}-{uuid.uuid4().hex[:8]}"
            place.parent.mkdir(exist_ok=True)
            self.folder(kind, key).rename(place)
            progress.say(f"! {self.folder(kind, key)}: {found}; moved to {place}, and made anew when it is needed")

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
        text = msgspec.json.format(to_json(failure), indent=1)
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
        except msgspec.MsgspecError:
            return Failure("", "it failed before, but the record of why is damaged; the next run replaces it")


def _flush(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
