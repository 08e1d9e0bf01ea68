"""Line drawings for the pages of architectures: a page each, so they must cost a millisecond, not a fifth of a second.

Everything else is drawn by seaborn in figures.py; both give the same Figure, with the same colours.
"""

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape
from matplotlib.ticker import MaxNLocator

from reports.figures.svg import DASHES, SERIES, Figure

WIDTH, HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 34, 44


def lines(
    title: str,
    description: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    axes: tuple[str, str],
    table: tuple[tuple[str, ...], list[tuple]],
    log: bool = False,
    steps: bool = False,
) -> Figure:
    """A line a series of (x, y); `table` holds the columns and rows of the numbers shown.

    log: decades along y, values must be positive; steps: y holds until the next x. At most len(SERIES) are drawn.
    """
    series = dict(list(series.items())[: len(SERIES)])
    xs = [x for points in series.values() for x, _ in points]
    ys = [math.log10(y) if log else y for points in series.values() for _, y in points]
    across, up = _ticks(min(xs), max(xs)), _decades(min(ys), max(ys)) if log else _ticks(min(0, *ys), max(ys))

    def place(x: float, y: float) -> tuple[float, float]:
        y = math.log10(y) if log else y
        right = (x - across[0]) / (across[-1] - across[0])
        return (
            _LEFT + right * (WIDTH - _LEFT - _RIGHT),
            HEIGHT - _BOTTOM - (y - up[0]) / (up[-1] - up[0]) * (HEIGHT - _TOP - _BOTTOM),
        )

    drawn = [_axis(place, across, up, axes, log)]
    for index, (label, points) in enumerate(series.items()):
        drawn.append(_line([place(*point) for point in points], index, label, steps))
    content = Markup("").join(drawn)
    svg = Markup(
        '<svg role="img" viewBox="0 0 {} {}" style="max-width:9.6in" font-size="11" fill="currentColor">'
        "<title>{}</title><desc>{}</desc>{}</svg>"
    ).format(WIDTH, HEIGHT, title, description, content)
    return Figure(title, description, svg, *table)


def _line(points: list[tuple[float, float]], index: int, label: str, steps: bool) -> Markup:
    """A series, and its entry in the legend above."""
    colour = f"var(--series-{index}, {SERIES[index]})"
    dashes = " ".join(map(str, DASHES[index % len(DASHES)]))
    path = _path(points, steps)
    left = _LEFT + index % 4 * 145
    top = 9 + index // 4 * 14
    return Markup(
        '<g stroke="{0}" stroke-width="1.6" fill="none" stroke-dasharray="{1}">'
        '<path d="{2}"/><path d="M{3} {4}h22"/></g><text x="{5}" y="{6}">{7}</text>'
    ).format(colour, dashes or "none", path, left, top, left + 27, top + 4, label)


def _path(points: list[tuple[float, float]], steps: bool) -> str:
    first, *rest = points
    text = f"M{first[0]:.1f} {first[1]:.1f}"
    if steps:
        return text + "".join(f"H{x:.1f}V{y:.1f}" for x, y in rest)
    return text + "".join(f"L{x:.1f} {y:.1f}" for x, y in rest)


def _axis(place, across: list[float], up: list[float], axes: tuple[str, str], log: bool) -> Markup:
    """Grid, numbers and names of both axes."""
    grid, numbers = [], []
    bottom = 10 ** up[0] if log else up[0]
    for x in across:
        at = place(x, bottom)
        numbers.append(f'<text x="{at[0]:.1f}" y="{at[1] + 14:.1f}" text-anchor="middle">{x:g}</text>')
    for y in up:
        at = place(across[0], 10**y if log else y)
        grid.append(f"M{at[0]:.1f} {at[1]:.1f}H{WIDTH - _RIGHT}")
        numbers.append(
            f'<text x="{at[0] - 6:.1f}" y="{at[1] + 4:.1f}" text-anchor="end">{10**y if log else y:g}</text>'
        )
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    half = (HEIGHT + _TOP - _BOTTOM) / 2
    return Markup(
        f'<path d="{"".join(grid)}" stroke="var(--line, #dddddd)" fill="none"/>{"".join(numbers)}'
        f'<text x="{middle:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(axes[0])}</text>'
        f'<text transform="translate(13 {half:.0f}) rotate(-90)" text-anchor="middle">{escape(axes[1])}</text>'
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from at most `low` to at least `high`."""
    found = MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high if high > low else low + 1)
    return [float(f"{tick:.6g}") for tick in found]


def _decades(low: float, high: float) -> list[float]:
    """Exponents of ten around two exponents."""
    first, last = math.floor(low), max(math.ceil(high), math.floor(low) + 1)
    return list(range(first, last + 1, max(1, (last - first) // 6)))
