"""Liu et al. 2018: inception of inception, attention over scales, cascaded joints. Ids A01 to A45."""

import math
from itertools import pairwise

from reports.ledger.claim import Claim, Finding, Verdict, ask, conclude, finding
from reports.ledger.claims.scales import INCEPTION, IOI, RESIDUAL
from reports.ledger.evidence import Evidence, table, text
from reports.ledger.measured_checks import MPII, Setting, better, cell, label, missing, rerun
from reports.ledger.printed_checks import (
    MPII_JOINTS,
    best,
    differ,
    gain,
    gains,
    largest,
    means,
    numbers,
    ordered,
    quoted,
    same,
)

PAPER = "liu2018"
T1, T2, T3, T4, T5, T6, T7 = (table(PAPER, f"Table {number}") for number in range(1, 8))
TEXT = text(PAPER, "equation of P(r)")
STAGES = {"liu-res": RESIDUAL.stacked(18), "liu-incep-res": INCEPTION.stacked(9), "liu-ioi": IOI.stacked(3)}
EQUAL_FIELD = {"6 Res": RESIDUAL.stacked(6), "3 Incep-Res": INCEPTION.stacked(3), "1 IOI": IOI}
JOINTS = ("Head", "Sho.", "Elb.", "Wri.", "Hip", "Knee", "Ank.")
CLEAN = {"Res": T1, "Incep-Res": T1, "IOI": T1, "AIOI": T3}
GROUPS = (["Head"], ["Sho.", "Hip"], ["Elb.", "Wri.", "Knee", "Ank."])  # as CJN finds them
AROUND = 2.5  # points: what "around 10" may be off
ALIKE = 1.1  # sizes within 10 % count as equal
GRID = 32  # cells of the feature maps
CONFUSION = Setting("occluded-limb", "mpii", "val", "left-right confusion")
DROP = Setting("occluded-limb", "mpii", "val", "drop")


def a01(evidence: Evidence) -> Verdict:
    return conclude(gain(evidence, T1, "IOI", "Res", "Mean", 1.5), rerun(evidence, "liu-ioi", "liu-res", MPII))


def a02(evidence: Evidence) -> Verdict:
    rivals = ("liu-res", "liu-incep-res")
    return conclude(best(evidence, T1, "IOI"), *(rerun(evidence, "liu-ioi", rival, MPII) for rival in rivals))


def a03(evidence: Evidence) -> Verdict:
    measured = (rerun(evidence, "liu-ioi", "liu-res", MPII, part) for part in ("ankle", "wrist"))
    return conclude(gains(evidence, T1, "IOI", "Res", {"Ank.": 2.8, "Wri.": 2.0}), *measured)


def a05(evidence: Evidence) -> Verdict:
    fields = {name: scales.largest for name, scales in STAGES.items()}
    told = ", ".join(f"{name} {field}" for name, field in fields.items())
    formula = finding(len(set(fields.values())) == 1, f"Field of a stage by the paper's formula: {told} cells.", TEXT)
    return conclude(formula, *(_measured_field(evidence, name, field) for name, field in fields.items()))


def _measured_field(evidence: Evidence, network: str, field: int) -> Finding | None:
    """The field of a stage of our network, beside the formula's; None if it was not measured."""
    row = evidence.row(network, "receptive-field", "rf_max", "Stage")
    words = f"The graph of {network} has {row['value']:g}." if row else ""
    return finding(row["value"] == field, words, cell(row)) if row else None


def a06(evidence: Evidence) -> Verdict:
    equal = len({scales.largest for scales in STAGES.values()}) == 1
    found = [finding(equal, f"Their theoretical receptive fields are {'' if equal else 'not '}equal.", TEXT)]
    for metric in ("parameters", "macs"):
        rows = {name: evidence.row(name, "complexity", metric) for name in STAGES}
        if lacking := [name for name, row in rows.items() if row is None]:
            found.append(missing(evidence, lacking, Setting("complexity", "", "", metric)))
            continue
        ratio = max(row["value"] for row in rows.values()) / min(row["value"] for row in rows.values())
        words = f"The networks of Table 1 differ by a factor of {ratio:.2f} in {label(metric)}."
        found.append(finding(ratio <= ALIKE, words, *map(cell, rows.values())))
    return conclude(found)


def _field(evidence: Evidence, blocks: int, stated: int) -> Finding:
    """The field of a chain of AIOI blocks by the paper's formula; gates multiply and are no pathways."""
    field = IOI.stacked(blocks).largest
    words = f"{blocks} blocks: 1 + {blocks} × {IOI.largest - 1} = {field}, stated {stated}."
    return finding(field == stated, words, TEXT)


