"""Li et al. 2019: multi-stage networks on COCO (MSPN). Ids M01 to M34."""

from itertools import pairwise

from reports.ledger.claim import Claim, Finding, Verdict, ask, conclude, finding
from reports.ledger.evidence import Evidence, table
from reports.ledger.measured_checks import COCO, reproduces, rerun, unmeasured
from reports.ledger.printed_checks import agree, best, exceeds, gain, gains, numbers, printed_as, quoted, same

PAPER = "li2019"
T2, T3, T4, T5, T6, T7, T8 = (table(PAPER, f"Table {number}") for number in range(2, 9))
BASE, CTF, CSFA = "BaseNet", "BaseNet + CTF", "BaseNet + CTF + CSFA"
OURS, ENSEMBLE = "Ours (MSPN)", "Ours (MSPN+*)"
SINGLE = ("CMU Pose [5]", "Mask R-CNN [14]", "G-RMI [27]", "AE [25]", "CPN [8]", "Simple Baseline [39]")
ALONE = "of the single models trained on COCO alone"
ALIKE = 1.15  # costs within 15 % are similar
LITTLE = 0.25  # a gain is little if it is less than a quarter of the first one


def _grown(
    evidence: Evidence, ours: str, theirs: str, points: float, giga: float, networks: tuple[str, str]
) -> list[Finding]:
    """What a larger backbone of Table 2 gains, and what it costs."""
    return [
        gain(evidence, T2, ours, theirs, "AP", points),
        gain(evidence, T2, ours, theirs, "Flops(G)", giga),
        *rerun(evidence, *networks, COCO, "all"),
    ]


def m04(evidence: Evidence) -> Verdict:
    points, cost = evidence.column(T2, "AP"), evidence.column(T2, "Flops(G)")
    steps = [
        (points[two].value - points[one].value) / (cost[two].value - cost[one].value) for one, two in pairwise(points)
    ]
    told = ", ".join(f"{step:.3f}" for step in steps)
    falls = all(one > two for one, two in pairwise(steps))
    return conclude(finding(falls, f"AP gained a GFLOP: {told}.", T2))


def _steps(evidence: Evidence, name: str) -> list[float]:
    """What each further line of Table 3 gains."""
    values = [value.value for row, value in evidence.column(T3, "AP").items() if row.startswith(f"{name},")]
    return [two - one for one, two in pairwise(values)]


def m05(evidence: Evidence) -> Verdict:
    first, *rest = _steps(evidence, "Hourglass")
    told = ", ".join(f"{step:+.1f}" for step in (first, *rest))
    little = all(step < LITTLE * first for step in rest)
    return conclude(
        finding(little, f"Steps to 2, 4 and 8 stages: {told}.", T3),
        rerun(evidence, "mspn-hourglass-2", "mspn-hourglass-1", COCO, "all"),
    )


def m06(evidence: Evidence) -> Verdict:
    one, two = (evidence.printed(T3, row, "FLOPs(G)") for row in ("MSPN, 1", "Hourglass, 1"))
    cost = Finding("note", f"At {one.value} against {two.value} GFLOPs.", (T3,))
    measured = rerun(evidence, "mspn-1", "mspn-hourglass-1", COCO, "all")
    return conclude(gain(evidence, T3, "MSPN, 1", "Hourglass, 1", "AP"), cost, measured)


def m07(evidence: Evidence) -> Verdict:
    ours, theirs = (evidence.printed(T3, row, "AP").value for row in ("MSPN, 1", "Hourglass, 8"))
    words = f"MSPN with 1 stage has {ours}, Hourglass with 8 has {theirs}."
    cheaper = gain(evidence, T3, "MSPN, 1", "Hourglass, 8", "FLOPs(G)", lower=True)
    return conclude(finding(abs(ours - theirs) <= 0.5, words, T3), cheaper)


def m08(evidence: Evidence) -> Verdict:
    return conclude(
        gain(evidence, T3, "MSPN, 2", "MSPN, 1", "AP", 3.0),
        printed_as(evidence, T3, "MSPN, 2", "AP", 74.5),
        rerun(evidence, "mspn-2", "mspn-1", COCO, "all"),
    )


def m09(evidence: Evidence) -> Verdict:
    first, *rest = _steps(evidence, "MSPN")
    found = []
    for stages, step in zip((3, 4), rest, strict=True):
        words = f"Stage {stages} adds {step:+.1f}, stage 2 added {first:+.1f}."
        found += [finding(step > 0, words, T3), finding(step >= LITTLE * first, words)]
    return conclude(found)


