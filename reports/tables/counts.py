"""Counts of printed numbers. Costs and accuracies are counted apart: a cost needs no training, an accuracy does.

What the predictions that authors published score is counted beside what networks here score.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from reports import formats
from reports.data.published import Paper, Value
from reports.tables.published_vs_measured import Comparison
from reports.tables.sheets import Heading, Sheet

KINDS = ("costs", "accuracies")
FIELDS = {  # column -> meaning
    "printed": "numbers in the paper's tables and text",
    "rebuilt": "of systems that a network here rebuilds",
    "measured": "compared with a network here",
    "reproduced": "of the measured",
    "other conditions": "measured, but not as the paper did",
    "predicted": "compared with what the authors' own predictions score",
    "reproduced so": "of the predicted",
}
NOUNS = {"parameters": "parameter count", "giga_published": "operation count", "macs": "operation count"}
OTHER = "parameter or operation count"


def kind(value: Value) -> str:
    """One of KINDS; "" for a printed fact that no protocol measures, such as the size of a kernel."""
    return "accuracies" if value.dataset else "costs" if value.protocol else ""


@dataclass(frozen=True)
class Counts:
    """Some printed numbers of one kind, beside ours."""

    items: tuple[Comparison, ...]

    @property
    def printed(self) -> int:
        """All of them."""
        return len(self.items)

    @property
    def rebuilt(self) -> int:
        """Those of systems that a network here rebuilds."""
        return sum(bool(item.published.architecture) for item in self.items)

    def compared(self, source: str) -> list[Comparison]:
        """Those with a difference to what was "measured", or to the authors' "predictions"."""
        return [item for item in self.items if item.delta is not None and item.source == source]

    def reproduced(self, source: str) -> int:
        """Number of the compared that are reproduced."""
        return sum(item.verdict == "reproduced" for item in self.compared(source))

    @property
    def under_other_conditions(self) -> int:
        """Those that were measured, but not as the paper did."""
        return sum(item.verdict == "not comparable" for item in self.items)

    @property
    def open(self) -> list[Comparison]:
        """Those of a rebuilt network that nothing was compared with yet."""
        return [item for item in self.items if item.published.architecture and item.delta is None]

    @property
    def row(self) -> tuple[int, ...]:
        """The numbers of FIELDS."""
        measured, predicted = len(self.compared("measured")), len(self.compared("predictions"))
        return (self.printed, self.rebuilt, measured, self.reproduced("measured"), self.under_other_conditions,
                predicted, self.reproduced("predictions"))  # fmt: skip


def count(items: Iterable[Comparison]) -> dict[str, Counts]:
    """The counts of each kind."""
    items = list(items)
    return {name: Counts(tuple(item for item in items if kind(item.published) == name)) for name in KINDS}


def counts_sheet(papers: dict[str, Paper], compared: dict[str, list[Comparison]]) -> Sheet:
    """A line a paper and kind."""
    rows = [(papers[key].short, name, *counts.row)
            for key, items in compared.items() for name, counts in count(items).items() if counts.printed]  # fmt: skip
    page = (
        Heading("paper", names=True),
        Heading("kind"),
        *(Heading(name, meaning=words) for name, words in FIELDS.items()),
    )
    return Sheet("counts", "Printed numbers, and how many are reproduced", ("paper", "kind", *FIELDS), rows, page)


def summary(counts: dict[str, Counts]) -> str:
    """A sentence a kind: how many numbers were printed, and how many of them are reproduced."""
    return " ".join(f"{_capital(words)}." for name in KINDS if (words := "; ".join(_clauses(name, counts[name]))))


def sentence(counts: dict[str, Counts]) -> str:
    """One sentence on a table, without its full stop: costs, then accuracies; "" where no protocol measures it."""
    return _capital("; ".join(clause for name in KINDS for clause in _clauses(name, counts[name])))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _clauses(name: str, counts: Counts) -> list[str]:
    if not counts.printed:
        return []
    return [_cost(counts)] if name == "costs" else _accuracies(counts)


def _cost(counts: Counts) -> str:
    """The costs as a clause: how many were counted here, and how far they are from the printed ones."""
    [*metrics] = {item.published.metric for item in counts.items}
    noun = NOUNS.get(metrics[0], OTHER) if len(metrics) == 1 else OTHER
    total, found = formats.counted(counts.printed, noun), counts.compared("measured")
    if not found:
        return f"none of the {total} was counted here"
    which = f"all {total} are" if len(found) == counts.printed else f"{len(found)} of {total} are"
    which = f"the {noun} is" if counts.printed == 1 else which
    worst = max(found, key=lambda item: abs(item.delta or 0))
    largest = formats.printed(abs(worst.delta or 0), worst.published.decimals + 1)
    within = " ".join((which, "rebuilt to within", largest, worst.published.unit)).rstrip()
    right = counts.reproduced("measured")
    return within if right == len(found) else f"{within}, {right} of them to the last printed digit"


def _accuracies(counts: Counts) -> list[str]:
    """The accuracies as clauses: from networks here, from the authors' predictions, and what is left."""
    total, clauses = formats.counted(counts.printed, "accuracy", "accuracies"), []
    measured, predicted = counts.compared("measured"), counts.compared("predictions")
    if predicted:
        right = counts.reproduced("predictions")
        scored = f"{len(predicted)} of {total} {'is' if len(predicted) == 1 else 'are'} scored"
        clauses.append(f"{scored} from the authors’ own predictions, {right} of these reproduced")
    if elsewhere := counts.under_other_conditions:
        clauses.append(f"{elsewhere} of {total} have measurements only under other conditions than printed")
    if measured:
        right = counts.reproduced("measured")
        clauses.append(f"{right} of the {len(measured)} measured with networks here are reproduced")
    else:
        other = predicted or elsewhere
        clauses.append("none was measured with a network here as printed" if other else f"none of {total} was measured")
    return clauses