def a09(evidence: Evidence) -> Verdict:
    stated, needed = 35, 2 * GRID - 1
    return conclude(
        finding(stated > GRID, f"The stated field, {stated}, is larger than the grid, {GRID}.", TEXT),
        finding(stated >= needed, f"A cell at the border sees the whole grid only with a field of {needed}.", TEXT),
    )


def a10(evidence: Evidence) -> Verdict:
    [stated], places = numbers(evidence, "A10"), quoted(evidence, "A10")
    branch = 3 * ["1x1", "3x3", "3x3"]
    joined = len(branch) + 3 + 2  # one projection behind each concatenation, two convolutions of the fusion
    return conclude(
        finding(len(branch) == stated, f"The longest branch of figure 3 has {len(branch)} convolutions.", *places),
        finding(joined == stated, f"With the projections that the released graph has, {joined} are spanned.", *places),
    )


def a11(evidence: Evidence) -> Verdict:
    res, inception = EQUAL_FIELD["6 Res"], EQUAL_FIELD["3 Incep-Res"]
    words = f"Var R at the field {res.largest}: 3 Incep-Res {inception.variance:.2f}, 6 Res {res.variance:.2f}."
    return conclude(finding(inception.variance > res.variance, words, TEXT))


def a12(evidence: Evidence) -> Verdict:
    shares = [INCEPTION.stacked(blocks).share(5) for blocks in range(1, 10)]
    falls = all(one > two for one, two in pairwise(shares))
    told = ", ".join(f"{share:.3f}" for share in shares)
    return conclude(finding(falls, f"P(R ≤ 5) for 1 to 9 Incep-Res: {told}.", TEXT))


def a13(evidence: Evidence) -> Verdict:
    found = []
    for field in (1, 3, 5):
        shares = {name: scales.share(field) for name, scales in EQUAL_FIELD.items()}
        told = ", ".join(f"{name} {share:.3f}" for name, share in shares.items())
        found.append(finding(shares["1 IOI"] == max(shares.values()), f"P(R ≤ {field}): {told}.", TEXT))
    return conclude(found)


def a14(evidence: Evidence) -> Verdict:
    found = []
    for name, words in (("paths", "Pathways"), ("variance", "Var R"), ("entropy", "Entropy of R in bits")):
        values = {block: getattr(scales, name) for block, scales in EQUAL_FIELD.items()}
        told = ", ".join(f"{block} {value:.4g}" for block, value in values.items())
        found.append(finding(values["1 IOI"] == max(values.values()), f"{words}: {told}.", TEXT))
    return conclude(found)


def a15(evidence: Evidence) -> Verdict:
    blocks = EQUAL_FIELD["6 Res"]
    sizes = len([count for count in blocks.counts if count])
    return conclude(
        finding(blocks.paths == 2**6, f"6 residual blocks have {blocks.paths} = 2^6 pathways.", TEXT),
        finding(sizes == blocks.paths, f"Their fields take only {sizes} values.", TEXT),
    )


def a16(evidence: Evidence) -> Verdict:
    columns = evidence.columns(T2)
    printed = gains(evidence, T2, "AIOI-sigmoid", "AIOI-softmax", columns)
    return conclude(printed, rerun(evidence, "liu-aioi", "liu-aioi-softmax", MPII))


def a17(evidence: Evidence) -> Verdict:
    pairs = {"Wrist": "Wri.", "Ankle": "Ank.", "Mean": "Mean"}
    return conclude(same(evidence, (T2, "AIOI-sigmoid", two), (T3, "AIOI", three)) for two, three in pairs.items())


def a18(evidence: Evidence) -> Verdict:
    return conclude(gain(evidence, T3, "AIOI", "IOI", "Mean", 0.3), rerun(evidence, "liu-aioi", "liu-ioi", MPII))


def _drop(evidence: Evidence, row: str, column: str) -> float:
    """Points lost when a calf is covered."""
    return evidence.printed(CLEAN[row], row, column).value - evidence.printed(T4, row, column).value


def a19(evidence: Evidence) -> Verdict:
    found = []
    for row, clean in CLEAN.items():
        drop = _drop(evidence, row, "Ank.")
        words = f"{row}: {drop:.1f} at the ankle, within {AROUND} of 10."
        words = words if abs(drop - 10) <= AROUND else words.replace("within", "not within")
        found.append(finding(abs(drop - 10) <= AROUND, words, clean, T4))
    return conclude(found)


