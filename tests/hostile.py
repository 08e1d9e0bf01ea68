"""Broken and hostile files for tests: seeded damage, and what every reader promises for each of them."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from architectures import ArchitectureError
from bench.errors import Problem
from protocols.errors import DataError

SENTENCES = (DataError, Problem, ArchitectureError)
SECONDS = 60  # a hang, also on a busy machine; the answers take milliseconds


def damaged(content: bytes, seed: int) -> bytes:
    """The content cut off, with bits flipped, with a stretch overwritten, removed or doubled, or a huge number."""
    rng = np.random.default_rng(seed)
    data, place = bytearray(content), int(rng.integers(len(content)))
    length = int(min(rng.integers(1, 64), len(content) - place))
    match seed % 7:
        case 0:
            del data[place:]
        case 1:
            for at in rng.integers(0, len(data), rng.integers(1, 9)):
                data[at] ^= 1 << int(rng.integers(8))
        case 2:
            data[place : place + length] = rng.bytes(length)
        case 3:
            del data[place : place + length]
        case 4:
            data[place:place] = data[place : place + length]
        case 5:  # lengths and offsets lie in the first bytes
            at = int(rng.integers(min(len(data), 512)))
            data[at : at + 4] = b"\xff\xff\xff\x7f"
        case 6:
            data[place : place + length] = rng.choice([b"\x00", b"[", b"{", b'"', b"9", b"NaN,", b"1e999,"]) * length
    return bytes(data)


@contextmanager
def in_time() -> Iterator[None]:
    """Fail what takes longer than `SECONDS`."""

    def late(*_: Any) -> None:
        raise AssertionError(f"no answer within {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def answer(read: Callable[[], Any]) -> Any:
    """What `read` returns, or None if it refused with a sentence; any other error, or none in time, fails."""
    with in_time():
        try:
            return read()
        except SENTENCES as error:
            said = str(error)
            assert said.strip()
            assert len(said) < 2000
            assert "Traceback" not in said
            return None


class Boom:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)
