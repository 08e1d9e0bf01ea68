"""The regression gate: a planted regression of each kind is found, and measuring nothing is never green."""

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typed import present

from bench.cells.cell import Cell
from bench.cells.plan import BLOCKED
from bench.cli import check as gate
from bench.cli import main as cli
from bench.context import RunContext
from bench.errors import CELL_FAILED, DATA, NOTHING, USAGE, Problem
from bench.gate import baseline
from bench.gate.annotations import annotations, location, summary
from bench.gate.check import accept, check
from bench.gate.compare import NEW, REGRESSED, SAME, compare
from bench.gate.junit import junit
from bench.gate.outcome import FAILED, FINISHED, Outcome, Result
from bench.gate.rows import Measured
from bench.results.rows import rows_of
from bench.store.store import Store
from protocols import Value

NETWORK = """
from torch import nn
from architectures.baseline import MeanPose


class Shifted(MeanPose):
    def forward(self, images):
        (maps,) = super().forward(images)
        return (maps.roll(SHIFT, dims=-1),)

SHIFT = 0


def pose(*, joints=16, width=1.0):
    return Shifted(joints)


def tiny(*, joints=16, width=1.0):
    return nn.Conv2d(3, joints, kernel_size=3)
"""
RECIPE = """
paper = ""
training = { optimizer = "adam", learning_rate = 1e-3, batch = 4, steps = 1, people = 32 }
targets = { sigma = 1.0 }
testing = { flip = false }
"""
MATRIX = """
[[cells]]
architectures = ["net.py:tiny"]
protocols = ["complexity"]
[[cells]]
architectures = ["net.py:pose"]
protocols = ["mpii-pckh"]
recipe = "recipe.toml"
limit = 64
set = { input = 64 }
"""
PARAMETERS = 16 * 3 * 3 * 3 + 16  # of `tiny`


