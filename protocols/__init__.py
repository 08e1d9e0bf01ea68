"""Protocols: from predictions and ground truth, or from a network alone, to values.

This file is data: it imports neither torch nor numpy, so that `bench list` answers at once.
The module of a protocol is imported when it runs.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Protocol:
    """One way to score. Raise `version` whenever the same input may give another number."""

    name: str
    version: int
    module: str  # its `score` (needs predictions) or `measure` (needs a network) yields values
    needs: str  # "predictions" or "network"
    datasets: tuple[str, ...]  # that have the ground truth it needs; empty if it needs none
    headline: tuple[str, str]  # (metric, part) that ranks a leaderboard
    higher_is_better: bool
    summary: str
    conventions: dict[str, str] = field(default_factory=dict)  # shown in every table head
    formula: str = ""  # of the headline, in words and signs
    skeletons: tuple[str, ...] = ()  # whose joints it looks at
    variants: dict[str, str] = field(default_factory=dict)  # other rules for the same thing, and what they count
    options: dict[str, Any] = field(default_factory=dict)  # what may be chosen, with its default
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)  # the words that such an option may be
    files: bool = False  # whether prediction files can be scored
    columns: tuple[tuple[str, str], ...] = ()  # beside the headline, where a leaderboard should not choose by itself


@dataclass(frozen=True)
class Value:
    """One number that a protocol found; `low` and `high` bound its 95 % interval."""

    metric: str
    part: str
    value: float
    unit: str
    n: int  # what was counted: joints, people, images, seeds
    low: float | None = None
    high: float | None = None


# Rules by which papers turn a graph into the giga that they print; "G (opc)" names one of them.
COUNTING_RULES = {
    "macs": "MACs",
    "macs-inference": "MACs that the last output needs",
    "flops": "2 x MACs",
    "flops-inference": "2 x MACs that the last output needs",
    "gibi-macs": "MACs / 2^30",
    "gibi-macs-inference": "MACs that the last output needs / 2^30",
    "gibi-flops": "2 x MACs / 2^30",
    "gibi-flops-inference": "2 x MACs that the last output needs / 2^30",
    "macs-dense": "MACs, groups charged as dense",
    "flops-dense": "2 x MACs, groups charged as dense",
    "macs-bias": "MACs + 1 per bias",
    "macs-bias-bn": "MACs + 1 per bias + 2 per normalised element",
    "flops-bias": "2 x MACs + 1 per bias",
    "opc": "torch-opCounter: 2 x dense MACs + convolved + ReLU + pooling windows + added elements",
    "opc-bn": "torch-opCounter, older: the same + 2 per normalised element",
}

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="mpii-pckh",
            version=1,
            module="protocols.joints.mpii_pckh",
            needs="predictions",
            datasets=("mannequin", "mpii"),
            headline=("PCKh@0.5", "mean"),
            higher_is_better=True,
            options={"resamples": 1000, "seed": 0},
            files=True,
            summary="share of joints within half a head size of the truth",
            conventions={
                "distance": "<= threshold x head size",
                "head size": "0.6 x diagonal of the head box",
                "joints": "14: all annotated, occluded ones included; no pelvis, no thorax",
                "mean": "pooled over joints",
            },
            formula="PCKh@t = 100 · #{joints with |prediction − truth| ≤ t · head size} / #{annotated joints}",
            skeletons=("mpii",),
            variants={"PCKh@0.5 unweighted": "plain mean of the 14 joints' percentages, as eval_PCKh prints it"},
        ),
        Protocol(
            name="lsp-pck",
            version=1,
            module="protocols.joints.lsp_pck",
            needs="predictions",
            datasets=("mannequin", "mpii", "lsp", "lspet"),
            headline=("PCK@0.2", "mean"),
            higher_is_better=True,
            options={"torso": "left_shoulder-right_hip", "resamples": 1000, "seed": 0},
            choices={
                "torso": (
                    "left_shoulder-right_hip",
                    "right_shoulder-left_hip",
                    "mean of diagonals",
                    "mid_shoulder-mid_hip",
                )
            },
            files=True,
            summary="share of joints within a fifth of the torso length of the truth",
            conventions={
                "distance": "<= threshold x torso length",
                "torso": "left shoulder to right hip",
                "joints": "14: all annotated, occluded ones included; no pelvis, no thorax",
                "mean": "pooled over joints",
                "names": "person-centric",
            },
            formula="PCK@t = 100 · #{joints with |prediction − truth| ≤ t · torso length} / #{annotated joints}",
            skeletons=("lsp",),
        ),
        Protocol(
            name="lsp-pckh",
            version=1,
            module="protocols.joints.lsp_pckh",
            needs="predictions",
            datasets=("mannequin", "mpii", "lsp", "lspet"),
            headline=("PCKh-like@0.5", "mean"),
            higher_is_better=True,
            options={"resamples": 1000, "seed": 0},
            files=True,
            summary="share of joints within half the neck-to-head-top length of the truth; no number of MPII's",
            conventions={
                "distance": "<= threshold x head length",
                "head length": "upper neck to head top of the same person, not the head box of MPII",
                "joints": "14: all annotated, occluded ones included; no pelvis, no thorax",
                "mean": "pooled over joints",
                "names": "person-centric",
            },
            formula="PCKh-like@t = 100 · #{joints with |prediction − truth| ≤ t · head length} / #{annotated joints}",
            skeletons=("lsp",),
        ),
        Protocol(
            name="lsp-pcp",
            version=1,
            module="protocols.joints.lsp_pcp",
            needs="predictions",
            datasets=("mannequin", "mpii", "lsp", "lspet"),
            headline=("PCP", "mean"),
            higher_is_better=True,
            options={"resamples": 1000, "seed": 0},
            files=True,
            summary="share of sticks with both ends within half the stick's length of the truth",
            conventions={
                "PCP": "strict: both ends <= 0.5 x the stick's length in that image",
                "PCPm": "the same with the stick's mean length over the split",
                "PCP loose": "mean of the two distances <= 0.5 x the stick's length",
                "sticks": "10: torso, head, two for each arm and leg; a stick of length 0 is a miss",
                "mean": "pooled over sticks",
                "names": "person-centric",
            },
            formula="PCP = 100 · #{sticks with both ends within 0.5 · stick length of the truth} / #{sticks}",
            skeletons=("lsp",),
        ),
        Protocol(
            name="coco-ap",
            version=1,
            module="protocols.coco.ap",
            needs="predictions",
            datasets=("mannequin", "coco"),
            headline=("AP", "all"),
            higher_is_better=True,
            options={"detections": "", "preset": "hrnet", "backend": "own", "resamples": 1000, "seed": 0},
            choices={"backend": ("own", "pycocotools", "faster")},
            files=True,
            summary="average precision and recall of whole people by object keypoint similarity",
            conventions={
                "similarity": "OKS: exp(-d^2 / (2 area (2 sigma)^2)), mean over the labelled joints",
                "thresholds": "0.50 to 0.95 in steps of 0.05, >=",
                "precision": "101 recalls, best precision at or beyond each",
                "results": "the best 20 an image",
                "areas": "medium 32^2 to 96^2, large above, both ends included; of a result: extent of its 17 points",
                "ignored": "crowds and people without labelled joints",
            },
            formula="AP = mean over OKS thresholds 0.50, 0.55, …, 0.95 of the precision averaged over 101 recalls",
            skeletons=("coco",),
        ),
        Protocol(
            name="complexity",
            version=1,
            module="protocols.network.complexity",
            needs="network",
            datasets=(),
            headline=("macs", "all"),
            higher_is_better=False,
            summary="parameters, multiply-accumulates and activation memory for one image",
            conventions={
                "parameters": "trainable: weights, biases, batch-norm scale and shift",
                "macs": "convolutions and linear layers of the whole graph, group-aware; nothing else",
                "macs_inference": "the same, of what the last output needs",
                "giga_published": "by the rule that the paper itself counted with, named in the unit",
                "activation_bytes": "float32, one image, beyond weights and input",
            },
            formula="MACs = Σ over layers of output elements × kernel area × input channels / groups",
            variants=COUNTING_RULES,
        ),
        Protocol(
            name="init-variance",
            version=1,
            module="protocols.network.init_variance",
            needs="network",
            datasets=(),
            headline=("variance msr", "max"),
            higher_is_better=False,
            options={"seeds": [0, 1, 2, 3, 4], "batch": 2},
            summary="response variances of a fresh network at every addition, with theory beside them",
            conventions={
                "input": "N(0, 1)",
                "probes": "every addition; in a network without any, every convolution",
                "batch normalisation": "scale 1, shift 0, statistics of the batch",
                "variance": "over all elements of a response",
                "rho": "Var(sum) / sum of the addends' variances",
                "interval": "Student t over seeds",
            },
            formula="Var(x_l + F(x_l)) at every addition l of a network that was just drawn",
        ),
        Protocol(
            name="cifar10-error",
            version=1,
            module="protocols.classes.cifar10_error",
            needs="predictions",
            datasets=("cifar10",),
            headline=("error", "all"),
            higher_is_better=False,
            files=True,
            summary="share of images whose highest score belongs to another class",
            conventions={"error": "top-1, per cent of the 10,000 test images", "interval": "Wilson, over images"},
            formula="error = 100 · #{images whose highest score is another class} / #{images}",
        ),
        Protocol(
            name="speed",
            version=1,
            module="protocols.network.speed",
            needs="network",
            datasets=(),
            headline=("latency", "float32 eager"),
            higher_is_better=False,
            options={
                "precisions": ["float32", "bfloat16"],
                "modes": ["eager", "compiled"],
                "rounds": 5,
                "seconds": 0.5,
            },
            choices={"precisions": ("float32", "bfloat16"), "modes": ("eager", "compiled")},
            summary="latency, throughput at the best batch and peak memory, on the machine at hand",
            conventions={
                "latency": "one image, median call of a round",
                "throughput": "at the batch beyond which doubling gains less than 5 %",
                "bfloat16": "autocast",
                "interval": "Student t over rounds, on logarithms",
            },
            formula="latency = geometric mean over rounds of the median time of one call",
        ),
        Protocol(
            name="occluded-limb",
            version=1,
            module="protocols.joints.occluded_limb",
            needs="predictions",
            datasets=("mannequin", "mpii", "lsp", "lspet"),
            headline=("PCKh@0.5", "ankle covered"),
            higher_is_better=True,
            options={"cover": 0, "resamples": 1000, "seed": 0},
            summary="PCKh and its drop when a disc of noise covers one calf of every person",
            conventions={
                "disc": "middle of one calf, diameter 0.8 calves, hard edge, on the original image",
                "eligible": "knee and ankle annotated, at least half a head size apart",
                "noise": "uniform 0 to 255 a colour, in cells of one pixel of a 256-pixel crop",
                "drop": "clean - covered, points; people without an eligible calf stay in",
                "head size": "0.6 x diagonal of the head box; lsp, lspet: upper neck to head top",
                "left-right confusion": "missed, and within half a head of the other side's, > 1 head away",
            },
            formula="PCKh@0.5 of the ankle whose calf is covered; drop = clean − covered",
            columns=(
                ("PCKh@0.5 clean", "ankle covered"),
                ("drop", "ankle covered"),
                ("left-right confusion", "ankle covered"),
                ("PCKh@0.5", "ankle untouched"),
                ("PCKh@0.5", "knee covered"),
                ("drop", "ankle"),
                ("drop", "mean"),
                ("PCKh@0.5", "mean"),
            ),
            skeletons=("mpii", "lsp"),
        ),
        Protocol(
            name="receptive-field",
            version=1,
            module="protocols.network.receptive_field",
            needs="network",
            datasets=("mannequin", "mpii"),  # for trained weights: people with head sizes
            headline=("rf_mean", "network"),
            higher_is_better=False,
            options={"people": 32, "occlusion": 0, "seed": 0},
            summary="fields of all pathways of the graph, support of the gradient, fields of a trained network",
            conventions={
                "field": "1 + sum of (kernel - 1) x dilation x jump, along x",
                "pathways": "parallel branches all count, equal ones too; gates (products) are none",
                "rf_support": "gradient in float64 with positive weights, gates included",
                "r50, r90": "radius around the annotated joint with that share of the gradient, in head sizes",
                "area50": "fewest pixels with half of the gradient, in body boxes",
                "occlusion": "the same of the answer's loss when 16 x 16 pixels are noise, in steps of 8",
            },
            formula="rf_mean = mean over pathways of 1 + Σ over layers of (kernel − 1) × dilation × jump",
        ),
    )
}
