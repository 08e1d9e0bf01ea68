"""Digests of image files, in a table beside them: a file is read again only if its size or time has changed."""

import hashlib
import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from bench import progress
from bench.store.digests import file_digest
from bench.store.store import write_atomically

TABLE = ".repose-images.json"
ABSENT = "none"  # the digest where not one image is there
SAID = 5000  # images that are worth a line of progress


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A line of the table."""

    size: int  # bytes
    changed: int  # nanoseconds
    digest: str


Table = dict[str, Entry]  # by the name of the file below the data folder


def images_digest(data: Path, names: Sequence[str], spare: Path) -> str:
    """Sixteen hexadecimal digits that change with the content of any of the files `names` below `data`.

    ABSENT if none of them is there. The table lies in `data`, or in `spare` if nothing may be written to `data`. No
    name counts: an image may be called otherwise, if the annotation calls it so, too.
    """
    found = {name: entry for name in names if (entry := _inspect(data / name))}
    if not found:
        return ABSENT
    path = (data if _writable(data) else spare) / TABLE
    table = _read(path)
    changed = [name for name, entry in found.items() if name not in table or _moved(table[name], entry)]
    if changed:
        digests = dict(zip(changed, _digests([data / name for name in changed]), strict=True))
        made = {name: msgspec.structs.replace(found[name], digest=digests[name]) for name in changed}
        table = _read(path) | made  # read again: another process may have written meanwhile
        _write(path, table)
    content = "\n".join(table[name].digest if name in found else ABSENT for name in names)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _inspect(path: Path) -> Entry | None:
    """Size and time of a file, None if there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return Entry(status.st_size, status.st_mtime_ns, "") if stat.S_ISREG(status.st_mode) else None


def _moved(known: Entry, found: Entry) -> bool:
    return (known.size, known.changed) != (found.size, found.changed)


def _digests(paths: list[Path]) -> list[str]:
    """Digests of files, as many at a time as there are cores."""
    with ThreadPoolExecutor() as pool:
        digests = pool.map(_digest, paths)
        if len(paths) < SAID:
            return list(digests)
        with progress.step(f"{len(paths):,} images are read once, for keys that see them") as update:
            found = []
            for digest in digests:
                found.append(digest)
                update(len(found), len(paths))
            return found


def _digest(path: Path) -> str:
    try:
        return file_digest(path)[:16]
    except OSError:  # who trains on it is told
        return ABSENT


def _writable(folder: Path) -> bool:
    """Return whether files may be added to a folder. One without any write bit is left alone by root, too."""
    return os.access(folder, os.W_OK) and bool(folder.stat().st_mode & 0o222)


def _read(path: Path) -> Table:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Table)
    except (OSError, msgspec.MsgspecError):  # not there, or not ours: the images are read again
        return {}


def _write(path: Path, table: Table) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.encode(table))
    except OSError:  # it only saves time
        return
