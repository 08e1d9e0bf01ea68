"""The page of a paper: its tables with our numbers beside the printed ones, its figures, claims and quotations."""

import shlex
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from bench.cells.conditions import STATED, UNKNOWN
from bench.results.snapshot import ReportCell
from protocols.datasets import DATASETS
from reports import formats
from reports.data.published import Paper, Table
from reports.figures.paper_figures import redrawn
from reports.ledger.claim import Claim, Verdict
from reports.ledger.evidence import Evidence
from reports.ledger.printed_checks import say
from reports.pages.page import Page, cell_path
from reports.tables.counts import count, sentence, summary
from reports.tables.poster import poster
from reports.tables.published_vs_measured import SCORED, Comparison, contradictions, required
from reports.tables.sheets import Entry, Heading, Piece, Sheet, absent

KINDS = ("published", "measured", "difference")
JUDGED = {"reproduced": "● reproduced", "above": "▲ above", "below": "▼ below"}
AUTHORS, FROM_AUTHORS = "◆", "from the authors’ predictions"  # sign and words of what the makers' own files score


def paper_page(
    evidence: Evidence,
    paper: Paper,
    comparisons: list[Comparison],
    ledger: list[tuple[Claim, Verdict]],
    survival: dict[str, str],
) -> Page:
    """The tables of a paper, each value beside ours, its figures, what it claims, and what was quoted for that.

    survival: table -> which steps of its ranking are larger than chance.
    """
    found = {(item.published.table, item.published.row, item.published.column): item for item in comparisons}
    quotations = defaultdict(dict)
    for item in paper.statements:
        quotations[item.place][item.quote] = item
    shown = [(table, printed(table, _lines(table, found)), _conditions(table, found))
             for table in paper.tables]  # fmt: skip
    drawn = list(redrawn(evidence, paper.key))
    context = {
        "paper": paper,
        "tables": shown,
        "redrawn": drawn,
        "summary": summary(count(comparisons)),
        "told": {table.name: _told(paper, table, comparisons) for table in paper.tables},
        "ledger": ledger,
        "quotations": {place: list(quotes) for place, quotes in quotations.items()},
        "from_authors": {item.published.table for item in comparisons if item.source == "predictions"},
        "survival": survival,
        "contradictions": _contradictions(evidence, paper.key),
    }
    sheets = [sheet for _, *pair in shown for sheet in pair if sheet.rows]
    figures = {name: figure for item in drawn for name, figure in item.figures.items()}
    tables = {f"{table.name}: {table.caption}": sheet for table, sheet, _ in shown if sheet.rows}
    pictures = {"tables.png": poster(f"{paper.short}: {paper.title}", tables)}
    return Page(f"papers/{paper.key}.html", "paper.html", context, tuple(sheets), figures, pictures)


def _contradictions(evidence: Evidence, paper: str) -> dict[str, list[str]]:
    """Table of this paper -> sentences on methods to which another table gives other numbers."""
    found: dict[str, list[str]] = defaultdict(list)
    for pair in contradictions(evidence.papers.values()):
        for ours, theirs in (pair, pair[::-1]):
            if ours.paper == paper:
                there = f"{theirs.row} in {evidence.papers[theirs.paper].short}, {theirs.table}"
                found[ours.table].append(f"{ours.row}, {ours.column}: {say(ours)} here, {say(theirs)} as {there}.")
    return found


def _told(paper: Paper, table: Table, comparisons: list[Comparison]) -> tuple[str, str, bool]:
    """A sentence on how much of a table is reproduced, the command that measures what is left, and whether only the
    owners of a dataset can score that; "" for no sentence and no command."""
    counts = count(item for item in comparisons if item.published.table == table.name)
    places = [(item.published.dataset, item.published.split) for item in counts["accuracies"].open]
    command = f"bench run --paper {paper.key} --table {shlex.quote(table.name)}" if places else ""
    withheld = bool(places) and all(split in DATASETS[dataset].withheld for dataset, split in places)
    return sentence(counts), command, withheld


@dataclass(frozen=True)
class Line:
    """One line of a table as it is printed."""

    name: str
    architecture: str
    labels: tuple[str, ...]
    own: bool
    items: list[Comparison | None]  # in the order of the printed columns; None: nothing printed
    reasons: list[str]  # why differences are missing


def _lines(table: Table, found: dict[tuple, Comparison]) -> list[Line]:
    """The lines of a table; of a transposed one, a line is a column of the data."""
    grid = [[found.get((table.name, row.name, column.name)) for column in table.columns] for row in table.rows]
    if table.transposed:
        flipped = zip(table.columns, zip(*grid, strict=True), strict=True)
        return [Line(column.name, "", (), True, list(items), _reasons(items)) for column, items in flipped]
    return [
        Line(row.name, row.architecture, row.labels, row.source == "own", items, [*_reasons(items), row.note])
        for row, items in zip(table.rows, grid, strict=True)
    ]


def _reasons(items: Iterable[Comparison | None]) -> list[str]:
    """Reasons why differences are missing, each once; networks that lack the same measurement share a sentence."""
    reasons, lacking = {}, defaultdict(dict)
    for item in items:
        if item and item.verdict == "not measured" and item.test:
            lacking[item.test][item.published.architecture] = None
        elif item and item.reason and item.delta is None:
            reasons[item.reason] = None
    told = (
        f"{', '.join(names)} {'have' if len(names) > 1 else 'has'} no {test} yet." for test, names in lacking.items()
    )
    return [*reasons, *told]


