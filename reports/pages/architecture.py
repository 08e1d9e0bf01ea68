"""The page of an architecture: what it is, and all that was measured of it. Everything comes from rows."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from bench.results.rows import Measurement
from bench.results.snapshot import ReportCell, Snapshot
from protocols import PROTOCOLS
from reports import formats
from reports.data.cell_files import PICTURES, picture
from reports.data.published import Paper
from reports.figures import line_plots
from reports.figures.svg import Figure
from reports.pages.page import Page, architecture_path, cell_path, place, tags
from reports.pages.paper import KINDS, kinds
from reports.tables.published_vs_measured import Comparison
from reports.tables.sheets import Entry, Heading, Piece, Sheet, absent, count, link, nothing, number, text

_FIELD = re.compile(r"P\(r<=(\d+)\)")
MACS = Heading("macs", "MACs", meaning="multiply-accumulates of one forward pass")
_FACTS = ("kind", "builder", "options", "input", "multiple", "skeleton", "paper", "recipe")


def architecture_pages(snapshot: Snapshot, papers: dict[str, Paper], compared: Iterable[Comparison]) -> Iterator[Page]:
    """The list of all, then a page for each that is in the catalogue or has a cell."""
    cells, printed = defaultdict(list), defaultdict(list)
    for cell in snapshot.sorted_cells:
        cells[cell.architecture].append(cell)
    for item in compared:
        printed[item.published.architecture].append(item)
    names = list(dict.fromkeys([*snapshot.architecture, *cells]))
    yield _list(snapshot, papers, names, cells)
    for name in names:
        yield _page(snapshot, papers, name, cells[name], printed[name])


def _list(snapshot: Snapshot, papers: dict[str, Paper], names: list[str], cells: dict[str, list[ReportCell]]) -> Page:
    columns = ("architecture", "kind", "paper", "summary", "parameters", "macs", "cells")
    page = (
        Heading("architecture", names=True), Heading("paper", filter="paper"), Heading("kind", filter="kind"),
        Heading("parameters"), MACS, Heading("cells"), Heading("summary", "what it is", look="words"),
    )  # fmt: skip
    rows = []
    for name in names:
        row = snapshot.architecture.get(name.partition("@")[0])
        counted = {(row.metric, row.part): row for row in _network_rows(snapshot, cells[name], "complexity")}
        sizes = [number(counted.get((metric, "all"))) or absent("not counted")
                 for metric in ("parameters", "macs")]  # fmt: skip
        kind, paper, summary = (row.kind, row.paper, row.summary) if row else ("", "", "")
        short = papers[paper].short if paper in papers else paper
        entry = Entry(paper, page=(Piece(short),))
        rows.append((link(name, architecture_path(name)), kind, entry, summary, *sizes, count(len(cells[name]))))
    sheet = Sheet("architectures", "All architectures", columns, rows, page)
    return Page("architectures.html", "architectures.html", {"number": len(rows)}, (sheet,))


def _page(
    snapshot: Snapshot, papers: dict[str, Paper], name: str, cells: list[ReportCell], printed: list[Comparison]
) -> Page:
    base, _, overrides = name.partition("@")
    row = snapshot.architecture.get(base)
    counted = _network_rows(snapshot, cells, "complexity")
    seen = _network_rows(snapshot, cells, "receptive-field")
    printing = _printed(name, papers, [[item] for item in printed])
    context = {
        "name": name,
        "base": base if overrides and row else "",
        "overrides": overrides,
        "row": row,
        "facts": _facts(snapshot, base),
        "paper": papers.get(row.paper) if row else None,
        "totals": [row for row in counted if row.part in ("all", "sum", "peak")],
        "uncharged": [row for row in counted if row.metric == "uncharged_calls"],
        "printed": _printed(name, papers, _together(printed)),
        "pictures": [(cell, name) for cell in cells for name in PICTURES if picture(cell, name)],
    }
    sheets = [
        _scores(name, [(cell, snapshot.headline(cell)) for cell in cells]),
        _groups(name, counted),
        _rules(name, snapshot, papers, counted, printed),
        _pivot("fields", f"Receptive fields of {name}", [row for row in seen if not _FIELD.fullmatch(row.metric)]),
        _pivot("times", f"Speed of {name}", _network_rows(snapshot, cells, "speed")),
        printing,
    ]
    figures = {"variance": _variance(_network_rows(snapshot, cells, "init-variance")), "fields": _distribution(seen)}
    drawn = {key: figure for key, figure in figures.items() if figure}
    shown = tuple(sheet for sheet in sheets if sheet.rows)
    return Page(architecture_path(name), "architecture.html", context, shown, drawn, embed=True)


def _network_rows(snapshot: Snapshot, cells: list[ReportCell], protocol: str) -> list[Measurement]:
    """Rows of a protocol that looks at the network alone, in its own order: the first fresh cell's rows."""
    for cell in cells:
        if cell.protocol == protocol and snapshot.in_order.get(cell.cell):
            return snapshot.in_order[cell.cell]
    return []


