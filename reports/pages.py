"""The pages of the site: what each one shows, computed from the rows. Words and layout are in templates/."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reports import figures, formats, tables
from reports.claim import Claim, Evidence, Verdict
from reports.claims import CLAIMS
from reports.compare import FIELDS, Comparison, compare, facts, required
from reports.known import Known
from reports.published import Paper, Table
from reports.snapshot import Snapshot
from reports.tables import Leaderboard

_PARTS = ("mean", "head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
SEVERAL = "several"  # the paper of a claim that two or more make
VERDICTS = ("reproduced", "above", "below", "not comparable", "not measured", "not rebuilt")


@dataclass(frozen=True)
class Page:
    """One file of the site."""

    path: str  # relative to the site
    template: str
    context: dict[str, Any]


def pages(
    snapshot: Snapshot, papers: dict[str, Paper], ledger: list[tuple[Claim, Verdict]], contact_sheet: str
) -> Iterator[Page]:
    """Every page. `contact_sheet` is the site's path of the picture of mannequins, "" for none."""
    boards = {name: tables.leaderboards(snapshot, row) for name, row in sorted(snapshot.protocol.items())}
    compared = {key: compare(paper.values(), snapshot) for key, paper in papers.items()}
    ranked = [board for group in boards.values() for board in group]
    yield _index(snapshot, papers, ranked, compared, ledger)
    yield Page("claims.html", "claims.html", {"ledger": ledger, "several": SEVERAL})
    for name, group in boards.items():
        yield Page(
            f"protocols/{formats.slug(name)}.html", "protocol.html", {"rules": snapshot.protocol[name], "boards": group}
        )
    for key, paper in papers.items():
        own = [(claim, verdict) for claim, verdict in ledger if claim.paper == key]
        yield _paper(snapshot, paper, compared[key], own)
    yield Page("curves.html", "figures.html", _curves(ranked))
    yield Page("training.html", "figures.html", _training(ranked))
    yield Page("predictions.html", "predictions.html", {"boards": _galleries(ranked)})
    yield Page("mannequin.html", "mannequin.html", {"contact_sheet": contact_sheet})
    yield Page("runs.html", "runs.html", {"cells": snapshot.sorted_cells})
    for cell in snapshot.sorted_cells:
        context = {"cell": cell, "rows": snapshot.rows.get(cell["cell"], []), "picture": gallery(cell) is not None}
        yield Page(cell_path(cell), "cell.html", context)


def judged(snapshot: Snapshot, papers: dict[str, Paper]) -> list[tuple[Claim, Verdict]]:
    """Every claim of the ledger with its verdict."""
    known = Known(papers, snapshot)
    return [(claim, claim.check(known)) for claim in CLAIMS]


def evidence_path(evidence: Evidence, papers: dict[str, Paper]) -> str:
    """Where in the site something lies that a verdict rests on; places that are not quoted lead to the paper."""
    if evidence.kind == "cell":
        return f"cells/{formats.slug(evidence.target)}.html"
    quoted = evidence.label in {item.place for item in papers[evidence.target].statements}
    anchor = f"#{formats.slug(evidence.label)}" if evidence.kind == "table" or quoted else ""
    return f"papers/{evidence.target}.html{anchor}"


def cell_path(cell: dict[str, Any]) -> str:
    """Where the page of a cell lies in the site."""
    return f"cells/{formats.slug(cell['cell'])}.html"


def gallery(cell: dict[str, Any]) -> Path | None:
    """The picture of people with the predictions of a cell drawn on them."""
    return _kept(cell, "gallery.webp")


def _kept(cell: dict[str, Any], name: str) -> Path | None:
    path = Path(cell["folder"]) / name
    return path if cell["folder"] and path.is_file() else None


def _index(
    snapshot: Snapshot,
    papers: dict[str, Paper],
    boards: list[Leaderboard],
    compared: dict[str, list[Comparison]],
    ledger: list[tuple[Claim, Verdict]],
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
        "figures": [figure for board in boards if (figure := _cost(board))],
    }
    return Page("index.html", "index.html", context)


