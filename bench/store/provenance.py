"""Provenance of a number: command, commit, versions, device, time."""

import importlib.metadata
import os
import platform
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import msgspec

from bench.errors import Problem

LIBRARIES = ("torch", "numpy", "scipy", "opencv-python-headless", "pycocotools", "fvcore", "safetensors")


class Provenance(msgspec.Struct, frozen=True, omit_defaults=True):
    """The provenance of a finished step; the defaults stand for an unfinished one."""

    command: str = ""
    date: str = ""  # UTC, ISO 8601
    commit: str = ""
    device: str = ""
    threads: int = 0
    versions: dict[str, str] = {}  # of Python and the libraries
    seconds: dict[str, float] = {}  # by step
    peak_memory_mib: int = 0


def record(device: str, seconds: dict[str, float]) -> Provenance:
    """Collect the provenance of a step that ends now; `seconds` by step."""
    return Provenance(
        command=command(),
        date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        commit=commit(),
        device=device_name(device),
        threads=_threads(),
        versions=versions(),
        seconds={step: round(value, 2) for step, value in seconds.items()},
        peak_memory_mib=peak_memory(device),
    )


def command() -> str:
    """Command line of this process, without the path of the program."""
    return shlex.join(["bench", *sys.argv[1:]])


def set_command(command: str) -> None:
    """Report `command` from now on: that of the process which started this one."""
    sys.argv[1:] = shlex.split(command)[1:]


@cache
def commit() -> str:
    """Commit of the repository, with "+" if files were changed since; "" outside a repository.

    A node of a cluster has the code without the repository: there REPOSE_COMMIT holds the commit of the driver.
    """
    if "REPOSE_COMMIT" in os.environ:
        return os.environ["REPOSE_COMMIT"]
    folder = Path(__file__).resolve().parents[1]

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    try:
        name = git("rev-parse", "--short=12", "HEAD")
        return name + ("+" if name and git("status", "--porcelain", "--untracked-files=no") else "")
    except FileNotFoundError:
        return ""


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that affect the numbers."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def chosen_device(device: str) -> str:
    """Resolve and check a device; "auto" is the first accelerator, else the CPU. Raises Problem if torch lacks it."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise Problem(f"--device {device}: there is no such device.", expected="cpu, cuda, cuda:1 or auto")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise Problem(
            f"--device {device}: torch sees no accelerator.",
            cause=f"torch {torch.__version__} is a CPU build, or the driver is missing",
            next_step="use --device cpu, or install a CUDA build of torch",
        )
    if device.startswith("cuda:") and int(device[5:]) >= torch.cuda.device_count():
        raise Problem(
            f"--device {device}: torch sees {torch.cuda.device_count()} accelerators, and counts them from 0.",
            next_step="choose one of those, or --device cuda for all of them",
        )
    return device


def device_kind(device: str) -> str:
    """Kind of a device, "cpu" or "cuda"; the accelerator may be in another machine."""
    return (chosen_device(device) if device == "auto" else device).partition(":")[0]


def device_name(device: str) -> str:
    """Product name of a CPU or accelerator."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, {len(os.sched_getaffinity(0))} cores"


def peak_memory(device: str) -> int:
    """Peak memory so far in MiB: of the accelerator, else of this process."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device) // 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _threads() -> int:
    """Count the threads of the computing library: torch's, else those that this process may use."""
    if "torch" in sys.modules:  # scoring a file does without: the import takes a second
        return sys.modules["torch"].get_num_threads()
    return int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
