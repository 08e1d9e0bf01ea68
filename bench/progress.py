"""What a run says while it works: bars on a terminal, plain lines elsewhere; always on stderr."""

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_EVERY = 10.0  # seconds between plain lines of one step
TAIL = 20  # lines that a cell keeps

Step = Callable[..., None]  # (done, total, text=""): what `step` yields and long work calls


_lines_only = False
_last: deque[str] = deque(maxlen=TAIL)


def only_lines() -> None:
    """No bars from now on: several processes write to this terminal."""
    global _lines_only
    _lines_only = True


def forget() -> None:
    """A new cell begins, with a log of its own."""
    _last.clear()


def tail() -> str:
    """The last lines of this cell's log."""
    return "".join(f"{line}\n" for line in _last)


def say(text: str) -> None:
    """One line for the user; of the processes of torchrun, the first one speaks."""
    _last.append(text)
    if _speaks():
        sys.stderr.write(f"{text}\n")  # at once: of several processes, each has lines of its own
        sys.stderr.flush()


def _speaks() -> bool:
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def step(label: str) -> Iterator[Step]:
    """A step under way; call what it yields with (done, total, text)."""
    if sys.stderr.isatty() and not _lines_only and _speaks():
        with _bar(label) as update:
            yield update
    else:
        with _lines(label) as update:
            yield update


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Note how long a step takes."""
    started = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - started


@contextmanager
def _bar(label: str) -> Iterator[Step]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    started = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=5) as progress:
        task = progress.add_task(label, total=None, text="")
        yield lambda done, total, text="": progress.update(task, completed=done, total=total, text=text)
    _last.append(_ended(label, started))


@contextmanager
def _lines(label: str) -> Iterator[Step]:
    started = said = time.monotonic()

    def update(done: int, total: int, text: str = "") -> None:
        nonlocal said
        if time.monotonic() - said >= LINE_EVERY:
            said = time.monotonic()
            say(f"{label}  {done}/{total}  {text}".rstrip())

    yield update
    say(_ended(label, started))


def _ended(label: str, started: float) -> str:
    return f"{label}  done in {time.monotonic() - started:.1f} s"
