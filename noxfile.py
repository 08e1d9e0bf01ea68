"""Nox sessions for every use of Repose; `python3 noxfile.py` runs the default one.

Without nox, this file first creates `.venv` and installs nox in it. All sessions share that environment; it is
rebuilt only when pyproject.toml or constraints.txt change.
"""

import hashlib
import os
import subprocess
import sys
import tomllib
import webbrowser
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "repose-installed"
EXTRAS = "dev,fast,cluster"


def install() -> None:
    """Create or update the shared environment; takes milliseconds if it is up to date."""
    wanted = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")))
    if STAMP.is_file() and STAMP.read_text() == wanted.hexdigest():
        return
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    print("Repose: installing into .venv (a few minutes, once)", file=sys.stderr, flush=True)
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", "constraints.txt"]
    subprocess.run([*pip, "--editable", f".[{EXTRAS}]"], check=True, cwd=HERE)
    STAMP.write_text(wanted.hexdigest())


def in_environment() -> bool:
    """Return True if this Python is that of the shared environment."""
    return Path(sys.prefix).resolve() == VENV.resolve()


if __name__ == "__main__" and not in_environment():
    install()
    os.execv(PYTHON, [str(PYTHON), str(Path(__file__).resolve()), *sys.argv[1:]])

import nox  # noqa: E402 - only there after the installation

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["matrix"]


def run(session: nox.Session, *command: str) -> None:
    """Run a Python module of the shared environment."""
    install()
    session.run(str(PYTHON), "-m", *command, external=True)


@nox.session
def matrix(session: nox.Session) -> None:
    """Run the default matrix and write the site (-- --open opens it)."""
    words = [word for word in session.posargs if word != "--open"]
    try:
        run(session, "bench", "run", *words)
    finally:  # also after a failed cell, which the site shows
        run(session, "bench", "report")
    index = HERE / "site" / "index.html"
    print(index)
    if "--open" in session.posargs:
        webbrowser.open(index.as_uri())


def run_tests(session: nox.Session, marker: str, *options: str) -> None:
    """Run the tests that a marker expression chooses, on every core; what follows `--` goes to pytest, too."""
    run(session, "pytest", "-m", marker, "--numprocesses=auto", "--durations=20", *options, *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests but the slow ones (-- tests/bench -x: only these, up to the first failure)."""
    coverage = ("--cov", "--cov-report=") if os.environ.get("CI") else ()  # its figure stands at the end of a CI log
    run_tests(session, "not slow", *coverage)


@nox.session
def slow(session: nox.Session) -> None:
    """Run the tests that need long: kills, clusters, launchers, compilers, pages of the documentation."""
    run_tests(session, "slow")


@nox.session
def lint(session: nox.Session) -> None:
    """Check format and style with ruff, types with basedpyright."""
    run(session, "ruff", "check", ".")
    run(session, "ruff", "format", "--check", ".")
    run(session, "basedpyright", "--pythonpath", str(PYTHON))


@nox.session
def check(session: nox.Session) -> None:
    """Measure what matrix.check.toml says and compare it with the baseline."""
    run(session, "bench", "check", *session.posargs)


@nox.session
def report(session: nox.Session) -> None:
    """Write the site from what is stored."""
    run(session, "bench", "report", *session.posargs)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Time our code and that of others (-- pckh decode: only these); the next report shows the figures."""
    run(session, "benchmarks", *session.posargs)


def protocol_session(name: str, summary: str, example: str) -> None:
    """Define the session of a protocol: it runs `bench` with the words after `--`, by default `example`."""

    def session_of_protocol(session: nox.Session) -> None:
        run(session, "bench", *(session.posargs or example.split()))

    session_of_protocol.__doc__ = f"{summary[:1].upper()}{summary[1:]} (default: bench {example})."
    nox.session(name=name)(session_of_protocol)


for name, facts in tomllib.loads((HERE / "protocols" / "catalogue.toml").read_text(encoding="utf-8")).items():
    protocol_session(name, facts["summary"], facts["example"])

if __name__ == "__main__":
    from nox.__main__ import main

    sys.argv[0] = "nox"
    os.chdir(HERE)
    main()
