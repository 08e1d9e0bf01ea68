"""The pages of the site: what each one shows, computed from the rows. Words and layout are in templates/."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.cells.conditions import STATED
from bench.results.snapshot import Snapshot
from reports import formats
from reports.data.cell_files import PICTURES, kept, picture
from reports.data.published import Paper, Table
from reports.figures import leaderboard_plots as illustrations
from reports.figures import skeleton
from reports.figures import svg as figures
from reports.figures.paper_figures import redrawn
from reports.ledger.claim import Claim, Verdict
from reports.ledger.claims import CLAIMS
from reports.ledger.evidence import Evidence, Source
from reports.pages import ablations as ablation_page
from reports.pages import benchmarks, exports
from reports.pages.architecture import architecture_pages
from reports.pages.page import Page, cell_path, numbered
from reports.tables import leaderboards as tables
from reports.tables.leaderboards import Leaderboard
from reports.tables.poster import poster
from reports.tables.published_vs_measured import Comparison, compare, required

SEVERAL = "several"  # the paper of a claim that two or more make
VERDICTS = ("reproduced", "above", "below", "not comparable", "not measured", "not rebuilt")
Ledger = list[tuple[Claim, Verdict]]


def pages(evidence: Evidence, ledger: Ledger, contact_sheet: str) -> Iterator[Page]:
    """Every page. `contact_sheet` is the site's path of the picture of mannequins, "" for none."""
    snapshot, papers = evidence.snapshot, evidence.papers
    boards = {name: tables.leaderboards(snapshot, row) for name, row in sorted(snapshot.protocol.items())}
    compared = {key: compare(paper.values(), snapshot) for key, paper in papers.items()}
    ranked = [board for group in boards.values() for board in group]
    yield _index(snapshot, papers, ranked, compared, ledger)
    yield Page("claims.html", "claims.html", {"ledger": ledger, "several": SEVERAL}, (exports.ledger(ledger),))
    for name, group in boards.items():
        yield _protocol(snapshot, name, group)
    for key, paper in papers.items():
        own = [(claim, verdict) for claim, verdict in ledger if claim.paper == key]
        yield _paper(evidence, paper, compared[key], own)
    yield from architecture_pages(snapshot, papers, [item for group in compared.values() for item in group])
    yield _curves(ranked)
    yield _training(ranked)
    yield Page("predictions.html", "predictions.html", {"boards": illustrations.galleries(ranked)})
    yield Page("mannequin.html", "mannequin.html", {"contact_sheet": contact_sheet})
    runs = exports.runs(snapshot.sorted_cells)
    if snapshot.kept:
        yield ablation_page.page(snapshot.kept)
    if snapshot.benchmarks:
        yield benchmarks.page(snapshot.benchmarks)
    yield Page("runs.html", "runs.html", {"cells": snapshot.sorted_cells}, (runs,))
    for cell in snapshot.sorted_cells:
        yield _cell(snapshot, cell)


def judged(evidence: Evidence) -> Ledger:
    """Every claim of the ledger with its verdict."""
    return [(claim, claim.verdict(evidence)) for claim in CLAIMS]


def source_path(source: Source, papers: dict[str, Paper]) -> str:
    """Where in the site something lies that a verdict rests on; places that are not quoted lead to the paper."""
    if source.kind == "cell":
        return f"cells/{formats.slug(source.target)}.html"
    if source.kind == "ablation":
        return f"ablations.html#{source.target}"
    quoted = source.label in {item.place for item in papers[source.target].statements}
    anchor = f"#{formats.slug(source.label)}" if source.kind == "table" or quoted else ""
    return f"papers/{source.target}.html{anchor}"


def _index(
    snapshot: Snapshot,
    papers: dict[str, Paper],
    boards: list[Leaderboard],
    compared: dict[str, list[Comparison]],
    ledger: Ledger,
) -> Page:
    """The state of everything, and what can be read from it."""
    provenance = [cell["provenance"] for cell in snapshot.sorted_cells if cell["provenance"]]
    verdicts = Counter(comparison.verdict for group in compared.values() for comparison in group)
    context = {
        "matrix": tables.matrix(snapshot),
        "states": Counter(cell["state"] for cell in snapshot.cells),
        "verdicts": verdicts,
        "comparable": sum(verdicts[name] for name in ("reproduced", "above", "below")),
        "date": max((row.get("date", "") for row in provenance), default=""),
        "commits": sorted({row["commit"] for row in provenance if row.get("commit")}),
        "devices": sorted({row["device"] for row in provenance if row.get("device")}),
        "papers": papers,
        "claims": Counter(verdict.verdict for _, verdict in ledger),
        "headlines": {
            row["name"]: " ".join(part for part in row["headline"] if part != "all") for row in snapshot.protocols
        },
        "summaries": {row["name"]: row["summary"] for row in snapshot.architectures},
    }
    drawn = [figure for board in boards if (figure := illustrations.cost(board))]
    return Page("index.html", "index.html", context, (exports.matrix(snapshot),), numbered(drawn, "cost"))