def a20(evidence: Evidence) -> Verdict:
    stated = {"Res": 12.7, "Incep-Res": 11.5, "IOI": 11.5, "AIOI": 9.6}
    return conclude(gain(evidence, CLEAN[row], row, row, "Ank.", drop, elsewhere=T4) for row, drop in stated.items())


def a21(evidence: Evidence) -> Verdict:
    """Beyond 1.96 standard errors of four independent shares of the annotated ankles; the paper tests nothing."""
    found = []
    for rival, network in (("Res", "liu-res"), ("Incep-Res", "liu-incep-res"), ("IOI", "liu-ioi")):
        shares = [
            evidence.printed(where, row, "Ank.").value / 100 for row in (rival, "AIOI") for where in (CLEAN[row], T4)
        ]
        bound = 196 * math.sqrt(sum(share * (1 - share) / MPII_JOINTS["ankle"] for share in shares))
        less = _drop(evidence, rival, "Ank.") - _drop(evidence, "AIOI", "Ank.")
        words = f"AIOI drops {less:.1f} less than {rival}; {bound:.1f} would be significant (independent samples)."
        found.append(Finding("yes" if less > bound else "undecided", words, (T4,)))
        found += rerun(evidence, "liu-aioi", network, DROP, "ankle", lower=True)
    return conclude(found)


def a22(evidence: Evidence) -> Verdict:
    found = []
    for column in ("Ank.", "Mean"):
        clean = evidence.printed(T3, "AIOI", column).value - evidence.printed(T1, "Res", column).value
        covered = evidence.printed(T4, "AIOI", column).value - evidence.printed(T4, "Res", column).value
        words = f"AIOI − Res, {column}: {covered:.1f} occluded, {clean:.1f} clean."
        found.append(finding(covered > clean + 1e-9, words, *(where for where in (T1, T3, T4))))
    return conclude(found)


def a23(evidence: Evidence) -> Verdict:
    found = []
    for column in ("Ank.", "Knee", "Mean"):
        ours, theirs = _drop(evidence, "IOI", column), _drop(evidence, "Incep-Res", column)
        words = f"Drop at {column}: IOI {ours:.1f}, Incep-Res {theirs:.1f}."
        found.append(finding(ours < theirs - 1e-9, words, T1, T4))
    return conclude(found, rerun(evidence, "liu-ioi", "liu-incep-res", DROP, "ankle", lower=True))


def a24(evidence: Evidence) -> Verdict:
    margin = 0.5 - 0.8 / 2
    unmoved = max(abs(_drop(evidence, row, column)) for row in CLEAN for column in ("Head", "Sho."))
    words = f"A disc of 0.8 calves around the middle of the calf ends {margin:.1f} calves before the ankle."
    return conclude(
        finding(margin > 0, words, text(PAPER, "Robustness of the AIOI Block")),
        finding(unmoved <= 0.2 + 1e-9, f"Head and shoulders change by at most {unmoved:.1f}.", T4),
    )


def a25(evidence: Evidence) -> Verdict:
    return conclude(better(evidence, "liu-aioi", "liu-res", CONFUSION, "ankle covered", lower=True))


def a26(evidence: Evidence) -> Verdict:
    printed = gain(evidence, T5, "CJN", "AIOI", "Mean", 0.5, elsewhere=T3)
    return conclude(printed, rerun(evidence, "liu-cjn", "liu-aioi", MPII))


def a27(evidence: Evidence) -> Verdict:
    rivals = ("liu-ms-aioi", "liu-cjn-random", "liu-cjn-all")
    return conclude(best(evidence, T5, "CJN"), *(rerun(evidence, "liu-cjn", rival, MPII) for rival in rivals))


def a28(evidence: Evidence) -> Verdict:
    return conclude(
        gain(evidence, T5, "CJN-all", "MS-AIOI", "Mean"), rerun(evidence, "liu-cjn-all", "liu-ms-aioi", MPII)
    )


def a29(evidence: Evidence) -> Verdict:
    alike = same(evidence, (T5, "MS-AIOI", "Mean"), (T3, "AIOI", "Mean"))
    cause = Finding("undecided", "CJN-all differs in more than messages: its every branch finds all joints.")
    return conclude(alike, cause, rerun(evidence, "liu-cjn", "liu-ms-aioi", MPII))


def a30(evidence: Evidence) -> Verdict:
    draws = [row for row in evidence.column(T5, "Mean") if "Random" in row]
    spread = Finding("undecided", f"Table 5 has {len(draws)} random order; the spread over orders is not known.")
    measured = rerun(evidence, "liu-cjn", "liu-cjn-random", MPII)
    return conclude(gain(evidence, T5, "CJN", "CJN-Random", "Mean"), spread, measured)


