"""Diagrams of architectures, drawn from the modules that run: layers from top to bottom, at the level of blocks."""

from collections.abc import Sequence
from functools import cache

import torch
from markupsafe import Markup, escape
from torch import nn

import architectures
from protocols.network.graph import Graph, trace_inference
from protocols.network.module_graph import Step, module_graph
from reports.figures.svg import SERIES, Figure

_LAYER, _GAP, _MARGIN = 54, 14, 10  # pixels: from layer to layer, between boxes, around the drawing
_COLOURS = {"module": 0, "convolution": 2, "operator": 3}  # place in SERIES; input and output have none
_SWEEPS = 12  # over all layers, to bring boxes near to what they read and what reads them

Layers = list[list[int]]  # nodes from left to right; those from len(steps) on are bends of long edges
Edges = list[tuple[int, int]]


@cache
def _built(network: str) -> tuple[architectures.Architecture, nn.Module, Graph]:
    """A network of the catalogue as shapes alone, with the graph of its forward pass."""
    row = architectures.describe(network)
    with torch.device("meta"):
        built = architectures.create(row)
    return row, built, trace_inference(built, (3, *row.input))


@cache
def diagram(title: str, network: str, block: str = "", opened: tuple[str, ...] = ()) -> Figure:
    """The diagram of a network of the catalogue, or of its first block of a class; `opened`: classes to look into."""
    row, built, graph = _built(network)
    steps = module_graph(built, graph, block, opened)
    what = f"{block} of {network}" if block else network
    size = "×".join(map(str, row.input))
    text = f"{title}: {what} as it is built here, at {size} pixels. Each box has the channels and pixels of its result."
    rows = [(at, _label(step), _shape(step), ", ".join(map(str, step.inputs)) or "–", step.parameters or "–")
            for at, step in enumerate(steps)]  # fmt: skip
    columns = ("step", "module or operator", "result", "reads", "parameters of one")
    return Figure(f"{title}: {what}", text, _svg(f"{title}: {what}", text, steps), columns, rows)


def _shape(step: Step) -> str:
    channels, *size = step.shape
    return f"{channels} @ {'×'.join(map(str, size))}" if size else str(channels)


# ------------------------------------------------------------------------------------ layout


def _layered(steps: Sequence[Step]) -> tuple[Layers, Edges]:
    """Every step in a layer below what it reads, with bends where an edge passes a layer, and edges between layers."""
    depth: list[int] = []
    for step in steps:
        depth.append(1 + max((depth[source] for source in step.inputs), default=-1))
    for at, step in enumerate(steps):  # inputs stand right above their first reader
        if not step.inputs:
            depth[at] = min((depth[other] for other, reader in enumerate(steps) if at in reader.inputs), default=1) - 1
    layers: Layers = [[] for _ in range(max(depth) + 1)]
    for at, layer in enumerate(depth):
        layers[layer].append(at)
    edges, count = [], len(steps)
    for at, step in enumerate(steps):
        for source in step.inputs:
            before = source
            for layer in range(depth[source] + 1, depth[at]):
                layers[layer].append(count)
                edges.append((before, count))
                before, count = count, count + 1
            edges.append((before, at))
    return layers, edges


def _places(layers: Layers, edges: Edges, widths: dict[int, float]) -> dict[int, float]:
    """Centre of each node along x, near the mean of its neighbours, without overlaps."""
    above, below = {}, {}
    for one, two in edges:
        below.setdefault(one, []).append(two)
        above.setdefault(two, []).append(one)
    x = {node: float(at) for layer in layers for at, node in enumerate(layer)}
    for sweep in range(_SWEEPS):
        near = (above, below)[sweep % 2]
        for layer in layers if near is above else reversed(layers):
            wanted = {node: sum(x[other] for other in near[node]) / len(near[node]) if node in near else x[node]
                      for node in layer}  # fmt: skip
            if sweep < _SWEEPS - 2:
                layer.sort(key=lambda node, wanted=wanted: (wanted[node], node))
            x |= _spread(layer, wanted, widths)
    left = min(x[node] - widths[node] / 2 for node in x)
    return {node: at - left + _MARGIN for node, at in x.items()}


