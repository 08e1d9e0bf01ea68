"""Progress of a run: bars on a terminal, plain lines elsewhere; always on stderr."""

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.plain_text import escape, shortened

LINE_EVERY = 10.0  # seconds between plain lines of one step
TAIL = 20  # lines of log that a cell stores

Update = Callable[..., None]  # (done, total, text=""): yielded by `step`, called by long work


_lines_only = False
_last: deque[str] = deque(maxlen=TAIL)


def only_lines() -> None:
    """Show no bars from now on: several processes write to this terminal."""
    global _lines_only
    _lines_only = True


def clear_log() -> None:
    """Start the log of a new cell."""
    _last.clear()


def log() -> str:
    """Last lines of the log of this cell."""
    return "".join(f"{line}\n" for line in _last)


def say(text: str) -> None:
    """Print a line for the user and append it to the log; of the processes of torchrun, only the first prints."""
    text = shortened(escape(text))
    _last.append(text)
    if _prints():
        sys.stderr.write(f"{text}\n")  # at once: of several processes, each has lines of its own
        sys.stderr.flush()


def _prints() -> bool:
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def step(label: str) -> Iterator[Update]:
    """Show the progress of a step; yields a function to call with (done, total, text)."""
    if sys.stderr.isatty() and not _lines_only and _prints():
        with _bar(label) as update:
            yield update
    else:
        with _lines(label) as update:
            yield update


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Store the duration of a step in `seconds`."""
    started = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - started


@contextmanager
def _bar(label: str) -> Iterator[Update]:
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
    console = Console(file=getattr(sys.stderr, "stream", sys.stderr))  # its own codes are not escaped
    with Progress(*columns, console=console, refresh_per_second=5) as progress:
        task = progress.add_task(escape(label), total=None, text="")
        yield lambda done, total, text="": progress.update(task, completed=done, total=total, text=text)
    _last.append(_finished_line(label, started))


@contextmanager
def _lines(label: str) -> Iterator[Update]:
    started = printed = time.monotonic()

    def update(done: int, total: int, text: str = "") -> None:
        nonlocal printed
        if time.monotonic() - printed >= LINE_EVERY:
            printed = time.monotonic()
            say(f"{label}  {done}/{total}  {text}".rstrip())

    yield update
    say(_finished_line(label, started))


def _finished_line(label: str, started: float) -> str:
    return f"{label}  done in {time.monotonic() - started:.1f} s"
