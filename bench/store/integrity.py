"""Digests of the files of a finished step, written with them, and the check of a folder against them."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.store.digests import file_digest

DIGESTS = "digests"  # the file's name: a line of JSON, then the SHA-256 of that line
SMALL = 2**23  # bytes; larger files are read only where they are used, or with --verify
# Errors that say what a path is, and not that the system was busy or the user has no right.
_BROKEN = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EIO, errno.ENXIO, errno.EUCLEAN)


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """Size and SHA-256 of a file."""

    size: int  # bytes
    sha256: str


Digests = dict[str, Entry]  # by path below the folder
_decode: Callable[[bytes], Digests] = msgspec.json.Decoder(Digests).decode


class Damaged(Exception):
    """A file that is not the one that was published; the message names it and says why."""


def write_digests(folder: Path) -> None:
    """Write the digests of all files of a folder that is about to be published."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / DIGESTS)
    found = {str(path.relative_to(folder)): Entry(path.stat().st_size, file_digest(path)) for path in files}
    line = msgspec.json.encode(found)
    (folder / DIGESTS).write_bytes(line + b"\n" + hashlib.sha256(line).hexdigest().encode() + b"\n")


def fault(folder: str, whole: bool = False) -> str:
    """Return which file of a published folder does not fit its digest, and how; "" if all fit.

    Files above SMALL are checked by their size only, unless `whole`. Files without a digest are not ours: they are
    passed over.
    """
    try:
        for name, entry in _digests(folder).items():
            if entry.size <= SMALL:
                _content(folder, name, entry)
            else:
                _check_large(folder, name, entry, whole)
    except Damaged as damaged:
        return str(damaged)
    return ""


def read_file(folder: str, name: str) -> bytes | None:
    """Read a file of a published folder; None if it has no such file. Raises Damaged if it is another one by now."""
    entry = _digests(folder).get(name)
    return None if entry is None else _content(folder, name, entry)


def read_files(folder: str) -> dict[str, bytes]:
    """Read all files of a published folder, by path below it. Raises Damaged if one is another one by now."""
    return {name: _content(folder, name, entry) for name, entry in _digests(folder).items()}


def _digests(folder: str) -> Digests:
    content = _read(folder, DIGESTS, SMALL)
    line, _, digest = content.partition(b"\n")
    if hashlib.sha256(line).hexdigest().encode() != digest.rstrip():
        raise Damaged(f"{DIGESTS} is damaged")
    try:
        return _decode(line)
    except msgspec.MsgspecError as error:
        raise Damaged(f"{DIGESTS} is damaged: {error}") from error


def _content(folder: str, name: str, entry: Entry) -> bytes:
    content = _read(folder, name, entry.size)
    if len(content) != entry.size:
        raise Damaged(_of_size(name, entry, len(content)))
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise Damaged(f"{name} has another content than was written")
    return content


def _check_large(folder: str, name: str, entry: Entry, whole: bool) -> None:
    path = Path(folder, name)
    try:
        size = path.stat().st_size if path.is_file() else -1
        if size == entry.size and whole and file_digest(path) != entry.sha256:
            raise Damaged(f"{name} has another content than was written")
    except OSError as error:
        raise _damage(name, error) from error
    if size != entry.size:
        raise Damaged(_of_size(name, entry, size))


def _of_size(name: str, entry: Entry, size: int) -> str:
    if size < 0:
        return f"{name} is missing"
    return f"{name} has {'more' if size > entry.size else f'{size:,}'} bytes instead of {entry.size:,}"


def _read(folder: str, name: str, size: int) -> bytes:
    """Read a file to its end, or one byte beyond `size`; a pipe in its place does not block."""
    try:
        descriptor = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_NONBLOCK)
        try:
            content = os.read(descriptor, size + 1)
            while 0 < len(content) < size and (more := os.read(descriptor, size + 1 - len(content))):
                content += more
            return content
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _damage(name, error) from error


def _damage(name: str, error: OSError) -> Exception:
    """Convert an error of a broken path to Damaged; any other one, such as a missing right, stays what it is."""
    if error.errno not in _BROKEN:
        return error
    return Damaged(f"{name} is missing" if error.errno == errno.ENOENT else f"{name} cannot be read: {error.strerror}")
