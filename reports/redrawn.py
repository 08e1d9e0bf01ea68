"""The papers' figures, drawn again from our own measurements. Nothing is drawn that was not measured."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from reports import figures, formats, sketch
from reports.figures import Figure
from reports.known import Known
from reports.page import gallery, kept
from reports.reruns import COCO, COVERED, LSP, MPII, Test

Row = dict[str, Any]
Cell = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """A figure of a paper: what is drawn of which networks."""

    place: str
    title: str
    draw: Callable[[Known, "Plan"], list[Figure]]
    networks: tuple[str, ...]
    test: Test = MPII
    parts: tuple[str, ...] = ("mean",)
    needs: str = ""  # what has to be measured, where `test` does not say it


@dataclass(frozen=True)
class Redrawn:
    """What became of a plan: figures, pictures of people, or a sentence on what is missing."""

    place: str
    title: str
    figures: dict[str, Figure]
    cells: list[Cell] = field(default_factory=list)  # whose pictures are shown
    missing: str = ""


def redrawn(known: Known, paper: str) -> Iterator[Redrawn]:
    """Every planned figure of a paper."""
    for plan in PLANS.get(paper, ()):
        drawn = plan.draw(known, plan)
        name = formats.slug(plan.place.lower().replace(" ", "-"))
        pictures = _pictures(known, plan) if plan.test == COVERED else []
        yield Redrawn(
            place=plan.place,
            title=plan.title,
            figures={f"{name}-{index}": figure for index, figure in enumerate(drawn, start=1)},
            cells=pictures,
            missing=_missing(known, plan, bool(drawn or pictures)),
        )


def _missing(known: Known, plan: Plan, drawn: bool) -> str:
    """What the figure still lacks, as a sentence; "" if it is whole."""
    if plan.needs:
        return "" if drawn else f"Not measured yet: {plan.needs} of {_names(plan.networks)}."
    lacking = [name for name in plan.networks if not any(_as_printed(known, plan, name))]
    place = f"{plan.test.protocol} on {plan.test.dataset}/{plan.test.split}"
    return f"Not measured yet: {place} of {_names(lacking)}." if lacking else ""


def _as_printed(known: Known, plan: Plan, name: str) -> Iterator[Row]:
    for row in _rows(known, plan, name):
        if (row["dataset"], row["split"]) == (plan.test.dataset, plan.test.split):
            yield row


def _names(names: tuple[str, ...] | list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _rows(known: Known, plan: Plan, name: str) -> list[Row]:
    return known.rows(name, plan.test.protocol, plan.test.metric, plan.parts[0])


def _tested_alike(known: Known, plan: Plan) -> Iterator[tuple[str, dict[str, Row]]]:
    """(conditions in words, network -> row) for all conditions under which two or more of the networks were tested."""
    found: dict[tuple, dict[str, Row]] = defaultdict(dict)
    for name in plan.networks:
        for row in _rows(known, plan, name):
            cell = known.cell(row)
            overrides = row["architecture"].partition("@")[2]
            where = (row["dataset"], row["split"], cell["budget"], str(cell.get("limit") or ""), overrides, row["seed"])
            found[where].setdefault(name, row)
    for (dataset, split, budget, limit, overrides, seed), rows in sorted(found.items(), key=lambda item: str(item[0])):
        if len(rows) > 1:
            told = [formats.place({"dataset": dataset, "split": split}), overrides, f"{budget} budget", f"seed {seed}"]
            yield ", ".join(filter(None, [*told, f"{limit} people" if limit else ""])), rows


# ------------------------------------------------------------------------------------ drawing


def _ladder(known: Known, plan: Plan) -> list[Figure]:
    """Score, parameters and operations of networks that differ in one part each, side by side."""
    costs = [panel for panel in (_parameters(known, plan), _operations(known, plan)) if panel]
    drawn = []
    for where, rows in _tested_alike(known, plan):
        score = (f"{plan.test.metric}, {plan.parts[0]} ({next(iter(rows.values()))['unit']})", rows)
        drawn.append(figures.bars(f"{plan.title}, {where}", list(plan.networks), [score, *costs]))
    if not drawn and costs:
        drawn.append(figures.bars(f"{plan.title}: size and operations", list(plan.networks), costs))
    return drawn


def _parameters(known: Known, plan: Plan) -> tuple[str, dict[str, Row]] | None:
    rows = {name: row for name in plan.networks if (row := known.row(name, "complexity", "parameters"))}
    return ("parameters (M)", {name: _scaled(row, 1e6) for name, row in rows.items()}) if rows else None


def _operations(known: Known, plan: Plan) -> tuple[str, dict[str, Row]] | None:
    """By the paper's own rule where it is known, else GMACs."""
    rows = {name: row for name in plan.networks if (row := known.row(name, "complexity", "giga_published"))}
    if len(units := {row["unit"] for row in rows.values()}) == 1:
        return f"operations, {units.pop()}", rows
    rows = {name: row for name in plan.networks if (row := known.row(name, "complexity", "macs"))}
    return ("operations (GMACs)", {name: _scaled(row, 1e9) for name, row in rows.items()}) if rows else None


