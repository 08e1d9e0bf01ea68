"""Yang et al. 2017: pyramid residual modules, initialization and variance of networks with branches. Ids P01 to P28."""

import re

import numpy as np

from reports.formats import number
from reports.ledger.claim import Claim, Finding, Verdict, ask, conclude, finding
from reports.ledger.evidence import Evidence, Row, table, text
from reports.ledger.measured_checks import (
    CIFAR,
    MPII,
    Setting,
    better,
    cell,
    label,
    less,
    missing,
    reproduces,
    rerun,
    unmeasured,
)
from reports.ledger.printed_checks import agree, best, gain, gains, lead, means, printed_as, ratio

PAPER = "yang2017"
T1, T2, T3 = table(PAPER, "Table 1"), table(PAPER, "Table 2"), table(PAPER, "Table 3")
COST, ABLATION = table(PAPER, "Complexity"), table(PAPER, "Ablation")
NEWELL, BULAT = "Newell et al. [39]", "Bulat&Tzimiropoulos [5]"
BASE, CONTROLLED, FULL = (
    "Baseline (two-stack hourglass)", "With variance control", "With variance control and PRM",
)  # fmt: skip
UNIT = text(PAPER, "section 3.3")
COCO_STAGES = table("li2019", "Table 3")
THEORY = text(PAPER, "section 4.1")
ALIKE = 1.05  # sizes within 5 % are similar
MERGE = re.compile(r"hourglass( #\d+)?$")  # how a merge is called among the probes
TWICE = (1.5, 2.5)  # approximately doubled


def p01(evidence: Evidence) -> Verdict:
    return conclude(
        printed_as(evidence, T1, "Ours-B", "Mean", 92.0),
        best(evidence, T1, "Ours-B", ["Mean"]),
        means(evidence, PAPER, "mpii"),
    )


def p05(evidence: Evidence) -> Verdict:
    return conclude(gain(evidence, T2, "Ours", BULAT, "Ank.", 5.0), lead(evidence, T2, "Ours", "Ank.", 5.0))


def _increase(evidence: Evidence, column: str, metric: str, stated: float) -> list[Finding]:
    """The printed increase over the hourglass, and that of our two networks."""
    rows = ("Ours", "Eight-stack hourglass")
    found = [ratio(evidence, *(evidence.printed(COST, row, column) for row in rows), 1 + stated / 100, 3)]
    ours = [evidence.row(name, "complexity", metric) for name in ("pyranet-bstar-8", "prm-baseline-8")]
    if all(ours):
        more = 100 * (ours[0]["value"] / ours[1]["value"] - 1)
        words = f"Our two networks differ by {more:.1f} % in {column}."
        found.append(finding(abs(more - stated) <= 0.5, words, *map(cell, ours)))
    return found


def _unit(width: int, levels: int, kernels: int) -> tuple[int, float]:
    """Parameters, and MACs a cell, of a unit 256 -> 128 -> 256 with a pyramid of `levels` between 1x1 convolutions."""
    parameters = (256 * 128 + 128) + (9 * 128**2 + 128) + (128 * 256 + 256)
    macs = 256 * 128 + 9 * 128**2 + 128 * 256
    if levels:
        parameters += (256 * width + width) + kernels * (9 * width**2 + width) + (width * 128 + 128)
        shares = sum(2 ** (-2 * level / levels) for level in range(1, levels + 1))  # cells of a subsampled map
        macs += 256 * width + shares * 9 * width**2 + width * 128
    return parameters, macs


def p08(evidence: Evidence) -> Verdict:
    plain = _unit(0, 0, 0)
    found = []
    for name, kernels in (("PRM-B", 4), ("PRM-B* (one kernel for all levels)", 1)):
        parameters, macs = (100 * (one / two - 1) for one, two in zip(_unit(28, 4, kernels), plain, strict=True))
        for value, what in ((parameters, "parameters"), (macs, "MACs")):
            found.append(finding(abs(value - 10) <= 2.5, f"{name}: {value:+.1f} % {what} a unit.", UNIT))
    return conclude(found)


def p09(evidence: Evidence) -> Verdict:
    printed = [evidence.printed(COST, "Eight-stack hourglass", column) for column in ("Parameters", "GFLOPs")]
    released = evidence.row("hourglass-8", "complexity", "parameters")
    words = f"The released hourglass-8 counts {released['value'] / 1e6:.1f} M." if released else ""
    note = Finding("note", words, (cell(released),)) if released else None
    return conclude((reproduces(evidence, value) for value in printed), note)


