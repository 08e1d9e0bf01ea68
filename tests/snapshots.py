"""Made-up rows for the tests of the site. No number here was ever measured."""

import dataclasses
import hashlib
from pathlib import Path

import cv2
import numpy as np
from msgspec.structs import replace

from architectures import Architecture
from bench.cells.conditions import Conditions
from bench.results.benchmarks import Benchmark
from bench.results.rows import Measurement, Source
from bench.results.snapshot import ReportCell, Snapshot
from bench.store.provenance import Provenance
from protocols import PROTOCOLS
from protocols.pose.skeletons import Skeleton
from reports.data.ablations import committed

PCKH = replace(PROTOCOLS["mpii-pckh"], variants={}, constants={}, skeletons=())
COMPLEXITY = replace(PROTOCOLS["complexity"], headline=("parameters", "all"), variants={}, constants={})
HOSTILE = "<script>alert('a network')</script>"
NAMES = {
    "markup": "<script>alert('a network')</script>",
    "path": "../../etc/passwd",
    "absolute": "/etc/passwd\\..\\..",
    "formula": '=HYPERLINK("http://evil")',
    "minus": "-2+3",
    "at": "@SUM(1)",
    "quotes": "\"'`|&amp;\\input{x}$",
    "long": "n" * 3000,
    "right to left": "\u202eabc\u05d0\u05d1",
    "control": "a\u0000b\nc\td",
    "empty": "",
    "dots": "..",
}
PARTS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "mean")


def key(*words) -> str:
    """A content key as a store would have it."""
    return hashlib.sha256(repr(words).encode()).hexdigest()[:32]


def cell(architecture, protocol, dataset="", split="", seed: int | None = 0, state="fresh", **other) -> ReportCell:
    """A cell with everything a report may ask for."""
    made = Provenance(
        command=f"bench run {architecture!r} {protocol}", date="2026-01-02T03:04:05Z", commit="abcdef123456",
        device="a test's imagination", threads=2, versions={"torch": "2.13.0", "numpy": "2.0.0"},
        seconds={"train": 112.4, "score": 0.3}, peak_memory_mib=812,
    )  # fmt: skip
    tags = [f"{budget} budget"] if (budget := other.get("budget", "full")) != "full" else []
    tags += [f"partial: {limit} people"] if (limit := other.get("limit")) else []
    tags = (*tags, "fast") if other.get("fast") else tuple(tags)
    about = conditions_of(protocol, dataset, split, **{name: other.pop(name) for name in (*SETTINGS,) if name in other})
    fields = {
        "cell": key(architecture, protocol, dataset, split, seed), "architecture": architecture, "seed": seed,
        "label": f"{architecture} × {protocol}", "source": "measured", "conditions": about, "tags": tags,
        "conventions": {}, "inputs": None, "state": state,
        "provenance": made if state in ("fresh", "stale") else Provenance(),
    }  # fmt: skip
    return ReportCell(**fields | other)


SETTINGS = ("budget", "recipe", "limit", "settings", "fast", "options", "others")


def conditions_of(
    protocol, dataset, split, *, budget="full", recipe="newell2016", limit=0, settings=None, **other
) -> Conditions:
    """The conditions of a made-up cell; `settings` in the words of the published tables."""
    made = {"people": f"first {limit}" if limit else "all", "input": "256x256", **other}
    if dataset:
        words = {"flip": "yes", "scales": "1"} if settings is None else settings
        made |= {name.replace(" ", "_"): text for name, text in words.items()}
        made |= {"flip": words["flip"] == "yes"} if "flip" in words else {}
        made |= {"scales": (1.0,) * int(words["scales"])} if "scales" in words else {}
        made |= {"budget": budget, "recipe": recipe} if recipe else {}
    return Conditions(protocol, 1, dataset, split, **made)


def row(
    cell: ReportCell,
    metric: str,
    part: str,
    value: float | None,
    low: float | None = None,
    high: float | None = None,
    unit: str = "%",
    n: int = 1000,
    source: Source = "measured",
) -> Measurement:
    """A measurement row of a cell."""
    shared = {name: getattr(cell, name) for name in ("architecture", "protocol", "dataset", "split", "seed", "cell")}
    numbers = {"value": value, "unit": unit, "low": low, "high": high, "n": n}
    rest = {"metric": metric, "part": part, "protocol_version": 1, "source": source}
    return Measurement(**shared, **numbers, **rest)