def _scaled(row: Row, size: float) -> Row:
    return {**row, "value": row["value"] / size, "low": None, "high": None}


def _cost(known: Known, plan: Plan) -> list[Figure]:
    """Score against operations."""
    drawn = []
    for where, rows in _tested_alike(known, plan):
        counted = {name: known.row(name, "complexity", "macs") for name in rows}
        points = [
            {
                "label": name,
                "gmacs": counted[name]["value"] / 1e9,
                **{key: row[key] for key in ("value", "low", "high")},
            }
            for name, row in rows.items()
            if counted[name] and "@" not in row["architecture"]
        ]
        if len(points) > 1:
            drawn.append(figures.cost(f"{plan.title}, {where}", points, f"{plan.test.metric} ({plan.parts[0]})"))
    return drawn


def _curves(known: Known, plan: Plan) -> list[Figure]:
    """Score against threshold, for the parts that the paper shows."""
    unit = "head sizes" if plan.test == MPII else ""
    return [
        figures.curves(f"{plan.title}, {where}", unit, frames, plan.parts)
        for where, frames in _kept(known, plan, "curve.csv")
    ]


def _trainings(known: Known, plan: Plan) -> list[Figure]:
    """Loss and held-out score while training."""
    found = ((where, {name: frame for name, frame in frames.items() if len(frame)})
             for where, frames in _kept(known, plan, "history.csv"))  # fmt: skip
    return [figures.training(f"{plan.title}, {where}", frames) for where, frames in found if len(frames) > 1]


def _kept(known: Known, plan: Plan, file: str) -> Iterator[tuple[str, dict[str, pd.DataFrame]]]:
    for where, rows in _tested_alike(known, plan):
        paths = {name: path for name, row in rows.items() if (path := kept(known.cell(row), file))}
        if len(paths) > 1:
            yield where, {name: pd.read_csv(path) for name, path in paths.items()}


def _variances(known: Known, plan: Plan) -> list[Figure]:
    """Response variance at every addition, a figure an initialization, a line a network."""
    drawn = []
    for initialization in ("msr", "branch-aware"):
        metric = f"variance {initialization}"
        found = {}
        for name in plan.networks:
            cell = next((row["cell"] for row in known.rows(name, "init-variance", metric, "max")
                         if row["architecture"] == name), None)  # fmt: skip
            rows = known.snapshot.in_order.get(cell, ())
            if values := [row["value"] for row in rows if row["metric"] == metric and row["part"] != "max"]:
                found[name] = list(enumerate(values, start=1))
        if found:
            table = [(name, at, f"{value:.4g}") for name, points in found.items() for at, value in points]
            title = f"{plan.title}, {initialization} initialization"
            words = f"{title}: variance of the sum at every addition, in the order of execution; a line a network."
            axes = ("addition, in the order of execution", "variance")
            drawn.append(
                sketch.lines(title, words, found, axes, (("network", "addition", "variance"), table), log=True)
            )
    return drawn


BLOCKS = {"liu-res": "Residual", "liu-incep-res": "InceptionResidual", "liu-ioi": "InceptionOfInception"}


def _scales(known: Known, plan: Plan) -> list[Figure]:
    """Share of a block's pathways that have each field: differences of the distribution function."""
    found = {}
    for name in plan.networks:
        shares, before = {}, 0.0
        for at in range(1, 14, 2):
            row = known.row(name, "receptive-field", f"P(r<={at})", BLOCKS[name])
            if row:
                shares[at], before = row["value"] - before, row["value"]
        if shares:
            found[f"{BLOCKS[name]} ({name})"] = shares
    return [figures.shares(plan.title, found)] if found else []


