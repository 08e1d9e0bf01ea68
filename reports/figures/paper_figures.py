"""The papers' figures, drawn again from our own measurements: which ones, and what each still lacks."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.results.rows import Measurement
from bench.results.snapshot import ReportCell
from reports import formats
from reports.data.cell_files import picture
from reports.data.published import FigureSpec
from reports.figures import svg
from reports.figures.paper_plots import DRAWINGS, rows
from reports.figures.svg import Figure
from reports.ledger.evidence import Evidence


@dataclass(frozen=True)
class Redrawn:
    """A figure of a paper, redrawn: figures, pictures of people, or a sentence on what is missing."""

    place: str
    title: str
    figures: dict[str, Figure]
    cells: list[ReportCell] = field(default_factory=list)  # whose pictures are shown,
    picture: str = ""  # and which
    missing: str = ""


def redrawn(evidence: Evidence, paper: str) -> Iterator[Redrawn]:
    """Every figure that a paper's file asks for. Raises ValueError for a kind of drawing that does not exist."""
    for spec in evidence.papers[paper].figures:
        if spec.draw and spec.draw not in DRAWINGS:
            known = ", ".join(DRAWINGS)
            raise ValueError(f"{paper}.toml: {spec.place}: nothing draws {spec.draw!r}; `draw` is one of {known}")
        drawn = DRAWINGS[spec.draw](evidence, spec) if spec.draw else []
        name = formats.slug(spec.place.lower().replace(" ", "-"))
        pictures = _pictures(evidence, spec)
        yield Redrawn(
            place=spec.place,
            title=spec.title,
            figures={f"{name}-{index}": figure for index, figure in enumerate(drawn, start=1)},
            cells=pictures,
            picture=spec.picture,
            missing=_missing(evidence, spec, bool(drawn or pictures)),
        )


def _missing(evidence: Evidence, spec: FigureSpec, drawn: bool) -> str:
    """Sentence on what the figure still lacks; "" if it is whole."""
    if spec.needs:
        return "" if drawn else f"Not measured yet: {spec.needs} of {_names(spec.networks)}."
    lacking = [name for name in spec.networks if not any(_as_printed(evidence, spec, name))]
    place = f"{spec.protocol} on {spec.dataset}/{spec.split}"
    return f"Not measured yet: {place} of {_names(lacking)}." if lacking else ""


def _as_printed(evidence: Evidence, spec: FigureSpec, name: str) -> Iterator[Measurement]:
    for row in rows(evidence, spec, name):
        if (row.dataset, row.split) == (spec.dataset, spec.split):
            yield row


def _pictures(evidence: Evidence, spec: FigureSpec) -> list[ReportCell]:
    """Cells that saved the picture: of the paper's networks, else whatever was tested so; one a network and dataset."""
    found: dict[tuple, ReportCell] = {}
    for cell in evidence.snapshot.sorted_cells if spec.picture else ():
        if (spec.needs or cell.protocol == spec.protocol) and picture(cell, spec.picture):
            found.setdefault((cell.architecture, cell.dataset), cell)
    own = [cell for cell in found.values() if cell.architecture.partition("@")[0] in spec.networks]
    return (own or list(found.values()))[: svg.MOST_LINES]


def _names(names: tuple[str, ...] | list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
