"""Figures: seaborn drawings as inline SVG that follow the light or dark page, each with its data as a table.

matplotlib draws with placeholder colours, which become CSS variables of the page afterwards (with a fallback, so
that a figure saved alone still has its colours).
"""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import pandas as pd
import seaborn as sns
from markupsafe import Markup, escape
from matplotlib import ticker
from matplotlib.figure import Figure as Canvas

from bench.results.rows import Measurement
from reports import formats

# Placeholder -> CSS. The series colours are Paul Tol's "bright" and "muted": no two differ in red and green alone.
_INK, _FAINT, _GRID = "#010101", "#010102", "#010103"
SERIES = ("#0077bb", "#cc3311", "#009988", "#ee7733", "#aa3377", "#33bbee", "#777711", "#555577")
_CSS = {_INK: "currentColor", _FAINT: "var(--faint, #666666)", _GRID: "var(--line, #dddddd)"} | {
    colour: f"var(--series-{index}, {colour})" for index, colour in enumerate(SERIES)
}
DASHES = ("", (4, 1.5), (1.5, 1.5), (6, 1.5, 1.5, 1.5))
MOST_LINES = 2 * len(SERIES)  # a colour serves two lines, with other dashes
_STYLE = {
    "axes.edgecolor": _FAINT, "axes.labelcolor": _INK, "axes.titlecolor": _INK, "axes.titlelocation": "left",
    "axes.titlesize": 10, "axes.titleweight": "bold", "axes.facecolor": "none", "axes.grid": True,
    "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False,
    "figure.facecolor": "none", "font.size": 9, "font.family": ["sans-serif"], "font.sans-serif": ["DejaVu Sans"],
    "grid.color": _GRID, "grid.linewidth": 0.6, "legend.frameon": False, "legend.labelcolor": _INK,
    "svg.fonttype": "none", "svg.hashsalt": "repose", "text.color": _INK, "text.parse_math": False,
    "xtick.color": _FAINT, "ytick.color": _FAINT, "xtick.labelcolor": _INK, "ytick.labelcolor": _INK,
}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """A drawing and the numbers it shows."""

    title: str
    description: str
    svg: Markup
    columns: tuple[str, ...]
    rows: list[tuple]