def _protocol(snapshot: Snapshot, name: str, boards: list[Leaderboard]) -> Page:
    """What a protocol measures and how, and what it found."""
    rules = snapshot.protocol[name]
    skeletons = [row for row in snapshot.skeletons if row["name"] in rules.get("skeletons", ())]
    context = {
        "rules": rules,
        "boards": boards,
        "skeletons": [(row, skeleton.drawing(row)) for row in skeletons],
        "variants": tables.variants(snapshot, rules),
    }
    sheets = [exports.leaderboard(board) for board in boards if board.entries]
    sheets += [exports.constants(rules), *map(exports.joints, skeletons), exports.variants(rules, context["variants"])]
    kept = tuple(sheet for sheet in sheets if sheet.rows)
    return Page(f"protocols/{formats.slug(name)}.html", "protocol.html", context, kept)


def _paper(evidence: Evidence, paper: Paper, comparisons: list[Comparison], ledger: Ledger) -> Page:
    """The tables of a paper, each value beside ours, its figures, what it claims, and what was quoted for that."""
    found = {(item.published.table, item.published.row, item.published.column): item for item in comparisons}
    quotations = defaultdict(dict)
    for item in paper.statements:
        quotations[item.place][item.quote] = item
    shown = [(table, _lines(table, found), _conditions(evidence.snapshot, table, found)) for table in paper.tables]
    drawn = list(redrawn(evidence, paper.key))
    context = {
        "paper": paper,
        "tables": shown,
        "redrawn": drawn,
        "verdicts": Counter(item.verdict for item in comparisons),
        "ledger": ledger,
        "quotations": {place: list(quotes) for place, quotes in quotations.items()},
    }
    printed = {f"{table.name}: {table.caption}": exports.printed(table, lines) for table, lines, _ in shown if lines}
    sheets = [*printed.values(), *(exports.conditions(table, conditions) for table, _, conditions in shown)]
    kept = tuple(sheet for sheet in sheets if sheet.rows)
    figures = {name: figure for item in drawn for name, figure in item.figures.items()}
    pictures = {"tables.png": poster(f"{paper.short}: {paper.title}", printed)}
    return Page(f"papers/{paper.key}.html", "paper.html", context, kept, figures, pictures)


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
    """Why differences are missing, each reason once; networks that lack the same measurement share a sentence."""
    reasons, lacking = {}, defaultdict(dict)
    for item in items:
        if item and item.verdict == "not measured" and item.test:
            lacking[item.test][item.published.architecture] = None
        elif item and item.reason:
            reasons[item.reason] = None
    told = (
        f"{', '.join(names)} {'have' if len(names) > 1 else 'has'} no {test} yet." for test, names in lacking.items()
    )
    return [*reasons, *told]


def _conditions(snapshot: Snapshot, table: Table, found: dict[tuple, Comparison]) -> dict[str, Any]:
    """What must be equal for a comparison: field -> the paper's value and that of each of our cells."""
    items = [item for key, item in found.items() if key[0] == table.name and item.published.dataset]
    fields, cells = {}, {}
    for item in items:
        for field, wanted in required(item.published).items():
            fields.setdefault(field, []).append(wanted)
        if item.cell:
            cells[item.cell["cell"]] = item.cell
    ours = {key: cell["conditions"].stated for key, cell in cells.items()}
    order = [field for field in (*STATED, *sorted(fields)) if field in fields]
    wanted = {field: list(dict.fromkeys(fields[field])) for field in order}
    return {"paper": wanted, "cells": cells, "ours": ours}


def _cell(snapshot: Snapshot, cell: dict[str, Any]) -> Page:
    """Every number of a cell, its people, and how it was made."""
    rows = snapshot.rows.get(cell["cell"], [])
    sheets = [exports.measurements(cell, rows)] if rows else []
    if named := kept(cell, "extremes.csv"):
        sheets.append(exports.extremes(named))
    if elsewhere := kept(cell, "variants.csv"):
        sheets.append(exports.other_conventions(elsewhere))
    context = {"cell": cell, "rows": rows, "pictures": [name for name in PICTURES if picture(cell, name)]}
    return Page(cell_path(cell), "cell.html", context, tuple(sheets), embed=True)


def _curves(boards: list[Leaderboard]) -> Page:
    text = (
        "The share of joints found within a distance, as that distance grows. The score of a table is one point of "
        f"such a curve. At most the best {figures.MOST_LINES} of a leaderboard are drawn."
    )
    context = {"heading": "Curves", "text": text, "nothing": "No cell has kept a curve yet."}
    return Page("curves.html", "figures.html", context, (), numbered(illustrations.curves(boards)))


def _training(boards: list[Leaderboard]) -> Page:
    text = f"Loss and held-out score while training. At most the best {figures.MOST_LINES} of a leaderboard are drawn."
    context = {"heading": "Training", "text": text, "nothing": "No cell has kept its training history."}
    return Page("training.html", "figures.html", context, (), numbered(illustrations.trainings(boards)))
