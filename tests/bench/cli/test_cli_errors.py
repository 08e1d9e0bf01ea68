"""What went wrong: with --json a document, and known as early as it can be."""

import os
import subprocess
import sys

import pytest
from small_bench import bench
from test_cli import here  # noqa: F401 - a fixture

from bench import __main__ as entry


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("run", "hourglas-1", "mpii-pckh"), 2, "no architecture 'hourglas-1'"),
        (
            ("run", "hourglass-1", "mpii-pckh", "--set", "stack=2"),
            2,
            "no option 'stack'; stacked_hourglass takes stacks",
        ),
        (("run", "hourglass-1", "mpii-pckh", "--set", "input=64.0"), 2, "an input of 64.0x64.0 does not work"),
        (("run", "hourglass-1", "mpii-pckh", "--option", "resamples=-1"), 2, "resamples=-1 does not work"),
        (
            ("run", "hourglass-1", "mpii-pckh", "--option", "resamples=1000000000"),
            2,
            "resamples=1,000,000,000 does not",
        ),
        (("run", "hourglass-1", "mpii-pckh", "--set", "width=nan"), 2, "width=nan does not work"),
        (("run", "hourglass-1", "mpii-pckh", "--set", "width=inf"), 2, "width=inf does not work"),
        (("run", "hourglass-1", "mpii-pckh", "--seed", 10**20), 2, "--seed"),
        (("run", "hourglass-1", "init-variance", "--option", "seeds=[]"), 2, "seeds=[] does not work"),
        (("run", "hourglass-1", "init-variance", "--option", 'seeds=["a"]'), 2, "seeds=['a'] does not work"),
        (("run", "hourglass-1", "init-variance", "--option", "seeds=[-1]"), 2, "seeds=[-1] does not work"),
        (("run", "hourglass-1", "complexity", "--device", "gpu"), 2, "--device gpu: there is no such device"),
        (("run", "hourglass-1", "complexity", "--device", "cpu:7"), 2, "--device cpu:7: there is no such device"),
        (("run", "hourglass-1", "mpii-pckh", "--dataset", "coco"), 4, "mpii-pckh is not measured on coco"),
        (("run", "wrn-28-10", "mpii-pckh"), 4, "mpii-pckh does not apply to wrn-28-10"),
        (("status", "--matrix", "nowhere.toml"), 2, "nowhere.toml: there is no such matrix"),
        (("status", "--matrx", "nowhere.toml"), 2, "No such option: --matrx"),
        (("status", "matrix", "tiny.toml", "more"), 2, "unexpected extra argument"),
        (("check", "--against", "nowhere.jsonl", "--matrix", "nowhere.toml"), 4, "there is no baseline"),
        (("score", "nowhere.npz", "--protocol", "mpii-pckh"), 5, "nowhere.npz: there is no such file"),
        (("train", "hourglass-1", "mpii"), 5, "mpii"),
    ],
)
def test_an_error_is_a_document_too(here, words, code, said):  # noqa: F811
    outcome = bench(*words, "--json")
    assert outcome.code == outcome.json["exit_code"] == code and said in outcome.json["error"]
    plain = bench(*words)
    assert plain.code == code and plain.out == "" and outcome.json["error"].splitlines()[0] in plain.err


@pytest.mark.parametrize(("builder", "said"), [("number", "returned int"), ("torch", "has no function 'torch'")])
def test_what_is_no_builder_of_a_network_is_told(here, builder, said):  # noqa: F811
    (here / "net.py").write_text("import torch\ndef number():\n    return 3\n")
    outcome = bench("run", f"net.py:{builder}", "complexity", "--jobs", "1")
    assert outcome.code == 2 and said in outcome.err


def test_a_defect_is_a_document_too(here, monkeypatch):  # noqa: F811
    monkeypatch.setattr("bench.cli.listing.listing", lambda data: 1 / 0)
    outcome = bench("list", "--json")
    assert outcome.code == outcome.json["exit_code"] == 3 and "ZeroDivisionError" in outcome.json["error"]
    assert "please report it" in outcome.err


@pytest.mark.parametrize("option", ["stack=2", "width=wide", "stacks=1.5"])
def test_a_wrong_option_of_the_network_is_known_before_torch_is_imported(here, option):  # noqa: F811
    code = f"""
import sys
from bench.cli.main import main
sys.argv = ["bench", "run", "hourglass-1", "mpii-pckh", "--set", "{option}"]
assert main() == 2
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and option.partition("=")[0] in done.stderr
    assert not (here / "runs").exists()


def test_weights_that_never_end_are_refused(here):  # noqa: F811
    os.mkfifo(here / "pipe.pth")
    for path in ("pipe.pth", "/dev/zero"):
        told = bench("run", "hourglass-1", "mpii-pckh", "--weights", path)
        assert told.code == 5 and f"{path} is no file of weights" in told.err


def test_a_million_cells_are_not_expanded_without_a_word(here):  # noqa: F811
    lists = f'architectures = ["mean-pose"]\nprotocols = ["mpii-pckh"]\nseeds = {list(range(1_000_000))}\n'
    (here / "many.toml").write_text(f"[[cells]]\n{lists}")
    for verb in ("run", "status"):
        told = bench(verb, "--matrix", "many.toml")
        assert told.code == 2 and "stands for up to 1,000,000 cells" in told.err and "--yes" in told.err


def test_images_of_an_earlier_larger_export_are_told(here):  # noqa: F811
    assert "others stay" not in bench("data", "mannequin", "--out", "people", "--count", 3).err
    told = bench("data", "mannequin", "--out", "people", "--count", 1)
    assert told.code == 0 and "name 1 people; images of 2 others stay there" in told.err


def test_an_interrupt_during_the_imports_is_a_sentence(monkeypatch, capsys):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "bench.cli.main")
    monkeypatch.setattr("builtins.__import__", interrupted)
    code = entry.main()
    monkeypatch.undo()
    assert code == 130 and "Stopped before anything was begun" in capsys.readouterr().err
