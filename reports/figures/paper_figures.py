"""The papers' figures, shown again: from our measurements, or as diagrams of what was built; and what is lacking."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.results.rows import Measurement
from bench.results.snapshot import ReportCell
from protocols import PROTOCOLS
from protocols.datasets import DATASETS
from reports.data.cell_files import picture
from reports.data.published import FigureSpec
from reports.figures import svg
from reports.figures.committed_plots import committed_figures
from reports.figures.diagram import diagram
from reports.figures.paper_plots import DRAWINGS, rows
from reports.figures.svg import Figure
from reports.ledger.evidence import Evidence


@dataclass(frozen=True)
class Redrawn:
    """A figure of a paper, shown again: figures, pictures of people, or a sentence on what is missing."""

    place: str
    title: str
    figures: dict[str, Figure]
    cells: list[ReportCell] = field(default_factory=list)  # whose pictures are shown,
    picture: str = ""  # and which
    missing: str = ""
    command: str = ""  # that measures the first network that is missing
    beside: bool = False  # small figures, that stand side by side
    notes: tuple[str, ...] = ()  # what the reader must know of what is shown


def redrawn(evidence: Evidence, paper: str) -> Iterator[Redrawn]:
    """Every figure that a paper's file asks for. Raises ValueError for a kind of drawing that does not exist."""
    for spec in evidence.papers[paper].figures:
        if spec.draw and spec.draw not in DRAWINGS:
            known = ", ".join(DRAWINGS)
            raise ValueError(f"{paper}.toml: {spec.place}: nothing draws {spec.draw!r}; `draw` is one of {known}")
        drawn = DRAWINGS[spec.draw](evidence, spec) if spec.draw else []
        pictures = _pictures(evidence, spec)
        missing = _missing(evidence, spec, bool(drawn or pictures))
        committed = committed_figures(evidence, spec) if missing and not spec.needs else []
        diagrams = [diagram(spec.place, item.network, item.block, item.opened) for item in spec.diagrams]
        name = "-".join(re.findall("[a-z0-9]+", spec.place.lower()))
        yield Redrawn(
            place=spec.place,
            title=spec.title,
            figures={
                f"{name}-{index}": figure for index, figure in enumerate([*drawn, *committed, *diagrams], start=1)
            },
            cells=pictures,
            picture=spec.picture,
            missing=missing,
            command=_command(evidence, spec) if missing else "",
            beside=bool(diagrams),
            notes=tuple(_notes(evidence, spec, pictures, bool(committed))),
        )


def _notes(evidence: Evidence, spec: FigureSpec, pictures: list[ReportCell], committed: bool) -> Iterator[str]:
    """Sentences on how far what is shown is not what the paper shows."""
    measured = (row.dataset for name in spec.networks if not spec.needs for row in rows(evidence, spec, name))
    shown = {*(cell.dataset for cell in pictures), *(measured if spec.draw else ())}
    if any(DATASETS[name].synthetic for name in shown if name in DATASETS):
        yield "Mannequins are shown here, drawn figures, where the paper has photographs."
    if committed:
        yield "The committed runs are of narrow networks on small images, not on the paper’s data: see the ablations."
    if committed and spec.draw == "trainings":
        yield "The paper draws scores along the training; the committed rows keep the final ones."


def _missing(evidence: Evidence, spec: FigureSpec, drawn: bool) -> str:
    """Sentence on what the figure still lacks; "" if it is whole."""
    if spec.absent or spec.diagrams:
        return f"Not shown. {spec.absent}" if spec.absent else ""
    if spec.needs:
        return "" if drawn else f"Not measured yet: {spec.needs} of {_names(spec.networks)}."
    lacking = _lacking(evidence, spec)
    place = f"{spec.protocol} on {spec.dataset}/{spec.split}"
    withheld = spec.split in DATASETS[spec.dataset].withheld
    why = " The owners of the dataset withhold the annotation of this split." if withheld else ""
    return f"Not measured yet: {place} of {_names(lacking)}.{why}" if lacking else ""


def _lacking(evidence: Evidence, spec: FigureSpec) -> list[str]:
    return [name for name in spec.networks if not any(_as_printed(evidence, spec, name))]


def _command(evidence: Evidence, spec: FigureSpec) -> str:
    """Command that measures the first network that a figure lacks; "" where no command can."""
    if spec.needs:
        return f"bench run {spec.networks[0]} {spec.needs}" if spec.needs in PROTOCOLS else ""
    if not spec.dataset or spec.split in DATASETS[spec.dataset].withheld:
        return ""
    family, _, options = _lacking(evidence, spec)[0].partition("@")
    changes = "".join(f" --set {option}" for option in filter(None, options.split(",")))
    return f"bench run {family} {spec.protocol} --dataset {spec.dataset}/{spec.split}{changes}"


def _as_printed(evidence: Evidence, spec: FigureSpec, name: str) -> Iterator[Measurement]:
    for row in rows(evidence, spec, name):
        if (row.dataset, row.split) == (spec.dataset, spec.split):
            yield row


def _pictures(evidence: Evidence, spec: FigureSpec) -> list[ReportCell]:
    """Cells of the paper's networks that saved the picture, one a network and dataset."""
    found: dict[tuple, ReportCell] = {}
    for cell in evidence.snapshot.sorted_cells if spec.picture else ():
        own = cell.architecture.partition("@")[0] in spec.networks
        if own and (spec.needs or cell.protocol == spec.protocol) and picture(cell, spec.picture):
            found.setdefault((cell.architecture, cell.dataset), cell)
    return list(found.values())[: svg.MOST_LINES]


def _names(names: tuple[str, ...] | list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
