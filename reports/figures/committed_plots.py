"""Plots of a paper's figure from the committed runs of this suite, for where the paper's own data were not measured.

They are small networks on other photographs, and every title says so.
"""

from collections.abc import Iterator

from bench.results.rows import Measurement
from protocols.datasets import DATASETS
from reports import formats
from reports.data.ablations import Committed, Metric
from reports.data.published import FigureSpec
from reports.figures import svg
from reports.figures.svg import Figure
from reports.ledger.evidence import Evidence

SCORE: Metric = ("lsp-pck", "PCK@0.2", "mean")
MACS: Metric = ("complexity", "macs", "all")
DRAWN = ("bars", "cost", "trainings")  # kinds of drawing whose networks have final scores to show


def committed_figures(evidence: Evidence, spec: FigureSpec) -> list[Figure]:
    """A figure a matrix and dataset in which two or more of the networks were scored on photographs."""
    found = ((matrix, dataset) for matrix in evidence.snapshot.ablations for dataset in _photographs(matrix))
    return [figure for place in found for figure in _figures(*place, spec)] if spec.draw in DRAWN else []


def _photographs(committed: Committed) -> list[str]:
    names = dict.fromkeys(dataset for _, dataset, _ in committed.cells if dataset)
    return [name for name in names if not DATASETS[name].synthetic]


def _figures(committed: Committed, dataset: str, spec: FigureSpec) -> Iterator[Figure]:
    names = {name: member for name in spec.networks if (member := _member(committed, dataset, name))}
    scores = {name: row for name, member in names.items() if (row := committed.row(member, dataset, SCORE))}
    if len(scores) < 2:
        return
    cell = committed.cells[names[next(iter(scores))], dataset, SCORE[0]]
    place = formats.place(dataset, cell.conditions.split)
    title = f"{spec.title}, committed runs of matrix.{committed.fragment.name}.toml: {place}, {cell.conditions.input}"
    words = f"{SCORE[1]} ({SCORE[2]})"
    if spec.draw == "cost":
        counted = {name: committed.row(names[name], "", MACS) for name in scores}
        points = [svg.Point(name, row.number / 1e9, scores[name]) for name, row in counted.items() if row]
        yield svg.cost(title, points, words)
    else:
        yield svg.bars(title, list(scores), [(f"{words}, {_unit(scores)}", scores)])


def _member(committed: Committed, dataset: str, name: str) -> str:
    """Name of a network in a matrix: its own, or with fewer stacks; "" if it has no score there."""
    scored = [key[0] for key in committed.cells if key[1:] == (dataset, SCORE[0])]
    fewer = [found for found in scored if found.startswith(f"{name}@stacks=")]
    return name if name in scored else next(iter(fewer), "")


def _unit(rows: dict[str, Measurement]) -> str:
    return next(iter(rows.values())).unit