def pckh(cell: ReportCell, mean: float, half: float = 1.0, source: Source = "measured") -> list[Measurement]:
    """Rows of all parts around a mean, the mean with an interval."""
    parts = [row(cell, "PCKh@0.5", part, mean + 3 - i, source=source) for i, part in enumerate(PARTS[:-1])]
    scores = [("PCKh@0.5", mean), ("PCKh@0.1", mean / 3), ("AUC", mean / 1.5)]
    means = [row(cell, metric, "mean", value, value - half, value + half, source=source) for metric, value in scores]
    return parts + means


def counts(cell: ReportCell, parameters: float, macs: float, giga: float | None = None) -> list[Measurement]:
    """Rows of the complexity protocol."""
    rows = [
        row(cell, "parameters", "all", float(parameters), unit="parameters", n=1),
        row(cell, "parameters", "stem", parameters / 9, unit="parameters", n=1),
        row(cell, "macs", "all", float(macs), unit="MACs", n=1),
    ]
    return rows + ([row(cell, "giga_published", "all", giga, unit="G (opc)", n=1)] if giga else [])


def architecture(name, summary="a network of a test", kind="published", paper="newell2016") -> Architecture:
    """A row of the catalogue."""
    return Architecture(name, "hourglass:hourglass", paper, summary, kind, (256, 256), 64, "mpii", "newell2016")


def small(folder: Path) -> Snapshot:
    """A few cells in every state; those with predictions keep a curve, a history and a picture in `folder`."""
    boards = [("mannequin", "val"), ("mpii", "val")]
    networks = {"hourglass-1@input=64,width=0.25": 52.0, "hourglass-2@input=64,width=0.25": 56.5, "mean-pose": 11.2}
    cells, rows = [], []
    for name, mean in networks.items():
        cells.append(cell(name, "mpii-pckh", *boards[0], folder=str(keep(folder / key(name), mean))))
        rows += pckh(cells[-1], mean)
    cells.append(cell("hourglass-8", "mpii-pckh", *boards[1]))
    rows += pckh(cells[-1], 88.1, 0.6)
    stranger = {"settings": {}, "recipe": ""}
    cells.append(cell("Newell 2016, authors' predictions", "mpii-pckh", *boards[1], seed=None, **stranger))
    rows += pckh(cells[-1], 88.0, 0.6, source="predictions")
    cells.append(cell(HOSTILE, "mpii-pckh", *boards[1], seed=None, **stranger))
    rows += pckh(cells[-1], 41.0, 2, source="predictions")
    for name, parameters, macs, giga in (
        ("hourglass-1@input=64,width=0.25", 218_000, 0.03e9, None),
        ("hourglass-2@input=64,width=0.25", 420_000, 0.05e9, None),
        ("hourglass-8", 25_434_112, 26.1e9, None),
        ("prm-baseline-8", 23_722_000, 20.461e9, 41.133),
        ("pyranet-bstar-8", 26_910_000, 22.829e9, 45.942),
    ):
        cells.append(cell(name, "complexity"))
        rows += counts(cells[-1], parameters, macs, giga)
    cells += [
        cell("hourglass-2", "mpii-pckh", *boards[0], state="missing", why="not measured yet", step="train"),
        cell(
            "hourglass-4", "mpii-pckh", *boards[0], state="failed", why="RuntimeError: loss is not finite", step="train"
        ),
        cell("hourglass-4", "mpii-pckh", *boards[1], state="blocked", why="data/mpii is missing", step="predict"),
    ]
    cells.append(cell("hourglass-1@input=64,width=0.25", "mpii-pckh", *boards[0], seed=1, state="stale",
                      why="the protocol's version 0 -> 1", step="score", budget="quick"))  # fmt: skip
    rows += pckh(cells[-1], 50.1)
    names = ("hourglass-1", "hourglass-2", "hourglass-4", "hourglass-8", "prm-baseline-8", "pyranet-bstar-8")
    return Snapshot(rows, cells, [architecture(name) for name in names], [PCKH, COMPLEXITY])


def with_own_pages(base: Snapshot) -> Snapshot:
    """The same with what is only shown where it was measured: the committed ablations, and benchmarks."""
    start = Benchmark(benchmark="decode", what="bench list", ours=0.15, rounds=15, reach=0.25, reached=True,
                      machine="2 cores", date="2026-01-02T03:04:05Z")  # fmt: skip
    decoding = replace(start, what="decoding of 64 x 16 maps of 64 x 64", ours=0.003, peer=0.012, ratio=4.0, reach=5,
                       reached=False, against="numpy, one person and joint at a time")  # fmt: skip
    return dataclasses.replace(base, ablations=committed(), benchmarks=(decoding, start))