def a37(evidence: Evidence) -> Verdict:
    precise = Setting("mpii-pckh", "mpii", "val", "PCKh@0.1")
    printed = gains(evidence, T7, "AIOI+CJN", "Chu et al.", {"Mean": 0.1, "AUC": 0.8})
    return conclude(printed, better(evidence, "liu-cjn", "attention-8-hp", precise))


def a38(evidence: Evidence) -> Verdict:
    designs = len(evidence.column(T1, "Mean"))
    few = Finding("undecided", f"Only {designs} designs were compared.", (T1,))
    return conclude(best(evidence, T1, "IOI", ["Mean"]), few)


def a39(evidence: Evidence) -> Verdict:
    area, radius = (Setting("receptive-field", "mpii", "val", metric) for metric in ("area50", "r50"))
    rows = evidence.rows("liu-res", area.protocol, area.metric, "ankle")
    half = [
        finding(row["value"] >= 0.4, f"Half of the ankle's gradient fills {row['value']:.2f} body boxes.", cell(row))
        for row in rows
    ]
    return conclude(half, better(evidence, "liu-ioi", "liu-res", radius, "ankle", lower=True))


def a40(evidence: Evidence) -> Verdict:
    radius = Setting("receptive-field", "mpii", "val", "r50")
    return conclude(
        better(evidence, "liu-aioi", "liu-res", radius, "wrist hidden"),
        better(evidence, "liu-aioi", "liu-res", radius, "ankle visible", lower=True),
    )


def a43(evidence: Evidence) -> Verdict:
    images, stated, training, validation = numbers(evidence, "A43")
    total, places = training + validation, quoted(evidence, "A43")
    sums = f"{training:.0f} + {validation:.0f} = {total:.0f}, more than {stated:.0f}."
    people = f"All of MPII has about {images:.0f} images: these must be people."
    return conclude(finding(total > stated, sums, *places), finding(total <= images, people, *places))