def _paper(
    snapshot: Snapshot, paper: Paper, comparisons: list[Comparison], ledger: list[tuple[Claim, Verdict]]
) -> Page:
    """The tables of a paper, each value beside ours, what it claims, and what was quoted for that."""
    found = {(item.published.table, item.published.row, item.published.column): item for item in comparisons}
    quotations = defaultdict(dict)
    for item in paper.statements:
        quotations[item.place][item.quote] = item
    context = {
        "paper": paper,
        "tables": [(table, _lines(table, found), _conditions(snapshot, table, found)) for table in paper.tables],
        "verdicts": Counter(item.verdict for item in comparisons),
        "ledger": ledger,
        "quotations": {place: list(quotes) for place, quotes in quotations.items()},
    }
    return Page(f"papers/{paper.key}.html", "paper.html", context)


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
        if item and item.verdict == "not measured":
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
    ours = {key: facts(cell, snapshot.architecture.get(cell["architecture"])) for key, cell in cells.items()}
    order = [field for field in (*FIELDS, *sorted(fields)) if field in fields]
    wanted = {field: list(dict.fromkeys(fields[field])) for field in order}
    return {"paper": wanted, "cells": cells, "ours": ours}


def _cost(board: Leaderboard) -> figures.Figure | None:
    """Accuracy against operations, where at least two networks of a leaderboard have both."""
    if board.protocol["needs"] != "predictions" or not board.protocol["higher_is_better"]:
        return None
    counted = [entry for entry in board.entries if "macs" in entry.cost]
    points = [
        {
            "label": label,
            "gmacs": entry.cost["macs"]["value"] / 1e9,
            **{key: entry.scores[0].row[key] for key in ("value", "low", "high")},
        }
        for label, entry in zip(_labels([entry.cell for entry in counted]), counted, strict=True)
    ]
    if len(points) < 2:
        return None
    metric, part, unit = board.columns[0]
    return figures.cost(f"Accuracy and cost: {_title(board)}", points, f"{metric}, {part} ({unit})")


def _title(board: Leaderboard) -> str:
    place = formats.place({"dataset": board.dataset, "split": board.split})
    return f"{board.protocol['name']} on {place}" if place else board.protocol["name"]


def _lead(board: Leaderboard, name: str) -> dict[str, Path]:
    """label -> file called `name`, for the best entries of a leaderboard that kept one."""
    kept = [(entry.cell, path) for entry in board.entries if (path := _kept(entry.cell, name))][: figures.MOST_LINES]
    return dict(zip(_labels([cell for cell, _ in kept]), (path for _, path in kept), strict=True))


def _labels(cells: list[dict[str, Any]]) -> list[str]:
    """Names for the lines of a figure: with seed and budget where a network occurs more than once."""
    names = Counter(cell["architecture"] for cell in cells)
    return [
        cell["architecture"] + (f", seed {cell['seed']}, {cell['budget']}" if names[cell["architecture"]] > 1 else "")
        for cell in cells
    ]


def _curves(boards: list[Leaderboard]) -> dict[str, Any]:
    drawn = []
    for board in boards:
        lines = {label: pd.read_csv(path) for label, path in _lead(board, "curve.csv").items()}
        if lines:
            unit = "head sizes" if "pckh" in board.protocol["name"] else ""
            drawn.append(figures.curves(f"{_title(board)}: score against threshold", unit, lines, _PARTS))
    text = (
        "The share of joints found within a distance, as that distance grows. The score of a table is one point of "
        f"such a curve. At most the best {figures.MOST_LINES} of a leaderboard are drawn."
    )
    return {"heading": "Curves", "text": text, "figures": drawn, "nothing": "No cell has kept a curve yet."}


def _training(boards: list[Leaderboard]) -> dict[str, Any]:
    drawn = []
    for board in boards:
        histories = {label: pd.read_csv(path) for label, path in _lead(board, "history.csv").items()}
        histories = {label: frame for label, frame in histories.items() if len(frame)}  # some have nothing to train
        if histories:
            drawn.append(figures.training(f"{_title(board)}: training", histories))
    text = f"Loss and held-out score while training. At most the best {figures.MOST_LINES} of a leaderboard are drawn."
    return {"heading": "Training", "text": text, "figures": drawn, "nothing": "No cell has kept its training history."}


def _galleries(boards: list[Leaderboard]) -> list[tuple[str, list]]:
    """The pictures of each leaderboard, best network first."""
    shown = [
        (_title(board), [entry for entry in board.entries if gallery(entry.cell)][: figures.MOST_LINES])
        for board in boards
    ]
    return [(title, entries) for title, entries in shown if entries]


def write_csv(path: Path, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    """Rows as they are, sorted, numbers in full."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
