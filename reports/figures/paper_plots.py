"""Plots of the papers' figures from our measurements, a function a kind of figure.

Nothing is drawn that was not measured, and only networks that are comparable share a figure.
"""

from collections.abc import Callable, Iterator
from functools import reduce

import numpy as np
import pandas as pd
from msgspec import structs

from bench.cells.conditions import FROM_THE_ROW, difference
from bench.results.rows import Measurement
from bench.results.snapshot import ReportCell
from protocols import PROTOCOLS
from protocols.network.receptive_field import FIELDS
from reports import formats
from reports.data.cell_files import saved
from reports.data.published import FigureSpec
from reports.figures import line_plots, svg
from reports.figures.svg import Figure
from reports.ledger.evidence import Evidence


def rows(evidence: Evidence, spec: FigureSpec, name: str) -> list[Measurement]:
    """Measurements of a network in the setting of a figure; "name@option=value" are only those with that option."""
    family, _, options = name.partition("@")
    found = evidence.rows(family, spec.protocol, spec.metric, spec.parts[0])
    return [row for row in found if set(filter(None, options.split(","))) <= _changes(row.architecture)]


def _changes(architecture: str) -> set[str]:
    return set(filter(None, architecture.partition("@")[2].split(",")))


def comparable_rows(evidence: Evidence, spec: FigureSpec) -> Iterator[tuple[str, dict[str, Measurement]]]:
    """(conditions in words, network -> row) for all conditions under which two or more of the networks were tested.

    Each network may have the recipe and the input of its own paper, as in the figures of the papers.
    """
    found: list[tuple[str, ReportCell, dict[str, Measurement]]] = []
    for name in spec.networks:
        for row in rows(evidence, spec, name):
            cell = evidence.cell(row)
            overrides = ",".join(sorted(_changes(row.architecture) - _changes(name)))
            words = ", ".join(
                filter(None, (formats.place(row.dataset, row.split), overrides, f"seed {row.seed}", *cell.tags))
            )
            for where, other, group in found:
                if where == words and not difference(cell.conditions, other.conditions, FROM_THE_ROW):
                    group.setdefault(name, row)
                    break
            else:
                found.append((words, cell, {name: row}))
    for where, _, group in sorted(found, key=lambda item: item[0]):
        if len(group) > 1:
            yield where, group


def component_bars(evidence: Evidence, spec: FigureSpec) -> list[Figure]:
    """Score, parameters and operations of networks that differ in one part each, side by side."""
    costs = [panel for panel in (_parameters(evidence, spec), _operations(evidence, spec)) if panel]
    drawn = []
    for where, rows in comparable_rows(evidence, spec):
        score = (f"{spec.metric}, {spec.parts[0]} ({next(iter(rows.values())).unit})", rows)
        drawn.append(svg.bars(f"{spec.title}, {where}", list(spec.networks), [score, *costs]))
    if not drawn and costs:
        drawn.append(svg.bars(f"{spec.title}: size and operations", list(spec.networks), costs))
    return drawn


def _parameters(evidence: Evidence, spec: FigureSpec) -> tuple[str, dict[str, Measurement]] | None:
    rows = {name: row for name in spec.networks if (row := evidence.row(name, "complexity", "parameters"))}
    return ("parameters (M)", {name: _scaled(row, 1e6) for name, row in rows.items()}) if rows else None


def _operations(evidence: Evidence, spec: FigureSpec) -> tuple[str, dict[str, Measurement]] | None:
    """By the paper's own rule where it is known, else GMACs."""
    rows = {name: row for name in spec.networks if (row := evidence.row(name, "complexity", "giga_published"))}
    if len(units := {row.unit for row in rows.values()}) == 1:
        return f"operations, {units.pop()}", rows
    rows = {name: row for name in spec.networks if (row := evidence.row(name, "complexity", "macs"))}
    return ("operations (GMACs)", {name: _scaled(row, 1e9) for name, row in rows.items()}) if rows else None


def _scaled(row: Measurement, size: float) -> Measurement:
    return structs.replace(row, value=row.number / size, low=None, high=None)


def cost(evidence: Evidence, spec: FigureSpec) -> list[Figure]:
    """Score against operations."""
    drawn = []
    for where, rows in comparable_rows(evidence, spec):
        points = [
            svg.Point(name, counted.number / 1e9, row)
            for name, row in rows.items()
            if (counted := evidence.row(name, "complexity", "macs")) and "@" not in row.architecture
        ]
        if len(points) > 1:
            drawn.append(svg.cost(f"{spec.title}, {where}", points, f"{spec.metric} ({spec.parts[0]})"))
    return drawn


