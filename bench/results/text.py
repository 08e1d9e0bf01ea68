"""Measurements as lines of text."""

from collections.abc import Iterable

from bench.results.rows import Measurement
from protocols import PROTOCOLS, Value


def print_measurements(rows: Iterable[Measurement]) -> None:
    """Print the headline metric of each cell with its interval, one line per cell."""
    for row in rows:
        if PROTOCOLS[row.protocol].headline == (row.metric, row.part):
            where = f" on {row.dataset}/{row.split}" if row.dataset else ""
            print(f"{row.architecture:<36} {row.protocol}{where}  {row.metric} {quantity(row)}, n={row.n:,}")


def quantity(row: Measurement | Value) -> str:
    """Format a value with its unit and interval: "63.1 % [62.0, 64.2]"."""
    if row.value is None:
        return "not defined"
    counted = row.unit not in ("%", "") and (abs(row.value) >= 100 or row.value == int(row.value))
    digits = "{:,.0f}" if counted else "{:.2f}"
    text = digits.format(row.value) + (f" {row.unit}" if row.unit not in ("", "1") else "")
    if row.low is None or row.high is None:
        return text
    return f"{text} [{digits.format(row.low)}, {digits.format(row.high)}]"