def _facts(snapshot: Snapshot, name: str) -> dict[str, str]:
    """The row of the catalogue as text; empty without one."""
    if not (row := snapshot.architecture.get(name)):
        return {}
    text = {**asdict(row), "input": " x ".join(map(str, row.input)),
            "options": ", ".join(f"{key} = {value}" for key, value in row.options.items())}  # fmt: skip
    return {key: str(text[key]) for key in _FACTS if text.get(key)}


def _groups(name: str, rows: list[Measurement]) -> Sheet:
    """Layer groups in the order of execution, with their shares of the network as bars."""
    found = {metric: {row.part: row for row in rows if row.metric == metric} for metric in ("parameters", "macs")}
    totals = [found[metric].pop("all", None) for metric in found]
    names = dict.fromkeys(name for group in found.values() for name in group)
    lines = [_group(name, [group.get(name) for group in found.values()], totals) for name in names]
    columns = ("layer group", "parameters", "macs", "share of parameters", "share of macs")
    page = (Heading("layer group", names=True), Heading("parameters"), MACS)
    return Sheet("groups", f"Layer groups of {name}", columns, lines, page)


def _group(name: str, rows: list[Measurement | None], totals: list[Measurement | None]) -> tuple:
    """Name, parameters and MACs, their shares of the network's (0..1)."""
    shares = [
        row.number / total.value if row and total and total.value else 0.0
        for row, total in zip(rows, totals, strict=True)
    ]
    bars = [Piece("", "bar left", span=(0, 100 * share)) for share in shares]
    entries = [
        Entry(row and row.value, known, (Piece(known), bar) if row else (nothing(), bar))
        for row, known, bar in zip(rows, map(text, map(number, rows)), bars, strict=True)
    ]
    return (name, *entries, *shares)


def _rules(
    name: str, snapshot: Snapshot, papers: dict[str, Paper], rows: list[Measurement], printed: list[Comparison]
) -> Sheet:
    """Every counting rule: what it counts, what it gives, and the printed numbers that it meets."""
    candidates = [item for item in printed if item.published.metric == "giga_published"]
    meanings = PROTOCOLS["complexity"].variants
    lines = []
    for row in (row for row in rows if row.metric == "giga"):
        met = [item for item in candidates if _meets(row.number / item.published.scale, item)]
        told = [piece for item in met for piece in _met(papers, item)]
        by = Entry(", ".join(item.published.paper for item in met), page=told)
        value = Entry(row.value, formats.shown(row), (Piece(f"{row.value:.3f}"),))
        lines.append((row.part, meanings.get(row.part, ""), value, by))
    columns = ("rule", "counts", "giga", "printed by")
    page = (Heading("rule", names=True), Heading("counts", "what it counts"), Heading("giga", "G"),
            Heading("printed by"))  # fmt: skip
    return Sheet("rules", f"Operations of {name} by every counting rule", columns, lines, page)


def _met(papers: dict[str, Paper], item: Comparison) -> tuple[Piece, ...]:
    value = formats.printed(item.published.value, item.published.decimals)
    return Piece("●", "met"), _place(papers, item), Piece(f": {value}")


def _place(papers: dict[str, Paper], item: Comparison) -> Piece:
    """The table of a paper that prints a number."""
    value = item.published
    return Piece(
        f"{papers[value.paper].short}, {value.table}", link=f"papers/{value.paper}.html#{formats.slug(value.table)}"
    )


def _meets(value: float, item: Comparison) -> bool:
    """Return whether a number rounds to the printed one."""
    return abs(value - item.published.value) <= 0.5 * 10**-item.published.decimals + 1e-9


def _variance(rows: list[Measurement]) -> Figure | None:
    """Response variance at every addition, of a network without any at every convolution; a line an initialization."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    probe = "addition" if any(row.metric.startswith("rho") for row in rows) else "convolution"
    for row in rows:
        metric, _, name = row.metric.partition(" ")
        if metric == "variance" and row.part != "max" and row.value and row.value > 0:
            found[name or "as built"][row.part] = row.value
    if not found:
        return None
    parts = list(dict.fromkeys(part for values in found.values() for part in values))
    place = {part: index for index, part in enumerate(parts, start=1)}
    series = {name: [(place[part], value) for part, value in values.items()] for name, values in found.items()}
    table = [(part, *(f"{values[part]:.4g}" if part in values else "–" for values in found.values())) for part in parts]
    title = "Response variance along the network"
    words = f"{title}: behind {len(parts)} {probe}s; a line an initialization."
    axes = (f"{probe}, in the order of execution", "variance")
    return line_plots.lines(title, words, series, axes, ((probe, *found), table), log=True)


def _distribution(rows: list[Measurement]) -> Figure | None:
    """Share of pathways against the field, a line a kind of block."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        if (at := _FIELD.fullmatch(row.metric)) and row.value is not None:
            found[row.part].append((int(at[1]), row.value))
    if not found:
        return None
    fields = [at for at, _ in next(iter(found.values()))]
    table = [(at, *(f"{dict(points).get(at, float('nan')):.3f}" for points in found.values())) for at in fields]
    title = "Receptive fields within blocks"
    words = f"{title}: the share of pathways whose field is at most so many cells, a line a kind of block."
    axes = ("field r (cells of the block's input)", "share of pathways with field ≤ r")
    return line_plots.lines(title, words, found, axes, (("field", *found), table), steps=True)


