"""Draw docs/architecture.svg from the imports: `python3 docs/draw_imports.py`.

`FOLDERS` and `ALSO` say in which direction imports go, and tests/docs/test_draw_imports.py checks every import.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Folder:
    """A top-level folder, its parts (subfolders, or files by their stem) in rows, and the place of its panel."""

    summary: str
    knows: tuple[str, ...]  # folders, or parts of folders, that all of it may import from
    rows: tuple[tuple[str, ...], ...]  # a part imports from rows below its own; "" leaves a place empty
    colours: tuple[str, str]  # of the panel on a light and on a dark page
    place: tuple[int, int, int, int]  # left, top, width, distance of rows; pixels


FOLDERS = {
    "bench": Folder(
        "from a row of the matrix to measurements",
        ("architectures", "protocols"),
        (
            ("cli",),
            ("gate",),
            ("executors",),
            ("steps",),
            ("training", "results"),
            ("", "context", "cells"),
            ("processes", "store", ""),
            ("", "progress", "errors"),
            ("", "plain_text", ""),
        ),
        ("#e3ecfa", "#1c2a40"),
        (24, 24, 500, 70),
    ),
    "reports": Folder(
        "from measurements and published values to pages",
        ("architectures", "bench/results", "bench/cells", "bench/errors", "protocols"),
        (("site",), ("pages",), ("figures",), ("tables", "ledger"), ("data",), ("formats",)),
        ("#efe6f8", "#2f2440"),
        (604, 64, 372, 88),
    ),
    "architectures": Folder("one file a family of networks", (), (), ("#fbeedb", "#3b2e1c"), (24, 660, 236, 0)),
    "protocols": Folder(
        "from predictions, or a network alone, to values",
        (),
        (
            ("classes",),
            ("datasets",),
            ("readers", "coco", "joints", "network"),
            ("pose", "statistics"),
            ("__init__",),
            ("errors",),
        ),
        ("#e2f3e8", "#1a3325"),
        (300, 660, 676, 66),
    ),
}
ALSO = {"bench/cli": ("reports",)}  # what one part may import from beyond the list of its folder
LEGEND = ("An arrow is an import.", "Left out: those that follow", "from two others.", "None points upwards.")
STYLE = """
.page{fill:#fff}.box{fill:#fff;stroke:#9aa5b1}path{fill:none;stroke:#7b8794;stroke-width:1.5;marker-end:url(#near)}
text{font:15px system-ui,"Segoe UI","DejaVu Sans",sans-serif;fill:#1f2933}.folder{font-size:17px;font-weight:700}
.note{font-size:13px;fill:#52606d}.part{text-anchor:middle}.far{stroke:#323f4b;stroke-width:2.5;marker-end:url(#far)}
marker path{fill:#7b8794;stroke:none;marker:none}#far path{fill:#323f4b}
"""
DARK = """
.page{fill:#12161c}.box{fill:#242c37;stroke:#5a6675}text{fill:#e4e7eb}.note{fill:#9fb0c0}path{stroke:#8a97a6}
.far{stroke:#cbd2d9}marker path{fill:#8a97a6}#far path{fill:#cbd2d9}
"""
MARKER = (
    '<marker id="{0}" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="{1}" markerHeight="{1}" orient="auto">'
    '<path d="M0 0L8 4L0 8z"/></marker>'
)


class Box(NamedTuple):
    """The rectangle of a folder or a part; a part's row counts from above."""

    left: float
    top: float
    width: float
    height: float
    folder: str
    row: int = -1

    @property
    def middle(self) -> float:
        return self.left + self.width / 2

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height


def boxes() -> dict[str, Box]:
    """Place every folder and part: "bench" is a panel, "bench/cells" a box in it."""
    placed = {}
    for name, folder in FOLDERS.items():
        left, top, width, step = folder.place
        placed[name] = Box(left, top, width, (len(folder.rows) - 1) * step + 106 if folder.rows else 60, name)
        for row, parts in enumerate(folder.rows):
            slot = (width - 24) / len(parts)
            wide = min(slot - 16, 164)
            for column, part in enumerate(parts):
                x = left + 12 + column * slot + (slot - wide) / 2
                placed[f"{name}/{part}"] = Box(x, top + 56 + row * step, wide, 36, name, row)
    return {name: box for name, box in placed.items() if not name.endswith("/")}


def imports() -> Iterator[tuple[Path, int, Path]]:
    """Yield every import of one file of the folders by another one, wherever it stands in it, with its line."""
    paths = sorted(path.relative_to(REPOSITORY) for name in FOLDERS for path in (REPOSITORY / name).rglob("*.py"))
    files = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in paths}
    for path in paths:
        for node in ast.walk(ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names]
                if isinstance(node, ast.ImportFrom):
                    if node.level:
                        raise ValueError(f"{path}:{node.lineno}: imports name the whole path, from the top folder on.")
                    inner = [f"{node.module}.{name}" for name in names]
                    names = [name if name in files else str(node.module) for name in inner]
                yield from ((path, node.lineno, files[name]) for name in names if files.get(name, path) != path)


def part(path: Path) -> str:
    """Name the part that a file belongs to: "bench/cells", "bench/errors"; "architectures", which has no parts."""
    folder, *rest = path.with_suffix("").parts
    return f"{folder}/{rest[0].replace('__main__', 'cli')}" if FOLDERS[folder].rows else folder


def known(source: str, target: str) -> tuple[str, str] | None:
    """Find what allows an import into another folder: who may (a folder or a part), and from where."""
    folder = source.partition("/")[0]
    pairs = [(folder, name) for name in FOLDERS[folder].knows] + [(source, name) for name in ALSO.get(source, ())]
    return next((pair for pair in pairs if pair[1] in (target, target.partition("/")[0])), None)


def arrows(placed: dict[str, Box]) -> tuple[list[tuple[Box, Box]], list[tuple[Box, Box]]]:
    """Arrows inside folders, without those that follow from others, and arrows between folders."""
    pairs = {(part(source), part(target)) for source, _, target in imports()}
    inside = {(placed[a], placed[b]) for a, b in pairs if placed[a].folder == placed[b].folder}
    near = {(a, b) for a, b in inside if a.row < b.row}
    below: dict[Box, set[Box]] = {}
    for box in sorted(placed.values(), key=lambda box: -box.row):
        direct = {b for a, b in near if a == box}
        implied = set().union(*(below[b] for b in direct))
        below[box] = direct | implied
        near -= {(box, b) for b in implied}
    across = {known(a, b) for a, b in pairs if placed[a].folder != placed[b].folder}
    return sorted(near), sorted((placed[pair[0]], placed[pair[1]]) for pair in across if pair)


def curve(near: list[tuple[Box, Box]], source: Box, target: Box) -> str:
    """A path from the lower edge of a box to the upper edge of another one; the arrows of a box share its edge."""

    def port(box: Box, others: list[Box], other: Box) -> float:
        rank = sorted(others).index(other) - (len(others) - 1) / 2
        return box.middle + rank * min(26, box.width / (len(others) + 1))

    x, y = port(source, [b for a, b in near if a == source], target), source.bottom
    u, v = port(target, [a for a, b in near if b == target], source), target.top - 3
    bend = (v - y) / 2
    return f"M{x:.1f} {y}C{x:.1f} {y + bend} {u:.1f} {v - bend} {u:.1f} {v}"


def straight(source: Box, target: Box) -> str:
    """A path down to a folder that lies below; else to the side, at the height of the smaller of the two."""
    left, right = max(source.left, target.left), min(source.right, target.right)
    if left < right:
        return f"M{(left + right) / 2} {source.bottom}V{target.top - 5}"
    start, end = (source.right, target.left - 5) if source.left < target.left else (source.left, target.right + 5)
    small = min(source, target, key=lambda box: box.height)
    return f"M{start} {small.top + small.height / 2}H{end}"


def panel(name: str, box: Box) -> str:
    """A folder with its name and summary."""
    return (
        f'<rect class="{name}" x="{box.left}" y="{box.top}" width="{box.width}" height="{box.height}" rx="12"/>'
        f'<text class="folder" x="{box.left + 18}" y="{box.top + 27}">{name}</text>'
        f'<text class="note" x="{box.left + 18}" y="{box.top + 45}">{FOLDERS[name].summary}</text>'
    )


def label(name: str, box: Box) -> str:
    """A part with its name."""
    return (
        f'<rect class="box" x="{box.left:.1f}" y="{box.top}" width="{box.width:.1f}" height="{box.height}" rx="7"/>'
        f'<text class="part" x="{box.middle:.1f}" y="{box.top + 23}">{name.partition("/")[2]}</text>'
    )


def draw() -> str:
    """Draw the picture; the same imports give the same bytes."""
    placed = boxes()
    near, far = arrows(placed)
    light, dark = ("".join(f".{n}{{fill:{f.colours[i]}}}" for n, f in FOLDERS.items()) for i in (0, 1))
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 1110" width="1000" height="1110">',
        "<title>The folders of Repose and the imports between them</title>",
        f"<style>{STYLE}{light}\n@media(prefers-color-scheme:dark){{{DARK}{dark}}}</style>",
        MARKER.format("near", 5),
        MARKER.format("far", 4),
        '<rect class="page" width="1000" height="1110" rx="16"/>',
        *(panel(name, placed[name]) for name in FOLDERS),
        *(f'<path class="far" d="{straight(*pair)}"/>' for pair in far),
        *(f'<path d="{curve(near, *pair)}"/>' for pair in near),
        *(label(name, box) for name, box in placed.items() if box.row >= 0),
        *(f'<text class="note" x="42" y="{766 + 19 * i}">{line}</text>' for i, line in enumerate(LEGEND)),
        "</svg>\n",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    (REPOSITORY / "docs" / "architecture.svg").write_text(draw(), encoding="utf-8")
