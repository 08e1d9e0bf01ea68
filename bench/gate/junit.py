"""Outcome of a check as a JUnit file, which every CI can show: one test case per cell."""

import re
from xml.etree import ElementTree

from bench.cells.plan import BLOCKED
from bench.gate.compare import NEW, worst_first
from bench.gate.outcome import FAILED, GONE, Outcome, Result

FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML 1.0
SHOWN = 50  # rows of one cell


def junit(outcome: Outcome, allow_missing: bool = False) -> str:
    """Format the outcome as JUnit XML."""
    cases = [_case(result, allow_missing) for result in outcome.results]
    suite = ElementTree.Element("testsuite", name="bench check", tests=str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    suite.extend(cases)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(result: Result, allow_missing: bool) -> ElementTree.Element:
    """Test case of a cell: failed cells are errors, blocked ones skipped, regressions and missing rows failures."""
    case = ElementTree.Element("testcase", classname=result.key[0], name=_text(result.label))
    failing = worst_first(result.comparisons, allow_missing)
    if result.state == FAILED:
        _child(case, "error", result.why.splitlines()[0], result.why)
    elif result.state == BLOCKED:
        _child(case, "skipped", result.why.splitlines()[0], result.why)
    elif failing:
        summary = result.why if result.state == GONE else str(failing[0])
        _child(case, "failure", summary, "\n".join(map(str, failing[:SHOWN])))
    if new := [str(row) for row in result.comparisons if row.state == NEW]:
        ElementTree.SubElement(case, "system-out").text = _text("\n".join(["not in the baseline:", *new[:SHOWN]]))
    return case


def _child(case: ElementTree.Element, tag: str, message: str, text: str) -> None:
    ElementTree.SubElement(case, tag, message=_text(message)).text = _text(text)


def _text(text: str) -> str:
    return FORBIDDEN.sub("�", text)
