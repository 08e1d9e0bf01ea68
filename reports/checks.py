"""The questions that many claims share, asked of printed values and of texts."""

from collections.abc import Callable, Iterable, Mapping

from reports.claim import Evidence, Finding, finding
from reports.formats import printed, signed
from reports.known import Known
from reports.published import Value

Check = Callable[[Known, Value], Finding]


def table(value: Value) -> Evidence:
    """The table that a printed value stands in."""
    return Evidence("table", value.paper, value.table)


def say(value: Value) -> str:
    """A printed value with the table's own decimals."""
    return printed(value.value, value.decimals)


def half_unit(decimals: int) -> float:
    """How far a number may be from what was rounded to it."""
    return 0.5 * 10**-decimals


def gain(known: Known, where: tuple[str, str], ours: str, theirs: str, column: str, stated: float | None = None,
         lower: bool = False, elsewhere: tuple[str, str] | None = None) -> Finding:
    """Ours minus theirs in a column of a table: as stated, or better where nothing is stated.

    `lower` turns better round, for errors and drops; `elsewhere` is the table of theirs if it is another one.
    Both numbers were rounded and so was the stated one: it agrees if it is within their half units.
    """  # fmt: skip
    one, two = known.printed(*where, ours, column), known.printed(*(elsewhere or where), theirs, column)
    difference = one.value - two.value
    if lower:
        difference = -difference
    digits = max(one.decimals, two.decimals)
    first, second = (two, one) if lower else (one, two)
    words = f"{_place(one, two)}, {column}: {say(first)} − {say(second)} = {signed(difference, digits)}"
    if stated is None:
        return finding(difference > 1e-9, words + ".", *{table(one): 0, table(two): 0})
    slack = half_unit(one.decimals) + half_unit(two.decimals)
    exact = abs(difference - stated) < 1e-9
    near = abs(difference - stated) <= slack + 1e-9
    ending = "as stated" if exact else f"stated {signed(stated, digits)}{', within rounding' if near else ''}"
    return finding(near, f"{words}, {ending}.", *{table(one): 0, table(two): 0})


def gains(known: Known, where: tuple[str, str], ours: str, theirs: str, columns: Mapping[str, float] | Iterable[str],
          **options) -> list[Finding]:
    """`gain` in several columns, with what is stated for each where it is."""  # fmt: skip
    stated = columns if isinstance(columns, Mapping) else dict.fromkeys(columns)
    return [gain(known, where, ours, theirs, column, number, **options) for column, number in stated.items()]


def best(known: Known, where: tuple[str, str], row: str, columns: Iterable[str] = (), *, lower: bool = False) -> Finding:
    """A row beats every other row of its table in each of the columns (all, if none are named)."""
    columns = list(columns) or known.columns(*where)
    lost = []
    for column in columns:
        values = known.column(*where, column)
        others = {name: value for name, value in values.items() if name != row}
        rival = (min if lower else max)(others.values(), key=lambda value: value.value)
        ahead = rival.value - values[row].value if lower else values[row].value - rival.value
        if ahead <= 1e-9:
            relation = "equals" if abs(ahead) < 1e-9 else "is behind"
            lost.append(f"{column}, where {row} ({say(values[row])}) {relation} {rival.row} ({say(rival)})")
    evidence = Evidence("table", *where)
    if not lost:
        said = columns[0] if len(columns) == 1 else f"all {len(columns)} columns"
        return finding(True, f"{where[1]}: {row} is best in {said}.", evidence)
    words = f"{where[1]}: {row} is best in {len(columns) - len(lost)} of {len(columns)} columns, not in {'; '.join(lost)}."
    return Finding("no" if len(lost) == len(columns) else "undecided", words, (evidence,))


def agree(known: Known, claim: str) -> Finding:
    """The places of a text that say something about the same thing say the same."""
    quoted = known.statements(claim)
    said: dict[str, list[str]] = {}
    for _, item in quoted:
        said.setdefault(item.says, []).append(item.place)
    evidence = tuple(Evidence("text", paper, item.place) for paper, item in quoted)
    words = "; ".join(f"{', '.join(places)}: {text}" for text, places in said.items())
    return finding(len(said) == 1, f"{words}.", *evidence)


def ratio(one: Value, two: Value, stated: float | None, decimals: int) -> Finding:
    """one / two, as stated with so many decimals; both were rounded."""
    value = one.value / two.value
    low = (one.value - half_unit(one.decimals)) / (two.value + half_unit(two.decimals))
    high = (one.value + half_unit(one.decimals)) / (two.value - half_unit(two.decimals))
    words = f"{_place(one, two)}, {one.column}: {say(one)} / {say(two)} = {printed(value, decimals)}"
    if stated is None:
        return finding(low > 1, f"{words}.", table(one))
    fits = low - half_unit(decimals) <= stated <= high + half_unit(decimals)
    return finding(fits, f"{words}, stated {printed(stated, decimals)}.", table(one))


def _place(one: Value, two: Value) -> str:
    """Where two printed values stand."""
    if one.paper != two.paper:
        return f"{one.table} of {one.paper} and {two.table} of {two.paper}"
    return one.table if one.table == two.table else f"{one.table} and {two.table}"
