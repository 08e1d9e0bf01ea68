"""Plots of a leaderboard: accuracy against cost, curves, trainings, pictures of people."""

import io
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

import pandas as pd

from bench.results.snapshot import ReportCell
from reports import formats
from reports.data.cell_files import curve, history, picture
from reports.figures import svg
from reports.tables.leaderboards import Leaderboard

GALLERIES = 8  # rows of pictures of a leaderboard
_PARTS = ("mean", "head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")


def cost(board: Leaderboard) -> svg.Figure | None:
    """Accuracy against operations, where at least two networks of a leaderboard have both."""
    if board.protocol.needs != "predictions" or not board.protocol.higher_is_better:
        return None
    counted = [entry for entry in board.entries if "MACs" in entry.side]
    points = [
        svg.Point(label, entry.side["MACs"].number / 1e9, entry.head)
        for label, entry in zip(labels([entry.cell for entry in counted]), counted, strict=True)
    ]
    if len(points) < 2:
        return None
    metric, part, unit = board.columns[0]
    return svg.cost(f"Accuracy and cost: {title(board)}", points, f"{metric}, {part}{f' ({unit})' if unit else ''}")


def curves(boards: list[Leaderboard]) -> list[svg.Figure]:
    """Score against threshold, a figure a leaderboard."""
    drawn = []
    for board in boards:
        if lines := tuple(_lead(board, curve).items()):
            drawn.append(_curves(f"{title(board)}: score against threshold", board.protocol.threshold_unit, lines))
    return drawn


@lru_cache(maxsize=64)  # a process that writes several sites draws the committed curves once
def _curves(name: str, unit: str, lines: tuple[tuple[str, str], ...]) -> svg.Figure:
    """Draw the curves (label, content of curve.csv) of a leaderboard."""
    return svg.curves(name, unit, {label: pd.read_csv(io.StringIO(text)) for label, text in lines}, _PARTS)


def trainings(boards: list[Leaderboard]) -> list[svg.Figure]:
    """Loss and held-out score while training, once for all protocols that score the same trained networks."""
    found: dict[tuple, str] = {}
    for board in boards:
        files = _lead(board, history)
        trained = tuple(sorted((label, text) for label, text in files.items() if text.count("\n") > 1))
        if trained:
            found.setdefault(trained, f"Training for {title(board)}")
    return [
        svg.training(name, {label: pd.read_csv(io.StringIO(text)) for label, text in trained})
        for trained, name in found.items()
    ]


def galleries(boards: list[Leaderboard]) -> list[tuple[str, list]]:
    """The pictures of each leaderboard, best network first."""
    shown = [(title(board), [entry for entry in board.entries if picture(entry.cell)][:GALLERIES]) for board in boards]
    return [(name, entries) for name, entries in shown if entries]


def title(board: Leaderboard) -> str:
    """Protocol and place."""
    place = formats.place(board.dataset, board.split)
    return f"{board.protocol.name} on {place}" if place else board.protocol.name


def labels(cells: list[ReportCell]) -> list[str]:
    """Names for the lines of a figure, each once: a network that occurs several times gets its seed and tags behind it.

    What still has the name of another cell (other detected boxes, say) has the beginning of its key behind it.
    """
    networks = Counter(cell.architecture for cell in cells)
    found: dict[str, None] = {}
    for cell in cells:
        name = cell.architecture
        if networks[name] > 1:
            name = ", ".join((name, f"seed {cell.seed}", *cell.tags))
        found[f"{name}, {cell.cell[:6]}" if name in found else name] = None
    return list(found)


def _lead(board: Leaderboard, read: Callable[[ReportCell], str | None]) -> dict[str, str]:
    """label -> content of a file, for the best entries of a leaderboard that have it."""
    found = [(entry.cell, text) for entry in board.entries if (text := read(entry.cell))][: svg.MOST_LINES]
    return dict(zip(labels([cell for cell, _ in found]), (text for _, text in found), strict=True))
