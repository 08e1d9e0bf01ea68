"""The front page: the state of every cell, what it costs to be accurate, and how the claims stand."""

from collections import Counter

from bench.results.snapshot import Snapshot
from reports.data.published import Paper
from reports.figures import leaderboard_plots
from reports.ledger.claim import Claim, Verdict
from reports.pages.page import Page, numbered, place
from reports.tables import leaderboards
from reports.tables.counts import count, counts_sheet, summary
from reports.tables.leaderboards import Leaderboard
from reports.tables.published_vs_measured import Comparison
from reports.tables.sheets import Sheet, number


def index_page(
    snapshot: Snapshot,
    papers: dict[str, Paper],
    boards: list[Leaderboard],
    compared: dict[str, list[Comparison]],
    ledger: list[tuple[Claim, Verdict]],
) -> Page:
    """The state of everything, and what can be read from it."""
    provenance = [cell.provenance for cell in snapshot.sorted_cells]
    context = {
        "matrix": leaderboards.matrix(snapshot),
        "states": Counter(cell.state for cell in snapshot.cells),
        "summary": summary(count(item for group in compared.values() for item in group)),
        "date": max((made.date for made in provenance), default=""),
        "commits": sorted({made.commit for made in provenance if made.commit}),
        "devices": sorted({made.device for made in provenance if made.device}),
        "papers": papers,
        "claims": Counter(verdict.verdict for _, verdict in ledger),
        "headlines": {
            rules.name: " ".join(part for part in rules.headline if part != "all") for rules in snapshot.protocols
        },
        "summaries": {row.name: row.summary for row in snapshot.architectures},
    }
    drawn = [figure for board in boards if (figure := leaderboard_plots.cost(board))]
    return Page(
        "index.html", "index.html", context, (matrix(snapshot), counts_sheet(papers, compared)), numbered(drawn, "cost")
    )


def matrix(snapshot: Snapshot) -> Sheet:
    """Every cell with the number that ranks it, a cell a row."""
    columns = ("architecture", "protocol", "dataset", "split", "seed", "budget", "state", "metric", "part", "value",
               "low", "high", "unit", "n")  # fmt: skip
    rows = []
    for cell in snapshot.sorted_cells:
        row = snapshot.headline(cell)
        bounds = [number(row, bound) for bound in ("value", "low", "high")]
        metric, unit = ((row.metric, row.part), (row.unit, row.n)) if row else (("", ""), ("", None))
        where = (*place(cell), cell.seed, cell.budget, cell.state)
        rows.append((cell.architecture, cell.protocol, *where, *metric, *bounds, *unit))
    return Sheet("matrix", "Every cell with the value that ranks its protocol, with the 95 % interval", columns, rows)
