"""Child processes: they ignore Ctrl-C, and none outlives its parent."""

import ctypes
import multiprocessing
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def block_interrupt() -> Iterator[None]:
    """Block SIGINT while spawning: children inherit the mask, and the parent alone handles Ctrl-C."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def run_child(command: list[str]) -> int:
    """Run a command and return its exit code. It ends with this process and ignores Ctrl-C."""
    parent_death_signal = 1  # of prctl, on Linux
    libc = ctypes.CDLL(None)
    with block_interrupt():
        process = subprocess.Popen(command, preexec_fn=lambda: libc.prctl(parent_death_signal, signal.SIGTERM))
    try:
        return process.wait()
    except BaseException:
        process.terminate()  # torchrun takes its processes along
        process.wait()
        raise


def end_with_parent() -> None:
    """End this process as soon as its parent is gone, also after kill -9; for processes of multiprocessing."""

    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
