"""The page of an architecture: what it is, and all that was measured of it. Everything comes from rows."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.results.snapshot import Snapshot
from reports.data.cell_files import PICTURES, picture
from reports.data.published import Paper
from reports.figures import line_plots as sketch
from reports.figures.svg import Figure
from reports.pages import exports
from reports.pages.page import Page, architecture_path
from reports.tables.published_vs_measured import Comparison
from reports.tables.sheets import Sheet, number

Row = dict[str, Any]
Cell = dict[str, Any]
_FIELD = re.compile(r"P\(r<=(\d+)\)")
_FACTS = ("kind", "builder", "options", "input", "multiple", "skeleton", "paper", "recipe", "released")


def architecture_pages(snapshot: Snapshot, papers: dict[str, Paper], compared: Iterable[Comparison]) -> Iterator[Page]:
    """The list of all, then a page for each that is in the catalogue or has a cell."""
    cells, printed = defaultdict(list), defaultdict(list)
    for cell in snapshot.sorted_cells:
        cells[cell["architecture"]].append(cell)
    for item in compared:
        printed[item.published.architecture].append(item)
    names = list(dict.fromkeys([*snapshot.architecture, *cells]))
    yield _list(snapshot, papers, names, cells)
    for name in names:
        yield _page(snapshot, papers, name, cells[name], printed[name])


def _list(snapshot: Snapshot, papers: dict[str, Paper], names: list[str], cells: dict[str, list[Cell]]) -> Page:
    lines = []
    for name in names:
        row = snapshot.architecture.get(name.partition("@")[0])
        counted = _alone(snapshot, cells[name], "complexity")
        sizes = [next((row for row in counted if (row["metric"], row["part"]) == (metric, "all")), None)
                 for metric in ("parameters", "macs")]  # fmt: skip
        lines.append((name, row, sizes, len(cells[name])))
    columns = ("architecture", "kind", "paper", "summary", "parameters", "macs", "cells")
    rows = [
        (name, row["kind"] if row else "", row["paper"] if row else "", row["summary"] if row else "",
         *map(number, sizes), count)
        for name, row, sizes, count in lines
    ]  # fmt: skip
    sheet = Sheet("architectures", "All architectures", columns, rows)
    return Page("architectures.html", "architectures.html", {"lines": lines, "papers": papers}, (sheet,))


def _page(
    snapshot: Snapshot, papers: dict[str, Paper], name: str, cells: list[Cell], printed: list[Comparison]
) -> Page:
    base, _, overrides = name.partition("@")
    counted = _alone(snapshot, cells, "complexity")
    groups, rules = _groups(counted), _rules(snapshot, counted, printed)
    seen = _alone(snapshot, cells, "receptive-field")
    fields = _pivot([row for row in seen if not _FIELD.fullmatch(row["metric"])])  # the shares are in the figure
    times = _pivot(_alone(snapshot, cells, "speed"))
    figures = {"variance": _variance(_alone(snapshot, cells, "init-variance")), "fields": _distribution(seen)}
    scores = [(cell, snapshot.headline(cell)) for cell in cells]
    context = {
        "name": name,
        "base": base if overrides and base in snapshot.architecture else "",
        "overrides": overrides,
        "row": snapshot.architecture.get(base),
        "facts": _facts(snapshot.architecture.get(base)),
        "paper": papers.get(snapshot.architecture[base]["paper"]) if base in snapshot.architecture else None,
        "scores": scores,
        "groups": groups,
        "totals": [row for row in counted if row["part"] in ("all", "sum", "peak")],
        "uncharged": [row for row in counted if row["metric"] == "uncharged_calls"],
        "rules": rules,
        "printed": _printed_lines(printed),
        "field_rows": fields,
        "time_rows": times,
        "pictures": [(cell, name) for cell in cells for name in PICTURES if picture(cell, name)],
    }
    sheets = [
        _scores_sheet(name, scores), _groups_sheet(name, groups), _rules_sheet(name, rules),
        _pivot_sheet("fields", f"Receptive fields of {name}", *fields),
        _pivot_sheet("times", f"Speed of {name}", *times), _printed_sheet(name, printed),
    ]  # fmt: skip
    drawn = {key: figure for key, figure in figures.items() if figure}
    kept = tuple(sheet for sheet in sheets if sheet.rows)
    return Page(architecture_path(name), "architecture.html", context, kept, drawn, embed=True)


def _alone(snapshot: Snapshot, cells: list[Cell], protocol: str) -> list[Row]:
    """What a protocol found of the network alone, in its own order: the first fresh cell's rows."""
    for cell in cells:
        if cell["protocol"] == protocol and snapshot.in_order.get(cell["cell"]):
            return snapshot.in_order[cell["cell"]]
    return []


