"""The command line on a scale of seconds: sixteen people to train on, four steps, in this process or in another."""

import contextlib
import io
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec

from bench.cli import main as cli

REPOSITORY = Path(__file__).resolve().parent.parent
PEOPLE = 16
TINY = ("--set", "input=64", "--set", "width=0.0625", "--limit", "8")  # options of `bench run`

RECIPE = f"""
paper = "tiny"
[training]
optimizer = "rmsprop"
learning_rate = 1e-3
batch = 4
steps = 4
people = {PEOPLE}
[targets]
sigma = 1.0
[quick]
steps = 3
"""

MATRIX = """
[[cells]]
architectures = ["mean-pose", "hourglass-1"]
protocols = ["mpii-pckh", "lsp-pck"]
set = { input = 64, width = 0.0625 }
recipe = "RECIPE"
limit = 8

[[cells]]
architectures = ["mean-pose"]
protocols = ["complexity"]
"""


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout; anything beside it is an error."""
        return msgspec.json.decode(self.out.encode())


def recipe(folder: Path) -> str:
    """The path of the tiny recipe, written to a folder."""
    path = folder / "tiny.toml"
    path.write_text(RECIPE)
    return str(path)


def matrix(folder: Path) -> str:
    """The path of a matrix of five tiny cells."""
    path = folder / "tiny-matrix.toml"
    path.write_text(MATRIX.replace("RECIPE", recipe(folder)))
    return str(path)


def bench(*words: Any) -> Outcome:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["bench", *map(str, words)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = cli.main()
    return Outcome(code, out.getvalue(), err.getvalue())


def start(*words: Any, before: tuple[str, ...] = (), **changes: str) -> subprocess.Popen:
    """Start a command as a process of its own; `before` comes before it, `changes` go to its environment."""
    command = [*before, sys.executable, "-m", "bench", *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY), **changes}
    reset = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731 - a shell's & ignores it
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, preexec_fn=reset
    )


def ended(process: subprocess.Popen, seconds: float = 300) -> Outcome:
    """Wait for a process of `start`."""
    out, err = process.communicate(timeout=seconds)
    return Outcome(process.returncode, out, err)
