"""Real small disks: full, full and then with room, read-only. The store stays whole and the error is a sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import small_bench
from small_bench import TINY

pytestmark = pytest.mark.slow


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in, with the tiny recipe."""
    monkeypatch.chdir(tmp_path)
    small_bench.recipe(tmp_path)
    return tmp_path


def mounted(here: Path, options: str, *scripts: str) -> subprocess.CompletedProcess:
    """Run shell lines with a small disk mounted at `disk`; skips where that is not allowed."""
    (here / "disk").mkdir(exist_ok=True)
    test = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "disk"], capture_output=True, check=False)
    if test.returncode:
        pytest.skip("no small disk can be mounted here")
    lines = "; ".join([f"mount -t tmpfs -o {options} tmpfs disk", *scripts])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(small_bench.REPOSITORY)}
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", lines], capture_output=True, text=True, env=environment, check=False
    )


COMMAND = f"{sys.executable} -m bench run mean-pose mpii-pckh --recipe tiny.toml --store disk/runs " + " ".join(TINY)


@pytest.mark.parametrize("size", ["100k", "480k"], ids=["for the crops", "for the cell"])
def test_a_full_disk_and_then_room(here, size):
    """The crops of sixteen people take 432 KiB."""
    found = "find disk/runs -path '*/.*' -o -path '*/cells/*'"
    done = mounted(here, f"size={size}", COMMAND, "echo code $?", found, "mount -o remount,size=9m disk", COMMAND)
    assert done.stdout.startswith("code 3\n")
    assert "No space left" in done.stderr and "finished work is kept" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 and "PCKh@0.5" in done.stdout
    assert len(done.stdout.splitlines()) == 2  # nothing half-written was found in between


def test_a_read_only_store(here):
    other = COMMAND.replace("mpii-pckh", "lsp-pck")
    done = mounted(here, "size=9m", COMMAND, "mount -o remount,ro disk", COMMAND, other)
    assert done.returncode == 3
    assert done.stdout.count("PCKh@0.5") == 2  # what is finished can be read
    assert "read-only" in done.stderr and "--store or --out" in done.stderr and "Traceback" not in done.stderr
