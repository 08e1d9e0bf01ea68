"""The papers' figures, drawn again from our own measurements: which ones, and what each still lacks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.results.rows import Measurement
from reports import formats
from reports.data.cell_files import picture
from reports.figures import paper_plots as drawings
from reports.figures import svg as figures
from reports.figures.paper_plots import Plan
from reports.figures.svg import Figure
from reports.ledger.evidence import Evidence
from reports.ledger.measured_checks import COCO, COVERED, LSP, MPII, Setting

FIELD = Setting("receptive-field", "mpii", "val", "r50")
Cell = dict[str, Any]


@dataclass(frozen=True)
class Redrawn:
    """What became of a plan: figures, pictures of people, or a sentence on what is missing."""

    place: str
    title: str
    figures: dict[str, Figure]
    cells: list[Cell] = field(default_factory=list)  # whose pictures are shown,
    picture: str = ""  # and which
    missing: str = ""


def redrawn(evidence: Evidence, paper: str) -> Iterator[Redrawn]:
    """Every planned figure of a paper."""
    for plan in PLANS.get(paper, ()):
        drawn = plan.draw(evidence, plan) if plan.draw else []
        name = formats.slug(plan.place.lower().replace(" ", "-"))
        pictures = _pictures(evidence, plan)
        yield Redrawn(
            place=plan.place,
            title=plan.title,
            figures={f"{name}-{index}": figure for index, figure in enumerate(drawn, start=1)},
            cells=pictures,
            picture=plan.picture,
            missing=_missing(evidence, plan, bool(drawn or pictures)),
        )


def _missing(evidence: Evidence, plan: Plan, drawn: bool) -> str:
    """What the figure still lacks, as a sentence; "" if it is whole."""
    if plan.needs:
        return "" if drawn else f"Not measured yet: {plan.needs} of {_names(plan.networks)}."
    lacking = [name for name in plan.networks if not any(_as_printed(evidence, plan, name))]
    place = f"{plan.setting.protocol} on {plan.setting.dataset}/{plan.setting.split}"
    return f"Not measured yet: {place} of {_names(lacking)}." if lacking else ""


def _as_printed(evidence: Evidence, plan: Plan, name: str) -> Iterator[Measurement]:
    for row in drawings.rows(evidence, plan, name):
        if (row.dataset, row.split) == (plan.setting.dataset, plan.setting.split):
            yield row


def _pictures(evidence: Evidence, plan: Plan) -> list[Cell]:
    """Cells that kept the picture: of the paper's networks, else whatever was tested so; one a network and dataset."""
    found: dict[tuple, Cell] = {}
    for cell in evidence.snapshot.sorted_cells if plan.picture else ():
        tested = plan.setting != COVERED or cell["protocol"] == COVERED.protocol
        if tested and picture(cell, plan.picture):
            found.setdefault((cell["architecture"], cell["dataset"]), cell)
    own = [cell for cell in found.values() if cell["architecture"].partition("@")[0] in plan.networks]
    return (own or list(found.values()))[: figures.MOST_LINES]


def _names(names: tuple[str, ...] | list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


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
_MAPS = ("attention-2-softmax", "attention-2-crf", *_ATTENTION[1:])
_GATED = ("liu-aioi", "liu-aioi-softmax", "liu-aioi-paper", "liu-ms-aioi", "liu-cjn")
_KEPT = "attention maps of trained cells"

PLANS = {
    "chu2017": (
        Plan("Figure 7", "PCKh curves", drawings.curves, ("attention-8-hp", "hourglass-8", "cpm-6"), MPII, _HARD),
        Plan("Figure 8", "Component analysis", drawings.ladder, _ATTENTION),
        Plan("Figure 9", "Attention maps", None, _MAPS, needs=_KEPT, picture="attention"),
        Plan("Figure 10", "Training with softmax and with CRF attention", drawings.trainings,
             ("attention-2-softmax", "attention-2-crf")),
    ),
    "yang2017": (
        Plan("Figure 5", "Response variance along the network", drawings.variances,
             ("prm-baseline-2", "prm-baseline-2-vc", "pyranet-b-2"), needs="init-variance"),
        Plan("Figure 8", "Designs of the pyramid residual module", drawings.ladder, _PYRAMIDS),
        Plan("Figure 9", "Training with more scales", drawings.trainings, ("prm-baseline-2", *_SCALES)),
    ),
    "li2019": (Plan("Figure 1", "Accuracy against operations", drawings.cost, _STAGES, COCO, ("all",)),),
    "liu2018": (
        Plan("Figure 4", "Scale distribution of blocks", drawings.scales, _LIU, needs="receptive-field"),
        Plan("Equation 1", "What the gates weigh", None, _GATED, needs=_KEPT, picture="attention"),
        Plan("Figure 8", "People with a covered limb", None, (*_LIU, "liu-aioi", "liu-cjn"), COVERED,
             ("ankle covered",), picture="gallery"),
        Plan("Figure 9", "Empirical receptive field", drawings.empirical, (*_LIU, "liu-aioi", "liu-cjn"), FIELD, _HARD),
    ),
    "nie2019": (
        Plan("Figure 6", "PCK curves", drawings.curves, ("nie-4", "cpm-6"), LSP),
        Plan("Figure 7", "PCKh curves", drawings.curves, ("nie-4", "cpm-6", "hourglass-8")),
        Plan("Figure 8", "PCKh curves of hard joints", drawings.curves, ("nie-4", "cpm-6", "hourglass-8"), MPII,
             ("wrist", "elbow", "knee", "ankle")),
    ),
}  # fmt: skip