def p11(evidence: Evidence) -> Verdict:
    return conclude(
        gain(evidence, ABLATION, CONTROLLED, BASE, "Mean", 0.4),
        gain(evidence, ABLATION, FULL, CONTROLLED, "Mean", 0.5),
        rerun(evidence, "prm-baseline-2-vc", "prm-baseline-2", MPII),
        rerun(evidence, "pyranet-bstar-2", "prm-baseline-2-vc", MPII),
    )


def p12(evidence: Evidence) -> Verdict:
    return conclude(
        better(evidence, f"pyranet-{design}", "prm-baseline-2", MPII)
        for design in ("a-2", "b-2-scales4", "bstar-2", "c-2", "d-2")  # four scales are those of b-2
    )


def p13(evidence: Evidence) -> Verdict:
    """Each of the larger designs needs more than each of the smaller ones."""
    orders = (("parameters", ("a", "c"), ("b", "bstar", "d")), ("giga_published", ("a", "c", "d"), ("b", "bstar")))
    return conclude(_heavier(evidence, metric, larger, smaller) for metric, larger, smaller in orders)


def _heavier(evidence: Evidence, metric: str, larger: tuple[str, ...], smaller: tuple[str, ...]) -> Finding:
    rows = {design: evidence.row(f"pyranet-{design}-2", "complexity", metric) for design in (*larger, *smaller)}
    if lacking := [f"pyranet-{design}-2" for design, row in rows.items() if row is None]:
        return missing(evidence, lacking, Setting("complexity", "", "", metric))
    told = [
        ", ".join(f"{design} {number(rows[design]['value'], rows[design]['unit'])}" for design in group)
        for group in (larger, smaller)
    ]
    apart = min(rows[design]["value"] for design in larger) > max(rows[design]["value"] for design in smaller)
    words = f"{label(metric)} of two stacks: {told[0]}, against {told[1]}."
    return finding(apart, words, *map(cell, rows.values()))


def p14(evidence: Evidence) -> Verdict:
    said = agree(evidence, "P14")
    return conclude(
        Finding("yes" if said.holds == "yes" else "undecided", said.words, said.sources),
        better(evidence, "pyranet-b-2-scales4", "pyranet-b-2-scales3", MPII),
        better(evidence, "pyranet-b-2-scales5", "pyranet-b-2-scales4", MPII),
    )


def p15(evidence: Evidence) -> Verdict:
    drawn = "pyranet-bstar-2@initialization="
    return conclude(better(evidence, f"{drawn}branch-aware", f"{drawn}{rival}", MPII) for rival in ("xavier", "msr"))


def p16(evidence: Evidence) -> Verdict:
    found = []
    for name, alpha, times in (("MSR (ReLU)", 0.5, 2.0), ("Xavier (Tanh, Sigmoid)", 1.0, 1.0)):
        reduced = 1 / (alpha**2 * 2)  # one branch on either side, n_i = n_o = n: in units of 1 / n
        words = f"α = {alpha}: Var[w] = {reduced:g} / n, {name} has {times:g} / n."
        found.append(finding(reduced == times, words, THEORY))
    return conclude(found)


def _merges(evidence: Evidence, network: str) -> list[tuple[Row, float]]:
    """Each merge of an hourglass, and Var(sum) over the mean of its addends' variances; its units are no merges."""
    found = []
    for made in evidence.snapshot.sorted_cells:
        rows = evidence.snapshot.rows.get(made["cell"], ())
        if (made["architecture"], made["protocol"], made["state"]) != (network, "init-variance", "fresh"):
            continue
        value = {(row["metric"], row["part"]): row["value"] for row in rows}
        for row in rows:
            addends = [value.get(("addend_variance msr", f"{row['part']} / {number}")) for number in (1, 2)]
            if row["metric"] == "variance msr" and MERGE.search(row["part"]) and all(addends):
                found.append((row, 2 * row["value"] / sum(addends)))
    return found


