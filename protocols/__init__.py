"""Protocols: from predictions and ground truth, or from a network alone, to values.

This file is data: it imports neither torch nor numpy, so that `bench list` answers at once.
The module of a protocol is imported when it runs.
"""

from dataclasses import dataclass, field


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


POSE_DATASETS = ("mannequin", "mpii", "lsp", "lspet", "coco")

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="mpii-pckh",
            version=1,
            module="protocols.mpii_pckh",
            needs="predictions",
            datasets=("mannequin", "mpii"),
            headline=("PCKh@0.5", "mean"),
            higher_is_better=True,
            summary="share of joints within half a head size of the truth",
            conventions={
                "distance": "<= threshold x head size",
                "head size": "0.6 x diagonal of the head box",
                "joints": "14: all annotated, occluded ones included; no pelvis, no thorax",
                "mean": "pooled over joints",
            },
        ),
        Protocol(
            name="lsp-pck",
            version=1,
            module="protocols.lsp_pck",
            needs="predictions",
            datasets=("mannequin", "mpii", "lsp", "lspet"),
            headline=("PCK@0.2", "mean"),
            higher_is_better=True,
            summary="share of joints within a fifth of the torso length of the truth",
            conventions={
                "distance": "<= threshold x torso length",
                "torso": "left shoulder to right hip",
                "joints": "14: all annotated, occluded ones included; no pelvis, no thorax",
                "mean": "pooled over joints",
                "names": "person-centric",
            },
        ),
        Protocol(
            name="lsp-pcp",
            version=1,
            module="protocols.lsp_pcp",
            needs="predictions",
            datasets=("mannequin", "mpii", "lsp", "lspet"),
            headline=("PCP", "mean"),
            higher_is_better=True,
            summary="share of sticks with both ends within half the stick's length of the truth",
            conventions={
                "PCP": "strict: both ends <= 0.5 x the stick's length in that image",
                "PCPm": "the same with the stick's mean length over the split",
                "PCP loose": "mean of the two distances <= 0.5 x the stick's length",
                "sticks": "10: torso, head, two for each arm and leg; a stick of length 0 is a miss",
                "mean": "pooled over sticks",
                "names": "person-centric",
            },
        ),
        Protocol(
            name="coco-ap",
            version=1,
            module="protocols.coco_ap",
            needs="predictions",
            datasets=("mannequin", "coco"),
            headline=("AP", "all"),
            higher_is_better=True,
            summary="average precision and recall of whole people by object keypoint similarity",
            conventions={
                "similarity": "OKS: exp(-d^2 / (2 area (2 sigma)^2)), mean over the labelled joints",
                "thresholds": "0.50 to 0.95 in steps of 0.05, >=",
                "precision": "101 recalls, best precision at or beyond each",
                "results": "the best 20 an image",
                "areas": "medium 32^2 to 96^2, large above, both ends included; of a result: extent of its 17 points",
                "ignored": "crowds and people without labelled joints",
            },
        ),
        Protocol(
            name="complexity",
            version=1,
            module="protocols.complexity",
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
        ),
        Protocol(
            name="init-variance",
            version=1,
            module="protocols.init_variance",
            needs="network",
            datasets=(),
            headline=("variance", "max"),
            higher_is_better=False,
            summary="response variances of a fresh network at every addition, with theory beside them",
            conventions={
                "input": "N(0, 1)",
                "batch normalisation": "scale 1, shift 0, statistics of the batch",
                "variance": "over all elements of a response",
                "rho": "Var(sum) / sum of the addends' variances",
                "interval": "Student t over seeds",
            },
        ),
        Protocol(
            name="cifar10-error",
            version=1,
            module="protocols.cifar10_error",
            needs="predictions",
            datasets=("cifar10",),
            headline=("error", "all"),
            higher_is_better=False,
            summary="share of images whose highest score belongs to another class",
            conventions={"error": "top-1, per cent of the 10,000 test images", "interval": "Wilson, over images"},
        ),
        Protocol(
            name="speed",
            version=1,
            module="protocols.speed",
            needs="network",
            datasets=(),
            headline=("latency", "float32 eager"),
            higher_is_better=False,
            summary="latency, throughput at the best batch and peak memory, on the machine at hand",
            conventions={
                "latency": "one image, median call of a round",
                "throughput": "at the batch beyond which doubling gains less than 5 %",
                "bfloat16": "autocast",
                "interval": "Student t over rounds, on logarithms",
            },
        ),
        Protocol(
            name="occluded-limb",
            version=1,
            module="protocols.occluded_limb",
            needs="predictions",
            datasets=("mannequin", "mpii", "lsp", "lspet"),
            headline=("PCKh@0.5", "ankle covered"),
            higher_is_better=True,
            summary="PCKh and its drop when a disc of noise covers one calf of every person",
            conventions={
                "disc": "middle of one calf, diameter 0.8 calves, hard edge, on the original image",
                "eligible": "knee and ankle annotated, at least half a head size apart",
                "noise": "uniform 0 to 255 a colour, in cells of one pixel of a 256-pixel crop",
                "drop": "clean - covered, points; people without an eligible calf stay in",
                "head size": "0.6 x diagonal of the head box; lsp, lspet: upper neck to head top",
                "left-right confusion": "missed, and within half a head of the other side's, > 1 head away",
            },
        ),
        Protocol(
            name="receptive-field",
            version=1,
            module="protocols.receptive_field",
            needs="network",
            datasets=(),
            headline=("rf_mean", "network"),
            higher_is_better=False,
            summary="fields of all pathways of the graph, support of the gradient, fields of a trained network",
            conventions={
                "field": "1 + sum of (kernel - 1) x dilation x jump, along x",
                "pathways": "parallel branches all count, equal ones too; gates (products) are none",
                "rf_support": "gradient in float64 with positive weights, gates included",
                "r50, r90": "radius around the annotated joint with that share of the gradient, in head sizes",
                "area50": "fewest pixels with half of the gradient, in body boxes",
            },
        ),
    )
}
