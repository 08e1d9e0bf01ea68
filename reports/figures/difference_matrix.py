"""Picture of all differences of a ranking: a square a pair, filled where the difference is larger than chance."""

from functools import lru_cache

from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from protocols.statistics.ranking import Pair
from reports import formats
from reports.figures.svg import SERIES, Figure, svg_of

SIDE = 0.42  # inches of a square


@lru_cache(maxsize=16)  # a process that writes several sites draws a committed ranking once
def difference_matrix(title: str, names: tuple[str, ...], pairs: tuple[Pair, ...]) -> Figure:
    """Draw the differences of methods, best first: the column minus the row, in points."""
    count = len(names)

    def draw(canvas: Canvas) -> None:
        panel = canvas.subplots()
        for pair in pairs:
            corner = (pair.first - 0.5, pair.second - 0.5)
            fill = SERIES[0] if pair.decided else "none"
            panel.add_patch(Rectangle(corner, 1, 1, facecolor=fill, edgecolor=SERIES[0], linewidth=0.6, alpha=0.35))
            panel.text(
                pair.first, pair.second, formats.signed(pair.difference, 1), ha="center", va="center", fontsize=7
            )
        panel.set(xlim=(-0.5, count - 1.5), ylim=(count - 0.5, 0.5), aspect="equal")
        panel.set_xticks(range(count - 1), names[:-1], rotation=60, ha="right")
        panel.set_yticks(range(1, count), names[1:])
        panel.grid(visible=False)
        panel.tick_params(length=0)
        for side in ("left", "bottom"):
            panel.spines[side].set_visible(False)

    rows = [
        (names[pair.first], names[pair.second], formats.signed(pair.difference, 2), formats.signed(pair.low, 2),
         formats.signed(pair.high, 2), f"{pair.p:.2g}", "yes" if pair.decided else "no")
        for pair in pairs
    ]  # fmt: skip
    text = f"{title}: the column minus the row, in points; filled where the difference is larger than chance."
    columns = ("method", "minus", "points", "low", "high", "p, corrected", "larger than chance")
    return Figure(title, text, svg_of(draw, (SIDE * count + 1.6, SIDE * count + 1.2), title, text), columns, rows)