def m10(evidence: Evidence) -> Verdict:
    found = []
    for ours, theirs in (("MSPN, 2", "Res-152"), ("MSPN, 4", "Res-254")):
        found.append(exceeds(evidence, (T3, ours, "AP"), (T2, theirs, "AP")))
        cost = evidence.printed(T3, ours, "FLOPs(G)").value, evidence.printed(T2, theirs, "Flops(G)").value
        words = f"At {cost[0]} against {cost[1]} GFLOPs."
        found.append(finding(cost[0] <= ALIKE * cost[1], words, T2))
    measured = rerun(evidence, "mspn-2", "mspn-1-res152", COCO, "all")
    return conclude(found, measured, rerun(evidence, "mspn-4", "mspn-1-res254", COCO, "all"))


def m11(evidence: Evidence) -> Verdict:
    ours, theirs = (evidence.printed(T4, row, "AP").value for row in ("2×Res-18", "Res-50"))
    near = finding(abs(ours - theirs) <= 0.5, f"2×Res-18 has {ours}, Res-50 {theirs}.", T4)
    return conclude(near, gain(evidence, T4, "2×Res-18", "Res-50", "FLOPs", lower=True))


def m12(evidence: Evidence) -> Verdict:
    ours, theirs = (evidence.printed(T4, row, "FLOPs").value for row in ("4×S-XCP", "L-XCP"))
    words = f"At {ours} against {theirs} GFLOPs."
    return conclude(
        gain(evidence, T4, "4×S-XCP", "L-XCP", "AP", 1.0),
        finding(max(ours, theirs) <= ALIKE * min(ours, theirs), words, T4),
        rerun(evidence, "mspn-4-sxcp", "mspn-1-lxcp", COCO, "all"),
    )


def m14(evidence: Evidence) -> Verdict:
    return conclude(
        gain(evidence, T6, CTF, BASE, "MSPN", 0.9), rerun(evidence, "mspn-2-ctf", "mspn-2-base", COCO, "all")
    )


def m15(evidence: Evidence) -> Verdict:
    measured = rerun(evidence, "mspn-hourglass-4-ctf", "mspn-hourglass-4", COCO, "all")
    return conclude(gain(evidence, T6, CTF, BASE, "Hourglass", 1.2), measured)


def m16(evidence: Evidence) -> Verdict:
    return conclude(
        gains(evidence, T6, CSFA, CTF, {"MSPN": 0.3, "Hourglass": 0.5}),
        rerun(evidence, "mspn-2", "mspn-2-ctf", COCO, "all"),
        rerun(evidence, "mspn-hourglass-4-ctf-csfa", "mspn-hourglass-4-ctf", COCO, "all"),
    )


def m17(evidence: Evidence) -> Verdict:
    ours, theirs = (
        evidence.printed(T6, CSFA, column).value - evidence.printed(T6, CTF, column).value
        for column in ("Hourglass", "MSPN")
    )
    words = f"CSFA adds {ours:.1f} to Hourglass, {theirs:.1f} to MSPN."
    rounding = Finding("undecided", "Single runs, each rounded to 0.1; nothing is said of their spread.")
    return conclude(finding(ours > theirs, words, T6), rounding)


def m18(evidence: Evidence) -> Verdict:
    rivals = ("mspn-2-kernel77", "mspn-2-kernel55")
    measured = (rerun(evidence, "mspn-2", rival, COCO, "all") for rival in rivals)
    return conclude(best(evidence, T7, "Setting 3", ["AP"]), *measured)


def m19(evidence: Evidence) -> Verdict:
    without = evidence.printed(T6, CTF, "MSPN").value - evidence.printed(T6, BASE, "MSPN").value
    kernels = evidence.printed(T7, "Setting 3", "AP").value - evidence.printed(T7, "Setting 1", "AP").value
    words = f"Table 6: {without:+.1f} (without CSFA); Table 7, kernels 7, 7 to 7, 5: {kernels:+.1f} (with CSFA)."
    tables = (T6, T7)
    return conclude(finding(abs(without - kernels) < 0.05, words, *tables))


def m21(evidence: Evidence) -> Verdict:
    ours, theirs = (evidence.printed(T3, row, "FLOPs(G)").value for row in ("Hourglass, 4", "MSPN, 2"))
    words = f"{ours} against {theirs} GFLOPs, {100 * (ours / theirs - 1):+.0f} %."
    return conclude(finding(ours <= ALIKE * theirs, words, T3))


