"""Errors in four parts: they are worded alike wherever they are raised."""

import ast
from pathlib import Path

import pytest

from bench.errors import Problem, as_document, explain
from protocols.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
LABELLED = ("expected", "cause", "next_step")  # behind a label each; `what` is a sentence
ORDER = ("what", *LABELLED)


def parts(call: ast.Call) -> dict[str, ast.expr]:
    named = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    return dict(zip(ORDER, call.args, strict=False)) | named


def ends(node: ast.expr) -> tuple[str, str]:
    """The first and the last words of a text that stands in the code; empty where they are computed."""
    texts = node.values if isinstance(node, ast.JoinedStr) else [node]
    first, last = (str(text.value) if isinstance(text, ast.Constant) else "" for text in (texts[0], texts[-1]))
    return first, last


def raised(folder: str) -> list[tuple[str, str, ast.expr]]:
    """Place, name of the part, text: of every error in a folder."""
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("DataError", "Problem"):
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                found += [(place, name, text) for name, text in parts(node).items() if name in ORDER]
    return found


@pytest.mark.parametrize("folder", ("bench", "protocols"))
def test_labelled_parts_have_no_capital_and_no_full_stop(folder):
    """MPII, HRNet's or COCO's may begin one: their second letter is no small one."""
    found = [(place, *ends(text)) for place, name, text in raised(folder) if name in LABELLED]
    assert len(found) > 50
    assert not [place for place, first, _ in found if first[:1].isupper() and first[1:2].islower()]
    assert not [place for place, _, last in found if last.endswith(".") and not last.endswith("...")]


@pytest.mark.parametrize("error", (Problem, DataError))
def test_the_parts_as_lines_and_as_a_document(error):
    raised = error("No such thing.", "one of a, b", "a typing error", "name another")
    assert explain(raised).splitlines() == [
        "No such thing.", "  expected  one of a, b", "  why       a typing error", "  do        name another",
    ]  # fmt: skip
    fields = {"expected": "one of a, b", "cause": "a typing error", "next_step": "name another"}
    assert as_document(raised, 5) == {"error": "No such thing.", **fields, "exit_code": 5}


@pytest.mark.parametrize("kind", (FileNotFoundError, NotADirectoryError, IsADirectoryError))
def test_a_path_that_leads_nowhere_says_to_check_it(kind):
    number = {FileNotFoundError: 2, NotADirectoryError: 20, IsADirectoryError: 21}[kind]
    first, do = explain(kind(number, "what the system says", "net.pth")).splitlines()
    assert first == "net.pth: what the system says" and do.split(maxsplit=1)[1].startswith("check the path")
