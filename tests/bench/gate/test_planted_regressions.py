"""The gate finds regressions: each of regressions.toml, planted alone, turns it red and is named; without, green."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
NEEDED = ("architectures", "bench", "protocols", "reports", "tests", "matrix.check.toml")  # by `bench check`
REGRESSIONS = tomllib.loads(Path(__file__).with_name("regressions.toml").read_text(encoding="utf-8"))
ROWS = len((REPOSITORY / "tests/golden/baseline.jsonl").read_text(encoding="utf-8").splitlines())

pytestmark = pytest.mark.slow


def planted(name: str, folder: Path) -> Path:
    """A copy of the code with a regression. The text to replace must occur exactly once."""
    facts = REGRESSIONS[name]
    changed = Path(facts["file"]).parts[0]
    for needed in NEEDED:
        if needed == changed:
            shutil.copytree(REPOSITORY / needed, folder / needed, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (folder / needed).symlink_to(REPOSITORY / needed)
    path, old = folder / facts["file"], facts["old"].strip("\n")
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{facts['file']} has {text.count(old)} times, and not once: {old}"
    path.write_text(text.replace(old, facts["new"].strip("\n")), encoding="utf-8")
    return folder


def gate(folder: Path, *chosen: str) -> subprocess.CompletedProcess[str]:
    """Run `bench check` in a folder, with the code of that folder."""
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "bench", "check", *chosen, "--out", str(folder / "out")]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1200)


@pytest.mark.parametrize("name", REGRESSIONS)
def test_a_regression_turns_the_gate_red_and_is_named(name, tmp_path):
    found = gate(planted(name, tmp_path), *REGRESSIONS[name]["check"])
    assert found.returncode == 1, found.stdout + found.stderr
    assert REGRESSIONS[name]["row"] in found.stdout


def test_the_whole_gate_finds_what_its_selection_finds(tmp_path):
    found = gate(planted("fingerprint-without-head-sizes", tmp_path))
    assert found.returncode == 1, found.stdout + found.stderr
    assert found.stdout.startswith(f"{ROWS:,} of {ROWS:,} rows compared")
    assert REGRESSIONS["fingerprint-without-head-sizes"]["row"] in found.stdout


def test_without_a_regression_the_gate_is_green(tmp_path):
    for needed in NEEDED:
        (tmp_path / needed).symlink_to(REPOSITORY / needed)
    found = gate(tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.startswith(f"{ROWS:,} of {ROWS:,} rows compared")
    assert " 0 regressed, 0 missing" in found.stdout


def test_regressions_are_many_and_of_every_kind():
    kinds = [facts["check"][1] for facts in REGRESSIONS.values()]
    assert len(kinds) >= 40
    assert all(kinds.count(kind) >= 4 for kind in ("network", "targets", "reader", "scoring"))
    assert kinds.count("decoding") + kinds.count("prediction") >= 4