def _facts(row: Row | None) -> dict[str, str]:
    """The row of the catalogue as text."""
    if not row:
        return {}
    text = {**row, "input": " x ".join(map(str, row["input"])),
            "options": ", ".join(f"{key} = {value}" for key, value in row["options"].items())}  # fmt: skip
    return {key: str(text[key]) for key in _FACTS if text.get(key)}


@dataclass(frozen=True)
class Group:
    """A layer group: what it owns and what it computes."""

    name: str
    parameters: Row | None
    macs: Row | None
    shares: tuple[float, float]  # of the network's parameters and MACs, 0..1


def _groups(rows: list[Row]) -> list[Group]:
    """Layer groups in the order of execution."""
    found = {metric: {row["part"]: row for row in rows if row["metric"] == metric} for metric in ("parameters", "macs")}
    totals = [found[metric].pop("all", None) for metric in found]
    names = dict.fromkeys([*found["parameters"], *found["macs"]])

    def share(row: Row | None, total: Row | None) -> float:
        return row["value"] / total["value"] if row and total and total["value"] else 0.0

    return [
        Group(name, *rows, tuple(map(share, rows, totals)))
        for name in names
        if (rows := [found[metric].get(name) for metric in found])
    ]


def _rules(snapshot: Snapshot, rows: list[Row], printed: list[Comparison]) -> list[tuple[Row, str, list[Comparison]]]:
    """Every counting rule: what it gives, what it counts, and the printed numbers that it meets."""
    papers = [item for item in printed if item.published.metric == "giga_published"]
    meanings = snapshot.protocol.get("complexity", {}).get("variants", {})
    found = []
    for row in rows:
        if row["metric"] == "giga":
            met = [item for item in papers if _meets(row["value"] / item.published.scale, item)]
            found.append((row, meanings.get(row["part"], ""), met))
    return found


def _meets(value: float, item: Comparison) -> bool:
    """Whether a number rounds to the printed one."""
    return abs(value - item.published.value) <= 0.5 * 10**-item.published.decimals + 1e-9


def _variance(rows: list[Row]) -> Figure | None:
    """Response variance at every addition, of a network without any at every convolution; a line an initialization."""
    found = defaultdict(dict)
    probe = "addition" if any(row["metric"].startswith("rho") for row in rows) else "convolution"
    for row in rows:
        metric, _, name = row["metric"].partition(" ")
        if metric == "variance" and row["part"] != "max" and row["value"] and row["value"] > 0:
            found[name or "as built"][row["part"]] = row["value"]
    if not found:
        return None
    parts = list(dict.fromkeys(part for values in found.values() for part in values))
    place = {part: index for index, part in enumerate(parts, start=1)}
    series = {name: [(place[part], value) for part, value in values.items()] for name, values in found.items()}
    table = [(part, *(f"{values[part]:.4g}" if part in values else "–" for values in found.values())) for part in parts]
    title = "Response variance along the network"
    words = f"{title}: behind {len(parts)} {probe}s; a line an initialization."
    axes = (f"{probe}, in the order of execution", "variance")
    return sketch.lines(title, words, series, axes, ((probe, *found), table), log=True)


