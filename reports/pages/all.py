"""All pages of the site, computed from the rows. Words and layout are in templates/."""

from collections.abc import Iterator

from reports import formats
from reports.data.published import Paper
from reports.figures import leaderboard_plots, svg
from reports.ledger.claim import Claim, Verdict
from reports.ledger.claims import CLAIMS
from reports.ledger.evidence import Evidence, Source
from reports.pages import ablations as ablation_page
from reports.pages import benchmarks
from reports.pages.architecture import architecture_pages
from reports.pages.cell import cell_page
from reports.pages.index import index_page
from reports.pages.page import Page, numbered
from reports.pages.paper import paper_page
from reports.pages.protocol import protocol_page
from reports.pages.rankings import rankings_page, survival
from reports.pages.runs import runs_page
from reports.tables import leaderboards
from reports.tables.leaderboards import Leaderboard
from reports.tables.published_vs_measured import Comparison
from reports.tables.sheets import Sheet

SEVERAL = "several"  # the paper of a claim that two or more make
Ledger = list[tuple[Claim, Verdict]]
Compared = dict[str, list[Comparison]]  # key of a paper -> its printed numbers


def pages(evidence: Evidence, compared: Compared, ledger: Ledger, contact_sheet: str) -> Iterator[Page]:
    """Every page. `contact_sheet` is the site's path of the picture of mannequins, "" for none."""
    snapshot, papers = evidence.snapshot, evidence.papers
    boards = {name: leaderboards.leaderboards(snapshot, row) for name, row in sorted(snapshot.protocol.items())}
    ranked = [board for group in boards.values() for board in group]
    yield index_page(snapshot, papers, ranked, compared, ledger)
    yield Page("claims.html", "claims.html", {"ledger": ledger}, (ledger_sheet(ledger),))
    for name, group in boards.items():
        yield protocol_page(snapshot, name, group)
    for key, paper in papers.items():
        own = [(claim, verdict) for claim, verdict in ledger if claim.paper == key]
        yield paper_page(evidence, paper, compared[key], own, survival(paper, evidence.rankings))
    yield rankings_page(evidence.rankings, papers.values())
    yield from architecture_pages(snapshot, papers, [item for group in compared.values() for item in group])
    yield _curves(ranked)
    yield _training(ranked)
    yield Page("predictions.html", "predictions.html", {"boards": leaderboard_plots.galleries(ranked)})
    yield Page("mannequin.html", "mannequin.html", {"contact_sheet": contact_sheet})
    if snapshot.ablations:
        yield ablation_page.page(snapshot.ablations)
    if snapshot.benchmarks:
        yield benchmarks.page(snapshot.benchmarks)
    yield runs_page(snapshot)
    for cell in snapshot.sorted_cells:
        yield cell_page(snapshot, cell)


def judged(evidence: Evidence) -> Ledger:
    """Every claim of the ledger with its verdict."""
    return [(claim, claim.verdict(evidence)) for claim in CLAIMS]


def source_path(source: Source, papers: dict[str, Paper]) -> str:
    """Link to the source of a verdict; a place that is not quoted leads to the paper."""
    if source.kind == "cell":
        return f"cells/{formats.slug(source.target)}.html"
    if source.kind == "ablation":
        return f"ablations.html#{source.target}"
    quoted = source.label in {item.place for item in papers[source.target].statements}
    anchor = f"#{formats.slug(source.label)}" if source.kind == "table" or quoted else ""
    return f"papers/{source.target}.html{anchor}"


def ledger_sheet(entries: Ledger) -> Sheet:
    """The claims with their verdicts."""
    columns = ("id", "paper", "kind", "place", "statement", "verdict", "sentence")
    rows = [
        (claim.id, claim.paper, claim.kind, claim.place, claim.statement, verdict.verdict, verdict.sentence)
        for claim, verdict in entries
    ]
    return Sheet("claims", "What the papers say, and whether it holds", columns, rows)


def _curves(boards: list[Leaderboard]) -> Page:
    text = (
        "The share of joints found within a distance, as that distance grows. The score of a table is one point of "
        f"such a curve. At most the best {svg.MOST_LINES} of a leaderboard are drawn."
    )
    context = {"heading": "Curves", "text": text, "nothing": "No cell has saved a curve yet."}
    return Page("curves.html", "figures.html", context, (), numbered(leaderboard_plots.curves(boards)))


def _training(boards: list[Leaderboard]) -> Page:
    text = f"Loss and held-out score while training. At most the best {svg.MOST_LINES} of a leaderboard are drawn."
    context = {"heading": "Training", "text": text, "nothing": "No cell has saved its training history."}
    return Page("training.html", "figures.html", context, (), numbered(leaderboard_plots.trainings(boards)))