def curves(title: str, unit: str, lines: dict[str, pd.DataFrame], parts: Sequence[str]) -> Figure:
    """Score against threshold, a panel a part, a line a network.

    lines: label -> part, threshold, value; in the order of the legend, at most MOST_LINES are drawn.
    """
    lines = dict(list(lines.items())[:MOST_LINES])
    table = pd.concat([frame.assign(label=label) for label, frame in lines.items()], ignore_index=True)
    shown = [part for part in parts if part in set(table["part"])]
    table["part"] = pd.Categorical(table["part"], categories=shown, ordered=True)
    across = min(4, len(shown))
    down = -(-len(shown) // across)

    above = 0.4 + 0.2 * -(-len(lines) // 2)  # inches: the legend, and the title of a panel
    size = (2.3 * across + 0.6, 2.1 * down + 0.3 + above)

    def draw(canvas: Canvas) -> None:
        # Margins by hand: matplotlib takes twice as long to find them as to draw, and every leaderboard has curves.
        wide, high = size
        canvas.subplots_adjust(0.62 / wide, 0.55 / high, 1 - 0.1 / wide, 1 - above / high, wspace=0.12, hspace=0.22)
        panels = canvas.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        for panel, part in zip(panels.flat, shown, strict=False):
            _lines(
                panel, table.loc[table["part"] == part, :], "threshold", "value", list(lines), legend=part == shown[0]
            )
            panel.set(title=part, xlabel="", ylabel="", ylim=(0, 100), xlim=(0, None))
        for panel in panels.flat[len(shown) :]:
            panel.set_visible(False)
        canvas.supxlabel(f"threshold ({unit})" if unit else "threshold", fontsize=9)
        canvas.supylabel("joints found (%)", fontsize=9, x=0.06 / wide)
        _shared_legend(canvas, panels.flat[0], "upper left")

    wide = table.pivot_table(index=["part", "threshold"], columns="label", values="value", observed=True)[list(lines)]
    rows = [(part, f"{at:.2f}", *(formats.number(v, 1) for v in line)) for (part, at), *line in wide.itertuples()]
    text = f"{title}: share of joints found against the threshold, for {', '.join(shown)}; one line a network."
    return Figure(title, text, svg_of(draw, size, title, text, layout=None), ("part", "threshold", *lines), rows)


@dataclass(frozen=True)
class Point:
    """A network in a plot of score against operations."""

    label: str
    gmacs: float
    score: Measurement


def cost(title: str, points: list[Point], metric: str) -> Figure:
    """Score against operations, one point a network with its interval, and the line of those that none dominates.

    Higher scores are better.
    """
    points = sorted(points, key=lambda point: (point.gmacs, -point.score.number, point.label))
    front, best = [], float("-inf")
    for point in points:
        if point.score.number > best:
            front.append(point)
            best = point.score.number

    def draw(canvas: Canvas) -> None:
        panel = canvas.subplots()
        panel.set(xscale="log", xlabel="operations of one forward pass (GMACs)", ylabel=metric)
        panel.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        panel.xaxis.set_minor_formatter(ticker.NullFormatter())
        panel.plot(*_xy(front), color=_FAINT, linewidth=1, drawstyle="steps-post", zorder=1)
        for point in points:
            if point.score.interval:
                panel.vlines(point.gmacs, *point.score.interval, color=SERIES[0], linewidth=1.5)
        sns.scatterplot(x=_xy(points)[0], y=_xy(points)[1], ax=panel, color=SERIES[0], s=42, zorder=3)
        middle = (points[0].gmacs * points[-1].gmacs) ** 0.5
        for point in points if len(points) <= 25 else front:  # more names than that could not be read
            place, right = (point.gmacs, point.score.number), point.gmacs > middle
            how = {"xytext": (-6 if right else 6, 5), "ha": "right" if right else "left"}
            panel.annotate(point.label, place, textcoords="offset points", fontsize=8, **how)
        panel.margins(x=0.12, y=0.15)

    digits = 1 if points[-1].score.number > 1 else 3  # per cent, or a share
    rows = [
        (
            point.label,
            f"{point.gmacs:.4g}",
            f"{point.score.number:.{digits}f}",
            "–".join(f"{end:.{digits}f}" for end in point.score.interval or ()),
        )
        for point in points
    ]
    text = (
        f"{title}: {metric} against operations for {len(points)} networks. The line joins those no cheaper one beats."
    )
    return Figure(title, text, svg_of(draw, (7.4, 3.8), title, text), ("network", "GMACs", metric, "interval"), rows)


def training(title: str, histories: dict[str, pd.DataFrame]) -> Figure:
    """Loss, and the held-out score where it was saved, against optimizer steps, a line a network.

    histories: label -> step, loss and perhaps metric; at most MOST_LINES are drawn.
    """
    histories = dict(list(histories.items())[:MOST_LINES])
    table = pd.concat([frame.assign(label=label) for label, frame in histories.items()], ignore_index=True)
    names = {"loss": "training loss", "metric": "held-out score (%)"}
    shown = [column for column in names if column in table.dropna(axis="columns", how="all").columns]

    def draw(canvas: Canvas) -> None:
        panels = canvas.subplots(1, len(shown), sharex=True, squeeze=False).flat
        for panel, column in zip(panels, shown, strict=True):
            _lines(panel, table.dropna(subset=[column]), "step", column, list(histories), legend=column == "loss")
            panel.set(title=names[column], xlabel="", ylabel="", ylim=(0, None))
        canvas.supxlabel("optimizer steps", fontsize=9)
        _shared_legend(canvas, panels[0])

    columns = ["label", "step", *shown]
    rows = [(label, f"{step:.0f}", *(f"{v:.4g}" for v in rest)) for label, step, *rest in table[columns].to_numpy()]
    text = f"{title}: {' and '.join(names[column] for column in shown)} against steps, one line a network."
    svg = svg_of(draw, (3.9 * max(len(shown), 1.4), 3.1), title, text)
    return Figure(title, text, svg, ("network", "step", *(names[column] for column in shown)), rows)


def bars(title: str, names: list[str], panels: list[tuple[str, dict[str, Measurement]]]) -> Figure:
    """Bars side by side, a panel a quantity, a line a network; intervals where there are any.

    panels: (what, network -> measurement).
    """
    names = [name for name in names if any(name in rows for _, rows in panels)]

    def draw(canvas: Canvas) -> None:
        drawn = canvas.subplots(1, len(panels), sharey=True, squeeze=False).flat
        for panel, (what, rows) in zip(drawn, panels, strict=True):
            values = [rows[name].value if name in rows else None for name in names]
            sns.barplot(x=pd.Series(values, dtype=float), y=names, color=SERIES[0], saturation=1, width=0.62, ax=panel)
            for at, name in enumerate(names):
                if name in rows and (interval := rows[name].interval):
                    panel.hlines(at, *interval, color=_INK, linewidth=1.5)
                elif name not in rows:
                    panel.text(0, at, " not measured", va="center", fontsize=8, color=_FAINT)
            panel.set(title=what, xlabel="", ylabel="")
            panel.grid(visible=False, axis="y")
            panel.xaxis.set_major_locator(ticker.MaxNLocator(4))

    shown = [[_bar(rows.get(name)) for _, rows in panels] for name in names]
    text = f"{title}: {'; '.join(what for what, _ in panels)} of {len(names)} networks."
    size = (1.7 + 2.2 * max(len(panels), 1.4), 0.27 * len(names) + 0.7)
    rows = [(name, *line) for name, line in zip(names, shown, strict=True)]
    return Figure(title, text, svg_of(draw, size, title, text), ("network", *(what for what, _ in panels)), rows)


def _bar(row: Measurement | None) -> str:
    if row is None:
        return "–"
    bounds = ", ".join(f"{end:.4g}" for end in row.interval or ())
    return f"{row.number:.4g} [{bounds}]" if bounds else f"{row.number:.4g}"


def shares(title: str, found: dict[str, dict[int, float]]) -> Figure:
    """Shares of the pathways of blocks that have each receptive field: label -> field -> share."""
    table = pd.DataFrame(
        [(label, at, share) for label, values in found.items() for at, share in values.items()],
        columns=["block", "field", "share"],
    )

    def draw(canvas: Canvas) -> None:
        panel = canvas.subplots()
        sns.barplot(
            table, x="field", y="share", hue="block", palette=list(SERIES[: len(found)]), saturation=1, ax=panel
        )
        panel.set(xlabel="receptive field (cells of the block's input)", ylabel="share of pathways")
        panel.grid(visible=False, axis="x")
        _shared_legend(canvas, panel)

    fields = sorted(set(table["field"]))
    rows = [(at, *(f"{values.get(at, 0):.4f}" for values in found.values())) for at in fields]
    text = f"{title}: the share of pathways with each receptive field, for {', '.join(found)}."
    return Figure(title, text, svg_of(draw, (7.4, 3.4), title, text), ("receptive field", *found), rows)


def standalone(figure: Figure) -> str:
    """The drawing as a file of its own, in the colours of the light page."""
    svg = re.sub(r"var\(--[a-z0-9-]+, (#[0-9a-f]+)\)", r"\1", str(figure.svg)).replace("currentColor", "#1f2123")
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    if not size:
        raise ValueError(f"the drawing of {figure.title!r} has no viewBox")
    ground = f'<rect width="{size[1]}" height="{size[2]}" fill="#ffffff" stroke="none"/>'
    svg = svg.replace("</desc>", f"</desc>{ground}", 1)
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{svg.replace("<svg ", f"<svg {spaces} ", 1)}\n'


def _lines(panel, table: pd.DataFrame, x: str, y: str, labels: list[str], legend: bool) -> None:
    """One line a label; colours and dashes differ together. (seaborn's lineplot takes 50 times as long.)"""
    groups = dict(list(table.groupby("label", sort=False)))
    for index, label in enumerate(labels):
        turn, colour = divmod(index, len(SERIES))
        pattern = DASHES[(colour + turn) % len(DASHES)]
        xs, ys = (groups[label][key] if label in groups else [] for key in (x, y))
        panel.plot(
            xs, ys, color=SERIES[colour], linestyle=(0, pattern) if pattern else "solid", linewidth=1.6, label=label
        )
    if legend:
        panel.legend()


def _shared_legend(canvas: Canvas, panel, place: Any = "outside upper left") -> None:
    """The legend of one panel, above all of them."""
    handles, labels = panel.get_legend_handles_labels()
    panel.get_legend().remove()
    canvas.legend(handles, labels, loc=place, ncols=2, fontsize=8.5, handlelength=3)


def _xy(points: list[Point]) -> tuple[list[float], list[float]]:
    return [point.gmacs for point in points], [point.score.number for point in points]


def _shorter(path: str) -> str:
    """Path data with a tenth of a point's precision, on one line."""
    return re.sub(r"(\.\d)\d+", r"\1", " ".join(path.split()))


def svg_of(
    draw: Callable[[Canvas], None],
    size: tuple[float, float],
    title: str,
    description: str,
    layout: Literal["constrained"] | None = "constrained",
) -> Markup:
    """The SVG element of a drawing (size in inches): no date, fixed ids, colours of the page, a name and a text."""
    style: dict[Any, Any] = {**_STYLE, "svg.hashsalt": title}
    with matplotlib.rc_context(style):
        canvas = Canvas(figsize=size, layout=layout)
        draw(canvas)
        file = io.StringIO()
        canvas.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*|<style.*?</style>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # nothing refers to groups, and a page holds several figures
    svg = re.sub(r' d="([^"]*)"', lambda path: f' d="{_shorter(path[1])}"', svg)
    svg = re.sub(r"#[0-9a-f]{6}", lambda found: _CSS.get(found[0], found[0]), svg)
    svg = re.sub(r'xmlns(:xlink)?="[^"]*" ?', "", svg, count=2)
    name = f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
    return Markup(
        re.sub(
            r"<svg ([^>]*)>",
            lambda found: f'<svg role="img" {found[1]} style="max-width:{1.3 * size[0]:.1f}in">{name}',
            svg,
            count=1,
        )
    )