def strangers() -> Snapshot:
    """Cells whose networks and layers have names that mean no good."""
    cells, rows = [], []
    for name in NAMES.values():
        cells.append(cell(name, "mpii-pckh", "mpii", "val", label=name))
        rows += pckh(cells[-1], 50)
        cells.append(cell(name, "complexity", label=name))
        rows += [row(cells[-1], "parameters", part, 5.0, unit="parameters") for part in ("all", name)]
    return Snapshot(rows, cells, [], [PCKH, COMPLEXITY])


def keep(folder: Path, mean: float) -> Path:
    """What a cell of predictions leaves beside its rows."""
    folder.mkdir(parents=True)
    thresholds = np.arange(51) / 100
    lines = [f"{part},{t:g},{mean * (1 - np.exp(-9 * t)):.4f}" for part in PARTS for t in thresholds]
    (folder / "curve.csv").write_text("\n".join(["part,threshold,value", *lines]))
    steps = [f"{step},{step / 10},{1 / step:.4f}" for step in range(10, 200, 10)]
    (folder / "history.csv").write_text("\n".join(["step,seconds,loss", *(steps if mean > 20 else [])]))
    picture = np.random.default_rng(0).integers(90, 160, (240, 480, 3), np.uint8)
    (folder / "gallery.webp").write_bytes(cv2.imencode(".webp", picture)[1].tobytes())
    return folder


def network_alone(name, protocol, rows) -> tuple[ReportCell, list[Measurement]]:
    """A cell of a network alone with (metric, part, value, unit)."""
    made = cell(name, protocol)
    return made, [row(made, metric, part, value, unit=unit, n=1) for metric, part, value, unit in rows]


def rich(folder: Path) -> Snapshot:
    """The small snapshot, and networks with everything that the page of an architecture and a figure can show."""
    base = small(folder)
    groups = [(metric, part, value, unit) for metric, unit in (("parameters", "parameters"), ("macs", "MACs"))
              for part, value in (("all", 4e6), ("stem", 1e6), ("stacks.0", 3e6))]  # fmt: skip
    rules = [("giga", "macs", 20.461, "G"), ("giga", "opc", 41.133, "G"), ("giga_published", "all", 41.133, "G (opc)")]
    additions = {"stem": 1.0, "stacks.0 #1": 20.0, "stacks.0 #2": 90.0, "max": 90.0}
    variances = [(f"variance {name}", part, value, "1") for name in ("msr", "branch-aware")
                 for part, value in additions.items()]  # fmt: skip
    variances += [("rho msr", "mean", 1.0, "1")]  # which only sums have
    found = [
        network_alone("prm-baseline-2", "complexity", groups + rules),
        network_alone("prm-baseline-2", "init-variance", variances),
        network_alone(
            "prm-baseline-2", "speed", [("latency", "float32 eager", 5.4, "ms"), ("threads", "all", 2.0, "threads")]
        ),
    ]
    for name, block, step in (("liu-res", "Residual", 0.5), ("liu-ioi", "InceptionOfInception", 1 / 7)):
        shares = [(f"P(r<={at})", block, min(1.0, step * (at + 1) / 2), "share") for at in range(1, 14, 2)]
        found.append(network_alone(name, "receptive-field", [("rf_mean", "network", 292.13, "px"), *shares]))
    covered = cell("hourglass-1@input=64,width=0.25", "occluded-limb", "mannequin", "val",
                   folder=str(keep(folder / "covered", 30)))  # fmt: skip
    found.append((covered, [row(covered, "PCKh@0.5", "ankle covered", 20.0, 18.0, 22.0)]))
    protocols = [
        replace(PCKH, skeletons=("mpii",), variants={"AUC": "area below the curve"}),
        replace(COMPLEXITY, variants={"opc": "torch-opCounter", "macs": "MACs"}),
        *(PROTOCOLS[name] for name in ("init-variance", "speed", "receptive-field", "occluded-limb")),
    ]
    limbs = (("head_top", "left_wrist"), ("head_top", "tail"))
    toy = Skeleton("mpii", ("head_top", "left_wrist", "right_wrist", "tail"), limbs, parts=())
    known = [
        *base.architectures,
        *(architecture(made.architecture, paper="yang2017") for made, _ in found[:1]),
    ]
    return Snapshot(
        base.measurements + [line for _, lines in found for line in lines],
        base.cells + [made for made, _ in found],
        known,
        protocols,
        skeletons=(toy,),
    )