# fmt: off
CLAIMS = (
    Claim("A01", PAPER, "IOI is 1.5 points better overall than the residual baseline.", "Table 1", "difference", a01),
    Claim("A02", PAPER, "IOI outperforms all other architectures.", "Table 1", "ranking", a02),
    Claim("A03", PAPER, "IOI exceeds the residual block by 2.8 at the ankle and 2.0 at the wrist.", "Table 1",
          "difference", a03),
    Claim("A04", PAPER, "The gains are largest at the hard joints, ankle and wrist.", "Table 1", "ranking",
          ask(largest, T1, "IOI", "Res", ("Ank.", "Wri."))),
    Claim("A05", PAPER, "18 residual, 9 Inception-residual and 3 IOI blocks have the same theoretical receptive field.",
          "Comparison of Multi-scale Blocks", "structure", a05),
    Claim("A06", PAPER, "Equal receptive fields make the comparison of the blocks fair.",
          "Comparison of Multi-scale Blocks", "cost", a06),
    Claim("A07", PAPER, "Two AIOI blocks have a receptive field of 23 × 23.", "Cascaded Joint Network", "structure",
          ask(_field, 2, 23)),
    Claim("A08", PAPER, "Three AIOI blocks have a receptive field of 35 × 35.", "Cascaded Joint Network", "structure",
          ask(_field, 3, 35)),
    Claim("A09", PAPER, "35 × 35 is larger than the input and captures all context of the former branches.",
          "Cascaded Joint Network", "structure", a09),
    Claim("A10", PAPER, "The skip connection of IOI spans as many as nine convolution layers.",
          "Inception of Inception", "structure", a10),
    Claim("A11", PAPER, "Inception-residual blocks have a larger scale variance than residual blocks.", "Figure 4",
          "structure", a11),
    Claim("A12", PAPER, "Stacking Inception-residual blocks reduces the low-level features.", "Figure 4 (c)",
          "structure", a12),
    Claim("A13", PAPER, "IOI has more detailed features than the other blocks.", "Figure 4 (b)", "structure", a13),
    Claim("A14", PAPER, "IOI achieves geometric growth of the scale distribution, a greater diversity of scales.",
          "Inception of Inception", "structure", a14),
    Claim("A15", PAPER, "K residual blocks are an ensemble of 2^K networks, each with a different scale.",
          "Inception of Inception", "structure", a15),
    Claim("A16", PAPER, "A sigmoid gate performs better than a softmax.", "Table 2", "ablation", a16),
    Claim("A17", PAPER, "Tables 2 and 3 report the same AIOI.", "Tables 2 and 3", "consistency", a17),
    Claim("A18", PAPER, "Attention improves IOI by 0.3.", "Table 3", "ablation", a18),
    Claim("A19", PAPER, "With calves covered, all networks lose around 10 at the ankle.", "Table 4", "difference", a19),
    Claim("A20", PAPER, "The ankle drops by 12.7 (Res), 11.5 (Incep-Res), 11.5 (IOI) and 9.6 (AIOI).", "Table 4",
          "difference", a20),
    Claim("A21", PAPER, "The drop of AIOI is significantly smaller than all others.", "Table 4", "ranking", a21),
    Claim("A22", PAPER, "The gap to the residual network is even larger than on the standard validation set.",
          "Table 4",
          "difference", a22),
    Claim("A23", PAPER, "Diverse features make a block more robust: IOI drops less than Incep-Res (implied).",
          "Conclusion", "ranking", a23),
    Claim("A24", PAPER, "The occlusion hides the structure without hiding the ankle.", "Robustness of the AIOI Block",
          "structure", a24),
    Claim("A25", PAPER, "The residual network tends to confuse the covered calf with the other leg.", "Figure 8",
          "mechanism", a25),
    Claim("A26", PAPER, "CJN improves AIOI by 0.5.", "Tables 3 and 5", "ablation", a26),
    Claim("A27", PAPER, "CJN outperforms all the other models.", "Table 5", "ranking", a27),
    Claim("A28", PAPER, "CJN-all gets better results than MS-AIOI.", "Table 5", "ranking", a28),
    Claim("A29", PAPER, "MS-AIOI is behind CJN-all because its branches pass no messages.", "Table 5",
          "mechanism", a29),
    Claim("A30", PAPER, "The order of the groups matters: CJN is better than CJN-Random.", "Table 5", "ablation", a30),
    Claim("A31", PAPER, "CJN helps wrists and ankles most.", "Tables 3 and 5", "ranking",
          ask(largest, T5, "CJN", "AIOI", ("Wri.", "Ank."), elsewhere=T3)),
    Claim("A32", PAPER, "93.6 on LSP surpasses the state of the art.", "Table 6", "ranking",
          ask(best, T6, "AIOI+CJN", ["Mean"])),
    Claim("A33", PAPER, "On LSP it outperforms all previous methods for all joints.", "Table 6", "ranking",
          ask(best, T6, "AIOI+CJN", JOINTS)),
    Claim("A34", PAPER, "On LSP it gains especially at wrists and ankles.", "Table 6", "ranking",
          ask(largest, T6, "AIOI+CJN", "Chu et al.", ("Wri.", "Ank."))),
    Claim("A35", PAPER, "It achieves the state of the art on the MPII test set.", "Table 7", "ranking",
          ask(best, T7, "AIOI+CJN", ["Mean"])),
    Claim("A36", PAPER, "Its AUC exceeds the closest method by 0.8.", "Table 7", "difference",
          ask(gain, T7, "AIOI+CJN", "Chu et al.", "AUC", 0.8)),
    Claim("A37", PAPER, "0.1 better at 0.5, 0.8 better in AUC: it localizes more precisely.", "Table 7", "mechanism",
          a37),
    Claim("A38", PAPER, "The IOI block is optimal among all the possible combinations.",
          "Comparison of Multi-scale Blocks",
          "ranking", a38),
    Claim("A39", PAPER,
          "For the right ankle the residual network looks at almost half of the body, IOI at a small area.",
          "Figure 7", "mechanism", a39),
    Claim("A40", PAPER, "AIOI looks at more for a hidden wrist and at less for a visible ankle.", "Figure 9",
          "mechanism", a40),
    Claim("A41", PAPER, "Head and neck are easiest, then shoulders and hips, then the limbs.", "Cascaded Joint Network",
          "ranking", ask(ordered, T1, "Res", GROUPS)),
    Claim("A42", PAPER, "The mean columns follow from the joint columns.", "Tables 1 and 3 to 7", "consistency",
          ask(means, PAPER)),
    Claim("A43", PAPER, "More than 28000 MPII training images are split into 25925 and 2958 images.", "MPII dataset",
          "consistency", a43),
    Claim("A44", PAPER, "Figure 6 shows the cascaded joint network, and says so.", "Figures 2 and 6", "consistency",
          ask(differ, "A44")),
    Claim("A45", PAPER, "Earlier groups are easier, so their maps are more robust than those of later ones.", "Table 5",
          "ranking", ask(ordered, T5, "CJN", GROUPS)),
)
# fmt: on
