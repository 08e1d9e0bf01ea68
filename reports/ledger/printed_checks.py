"""Questions that many claims share, asked of printed values and of texts.

"Column: a − b" in words is always a better minus a worse side.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from reports.data.published import Value
from reports.formats import printed, signed
from reports.ledger.claim import Finding, Question, finding, question
from reports.ledger.evidence import Evidence, Source, table, text

Number = tuple[Source, str, str]  # where a number is printed: table, row, column
# Annotated joints of the MPII validation set that a printed mean is weighted by; Head counts top and neck.
MPII_JOINTS = {
    "head": 5864, "shoulder": 5888, "elbow": 5867, "wrist": 5837, "hip": 5777, "knee": 4963, "ankle": 4234,
}  # fmt: skip
MEAN_ERROR = 0.06  # points: rounding of seven columns and of the mean


def source(value: Value) -> Source:
    """The table that a printed value stands in."""
    return table(value.paper, value.table)


def say(value: Value) -> str:
    """A printed value with the table's own decimals."""
    return printed(value.value, value.decimals)


def half_unit(decimals: int) -> float:
    """Largest rounding error of a number with so many decimals."""
    return 0.5 * 10**-decimals


@question
def gain(
    evidence: Evidence,
    where: Source,
    ours: str,
    theirs: str,
    column: str,
    stated: float | None = None,
    lower: bool = False,
    elsewhere: Source | None = None,
) -> Finding:
    """Ours minus theirs in a column of a table: as stated, or better where nothing is stated.

    `lower` turns better round, for errors and drops; `elsewhere` is the table of theirs if it is another one.
    Both numbers were rounded and so was the stated one: it agrees if it is within their half units.
    """
    one, two = evidence.printed(where, ours, column), evidence.printed(elsewhere or where, theirs, column)
    difference = one.value - two.value
    if lower:
        difference = -difference
    digits = max(one.decimals, two.decimals)
    first, second = (two, one) if lower else (one, two)
    words = f"{_place(evidence, one, two)}, {column}: {say(first)} − {say(second)} = {signed(difference, digits)}"
    if stated is None:
        return finding(difference > 1e-9, words + ".", source(one), source(two))
    slack = half_unit(one.decimals) + half_unit(two.decimals)
    exact = abs(difference - stated) < 1e-9
    near = abs(difference - stated) <= slack + 1e-9
    ending = "as stated" if exact else f"stated {signed(stated, digits)}{', within rounding' if near else ''}"
    return finding(near, f"{words}, {ending}.", source(one), source(two))


def gains(
    where: Source, ours: str, theirs: str, columns: Mapping[str, float] | Iterable[str], **options: Any
) -> list[Question]:
    """`gain` in several columns, with what is stated for each where it is."""
    stated = columns if isinstance(columns, Mapping) else dict.fromkeys(columns)
    return [gain(where, ours, theirs, column, number, **options) for column, number in stated.items()]


@question
def best(
    evidence: Evidence,
    where: Source,
    row: str,
    columns: Iterable[str] = (),
    rivals: Iterable[str] = (),
    lower: bool = False,
    among: str = "",
) -> Finding:
    """A row beats its rivals (every other row) in each of the columns (all), as far as they are printed.

    `among` says what the rivals are, where the table has others too.
    """
    columns, rivals = list(columns) or evidence.columns(where), list(rivals)
    lost = []
    for column in columns:
        values = evidence.column(where, column)
        others = {name: value for name, value in values.items() if name != row and (not rivals or name in rivals)}
        rival = (min if lower else max)(others.values(), key=lambda value: value.value)
        ahead = rival.value - values[row].value if lower else values[row].value - rival.value
        if ahead <= 1e-9:
            relation = "equals" if abs(ahead) < 1e-9 else "is behind"
            lost.append(f"{column}, where {row} ({say(values[row])}) {relation} {rival.row} ({say(rival)})")
    among = f" {among}" if among else ""
    if not lost:
        said = columns[0] if len(columns) == 1 else f"all {len(columns)} columns"
        return finding(True, f"{where.label}: {row} is best in {said}{among}.", where)
    won = f"{len(columns) - len(lost)} of {len(columns)} columns"
    words = f"{where.label}: {row} is best in {won}{among}, not in {'; '.join(lost)}."
    return Finding("no" if len(lost) == len(columns) else "undecided", words, (where,))


@question
def largest(
    evidence: Evidence, where: Source, ours: str, theirs: str, columns: Iterable[str], elsewhere: Source | None = None
) -> list[Finding]:
    """Ours minus theirs is largest in the named columns: each gains more than every joint that is not named."""
    other = elsewhere or where
    gained = {
        name: evidence.printed(where, ours, name).value - evidence.printed(other, theirs, name).value
        for name in evidence.columns(where)
        if name not in ("Mean", "AUC")
    }
    columns = list(columns)
    rival = max((name for name in gained if name not in columns), key=gained.__getitem__)
    found = []
    for name in columns:
        words = f"{ours} − {theirs}, {name}: {signed(gained[name], 1)}; "
        words += f"of the other joints {rival} gains most, {signed(gained[rival], 1)}."
        found.append(finding(gained[name] > gained[rival] + 1e-9, words, where, other))
    return found