def _pivot(name: str, caption: str, rows: list[Measurement]) -> Sheet:
    """Rows as a table: metrics across, parts down."""
    units = {row.metric: row.unit for row in rows}
    found = defaultdict(dict)
    for row in rows:
        found[row.part][row.metric] = _amount(row)
    heads = [Heading(f"{metric} ({unit})" if unit else metric, metric) for metric, unit in units.items()]
    lines = [(part, *(values.get(metric) for metric in units)) for part, values in found.items()]
    columns = ("part", *(head.column for head in heads))
    return Sheet(f"{name}-table", caption, columns, lines, (Heading("part", names=True), *heads))


def _amount(row: Measurement) -> Entry:
    """A value with its unit and interval."""
    shown = formats.shown(row)
    interval = [Piece(formats.interval(row), "small")] if row.interval else []
    return Entry(row.value, shown, (Piece(shown), Piece(row.unit, "inline"), *interval))


def _scores(name: str, scores: list[tuple[ReportCell, Measurement | None]]) -> Sheet:
    columns = (
        "protocol",
        "dataset",
        "split",
        "seed",
        "budget",
        "state",
        "metric",
        "part",
        "value",
        "low",
        "high",
        "unit",
    )
    page = (Heading("protocol", names=True), Heading("dataset", "data"), Heading("seed"), Heading("value"),
            Heading("low", "interval"), Heading("state"))  # fmt: skip
    rows = [_score(cell, row) for cell, row in scores]
    return Sheet("scores", f"All cells of {name}", columns, rows, page)


def _score(cell: ReportCell, row: Measurement | None) -> tuple:
    why = [Piece(f": {cell.why}")] if cell.why else []
    state = Entry(cell.state, page=(Piece(cell.state, "state"), *why))
    protocol = Entry(cell.protocol, page=(Piece(cell.protocol, link=cell_path(cell)), *tags(cell)))
    where = (protocol, *place(cell, "network alone"), cell.seed, cell.budget, state)
    if not row:
        return (*where, *(None,) * 6)
    shown = formats.shown(row)
    what = row.metric if row.part == "all" else f"{row.metric} {row.part}"
    unit = [Piece(row.unit, "inline")] if row.unit != "1" else []
    value = Entry(row.value, shown, (Piece(what), Piece(shown, "b"), *unit))
    low = number(row, "low")
    interval = low and low._replace(page=(Piece(formats.interval(row)),))
    return (*where, row.metric, row.part, value, interval, number(row, "high"), row.unit)


def _together(printed: list[Comparison]) -> list[list[Comparison]]:
    """Numbers that a paper prints in one row: all together while none was measured, else each by itself."""
    rows = defaultdict(list)
    for item in printed:
        value = item.published
        rows[value.paper, value.table, value.row, value.column if item.row else ""].append(item)
    return list(rows.values())


def _printed(name: str, papers: dict[str, Paper], groups: list[list[Comparison]]) -> Sheet:
    """Printed numbers of a network, a line a group."""
    columns = ("paper", "table", "row", "column", *KINDS, "verdict")
    page = (Heading("paper", "where", names=True), *map(Heading, ("row", "column")), Heading("published", look="words"),
            Heading("measured"), Heading("difference"), Heading("verdict", "comparison"))  # fmt: skip
    rows = []
    for items in groups:
        first, found = items[0].published, kinds(items[0])
        place = Entry(first.paper, page=(_place(papers, items[0]),))
        names = ", ".join(item.published.column for item in items)
        values = ", ".join(kinds(item)["published"].text for item in items)
        published = found["published"]._replace(page=(Piece(values),))
        verdict = Entry(items[0].verdict, page=(Piece(items[0].reason or items[0].verdict),))
        rows.append((place, first.table, first.row, names, published, *map(found.get, KINDS[1:]), verdict))
    return Sheet("printed", f"What papers print of {name}", columns, rows, page)
