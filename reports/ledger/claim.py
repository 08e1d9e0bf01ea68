"""A claim: a sentence of a paper, with what checks it against the evidence.

A check returns findings, each about one thing that can be looked up or computed. `conclude` puts their words
together and derives the verdict, so that no verdict and no sentence is ever typed.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, Literal, ParamSpec, TypeAlias, TypeVar

from reports.ledger.evidence import Evidence, Source

KINDS = {  # kind -> what a claim of that kind says
    "difference": "a number between two results",
    "ranking": "an order of results",
    "ablation": "what one component changes",
    "cost": "sizes, operations, times",
    "structure": "receptive fields, layers, formulas",
    "mechanism": "why a network behaves as it does",
    "consistency": "whether a text agrees with itself and with others",
}


@dataclass(frozen=True)
class Finding:
    """One thing a claim says, held against the evidence.

    holds: "yes", "no"; "undecided": measured, but within the uncertainty; "limited": yes, but under other conditions
    than the paper's; "open": measured under conditions that decide nothing; "missing": not measured, the words say
    what; "note": said beside.
    """

    holds: Literal["yes", "no", "undecided", "limited", "open", "missing", "note"]
    words: str
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The outcome of a claim, in a sentence made from the data, and the sources it rests on."""

    verdict: Literal["supported", "contradicted", "partly", "not tested"]
    sentence: str
    sources: tuple[Source, ...] = ()


Question: TypeAlias = "Callable[[Evidence], Findings]"
Findings: TypeAlias = "Finding | Question | Iterable[Findings] | None"
P = ParamSpec("P")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Claim:
    """An entry of the ledger; `place` is where the paper says it, `kind` one of KINDS."""

    id: str
    paper: str
    statement: str
    place: str
    kind: str
    checks: Findings

    def verdict(self, evidence: Evidence) -> Verdict:
        """Ask the checks of the evidence and conclude from what they find."""
        return conclude(_answers(self.checks, evidence))


def claims_of(paper: str) -> Callable[[str, str, str, str], Callable[..., Claim]]:
    """Return `claim` for the claims of one paper: a decorator of the function that checks the claim,

        @claim("A01", "IOI is 1.5 points better.", "Table 1", "difference")
        def ioi_beats_residual(evidence): ...

    or, where shared questions say it all, called with them: claim("A01", ...)(gain(T1, "IOI", "Res", "Mean", 1.5)).
    """

    def claim(id: str, statement: str, place: str, kind: str) -> Callable[..., Claim]:
        return lambda *checks: Claim(id, paper, statement, place, kind, checks)

    return claim


def question(check: Callable[Concatenate[Evidence, P], Answer]) -> Callable[P, Callable[[Evidence], Answer]]:
    """Make a shared question of a check: it takes all but the evidence, and is asked of the evidence later."""

    @wraps(check)
    def asked(*arguments: P.args, **options: P.kwargs) -> Callable[[Evidence], Answer]:
        return lambda evidence: check(evidence, *arguments, **options)

    return asked


def conclude(findings: Iterable[Finding]) -> Verdict:
    """Derive the verdict of findings that must all hold.

    supported: all hold; contradicted: none does and one surely not; not tested: nothing is known; partly: the rest.
    """
    findings = list(findings)
    states = {item.holds for item in findings} - {"note"}
    if states == {"yes"}:
        verdict = "supported"
    elif "no" in states and states <= {"no", "open", "missing"}:
        verdict = "contradicted"
    else:
        verdict = "partly" if states - {"open", "missing"} else "not tested"
    said = _joined(dict.fromkeys(item.words for item in findings if item.words and item.holds != "missing"))
    lacking = dict.fromkeys(item.words for item in findings if item.holds == "missing")
    sentence = " ".join([*said, f"Missing: {'; '.join(lacking)}."] if lacking else said)
    sources = tuple(dict.fromkeys(entry for item in findings for entry in item.sources))
    return Verdict(verdict, sentence, sources)


def _joined(sentences: Iterable[str]) -> list[str]:
    """Join measurements of one place that follow each other into one sentence, which names the place once."""
    found: list[str] = []
    for sentence in sentences:
        place, _, rest = sentence.partition(": ")
        if found and place.startswith("Measured ") and found[-1].startswith(f"{place}: "):
            found[-1] = f"{found[-1].removesuffix('.')}; {rest}"
        else:
            found.append(sentence)
    return found


def _answers(findings: Findings, evidence: Evidence) -> Iterator[Finding]:
    """Every finding, one by one; questions are asked."""
    if isinstance(findings, Finding):
        yield findings
    elif callable(findings):
        yield from _answers(findings(evidence), evidence)
    else:
        for item in findings or ():
            yield from _answers(item, evidence)


def finding(holds: bool, words: str, *sources: Source) -> Finding:
    """A finding that holds or does not."""
    return Finding("yes" if holds else "no", words, sources)
