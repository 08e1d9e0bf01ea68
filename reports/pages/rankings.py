"""The page of rankings: which order of methods is larger than chance, and which printed leads are."""

from collections.abc import Iterable

from bench.results.snapshot import ReportCell
from reports import formats
from reports.data.methods import methods
from reports.data.published import Paper
from reports.data.rankings import Gain, Ranking, gains, headline_values, steps
from reports.figures.difference_matrix import difference_matrix
from reports.pages.page import Page, cell_path
from reports.tables.sheets import Entry, Heading, Piece, Sheet, link


def rankings_page(found: Iterable[Ranking], papers: Iterable[Paper]) -> Page:
    """A section a ranking: its picture, its neighbours, and the printed rows that have no predictions."""
    sections, sheets, figures = [], [], {}
    papers = list(papers)
    for ranking in found:
        name = formats.slug("-".join(ranking.place))
        title = f"{ranking.place[0]} on {formats.place(*ranking.place[1:])}"
        printed = _printed(papers, ranking, f"{name}-printed")
        neighbours = _neighbours(ranking, f"{name}-neighbours")
        names = tuple(called(cell) for cell in ranking.cells)
        figures[f"{name}-pairs"] = difference_matrix(f"Differences of methods: {title}", names, ranking.pairs)
        sheets += [neighbours, *([printed] if printed.rows else [])]
        decided = sum(pair.decided for pair in ranking.pairs)
        sections.append((name, title, ranking, decided))
    return Page("rankings.html", "rankings.html", {"sections": sections}, tuple(sheets), figures)


def called(cell: ReportCell) -> str:
    """Name of the maker of a prediction file: authors and year, or the name of the file."""
    known = methods().get(cell.method)
    return known.short if known else cell.architecture


def survival(paper: Paper, found: Iterable[Ranking]) -> dict[str, str]:
    """Table of a paper -> how many steps of its ranking are larger than chance, and which leads are."""
    sentences = {}
    for table in paper.tables:
        for ranking in found:
            values = headline_values(paper, table, ranking)
            count, decided = steps(table, values, ranking)
            if not count:
                continue
            told = [f"Of the {count} steps of this ranking between rows with predictions, {decided} are larger than "
                    f"chance ({ranking.how})."]  # fmt: skip
            told += [_lead(gain) for gain in gains(values, ranking)]
            sentences[table.name] = " ".join(told)
    return sentences


def _lead(gain: Gain) -> str:
    decimals = gain.value.decimals
    return (
        f"{gain.value.row}: {formats.printed(gain.value.value, decimals)} ± {gain.half_width:.1f} on so many images; "
        f"its {formats.signed(gain.difference, decimals)} over {gain.rival.row} is {gain.words} (± {gain.expected:.1f} "
        f"to ± {gain.widest:.1f})."
    )


def _neighbours(ranking: Ranking, name: str) -> Sheet:
    """Every method with its score and its difference to the next one."""
    rows = []
    for at, (cell, score) in enumerate(zip(ranking.cells, ranking.scores, strict=True)):
        after = [pair for pair in ranking.pairs if (pair.first, pair.second) == (at, at + 1)]
        step = [
            (Entry(pair.difference, formats.signed(pair.difference, 2)), Entry(pair.low, formats.signed(pair.low, 2)),
             Entry(pair.high, formats.signed(pair.high, 2)), Entry(pair.p, f"{pair.p:.2g}"),
             "yes" if pair.decided else "no")
            for pair in after
        ]  # fmt: skip
        rows.append((at + 1, link(called(cell), cell_path(cell)), Entry(score, f"{score:.2f}"),
                     *(step[0] if step else (None,) * 5)))  # fmt: skip
    columns = ("rank", "method", "score", "ahead of the next by", "low", "high", "p, corrected", "larger than chance")
    page = (Heading("rank"), Heading("method", names=True), *map(Heading, columns[2:]))
    return Sheet(name, "Every method and its lead over the next one", columns, rows, page)


def _printed(papers: Iterable[Paper], ranking: Ranking, name: str) -> Sheet:
    """Printed rows without predictions: the interval of their score, and whether their lead is larger than chance."""
    rows = []
    for paper in papers:
        for table in paper.tables:
            for gain in gains(headline_values(paper, table, ranking), ranking):
                decimals = gain.value.decimals
                words, anchor = f"{paper.short}, {table.name}", formats.slug(table.name)
                where = Entry(words, page=(Piece(words, link=f"papers/{paper.key}.html#{anchor}"),))
                rows.append((
                    where, gain.value.row, Entry(gain.value.value, formats.printed(gain.value.value, decimals)),
                    Entry(gain.half_width, f"±{gain.half_width:.2f}"), gain.rival.row,
                    Entry(gain.difference, formats.signed(gain.difference, decimals)),
                    Entry(gain.expected, f"±{gain.expected:.2f}"), Entry(gain.widest, f"±{gain.widest:.2f}"),
                    gain.words,
                ))  # fmt: skip
    columns = ("table", "row", "printed", "interval of the score", "next best row", "printed lead",
               "interval of the lead", "at the smallest correlation", "the lead is")  # fmt: skip
    return Sheet(name, "Printed rows without predictions", columns, rows)
