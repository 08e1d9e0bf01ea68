"""A claim: a sentence of a paper as a function that returns a verdict with its evidence.

A claim is split into findings, each about one thing that can be looked up or computed. `conclude` puts their
words together and derives the verdict, so that no verdict and no sentence is ever typed.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

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
    """One thing a claim says, held against what is known.

    holds: "yes", "no"; "undecided": measured, but within the uncertainty; "limited": yes, but under other conditions
    than the paper's; "open": measured under conditions that decide nothing; "missing": not measured, the words say
    what; "note": said beside.
    """

    holds: Literal["yes", "no", "undecided", "limited", "open", "missing", "note"]
    words: str
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What became of a claim, in a sentence made from the data, and the sources it rests on."""

    verdict: Literal["supported", "contradicted", "partly", "not tested"]
    sentence: str
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Claim:
    """An entry of the ledger; `place` is where the paper says it, `kind` one of KINDS."""

    id: str
    paper: str
    statement: str
    place: str
    kind: str
    check: Callable[[Evidence], Verdict]


Findings: TypeAlias = "Finding | Iterable[Findings] | None"


def conclude(*findings: Findings) -> Verdict:
    """The verdict of findings that must all hold; lists of them may be nested.

    supported: all hold; contradicted: none does and one surely not; not tested: nothing is known; partly: the rest.
    """
    flat = list(_flat(findings))
    states = {item.holds for item in flat} - {"note"}
    if states == {"yes"}:
        verdict = "supported"
    elif "no" in states and states <= {"no", "open", "missing"}:
        verdict = "contradicted"
    else:
        verdict = "partly" if states - {"open", "missing"} else "not tested"
    said = _joined(dict.fromkeys(item.words for item in flat if item.words and item.holds != "missing"))
    lacking = dict.fromkeys(item.words for item in flat if item.holds == "missing")
    sentence = " ".join([*said, f"Missing: {'; '.join(lacking)}."] if lacking else said)
    sources = tuple(dict.fromkeys(entry for item in flat for entry in item.sources))
    return Verdict(verdict, sentence, sources)


def _joined(sentences: Iterable[str]) -> list[str]:
    """Measurements of one place behind each other become one sentence, which names the place once."""
    found: list[str] = []
    for sentence in sentences:
        place, _, rest = sentence.partition(": ")
        if found and place.startswith("Measured ") and found[-1].startswith(f"{place}: "):
            found[-1] = f"{found[-1].removesuffix('.')}; {rest}"
        else:
            found.append(sentence)
    return found


def _flat(findings: Findings) -> Iterator[Finding]:
    if isinstance(findings, Finding):
        yield findings
    else:
        for item in findings or ():
            yield from _flat(item)


def finding(holds: bool, words: str, *sources: Source) -> Finding:
    """A finding that was decided."""
    return Finding("yes" if holds else "no", words, sources)


def ask(question: Callable[..., Findings], *arguments: Any, **options: Any) -> Callable[[Evidence], Verdict]:
    """The check of a claim that asks a single question."""
    return lambda evidence: conclude(question(evidence, *arguments, **options))
