"""Texts of strangers reach terminals and documents escaped and in bounds."""

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from small_bench import REPOSITORY, bench

from bench.plain_text import LONGEST, escape, shortened, to_json


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07\r", r"\x1b[31mred\x07\r"),
        ("\x9b2J", r"\x9b2J"),
        ("half \udce9 \u202e", r"half \udce9 \u202e"),
        ("tab\tline\nПёс 犬 ✕", "tab\tline\nПёс 犬 ✕"),
    ],
)
def test_what_a_terminal_obeys_becomes_visible(text, shown):
    assert escape(text) == shown


def test_long_lines_are_cut_and_short_ones_stay():
    text = "x" * (LONGEST + 7) + "\nshort"
    assert shortened(text) == "x" * LONGEST + " … (7 more characters)\nshort"
    assert shortened("short\n" * 1000) == "short\n" * 1000


def test_a_document_with_half_a_character_can_be_read_back():
    assert json.loads(to_json({"na\udce9me": ["\ud800", 1, None]})) == {r"na\udce9me": [r"\ud800", 1, None]}
    assert to_json({"name": "犬"}) == '{"name":"犬"}'.encode()


@pytest.fixture
def predictions(tmp_path, monkeypatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    return {"keypoints": np.zeros((8, 16, 2))}


def scored(*words: str):
    return ("score", *words, "--protocol", "mpii-pckh", "--dataset", "mannequin", "--limit", "8")


def test_a_file_name_that_is_not_utf_8_is_published_readable(predictions):
    name = os.fsdecode(b"caf\xe9.npz")
    np.savez(name, **predictions)
    for words in (scored(name), scored(name, "--name", "mine \ud800\x1b[2J")):
        told = bench(*words, "--json")
        assert told.code == 0, told.err
        assert told.json["cells"][0]["architecture"] in (r"caf\udce9", r"mine \ud800\x1b[2J")
    assert bench("report").code == 0


def test_names_in_files_do_not_reach_the_terminal_raw(predictions):
    names: dict[str, Any] = {"\x1b]0;owned\x07\r" + "x" * 30_000: np.zeros((3, 3))}
    np.savez("mine.npz", **names)
    told = bench(*scored("mine.npz"))
    assert told.code == 5 and not {"\x1b", "\x07", "\r"} & {*told.err} and len(told.err) < 4 * LONGEST


def test_another_alphabet_of_the_terminal_is_no_defect(predictions):
    np.savez("mine.npz", **predictions)
    words = [sys.executable, "-m", "bench", *scored("mine.npz", "--name", "Пёс")]
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment |= {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(words, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert bench("report").code == 0