def p17(evidence: Evidence) -> Verdict:
    merges = _merges(evidence, "prm-baseline-2")
    if not merges:
        return conclude(missing(evidence, ["prm-baseline-2"], Setting("init-variance", "", "", "variance msr")))
    middle = float(np.median([times for _, times in merges]))
    words = f"Var(sum) is {middle:.2f} times the mean variance of its addends, median of {len(merges)} merges."
    about = f"That is {'' if TWICE[0] <= middle <= TWICE[1] else 'not '}within {TWICE[0]} to {TWICE[1]}."
    grows = finding(middle >= TWICE[0], words, cell(merges[0][0]))
    return conclude(grows, finding(TWICE[0] <= middle <= TWICE[1], about))


def p19(evidence: Evidence) -> Verdict:
    """A simulation: layers that sum C branches, each drawn by the plain rule for its activation."""
    branches, layers = 3, 4
    found = []
    for name, gain_of, activation in (
        ("Xavier, linear", 1.0, np.array),
        ("MSR, ReLU", 2.0, lambda x: np.maximum(x, 0)),
    ):
        random, width = np.random.default_rng(0), 400
        x = random.standard_normal((width, width))
        for _ in range(layers):
            weights = random.standard_normal((branches, width, width)) * np.sqrt(gain_of / width)
            x = sum(weight @ activation(x) for weight in weights)
        times = x.var()
        words = f"{name}: {layers} layers of {branches} branches multiply the variance by {times:.0f}"
        within = abs(times / branches**layers - 1) < 0.2
        found.append(finding(within, f"{words}, Π C = {branches**layers}.", THEORY))
    return conclude(found)


def p20(evidence: Evidence) -> Verdict:
    scales = [2 ** (-level / 4) for level in range(5)]
    told = ", ".join(f"{scale:.3f}" for scale in scales)
    return conclude(finding(scales[-1] == 0.5, f"Scales for M = 1, C = 4: {told}.", text(PAPER, "equation 3")))


def _smaller_and_better(evidence: Evidence, ours: str, theirs: str, network: str, rival: str) -> list[Finding]:
    """Fewer errors at a similar or smaller size."""
    one, two = (evidence.printed(T3, row, "#params") for row in (ours, theirs))
    words = f"{ours} has {one.value:.1f} M parameters, {theirs} {two.value:.1f} M."
    size = finding(one.value <= ALIKE * two.value, words, T3)
    errors = gain(evidence, T3, ours, theirs, "top-1", lower=True)
    return [errors, size, *rerun(evidence, network, rival, CIFAR, "all", lower=True)]


def p26(evidence: Evidence) -> Verdict:
    eight, four = ((COCO_STAGES, f"Hourglass, {stacks}", "AP") for stacks in (8, 4))
    grew = evidence.printed(*eight).value - evidence.printed(*four).value
    words = f"On COCO, Table 3 of Li 2019: eight stacks are {grew:+.1f} against four."
    elsewhere = Finding("limited" if grew < 0.5 else "open", words, (COCO_STAGES,))
    return conclude(
        elsewhere, unmeasured(evidence, "hourglasses of more than eight stacks on MPII; the paper cites them")
    )


def p18(evidence: Evidence) -> Verdict:
    return conclude(less(evidence, "prm-baseline-2-vc", "prm-baseline-2", "init-variance", "variance msr", "max"))


def p21(evidence: Evidence) -> Verdict:
    networks = ("wrn-28-9-prm", "wrn-28-10")
    cheaper = gain(evidence, T3, "Ours-28-9", "WRN-28-10 [64]", "GFLOPs", lower=True)
    return conclude(_smaller_and_better(evidence, "Ours-28-9", "WRN-28-10 [64]", *networks), cheaper)


def p25(evidence: Evidence) -> Verdict:
    return conclude(
        better(evidence, "pyranet-bstar-2", "prm-wide-2", MPII), better(evidence, "prm-wide-2", "prm-baseline-2", MPII)
    )