@pytest.fixture
def place(tmp_path: Path, monkeypatch) -> Path:
    """A folder with a small matrix and its network, as the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    write_matrix()
    return tmp_path


def write_matrix() -> None:
    Path("net.py").write_text(NETWORK)
    Path("recipe.toml").write_text(RECIPE)
    Path("matrix.toml").write_text(MATRIX)


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> tuple[Path, Outcome]:
    """A folder with the baseline of the small matrix, and the outcome that was accepted."""
    folder = tmp_path_factory.mktemp("start")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_matrix()
        outcome = checked("first")
        accept(Path("baseline.jsonl"), outcome, {}, "a start", allow_missing=False)
    return folder, outcome


@pytest.fixture
def accepted(place: Path, start: tuple[Path, Outcome]) -> Outcome:
    """The accepted outcome; its baseline lies in the working directory."""
    folder, outcome = start
    for name in ("baseline.jsonl", "baseline.npz"):
        shutil.copy(folder / name, place)
    return outcome


def checked(store: str = "second", architectures: str = "", protocols: str = "") -> Outcome:
    """The outcome against baseline.jsonl, measured in a store of its own."""
    path = Path("baseline.jsonl")
    earlier = baseline.read(path) if path.exists() else {}
    here = RunContext(Store(Path(store)), Path("data"), "cpu")
    return check(Path("matrix.toml"), earlier, here, architectures, protocols, jobs=1)[0]


def lines() -> list[dict]:
    return [json.loads(line) for line in Path("baseline.jsonl").read_text().splitlines()]


def states(outcome: Outcome) -> set[str]:
    return {entry.state for entry in outcome.comparisons}


def test_the_same_code_gives_the_same_numbers(accepted):
    assert states(accepted) == {NEW} and accepted.exit_code() == NOTHING  # compared with nothing
    rows = lines()
    assert next(row["value"] for row in rows if row["metric"] == "parameters") == PARAMETERS
    assert {row["reason"] for row in rows} == {"a start"}
    again = checked()
    assert again.compared == again.expected == len(rows)
    assert states(again) == {SAME} and again.exit_code() == 0
    assert again.headline().startswith(f"{len(rows)} of {len(rows)} rows compared: {len(rows)} same")


def test_a_baseline_is_sorted_and_lean(accepted):
    rows = lines()
    keys = [(row["protocol"], row["architecture"], row["metric"], row["part"]) for row in rows]
    assert keys == sorted(keys)
    assert all("cell" not in row and "low" not in row for row in rows if row["protocol"] == "complexity")
    assert Path("baseline.npz").stat().st_size < 64 * 16 * 4 * 2  # people x joints x float32, and names


def test_an_exact_regression_is_found(accepted):
    Path("net.py").write_text(NETWORK.replace("kernel_size=3", "kernel_size=5"))
    outcome = checked(protocols="complexity")
    assert outcome.exit_code() == 1
    worst = next(entry for entry in outcome.comparisons if entry.row.metric == "parameters")
    assert (worst.state, worst.old, worst.new) == (REGRESSED, PARAMETERS, 16 * 3 * 25 + 16)
    (line,) = annotations(outcome)
    definition = 1 + NETWORK.splitlines().index("def tiny(*, joints=16, width=1.0):")
    assert line.startswith(f"::error file=net.py,line={definition},")
    assert "must be identical" in line


def test_a_statistical_regression_is_found(accepted):
    Path("net.py").write_text(NETWORK.replace("SHIFT = 0", "SHIFT = 4"))
    outcome = checked(protocols="mpii-pckh")
    assert outcome.exit_code() == 1
    mean = next(e for e in outcome.comparisons if e.row.name == ("AUC", "mean"))
    assert mean.state == REGRESSED and present(mean.high) < 0 and present(mean.new) < present(mean.old) - 2


def test_a_row_that_is_gone_is_found(accepted):
    row = lines()[0] | {"metric": "elegance"}
    with Path("baseline.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    outcome = checked(protocols=row["protocol"])
    assert outcome.compared == outcome.expected - 1
    assert outcome.exit_code() == NOTHING and outcome.exit_code(allow_missing=True) == 0
    assert "elegance" in summary(outcome) and "elegance" not in summary(outcome, allow_missing=True)
    assert re.search(r"elegance all [\d,.]+ → missing", junit(outcome))


@pytest.mark.slow
def test_a_new_row_is_reported_and_fails_nothing(accepted, capsys):
    kept = [json.dumps(row) for row in lines() if row["metric"] != "parameters"]
    Path("baseline.jsonl").write_text("\n".join(kept) + "\n")
    code = gate.gate(Path("matrix.toml"), Path("baseline.jsonl"), None, Path("data"), "cpu", Path("out"))
    assert code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{len(kept)} of {len(kept)} rows compared") and "0 missing, 1 new" in said
    words = f"1 new, compared with nothing: parameters all new → {PARAMETERS}"
    assert f"net.py:tiny × complexity, seed 0: {words}" in said and "--accept" in said
    assert words in Path("out/summary.md").read_text()
    assert f"parameters all new → {PARAMETERS}" in Path("out/junit.xml").read_text()


def test_a_new_cell_that_measures_nothing_is_never_green(accepted):
    Path("matrix.toml").write_text(MATRIX + '[[predictions]]\nfile = "absent.npz"\nprotocols = ["mpii-pckh"]\n')
    outcome = checked()
    assert outcome.compared == outcome.expected
    assert outcome.exit_code() == DATA and outcome.exit_code(allow_missing=True) == 0


def test_a_cell_that_is_gone_is_found(accepted):
    Path("matrix.toml").write_text(MATRIX.replace("net.py:tiny", "net.py:pose"))
    outcome = checked(protocols="complexity")
    assert outcome.exit_code() == NOTHING and outcome.exit_code(allow_missing=True) == NOTHING  # nothing is left
    assert "no such cell" in junit(outcome)


def test_a_failed_cell_is_found(accepted):
    Path("net.py").write_text(NETWORK.replace("maps.roll(SHIFT, dims=-1)", "maps.rolled()"))
    outcome = checked()
    assert outcome.exit_code() == outcome.exit_code(allow_missing=True) == CELL_FAILED
    root = ElementTree.fromstring(junit(outcome).encode())
    (error,) = root.iter("error")
    assert "rolled" in error.attrib["message"]
    with pytest.raises(Problem, match="stays as it is") as caught:
        accept(Path("baseline.jsonl"), outcome, {}, "no", allow_missing=False)
    assert caught.value.code == CELL_FAILED


def test_a_blocked_cell_is_never_green(accepted):
    Path("matrix.toml").write_text(MATRIX + '[[predictions]]\nfile = "absent.npz"\nprotocols = ["mpii-pckh"]\n')
    row = lines()[0] | {"protocol": "mpii-pckh", "architecture": "absent", "dataset": "mannequin", "split": "val"}
    with Path("baseline.jsonl").open("a") as file:
        file.write(json.dumps(row | {"setting": "", "source": "predictions"}) + "\n")
    outcome = checked()
    blocked = [result for result in outcome.results if result.state == BLOCKED]
    assert [result.key[1] for result in blocked] == ["absent"] and "no such file" in blocked[0].why
    assert outcome.exit_code() == DATA and outcome.exit_code(allow_missing=True) == 0
    root = ElementTree.fromstring(junit(outcome).encode())
    assert len(list(root.iter("skipped"))) == 1 and len(list(root.iter("testcase"))) == len(outcome.results)


def test_the_score_of_a_file_is_exact(place):
    from protocols.datasets import open_people

    people = open_people("mannequin", "val", Path("data"))
    keypoints = people.keypoints.copy()
    keypoints[0] += 1000
    np.savez("fixed.npz", keypoints=keypoints)
    Path("matrix.toml").write_text('cells = []\n[[predictions]]\nfile = "fixed.npz"\nprotocols = ["mpii-pckh"]\n')
    accept(Path("baseline.jsonl"), checked("first"), {}, "a start", allow_missing=False)
    keypoints[0, 9] -= 1000  # one more head top is right: better, yet not identical
    np.savez("fixed.npz", keypoints=keypoints)
    outcome = checked()
    assert outcome.exit_code() == 1
    assert location(outcome.results[0])[0] == "protocols/joints/mpii_pckh.py"


def test_rows_that_did_not_change_keep_their_reason(accepted):
    Path("net.py").write_text(NETWORK.replace("kernel_size=3", "kernel_size=5"))
    earlier = baseline.read(Path("baseline.jsonl"))
    outcome = checked()
    changed = accept(Path("baseline.jsonl"), outcome, earlier, "a larger kernel", allow_missing=False)
    reasons = {(row["protocol"], row["metric"]): row["reason"] for row in lines()}
    assert reasons["complexity", "parameters"] == "a larger kernel"
    assert {reason for (protocol, _), reason in reasons.items() if protocol == "mpii-pckh"} == {"a start"}
    assert changed == sum(row["reason"] == "a larger kernel" for row in lines())


def test_cells_that_were_not_chosen_stay_in_the_baseline(accepted):
    earlier = baseline.read(Path("baseline.jsonl"))
    outcome = checked(protocols="complexity")
    accept(Path("baseline.jsonl"), outcome, earlier, "the counts alone", allow_missing=False)
    assert {row["protocol"] for row in lines()} == {"complexity", "mpii-pckh"}
    assert {row["reason"] for row in lines()} == {"a start"}


def test_everything_is_written_before_a_check_fails(place, accepted, monkeypatch, capsys):
    Path("net.py").write_text(NETWORK.replace("kernel_size=3", "kernel_size=5"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(place / "step.md"))
    words = "check * complexity --matrix matrix.toml --against baseline.jsonl --out out --json"
    monkeypatch.setattr(sys, "argv", ["bench", *words.split()])
    assert cli.main() == 1
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["compared"] == document["expected"] > 0 and document["exit_code"] == 1
    assert "::error file=net.py" in said.err
    root = ElementTree.parse("out/junit.xml").getroot()
    assert present(root.find("testsuite")).get("failures") == "1"
    assert Path("step.md").read_text() == Path("out/summary.md").read_text()
    assert "parameters all" in Path("step.md").read_text()
    assert Path("out/site/index.html").stat().st_size > 0


def test_accept_needs_a_reason(place, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench", "check", "--accept", "--matrix", "matrix.toml"])
    assert cli.main() == USAGE
    assert "--reason" in capsys.readouterr().err


def gate_code(**options) -> int:
    return gate.gate(Path("matrix.toml"), Path("baseline.jsonl"), None, Path("data"), "cpu", Path("out"), **options)


def test_nothing_to_compare_is_not_green(place):
    with pytest.raises(Problem, match="no baseline") as caught:
        gate_code()
    assert caught.value.code == NOTHING
    Path("baseline.jsonl").write_text("")
    with pytest.raises(Problem, match="no cell") as caught:
        gate_code(protocols="speed")
    assert caught.value.code == NOTHING
    outcome = checked(protocols="complexity")
    assert (outcome.compared, outcome.expected) == (0, 0) and outcome.exit_code(allow_missing=True) == NOTHING


@pytest.mark.parametrize("line", ["{", "[]", '{"protocol": "complexity"}', "\xff"])
def test_a_broken_baseline_is_told_with_its_line(accepted, line):
    with Path("baseline.jsonl").open("a", encoding="latin-1") as file:
        file.write(line + "\n")
    last = len(Path("baseline.jsonl").read_bytes().splitlines())
    with pytest.raises(Problem, match=f"baseline.jsonl:{last}: ") as caught:
        gate_code()
    assert caught.value.code == USAGE


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no archive"])
def test_damaged_samples_of_a_baseline_are_told_with_their_file(accepted, content):
    Path("baseline.npz").write_bytes(content)
    with pytest.raises(Problem, match=r"baseline\.npz: the samples") as caught:
        gate_code()
    assert caught.value.code == USAGE


def counted(value: float) -> Measured:
    """A cell with one row of complexity."""
    found = rows_of([Value("macs", "all", value, "MACs", 5)], Cell("net", "complexity"), "net", "0" * 20, "measured")
    return baseline.measured(("complexity", "net", "", "", "", 0), found, {})


def failing(count: int) -> Outcome:
    """Cells whose i-th lost i per cent of a count, one that failed, and one without a change."""
    results = [Result(("complexity", "broken", "", "", "", 0), FAILED, "it broke", CELL_FAILED)]
    for i in range(count):
        then, now = counted(100.0), counted(100.0 - i)
        key = ("complexity", f"net-{i}: 100%, odd | name\n", "", "", "", 0)
        results.append(Result(key, FINISHED, comparisons=tuple(compare(then, now))))
    return Outcome(tuple(results), count)


def test_at_most_ten_annotations_worst_first():
    lines = annotations(failing(40))
    assert len(lines) == 10
    assert "broken" in lines[0]
    assert ["net-39" in lines[1], "net-38" in lines[2], "net-31" in lines[9]] == [True] * 3
    assert all(
        "\n" not in line and line.startswith("::error file=protocols/network/complexity.py,line=") for line in lines
    )
    assert "net-39%3A 100%25%2C odd" in lines[1]  # as GitHub wants what ends a property
    page = summary(failing(40))
    assert page.index("net-39") < page.index("net-38") and "odd \\| name" in page and "it broke" in page


def test_a_summary_fits_into_what_github_shows():
    assert len(summary(failing(5000)).encode()) < 2**20


def test_control_characters_do_not_break_the_junit_file():
    result = Result(("complexity", "a\x00<b>\x1b", "", "", "", 0), FAILED, "\x08&", CELL_FAILED)
    root = ElementTree.fromstring(junit(Outcome((result,), 0)).encode())
    assert root.findtext(".//error") == "�&"


REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", [".github/workflows/check.yml", ".gitlab-ci.yml"])
def test_pipelines_run_nox_sessions_and_nothing_else(name):
    import yaml

    document = yaml.safe_load((REPOSITORY / name).read_text())
    if name.startswith(".github"):
        job = document["jobs"]["check"]
        commands = [step["run"] for step in job["steps"] if "run" in step]
        sessions = job["strategy"]["matrix"]["session"]
    else:
        commands = document["check"]["script"]
        sessions = document["check"]["parallel"]["matrix"][0]["SESSION"]
    assert [command.partition("$")[0] for command in commands] == ["python3 noxfile.py -s "]
    noxfile = (REPOSITORY / "noxfile.py").read_text()
    assert all(f"@nox.session\ndef {session}(" in noxfile for session in sessions) and "check" in sessions


@pytest.mark.parametrize(
    "change",
    [
        {"fast": True}, {"trained_on": "lspet/train"}, {"recipe": "ablation"}, {"budget": "quick"}, {"limit": 8},
        {"weights": "net.pth"}, {"seed": 1}, {"options": {"resamples": 0}}, {"overrides": {"width": 0.5}},
    ],
)  # fmt: skip
def test_cells_that_differ_never_share_a_row(change):
    cell = Cell("hourglass-1", "mpii-pckh", "mannequin", "val")
    assert baseline.cell_key(replace(cell, **change)) != baseline.cell_key(cell)


def test_the_committed_baseline_covers_the_matrix_of_the_gate():
    from bench.cells import matrix

    cells = baseline.read(REPOSITORY / "tests/golden/baseline.jsonl")
    path = REPOSITORY / "matrix.check.toml"
    keys = {baseline.cell_key(cell) for cell in matrix.load(path)}
    assert keys >= {key for key, cell in cells.items() if cell.rows[0].source == "measured"}  # new ones may follow
    files = {(Path(fixed.file).stem, name) for fixed in matrix.read(path).predictions for name in fixed.protocols}
    assert files == {(key[1], key[0]) for key, cell in cells.items() if cell.rows[0].source == "predictions"}
