"""Text of numbers, places and times on every page."""

import hashlib
import re
from typing import Literal

from markupsafe import Markup

from bench.results.rows import Measurement
from protocols import PROTOCOLS
from protocols.datasets import DATASETS

STATES = {  # state -> (mark, what the word means)
    "fresh": ("●", "measured with the code and data of today"),
    "stale": ("◷", "measured, but something it depends on has changed"),
    "missing": ("–", "not measured yet"),
    "failed": ("✕", "was tried and raised an error"),
    "blocked": ("◌", "cannot run: data or weights are missing"),
    "damaged": ("✗", "measured, but its files are not what was written"),
}
VERDICTS = {  # verdict of a claim -> (mark, what the word means)
    "supported": ("●", "what is printed or measured bears it out"),
    "partly": ("◐", "some of it holds, or it holds with a restriction"),
    "contradicted": ("✕", "what is printed or measured says otherwise"),
    "not tested": ("○", "nothing here can tell yet"),
}
_LARGE = ((1e9, "G"), (1e6, "M"))


def dataset(name: str) -> str:
    """A dataset as pages name it: nobody may take drawn people for photographs."""
    return f"{name} (synthetic)" if name in DATASETS and DATASETS[name].synthetic else name


def place(name: str, split: str) -> str:
    """A dataset and its split, "" for what looks at the network alone."""
    return ", ".join(part for part in (dataset(name), split) if part)


def number(value: float | None, digits: int | None) -> str:
    """A value with `digits` as the record of a metric has them: 88.0 (1), 23.72 M (0), 0.746 (None)."""
    if value is None or value != value:
        return "–"
    if digits is None:
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    if digits:
        return f"{value:.{digits}f}".replace("-", "−")
    return next((f"{value / size:.2f} {name}" for size, name in _LARGE if abs(value) >= size), f"{value:,.0f}")


def shown(row: Measurement, end: Literal["value", "low", "high"] = "value") -> str:
    """The value of a row, or an end of its interval, with the digits of its metric."""
    return number(getattr(row, end), PROTOCOLS[row.protocol].metric(row.metric).digits)


def interval(row: Measurement) -> str:
    """The 95 % interval of a row, "" if it has none; words where a dash could be taken for a minus."""
    between = " to " if row.low is not None and row.low < 0 else "–"
    return between.join((shown(row, "low"), shown(row, "high"))) if row.interval else ""


def span(low: int | None, high: int | None) -> str:
    """Two ends, or one where they are the same: 2–5, 3."""
    return f"{low}–{high}" if low != high else str(low)


def printed(value: float, decimals: int) -> str:
    """A value as a paper prints it, whatever its size."""
    return f"{value:.{decimals}f}"


def signed(value: float, decimals: int) -> str:
    """A difference with its sign, and a true minus."""
    text = f"{value:+.{decimals}f}"
    return text.replace("-", "−") if float(text) else f"±{abs(float(text)):.{decimals}f}"


def duration(seconds: float | None) -> str:
    """Seconds as a person says them: 4.2 s, 1 min 52 s, 3 h 20 min."""
    if seconds is None:
        return "–"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def moment(date: str) -> str:
    """An ISO date and time as people read it, to the minute."""
    return date[:16].replace("T", " ")


def counted(number: int, noun: str, plural: str = "") -> str:
    """ "1 cell", "2 cells"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def breakable(name: str) -> Markup:
    """A name that may be broken after its @ and commas, escaped."""
    return Markup("<wbr>").join(re.findall(r"[^@,]+[@,]?|[@,]", name))


def slug(name: str) -> str:
    """A file name for any name: its safe characters, and a hash where some had to go."""
    safe = re.sub(r"[^A-Za-z0-9-]+", "-", name).strip("-").lower()[:60]
    return safe if safe and safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
