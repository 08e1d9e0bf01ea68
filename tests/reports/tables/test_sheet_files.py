"""Tables as data: numbers in full where machines read, digits of the page where people do, no commands."""

import csv
import io
import json

import pytest

from reports.tables.sheet_files import FORMATS
from reports.tables.sheets import Entry, Sheet

SHEET = Sheet(
    "scores", "A caption_1", ("network", "mean %"),
    [("a|b <i>", Entry(88.04999, "88.0")), ("=1+1", None), ("50_% & $x", Entry(-0.5, "−0.5")), ("-3", float("nan"))],
)  # fmt: skip


def text(ending):
    return FORMATS[ending][1](SHEET)


def test_csv_keeps_numbers_in_full_and_defuses_formulas():
    assert list(csv.reader(io.StringIO(text("csv")))) == [
        ["network", "mean %"], ["a|b <i>", "88.04999"], ["'=1+1", ""], ["50_% & $x", "-0.5"], ["-3", "nan"],
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["=A1", "+A1", "-A1", "@A1", "\tA1", "\rA1", "-1+2"])
def test_no_name_is_a_formula(name):
    line = FORMATS["csv"][1](Sheet("x", "", ("a",), [(name,)])).splitlines()[-1 if name[0] != "\r" else 1]
    assert line.lstrip('"').startswith("'")


def test_json_is_one_document():
    assert json.loads(text("json")) == {
        "caption": "A caption_1",
        "columns": ["network", "mean %"],
        "rows": [["a|b <i>", 88.04999], ["=1+1", None], ["50_% & $x", -0.5], ["-3", None]],
    }
    assert json.loads(FORMATS["json"][1](Sheet("x", "", ("a",), []))) == {"caption": "", "columns": ["a"], "rows": []}


def test_markdown_shows_the_digits_of_the_page():
    assert text("md").splitlines() == [
        r"A caption\_1", "", "| network | mean % |", "| --- | ---: |", r"| a\|b &lt;i> | 88.0 |", "| =1+1 | – |",
        r"| 50\_% &amp; $x | −0.5 |", "| -3 | nan |",
    ]  # fmt: skip


def test_latex_is_a_tabular_without_commands():
    assert text("tex").splitlines() == [
        "% A caption_1", r"\begin{tabular}{lr}", r"\toprule", r"network & mean \% \\", r"\midrule",
        r"a|b \textless{}i\textgreater{} & 88.0 \\", r"=1+1 & -- \\", r"50\_\% \& \$x & $-$0.5 \\", r"-3 & nan \\",
        r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip
    assert r"\textbackslash{}input\{x\}" in FORMATS["tex"][1](Sheet("x", "", ("a",), [("\\input{x}",)]))
    assert FORMATS["tex"][1](Sheet("x", "one\n\\evil", ("a",), [])).splitlines()[0] == r"% one \evil"