def _distribution(rows: list[Row]) -> Figure | None:
    """Share of pathways against the field, a line a kind of block."""
    found = defaultdict(list)
    for row in rows:
        if (at := _FIELD.fullmatch(row["metric"])) and row["value"] is not None:
            found[row["part"]].append((int(at[1]), row["value"]))
    if not found:
        return None
    fields = [at for at, _ in next(iter(found.values()))]
    table = [(at, *(f"{dict(points).get(at, float('nan')):.3f}" for points in found.values())) for at in fields]
    title = "Receptive fields within blocks"
    words = f"{title}: the share of pathways whose field is at most so many cells, a line a kind of block."
    axes = ("field r (cells of the block's input)", "share of pathways with field ≤ r")
    return sketch.lines(title, words, found, axes, (("field", *found), table), steps=True)


def _pivot(rows: list[Row]) -> tuple[list[str], list[tuple[str, dict[str, Row]]]]:
    """Rows as a table: metrics across, parts down."""
    found = defaultdict(dict)
    for row in rows:
        found[row["part"]][row["metric"]] = row
    return list(dict.fromkeys(row["metric"] for row in rows)), list(found.items())


def _pivot_sheet(name: str, caption: str, metrics: list[str], lines: list[tuple[str, dict[str, Row]]]) -> Sheet:
    units = {metric: row["unit"] for _, values in lines for metric, row in values.items()}
    columns = ("part", *(f"{metric} ({units[metric]})" if units[metric] else metric for metric in metrics))
    rows = [(part, *(number(values.get(metric)) for metric in metrics)) for part, values in lines]
    return Sheet(f"{name}-table", caption, columns, rows)


def _scores_sheet(name: str, scores: list[tuple[Cell, Row | None]]) -> Sheet:
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
    rows = [
        (*exports.place(cell, columns[:6]),
         *((row["metric"], row["part"], number(row), number(row, "low"), number(row, "high"), row["unit"]) if row
           else (None,) * 6))
        for cell, row in scores
    ]  # fmt: skip
    return Sheet("scores", f"All cells of {name}", columns, rows)


def _groups_sheet(name: str, groups: list[Group]) -> Sheet:
    rows = [(group.name, number(group.parameters), number(group.macs), *group.shares) for group in groups]
    columns = ("layer group", "parameters", "macs", "share of parameters", "share of macs")
    return Sheet("groups", f"Layer groups of {name}", columns, rows)


def _rules_sheet(name: str, rules: list[tuple[Row, str, list[Comparison]]]) -> Sheet:
    rows = [(row["part"], meaning, number(row), ", ".join(item.published.paper for item in met))
            for row, meaning, met in rules]  # fmt: skip
    return Sheet(
        "rules", f"Operations of {name} by every counting rule", ("rule", "counts", "giga", "printed by"), rows
    )


@dataclass(frozen=True)
class PrintedLine:
    """Numbers that a paper prints in one row: all together while none was measured, else each by itself."""

    items: list[Comparison]

    @property
    def first(self) -> Comparison:
        return self.items[0]


def _printed_lines(printed: list[Comparison]) -> list[PrintedLine]:
    rows = defaultdict(list)
    for item in printed:
        rows[
            item.published.paper, item.published.table, item.published.row, item.published.column if item.row else ""
        ].append(item)
    return [PrintedLine(items) for items in rows.values()]


def _printed_sheet(name: str, printed: list[Comparison]) -> Sheet:
    stacks = exports.stacks(printed)
    rows = [
        (item.published.paper, item.published.table, item.published.row, item.published.column,
         *(stack.get(kind) for kind in exports.KINDS), item.verdict)
        for item, stack in zip(printed, stacks, strict=True)
    ]  # fmt: skip
    return Sheet(
        "printed", f"What papers print of {name}", ("paper", "table", "row", "column", *exports.KINDS, "verdict"), rows
    )