def curves(evidence: Evidence, spec: FigureSpec) -> list[Figure]:
    """Score against threshold, for the parts that the paper shows."""
    unit = PROTOCOLS[spec.protocol].threshold_unit
    return [
        svg.curves(f"{spec.title}, {where}", unit, frames, spec.parts)
        for where, frames in _saved(evidence, spec, "curve.csv")
    ]


def trainings(evidence: Evidence, spec: FigureSpec) -> list[Figure]:
    """Loss and held-out score while training."""
    found = ((where, {name: frame for name, frame in frames.items() if len(frame)})
             for where, frames in _saved(evidence, spec, "history.csv"))  # fmt: skip
    return [svg.training(f"{spec.title}, {where}", frames) for where, frames in found if len(frames) > 1]


def _saved(evidence: Evidence, spec: FigureSpec, file: str) -> Iterator[tuple[str, dict[str, pd.DataFrame]]]:
    for where, rows in comparable_rows(evidence, spec):
        paths = {name: path for name, row in rows.items() if (path := saved(evidence.cell(row), file))}
        if len(paths) > 1:
            yield where, {name: pd.read_csv(path) for name, path in paths.items()}


def variances(evidence: Evidence, spec: FigureSpec) -> list[Figure]:
    """Response variance at every addition, a figure an initialization, a line a network."""
    drawn = []
    for initialization in ("msr", "branch-aware"):
        metric = f"variance {initialization}"
        found = {}
        for name in spec.networks:
            cell = next((row.cell for row in evidence.rows(name, "init-variance", metric, "max")
                         if row.architecture == name), "")  # fmt: skip
            rows = evidence.snapshot.in_order.get(cell, ())
            if values := [row.value for row in rows if row.metric == metric and row.part != "max"]:
                found[name] = list(enumerate(values, start=1))
        if found:
            table = [(name, at, f"{value:.4g}") for name, points in found.items() for at, value in points]
            title = f"{spec.title}, {initialization} initialization"
            words = f"{title}: variance of the sum at every addition, in the order of execution; a line a network."
            axes = ("addition, in the order of execution", "variance")
            drawn.append(
                line_plots.lines(title, words, found, axes, (("network", "addition", "variance"), table), log=True)
            )
    return drawn


def field_shares(evidence: Evidence, spec: FigureSpec) -> list[Figure]:
    """Share of the pathways with each field, of blocks in a row as the figure stacks them.

    The fields of a block's pathways less 1 add up, so the shares of a row of blocks are convolutions of those of one.
    """
    found = {}
    for name in spec.networks:
        kind = spec.blocks[name]
        below = [evidence.row(name, "receptive-field", f"P(r<={at})", kind) for at in FIELDS]
        one = np.diff([0.0, *(row.number for row in below if row)])
        whole = len(one) == len(FIELDS) and np.isclose(one.sum(), 1)  # or the block has larger fields than were counted
        for times in spec.stacked[name] if whole else ():
            stacked = reduce(np.convolve, [np.trim_zeros(one, "b")] * times)
            label = f"{times} × {kind} ({name})"
            found[label] = {1 + 2 * at: float(share) for at, share in enumerate(stacked)}
    return [svg.shares(spec.title, found)] if found else []


def empirical_fields(evidence: Evidence, spec: FigureSpec) -> list[Figure]:
    """The radius around a joint that holds half of the gradient, a panel a joint."""
    drawn = []
    for where, rows in comparable_rows(evidence, spec):
        panels = []
        for joint in spec.parts:
            found = {
                name: other
                for name, row in rows.items()
                for other in evidence.snapshot.rows[row.cell]
                if (other.metric, other.part) == (spec.metric, joint)
            }
            panels.append((f"{spec.metric}, {joint} (head sizes)", found))
        drawn.append(svg.bars(f"{spec.title}, {where}", list(spec.networks), panels))
    return drawn


DRAWINGS: dict[str, Callable[[Evidence, FigureSpec], list[Figure]]] = {
    "bars": component_bars, "cost": cost, "curves": curves, "empirical fields": empirical_fields,
    "shares of fields": field_shares, "trainings": trainings, "variances": variances,
}  # fmt: skip