def m22(evidence: Evidence) -> Verdict:
    return conclude(printed_as(evidence, T5, OURS, "AP", 76.1), best(evidence, T5, OURS, rivals=SINGLE, among=ALONE))


def m23(evidence: Evidence) -> Verdict:
    return conclude(
        gain(evidence, T5, "Ours (MSPN*)", OURS, "AP", 1.0),
        printed_as(evidence, T5, "Ours (MSPN*)", "AP", 77.1),
        printed_as(evidence, T5, ENSEMBLE, "AP", 78.1),
    )


def m24(evidence: Evidence) -> Verdict:
    return conclude(
        printed_as(evidence, T8, ENSEMBLE, "AP", 76.4),
        gain(evidence, T8, ENSEMBLE, "CPN+ [8]", "AP", 4.3),
        gain(evidence, T8, ENSEMBLE, "MSRA SB+* [39]", "AP", 1.9),
    )


def m25(evidence: Evidence) -> Verdict:
    [stated] = numbers(evidence, "M25")
    return conclude(agree(evidence, "M25"), gain(evidence, T8, ENSEMBLE, "CPN+ [8]", "AP", stated))


def m26(evidence: Evidence) -> Verdict:
    found = []
    for name, stages in (("MSPN", (1, 2, 3, 4)), ("Hourglass", (1, 2, 4, 8))):
        cost = [evidence.printed(T3, f"{name}, {number}", "FLOPs(G)").value for number in stages]
        steps = [(b - a) / (n - m) for (a, b), (m, n) in zip(pairwise(cost), pairwise(stages), strict=True)]
        told = ", ".join(f"{step:.3g}" for step in steps)
        constant = max(steps) - min(steps) <= 0.1 + 1e-9  # each cost is rounded to 0.1
        found.append(finding(constant, f"{name}: {told} GFLOPs a stage.", T3))
    return conclude(found)


def m27(evidence: Evidence) -> Verdict:
    return conclude(
        reproduces(evidence, evidence.printed(T3, f"Hourglass, {stages}", "FLOPs(G)")) for stages in (1, 2, 4, 8)
    )


def m30(evidence: Evidence) -> Verdict:
    steps = _steps(evidence, "MSPN")
    told = ", ".join(f"{step:+.1f}" for step in steps)
    measured = (rerun(evidence, f"mspn-{stages + 1}", f"mspn-{stages}", COCO, "all") for stages in (1, 2, 3))
    return conclude(finding(min(steps) > 0, f"Every stage adds: {told}.", T3), *measured)


def m31(evidence: Evidence) -> Verdict:
    gpus, batch, iterations, people = numbers(evidence, "M31")
    epochs = iterations * gpus * batch / people
    words = f"{iterations:.0f} × {gpus:.0f} × {batch:.0f} / {people:.0f} = {epochs:.1f} epochs."
    return conclude(finding(round(epochs) == 154, words, *quoted(evidence, "M31")))


def m32(evidence: Evidence) -> Verdict:
    return conclude(
        same(evidence, (T3, "Hourglass, 4", "AP"), (T6, BASE, "Hourglass")),
        same(evidence, (T3, "MSPN, 2", "AP"), (T6, CSFA, "MSPN")),
    )


