"""Every command of the pages in docs/ is run: each page in a copy of the repository, in the order of its lines.

In a page, ```console blocks hold commands (`$ ...`) and below each the lines it must print, in order; `…` stands for
anything, spaces do not count. A comment `# exit code 5` says how a command ends. HTML comments, which no reader sees,
say what a block is: `file: NAME` (its content), `append to: NAME`, `insert into: NAME after: LINE`, `needs: PATH`
(below the folder of real data; skipped without it), `by CI` (a line of .ci/run, too long for a test).
"""

import io
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import typer

from bench.cells import recipe
from bench.cli import main as cli
from protocols import datasets

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = ("run", "add-a-network", "add-a-protocol", "add-a-dataset", "how-numbers-are-computed")
COPIED = (
    "architectures",
    "bench",
    "protocols",
    "reports",
    "tests",
    "matrix.toml",
    "matrix.check.toml",
    "pyproject.toml",
)
BLOCK = re.compile(r"(?:^<!-- ([^\n]*) -->\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    kind: str  # console, python, toml
    text: str
    mark: str  # what the comment before it says, without its first word
    word: str  # that word: file, append to, insert into, needs, by CI; "" without a comment

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """Every command with the lines it must print."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
        return found


def blocks(page: str) -> list[Block]:
    text = (REPOSITORY / "docs" / f"{page}.md").read_text(encoding="utf-8")
    found = []
    for comment, kind, content in BLOCK.findall(text):
        word, _, mark = comment.partition(":")
        found.append(Block(kind, content, mark.strip(), word.strip()))
    return found


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the repository without data and results, as the working folder."""
    for name in COPIED:
        source, place = REPOSITORY / name, tmp_path / name
        if source.is_dir():
            shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, place)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REPOSE_DATA", raising=False)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_commands_do_what_the_page_says(page, copy):
    changed = False  # the copy's code is no longer the one that this process has imported
    for block in blocks(page):
        if block.kind == "console" and not block.word:
            for command, expected in block.commands:
                run(command, expected, copy, changed)
        elif block.word in ("file", "append to", "insert into"):
            changed |= write(block, copy)


WITH_DATA = [
    pytest.param(block, id=f"{page}: {block.mark}") for page in PAGES for block in blocks(page) if block.word == "needs"
]


@pytest.mark.parametrize("block", WITH_DATA)
def test_commands_that_need_real_data(block, copy, real_data):
    if not (real_data / block.mark).exists():
        pytest.skip(f"{block.mark} is not in the folder of real data")
    (copy / "data").symlink_to(real_data.resolve(), target_is_directory=True)
    for command, expected in block.commands:
        run(command, expected, copy, changed=False)


@pytest.mark.parametrize("page", PAGES)
def test_commands_left_to_ci_are_run_there(page):
    lines = (REPOSITORY / ".ci" / "run").read_text().splitlines()
    left = [command for block in blocks(page) if block.word == "by CI" for command, _ in block.commands]
    assert all(command.partition("#")[0].strip() in lines for command in left)


@pytest.mark.parametrize("page", ("README.md", *(f"docs/{page}.md" for page in PAGES)))
def test_every_verb_and_option_is_known(page):
    """Also of the commands that are not run here."""
    bench: Any = typer.main.get_command(cli.app)
    for line in re.findall(r"^\$ bench (.*)$", (REPOSITORY / page).read_text(encoding="utf-8"), re.MULTILINE):
        command, words = bench, shlex.split(line, comments=True)
        while hasattr(command, "commands"):
            command, words = command.commands[words[0]], words[1:]
        command.make_context("bench", words)  # raises what the command line would say


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_kind_that_is_run_or_written(page):
    known = {"console": ("", "needs", "by CI"), "python": WRITTEN, "toml": WRITTEN}
    assert [block for block in blocks(page) if block.word not in known.get(block.kind, ())] == []
    text = (REPOSITORY / "docs" / f"{page}.md").read_text(encoding="utf-8")
    assert len(blocks(page)) == text.count("\n```") / 2


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (REPOSITORY / "docs" / f"{page}.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        name, _, anchor = target.partition("#")
        path = REPOSITORY / "docs" / (name or f"{page}.md")
        assert path.exists(), target
        headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert not anchor or anchor in slugs, target


WRITTEN = ("file", "append to", "insert into")


def write(block: Block, folder: Path) -> bool:
    """Do to the copy what a reader does to a file; returns whether that changed the project's code."""
    name, _, line = block.mark.partition(" after: ")
    path = folder / name
    before = path.read_text(encoding="utf-8") if block.word != "file" else ""
    if block.word == "insert into":
        assert before.count(f"{line}\n") == 1, f"{name} has no single line {line!r}"
        head, tail = before.split(f"{line}\n")
        path.write_text(f"{head}{line}\n{block.text}{tail}", encoding="utf-8")
    else:
        path.write_text(before + block.text, encoding="utf-8")
    return "/" in name


def run(command: str, expected: list[str], folder: Path, changed: bool) -> None:
    """Run a command of a page and compare its exit code and what it prints with the page."""
    code = int(found[1]) if (found := re.search(r"# exit code (\d+)", command)) else 0
    words = shlex.split(command, comments=True)
    if words[0] == "bench" and not changed:
        got, output = in_process(words)
    elif words[0] == "python3" and words[1].endswith(".py") and not changed:
        runpy.run_path(words[1], run_name="__main__")
        got, output = 0, ""
    else:
        got, output = as_process(words, folder)
    assert got == code, f"$ {command}\n{output}"
    lines = [squeezed(line) for line in output.splitlines()]
    for line in map(squeezed, expected):
        pattern = ".*".join(map(re.escape, line.split("…")))
        place = next((i for i, text in enumerate(lines) if re.search(pattern, text)), None)
        assert place is not None, f"$ {command}\nis said to print {line!r}, but printed\n{output}"
        lines = lines[place + 1 :]


def in_process(words: list[str]) -> tuple[int, str]:
    """A `bench` command without the seconds that a new process takes to import torch."""
    recipe.read.cache_clear()  # a new process reads its files anew
    datasets.remembered.cache_clear()
    output = io.StringIO()
    with mock.patch.object(sys, "argv", words), redirect_stdout(output), redirect_stderr(output):
        code = cli.main()
    return code, output.getvalue()


def as_process(words: list[str], folder: Path) -> tuple[int, str]:
    """A command as a process of its own, which imports the packages of `folder`."""
    if words[0] == "bench":
        words = ["python3", "-m", *words]
    if words[0] == "python3":
        words[0] = sys.executable
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout


def squeezed(line: str) -> str:
    return " ".join(line.split())