def printed(table: Table, lines: list[Line]) -> Sheet:
    """A table of a paper: printed values, and where we have them ours and the difference, below them on the page."""
    heads = _headings(table)
    grid = [[kinds(item) for item in line.items] for line in lines]
    have = [{kind for line in grid for kind in line[at]} | {"published"} for at in range(len(heads))]
    shown = [(at, kind) for at, known in enumerate(have) for kind in KINDS if kind in known]
    several = len(shown) > len(heads)
    columns = [f"{heads[at].column} {kind}" if several else heads[at].column for at, kind in shown]
    blank = {"published": absent("not printed")}
    rows = [
        (_name(line), *line.labels, *((found[at] or blank).get(kind) for at, kind in shown), _comparison(table, line))
        for line, found in zip(lines, grid, strict=True)
    ]
    labels = () if table.transposed else table.labels
    values = [head._replace(column=f"{head.column} published" if several else head.column) for head in heads]
    told = [Heading("comparison", look="words")] if table.protocol else []
    page = (Heading("method", names=True), *map(Heading, labels), *values, *told)
    return Sheet(formats.slug(table.name), table.caption, ("method", *labels, *columns, "comparison"), rows, page)


def _headings(table: Table) -> list[Heading]:
    """The printed columns; of a transposed table, the networks that stand side by side."""
    if table.transposed:
        return [Heading(row.name, row.name, after=_small(row.architecture)) for row in table.rows]
    return [
        Heading(column.name, column.name, "" if not column.unit or column.unit in column.name else column.unit)
        for column in table.columns
    ]


def _small(words: str, look: str = "small") -> list[Piece]:
    return [Piece(words, look)] if words else []


def kinds(item: Comparison | None) -> dict[str, Entry]:
    """The printed value, ours and the difference, as far as they are there; the first shows all of them on the page."""
    if not item:
        return {}
    decimals = item.published.decimals
    text = formats.printed(item.published.value, decimals)
    page, found = [Piece(text, "published")], {}
    if item.row and item.cell:
        found["measured"] = Entry(item.measured, formats.printed(item.measured, decimals))
        authors = item.source == "predictions"
        shown = f"{AUTHORS} {found['measured'].text}" if authors else found["measured"].text
        page.append(Piece(shown, "measured authors" if authors else "measured", cell_path(item.cell)))
    if item.delta is not None:
        found["difference"] = Entry(item.delta, formats.signed(item.delta, decimals + 1))
        page.append(Piece(found["difference"].text, f"delta {item.verdict}"))
    if item.interval:
        bounds = ", ".join(formats.signed(bound, decimals + 1) for bound in item.interval)
        page.append(Piece(f"[{bounds}]", "delta bounds"))
    return {"published": Entry(item.published.value, text, page), **found}


def _name(line: Line) -> Entry:
    return Entry(line.name, page=(Piece(line.name, "own" if line.own else ""), *_small(line.architecture)))


def _comparison(table: Table, line: Line) -> Entry:
    """The verdicts of a line, each with its columns where there are several, and why some are missing."""
    judged = defaultdict(list)
    items = [item for item in line.items if item]
    for item in items:
        name = item.published.row if table.transposed else item.published.column
        judged[item.verdict, item.source, item.seeds, item.proviso].append(name)
    page = []
    for key in [key for key in judged if key[0] in JUDGED]:
        verdict, source, seeds, proviso = key
        where = f": {', '.join(judged[key])}" if len(judged) > 1 else ""
        origin = f"{AUTHORS} {FROM_AUTHORS}" if source == "predictions" else ""
        mean = f"mean of {seeds} seeds" if seeds > 1 else ""
        words = ", ".join(part for part in (JUDGED[verdict], origin, mean, proviso) if part)
        page.append(Piece(f"{words}{where}", f"judged {verdict}"))
    reasons = [reason for reason in line.reasons if reason]
    open_ones = dict.fromkeys(item.reason for item in items if item.proviso)
    return Entry(" ".join([*open_ones, *reasons]), page=[*page, *(Piece(reason, "reason") for reason in reasons)])


def _conditions(table: Table, found: dict[tuple, Comparison]) -> Sheet:
    """Conditions that must be equal for a comparison: a field a row, the paper's value, and ours of each cell."""
    items = [item for key, item in found.items() if key[0] == table.name and item.published.dataset]
    fields, cells, asked = defaultdict(dict), {}, defaultdict(set)
    for item in items:
        name = f"{item.cell.architecture} ({item.cell.cell[:8]})" if item.cell else ""
        for field, wanted in required(item.published).items():
            fields[field][wanted] = None
            asked[name, field].add(wanted)
        if item.cell:
            cells[name] = item.cell
    order = [field for field in (*STATED, *sorted(fields)) if field in fields]
    rows = [
        (field, Entry(" / ".join(fields[field]), page=(Piece(" / ".join(map(formats.dataset, fields[field]))),)),
         *(_condition(cell, field, asked[name, field]) for name, cell in cells.items()))
        for field in dict.fromkeys(order)
    ]  # fmt: skip
    page = (Heading("field", names=True), Heading("paper", after=_small(table.settings_place, "inline")),
            *(Heading(name, cell.architecture, link=cell_path(cell)) for name, cell in cells.items()))  # fmt: skip
    name = f"{formats.slug(table.name)}-conditions"
    return Sheet(name, f"Conditions of {table.name}", ("field", "paper", *cells), rows, page)


def _condition(cell: ReportCell, field: str, wanted: set[str]) -> Entry:
    """A condition of a cell: equal to the paper's, unlike it, or left open there (?).

    Most conditions of predictions are their makers' choice.
    """
    if cell.source == "predictions" and field not in SCORED:
        return Entry("not asked", page=(Piece("as its makers chose", "small"),))
    value = cell.conditions.stated.get(field, UNKNOWN)
    sign = "=" if value in wanted else "?" if wanted <= {UNKNOWN} else "≠"
    return Entry(value, page=(Piece(f"{sign} {formats.dataset(value)}"),))