def _spread(layer: list[int], wanted: dict[int, float], widths: dict[int, float]) -> dict[int, float]:
    """Places in the order of a layer that keep the gaps: the mean of packing from the left and from the right."""

    def packed(nodes: list[int], sign: int) -> list[float]:
        found: list[float] = []
        for at, node in enumerate(nodes):
            need = (widths[nodes[at - 1]] + widths[node]) / 2 + _GAP
            found.append(max(sign * wanted[node], found[-1] + need) if found else sign * wanted[node])
        return [sign * place for place in found]

    pairs = zip(layer, packed(layer, 1), packed(layer[::-1], -1)[::-1], strict=True)
    return {node: (one + two) / 2 for node, one, two in pairs}


# ------------------------------------------------------------------------------------ drawing


def _svg(title: str, text: str, steps: Sequence[Step]) -> Markup:
    layers, edges = _layered(steps)
    widths = {node: _width(steps[node]) if node < len(steps) else 2.0 for layer in layers for node in layer}
    x = _places(layers, edges, widths)
    y = {node: _MARGIN + 18.0 + _LAYER * at for at, layer in enumerate(layers) for node in layer}
    wide = max(x[node] + widths[node] / 2 for node in x) + _MARGIN
    high = _LAYER * len(layers) - 18 + 2 * _MARGIN
    path = Markup("").join(_edge(x, y, one, two, steps) for one, two in edges)
    lines = Markup('<path fill="none" stroke="var(--faint, #666666)" stroke-width="1.2" d="{}"/>').format(path)
    boxes = Markup("").join(_box(step, x[at], y[at], widths[at]) for at, step in enumerate(steps))
    return Markup(
        '<svg role="img" viewBox="0 0 {0:.0f} {1:.0f}" style="width:{0:.0f}px;min-width:{0:.0f}px" font-size="11" '
        'text-anchor="middle" fill="currentColor"><title>{2}</title><desc>{3}</desc>{4}{5}</svg>'
    ).format(wide, high, title, text, lines, boxes)


def _sign(step: Step) -> bool:
    return step.label in ("+", "×")


def _width(step: Step) -> float:
    return 24.0 if _sign(step) else 16 + 6.3 * max(len(_label(step)), len(_shape(step)))


def _label(step: Step) -> str:
    row = f"{step.row} × " if step.row > 1 else ""
    return f"{row}{step.label}{f' ({step.beside}×)' if step.beside > 1 else ''}"


def _edge(x: dict[int, float], y: dict[int, float], one: int, two: int, steps: Sequence[Step]) -> Markup:
    """A curve from the lower edge of one node to the upper edge of another."""
    start, end = y[one] + _half(one, steps), y[two] - _half(two, steps)
    through = f"V{y[two] + _half(two, steps):.0f}" if two >= len(steps) else ""
    if abs(x[one] - x[two]) < 0.5:
        return Markup("M{:.0f} {:.0f}V{:.0f}{}").format(x[one], start, end, through)
    middle = (start + end) / 2
    numbers = (x[one], start, x[one], middle, x[two], middle, x[two], end, through)
    return Markup("M{:.0f} {:.0f}C{:.0f} {:.0f} {:.0f} {:.0f} {:.0f} {:.0f}{}").format(*numbers)


def _half(node: int, steps: Sequence[Step]) -> int:
    """Half of the height of a node; a bend is as high as the boxes beside it."""
    return 18 if node >= len(steps) else 12 if _sign(steps[node]) else 17


def _box(step: Step, x: float, y: float, width: float) -> Markup:
    colour = _COLOURS.get(step.kind)
    paint = f"var(--series-{colour}, {SERIES[colour]})" if colour is not None else "var(--faint, #666666)"
    style = Markup('fill="{0}" fill-opacity="{1}" stroke="{0}"').format(paint, 0.12 if colour is not None else 0)
    if _sign(step):
        circle = '<circle cx="{0:.0f}" cy="{1:.0f}" r="11" {2}/><text x="{0:.0f}" y="{3:.0f}" font-size="14">{4}</text>'
        return Markup(circle).format(x, y, style, y + 5, step.label)
    return Markup(
        '<rect x="{:.0f}" y="{:.0f}" width="{:.0f}" height="34" rx="4" {}/><text x="{:.0f}" y="{:.0f}">{}</text>'
        '<text x="{:.0f}" y="{:.0f}" font-size="9.5" fill="var(--faint, #666666)">{}</text>'
    ).format(x - width / 2, y - 17, width, style, x, y - 3, escape(_label(step)), x, y + 11, _shape(step))