# fmt: off
CLAIMS = (
    Claim("P01", PAPER, "92.0 on the MPII test set is the new state of the art.", "section 5.1.2", "ranking", p01),
    Claim("P02", PAPER, "It improves wrist and ankle by 1.6 and 2.4.", "section 5.1.2", "difference",
          ask(gains, T1, "Ours-B", NEWELL, {"Wri.": 1.6, "Ank.": 2.4})),
    Claim("P03", PAPER, "It improves the previous best result on LSP by 3.2.", "section 5.1.2", "difference",
          ask(lead, T2, "Ours", "Mean", 3.2)),
    Claim("P04", PAPER, "It improves the wrist on LSP by 3.7.", "section 5.1.2", "difference",
          ask(lead, T2, "Ours", "Wri.", 3.7)),
    Claim("P05", PAPER, "It improves the ankle on LSP by 5.0 over the previous best.", "section 5.1.2", "difference",
          p05),
    Claim("P06", PAPER, "The parameters increase by 13.5 %, from 23.7 M to 26.9 M.", "section 5.1.2", "cost",
          ask(_increase, "Parameters", "parameters", 13.5)),
    Claim("P07", PAPER, "The operations increase by 11.4 %, from 41.2 to 45.9 GFLOPs.", "section 5.1.2", "cost",
          ask(_increase, "GFLOPs", "giga_published", 11.4)),
    Claim("P08", PAPER, "A unit of five branches with 28 channels costs about 10 % more parameters and operations.",
          "section 3.3", "cost", p08),
    Claim("P09", PAPER, "An eight-stack hourglass has 23.7 M parameters and 41.2 GFLOPs.", "section 5.1.2", "cost",
          p09),
    Claim("P10", PAPER, "Ours-A is trained on the training set of Tompson et al.", "Table 1", "consistency",
          ask(agree, "P10")),
    Claim("P11", PAPER, "Variance control raises 87.6 to 88.0, and PRM further to 88.5.", "section 5.1.3", "ablation",
          p11),
    Claim("P12", PAPER, "All designs of PRM are better than the baseline.", "Figure 8 (a)", "ablation", p12),
    Claim("P13", PAPER, "PRM-A and C have more parameters than B, B* and D; A, C and D more operations than B and B*.",
          "Figure 8 (b, c)", "cost", p13),
    Claim("P14", PAPER, "More levels in the pyramid generally improve the performance.", "Figure 9 (a, b)", "ablation",
          p14),
    Claim("P15", PAPER, "The proposed initialization is better than Xavier's and MSR.", "Figure 9 (c, d)", "ablation",
          p15),
    Claim("P16", PAPER, "Equation 15 becomes Xavier's (Tanh, Sigmoid) and MSR (ReLU) for plain networks.",
          "section 4.1",
          "structure", p16),
    Claim("P17", PAPER, "The sum of two residual units with identity mappings has about twice the variance.",
          "section 4.2", "mechanism", p17),
    Claim("P18", PAPER, "Replacing an identity by BN-ReLU-convolution stops the explosion of the variance.",
          "Figure 6", "mechanism", p18),
    Claim("P19", PAPER,
          "With Xavier's or MSR initialization, branches multiply the variance by the product of their numbers.",
          "section 4.1", "mechanism", p19),
    Claim("P20", PAPER, "With M = 1 and C = 4 the lowest scale is half the resolution.", "section 3.2", "structure",
          p20),
    Claim("P21", PAPER, "On CIFAR-10, Ours-28-9 is better than WRN-28-10 at a similar size.", "Table 3", "difference",
          p21),
    Claim("P22", PAPER, "On CIFAR-10, Ours-29 8 × 64d is better than ResNeXt-29 16 × 64d with fewer parameters.",
          "Table 3",
          "difference", ask(_smaller_and_better, "Ours-29, 8 × 64d", "ResNeXt-29, 16 × 64d [56]",
          "resnext-29-8x64d-prm",
                            "resnext-29-16x64d")),
    Claim("P23", PAPER, "3.30 % on CIFAR-10 is the state of the art.", "Table 3", "ranking",
          ask(best, T3, "Ours-29, 16 × 64d", ["top-1"], lower=True)),
    Claim("P24", PAPER, "WRN-28-10 is a Wide ResNet with depth 29.", "Table 3", "consistency", ask(agree, "P24")),
    Claim("P25", PAPER, "A wider baseline of equal size improves slightly and is still worse than PRM.", "Figure 8",
          "ablation", p25),
    Claim("P26", PAPER, "A deeper hourglass with more stacks hardly improves the result.", "section 5.1.2", "ablation",
          p26),
    Claim("P27", PAPER, "The mean columns follow from the joint columns.", "Tables 1 and 2", "consistency",
          ask(means, PAPER)),
    Claim("P28", PAPER, "PRM helps foreshortened limbs and limbs of varying scale most.", "section 5.1.2", "mechanism",
          ask(unmeasured, "scores by the ratio of limb length to torso; no protocol measures them")),
)
# fmt: on