# fmt: off
CLAIMS = (
    Claim("M01", PAPER, "Res-101 is 1.6 AP better than Res-50 for 3.1 GFLOPs more.", "Table 2", "difference",
          ask(_grown, "Res-101", "Res-50", 1.6, 3.1, ("mspn-1-res101", "mspn-1"))),
    Claim("M02", PAPER, "Res-152 is only 0.5 better than Res-101 for 3.7 GFLOPs more.", "Table 2", "difference",
          ask(_grown, "Res-152", "Res-101", 0.5, 3.7, ("mspn-1-res152", "mspn-1-res101"))),
    Claim("M03", PAPER, "Res-254 is only 0.4 better than Res-152, from 11.2 to 18.0 GFLOPs.", "Table 2", "difference",
          ask(_grown, "Res-254", "Res-152", 0.4, 6.8, ("mspn-1-res254", "mspn-1-res152"))),
    Claim("M04", PAPER, "A single stage saturates as its backbone grows.", "Table 2", "ranking", m04),
    Claim("M05", PAPER, "One more stage gives Hourglass a large gain, four and eight little.", "Table 3", "ablation",
          m05),
    Claim("M06", PAPER, "A single stage of MSPN is superior to a single stage of Hourglass.", "Table 3", "ranking",
          m06),
    Claim("M07", PAPER, "A single stage of MSPN is worth eight stages of Hourglass (implied).", "Table 3", "ranking",
          m07),
    Claim("M08", PAPER, "Two stages lead to a 3.0 improvement, 74.5 AP.", "Table 3", "difference", m08),
    Claim("M09", PAPER, "The third and fourth stage maintain a tremendous upward trend.", "Table 3", "ablation", m09),
    Claim("M10", PAPER, "Several stages beat a single one of equal cost.", "Tables 2 and 3", "ranking", m10),
    Claim("M11", PAPER, "Two stages of Res-18 are comparable to Res-50 with fewer operations.", "Table 4",
          "difference", m11),
    Claim("M12", PAPER, "Four small Xceptions are 1.0 better than a large one of similar complexity.", "Table 4",
          "difference", m12),
    Claim("M13", PAPER, "L-XCP is the small and S-XCP the large Xception.", "Table 4", "consistency",
          ask(agree, "M13")),
    Claim("M14", PAPER, "Coarse-to-fine supervision improves MSPN by a large margin, 73.3 to 74.2.", "Table 6",
          "ablation",
          m14),
    Claim("M15", PAPER, "Coarse-to-fine supervision improves Hourglass by 1.2.", "Table 6", "ablation", m15),
    Claim("M16", PAPER, "Feature aggregation adds 0.3 to MSPN and 0.5 to Hourglass.", "Table 6", "ablation", m16),
    Claim("M17", PAPER, "Hourglass loses more information, so aggregation helps it more.", "section 4.3.2",
          "mechanism", m17),
    Claim("M18", PAPER, "The coarse-to-fine setting, kernels 7 then 5, is best.", "Table 7", "ablation", m18),
    Claim("M19", PAPER, "Tables 6 and 7 show the same effect of coarse-to-fine supervision.", "Tables 6 and 7",
          "consistency", m19),
    Claim("M20", PAPER, "The Gaussian targets are described in section 3.2.", "section 4.3.3", "consistency",
          ask(agree, "M20")),
    Claim("M21", PAPER, "A four-stage Hourglass is comparable to a two-stage MSPN in complexity.", "section 4.3.3",
          "cost",
          m21),
    Claim("M22", PAPER, "76.1 on test-dev, of a single model on COCO alone, outperforms other methods in all metrics.",
          "Table 5", "ranking", m22),
    Claim("M23", PAPER, "External data adds 1.0 (77.1); the ensemble reaches 78.1.", "Table 5", "difference", m23),
    Claim("M24", PAPER, "76.4 on test-challenge, 4.3 over CPN and 1.9 over MSRA.", "Table 8", "difference", m24),
    Claim("M25", PAPER, "It improves the winner of 2017 by 4.3.", "section 1", "difference", m25),
    Claim("M26", PAPER, "Every further stage costs the same.", "Table 3", "cost", m26),
    Claim("M27", PAPER, "Hourglass costs 3.9, 6.2, 10.6 and 19.5 GFLOPs at 256 × 192.", "Table 3", "cost", m27),
    Claim("M28", PAPER, "Doubling the channels on the way down beats a constant 256.", "section 3.1", "ablation",
          ask(unmeasured, "a control of 256 channels throughout with equal operations; the catalogue has none")),
    Claim("M29", PAPER, "Capacity belongs into down-sampling rather than up-sampling.", "section 3.1", "ablation",
          ask(unmeasured, "two networks of equal operations that share them differently; the catalogue has none")),
    Claim("M30", PAPER, "The performance keeps improving with more stages.", "Figure 1", "ranking", m30),
    Claim("M31", PAPER, "90k iterations of 8 × 32 people are about 154 epochs of 150k.", "section 4.2", "consistency",
          m31),
    Claim("M32", PAPER, "The base networks of Table 6 are those of Table 3.", "Tables 3 and 6", "consistency", m32),
    Claim("M33", PAPER, "MSPN without either technique already beats Hourglass with both.", "Table 6", "ranking",
          ask(exceeds, (T6, BASE, "MSPN"), (T6, CSFA, "Hourglass"))),
    Claim("M34", PAPER, "All other entries of the challenge are below MSPN.", "Table 8", "ranking",
          ask(best, T8, ENSEMBLE)),
)
# fmt: on
