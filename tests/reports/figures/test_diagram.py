"""Diagrams: the same drawing each time, of the modules that the catalogue builds, in the colours of the page."""

import re
from itertools import pairwise

import architectures
from protocols.network.module_graph import Step
from reports.figures import diagram as drawing
from reports.figures.diagram import diagram
from reports.figures.svg import standalone


def test_a_block_is_drawn_with_its_numbers():
    figure = diagram("Figure 3 (b)", "liu-incep-res", "InceptionResidual")
    assert figure.title == "Figure 3 (b): InceptionResidual of liu-incep-res"
    labels = [row[1] for row in figure.rows]
    assert labels == ["input", "1×1 conv", "1×1 conv", "3×3 conv", "1×1 conv", "2 × 3×3 conv", "concatenate",
                      "1×1 conv", "+", "output"]  # fmt: skip
    assert len(figure.svg) < 10_000 and all(f">{label}</text>" in figure.svg for label in labels)
    assert set(re.findall(r"#[0-9a-f]{6}", re.sub(r"var\([^)]*\)", "", figure.svg))) == set(), "colours of the page"
    assert "var(" not in standalone(figure)


def test_it_is_deterministic():
    one = diagram("a", "liu-ioi", "InceptionOfInception").svg
    diagram.cache_clear()
    drawing._built.cache_clear()
    assert diagram("a", "liu-ioi", "InceptionOfInception").svg == one


def test_boxes_of_a_layer_do_not_overlap():
    steps = [Step("input", "input", (3, 8, 8), ())]
    steps += [Step("a long name of a branch", "module", (3, 8, 8), (0,)) for _ in range(7)]
    steps += [Step("+", "operator", (3, 8, 8), tuple(range(1, 8))), Step("output", "output", (3, 8, 8), (8, 0))]
    layers, edges = drawing._layered(steps)
    assert [len(layer) for layer in layers] == [1, 8, 2, 1], "a bend beside the branches and one beside their sum"
    widths = {node: 100.0 for layer in layers for node in layer}
    x = drawing._places(layers, edges, widths)
    for layer in layers:
        places = sorted(x[node] for node in layer)
        assert all(two - one >= 100 for one, two in pairwise(places))


def test_a_network_is_drawn_whole():
    figure = diagram("Figure 2", "attention-8-hp")
    assert ("4 × AttentionStack" in figure.svg) and architectures.describe("attention-8-hp").options["maps"] == 2