@question
def ordered(evidence: Evidence, where: Source, row: str, groups: Iterable[Iterable[str]]) -> list[Finding]:
    """In a row, every value of a group of columns is above every value of the next group."""
    printed = [[evidence.printed(where, row, column) for column in group] for group in groups]
    found = []
    for upper, lower in pairwise(printed):
        low, high = min(upper, key=lambda item: item.value), max(lower, key=lambda item: item.value)
        relation = ">" if low.value > high.value else "≤"
        words = f"{where.label}, {row}: {low.column} {say(low)} {relation} {high.column} {say(high)}."
        found.append(finding(low.value > high.value, words, source(low)))
    return found


@question
def lead(evidence: Evidence, where: Source, row: str, column: str, stated: float) -> Finding:
    """A row is ahead of the best other row of its table by what is stated."""
    others = [value for name, value in evidence.column(where, column).items() if name != row]
    rival = max(others, key=lambda value: value.value)
    item = gain(where, row, rival.row, column, stated)(evidence)
    return finding(item.holds == "yes", f"Best of the others is {rival.row}. {item.words}", *item.sources)


@question
def as_stated(evidence: Evidence, where: Source, row: str, column: str, stated: float) -> Finding:
    """A number of the text is the one of the table."""
    value = evidence.printed(where, row, column)
    words = f"{value.table}, {row}, {column}: {say(value)}, stated {printed(stated, value.decimals)}."
    return finding(abs(value.value - stated) < 1e-9, words, source(value))


@question
def exceeds(evidence: Evidence, one: Number, two: Number) -> Finding:
    """A printed number, given by (table, row, column), is larger than another one."""
    left, right = evidence.printed(*one), evidence.printed(*two)
    names = [
        f"{item.row} {say(item)} ({evidence.papers[item.paper].short}, {item.table}, {item.column})"
        for item in (left, right)
    ]
    relation = ">" if left.value > right.value else "≤"
    return finding(left.value > right.value, f"{names[0]} {relation} {names[1]}.", source(left), source(right))


@question
def same(evidence: Evidence, one: Number, two: Number) -> Finding:
    """Two printed numbers, each given by (table, row, column), are equal."""
    left, right = evidence.printed(*one), evidence.printed(*two)
    equal = abs(left.value - right.value) < 1e-9
    cited = [item.table if left.paper == right.paper else evidence.cite(source(item)) for item in (left, right)]
    names = [
        f"{place}, {item.row}, {item.column}: {say(item)}" for place, item in zip(cited, (left, right), strict=True)
    ]
    return finding(equal, f"{names[0]}; {names[1]}.", source(left), source(right))


@question
def means(evidence: Evidence, paper: str, kind: str = "") -> list[Finding]:
    """The printed means of a paper follow from their columns: a finding a table (with the rule `kind`, if given)."""
    found = []
    for item in evidence.papers[paper].tables:
        if not item.mean or (kind and item.mean != kind) or not item.rows:
            continue
        parts = [column.part for column in item.columns if column.metric != "AUC"]
        weights = [MPII_JOINTS[part] if item.mean == "mpii" else 1 for part in parts if part != "mean"]
        errors = []
        for row in item.rows:
            values = dict(zip(parts, row.values, strict=False))
            mean = sum(w * values[part] for w, part in zip(weights, MPII_JOINTS, strict=True)) / sum(weights)
            errors.append(abs(mean - values["mean"]))
        rule = "weighted by annotated joints, the neck in Head" if item.mean == "mpii" else "plain average"
        words = f"{item.name}: {len(errors)} means, {rule}, are off by at most {max(errors):.3f}."
        found.append(finding(max(errors) <= MEAN_ERROR, words, table(paper, item.name)))
    return found


@question
def agree(evidence: Evidence, claim: str) -> Finding:
    """All places that are quoted for a claim say the same."""
    said: dict[str, list[str]] = {}
    for _, item in evidence.statements(claim):
        said.setdefault(item.says, []).append(item.place)
    words = "; ".join(f"{', '.join(places)}: {text}" for text, places in said.items())
    return finding(len(said) == 1, f"{words}.", *quoted(evidence, claim))


@question
def differ(evidence: Evidence, claim: str) -> Finding:
    """The places that are quoted for a claim do not all say the same."""
    item = agree(claim)(evidence)
    return finding(item.holds == "no", item.words, *item.sources)


def quoted(evidence: Evidence, claim: str) -> tuple[Source, ...]:
    """The places that were quoted for a claim."""
    return tuple(text(paper, item.place) for paper, item in evidence.statements(claim))


def numbers(evidence: Evidence, claim: str) -> list[float]:
    """The numbers that were quoted for a claim, in the order of the file."""
    return [item.number for _, item in evidence.statements(claim) if not math.isnan(item.number)]


def ratio(evidence: Evidence, one: Value, two: Value, stated: float, decimals: int) -> Finding:
    """one / two, as stated with so many decimals; both were rounded."""
    value = one.value / two.value
    low = (one.value - half_unit(one.decimals)) / (two.value + half_unit(two.decimals))
    high = (one.value + half_unit(one.decimals)) / (two.value - half_unit(two.decimals))
    words = f"{_place(evidence, one, two)}, {one.column}: {say(one)} / {say(two)} = {printed(value, decimals)}"
    fits = low - half_unit(decimals) <= stated <= high + half_unit(decimals)
    return finding(fits, f"{words}, stated {printed(stated, decimals)}.", source(one))


def _place(evidence: Evidence, one: Value, two: Value) -> str:
    """The table or tables of two printed values, with their papers if these differ."""
    places = list(dict.fromkeys(map(source, (one, two))))
    return " and ".join(map(evidence.cite, places) if one.paper != two.paper else (place.label for place in places))