def _empirical(known: Known, plan: Plan) -> list[Figure]:
    """The radius around a joint that holds half of the gradient."""
    panels = []
    for joint in plan.parts:
        rows = {name: row for name in plan.networks for part in (f"left_{joint}", f"right_{joint}", joint)
                if (row := known.row(name, "receptive-field", "r50", part))}  # fmt: skip
        if rows:
            panels.append((f"r50, {joint} (head sizes)", rows))
    return [figures.bars(plan.title, list(plan.networks), panels)] if panels else []


def _people(known: Known, plan: Plan) -> list[Figure]:
    """Nothing is drawn: the pictures of the cells are shown."""
    return []


def _pictures(known: Known, plan: Plan) -> list[Cell]:
    """Cells of covered limbs that kept pictures: the paper's networks, else whatever was tested so."""
    cells = [cell for cell in known.snapshot.sorted_cells if cell["protocol"] == plan.test.protocol and gallery(cell)]
    own = [cell for cell in cells if cell["architecture"].partition("@")[0] in plan.networks]
    return (own or cells)[: figures.MOST_LINES]


# ------------------------------------------------------------------------------------ what the papers have

_ATTENTION = ("attention-8-bl", "attention-8-ms", "attention-8-hru", "attention-8-mr", "attention-8-hp")
_PYRAMIDS = (
    "prm-baseline-2",
    "prm-wide-2",
    "pyranet-a-2",
    "pyranet-b-2",
    "pyranet-bstar-2",
    "pyranet-c-2",
    "pyranet-d-2",
)
_STAGES = (
    *(f"mspn-{stages}" for stages in (1, 2, 3, 4)), *(f"mspn-hourglass-{stages}" for stages in (1, 2, 4, 8)),
    "mspn-1-res101", "mspn-1-res152", "mspn-1-res254",
)  # fmt: skip
_SCALES = ("pyranet-b-2-scales3", "pyranet-b-2-scales4", "pyranet-b-2-scales5")
_LIU = ("liu-res", "liu-incep-res", "liu-ioi")
_HARD = ("wrist", "ankle")

PLANS = {
    "chu2017": (
        Plan("Figure 7", "PCKh curves", _curves, ("attention-8-hp", "hourglass-8", "cpm-6"), MPII, _HARD),
        Plan("Figure 8", "Component analysis", _ladder, _ATTENTION),
        Plan("Figure 10", "Training with softmax and with CRF attention", _trainings,
             ("attention-2-softmax", "attention-2-crf")),
    ),
    "yang2017": (
        Plan("Figure 5", "Response variance along the network", _variances,
             ("prm-baseline-2", "prm-baseline-2-vc", "pyranet-b-2"), needs="init-variance"),
        Plan("Figure 8", "Designs of the pyramid residual module", _ladder, _PYRAMIDS),
        Plan("Figure 9", "Training with more scales", _trainings, ("prm-baseline-2", *_SCALES)),
    ),
    "li2019": (Plan("Figure 1", "Accuracy against operations", _cost, _STAGES, COCO, ("all",)),),
    "liu2018": (
        Plan("Figure 4", "Scale distribution of blocks", _scales, _LIU, needs="receptive-field"),
        Plan("Figure 8", "People with a covered limb", _people, (*_LIU, "liu-aioi", "liu-cjn"), COVERED,
             ("ankle covered",)),
        Plan("Figure 9", "Empirical receptive field", _empirical, (*_LIU, "liu-aioi", "liu-cjn"), parts=_HARD,
             needs="the empirical field of trained weights (receptive-field)"),
    ),
    "nie2019": (
        Plan("Figure 6", "PCK curves", _curves, ("nie-4", "cpm-6"), LSP),
        Plan("Figure 7", "PCKh curves", _curves, ("nie-4", "cpm-6", "hourglass-8")),
        Plan("Figure 8", "PCKh curves of hard joints", _curves, ("nie-4", "cpm-6", "hourglass-8"), MPII,
             ("wrist", "elbow", "knee", "ankle")),
    ),
}  # fmt: skip
