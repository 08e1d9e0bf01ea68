"""Yang et al. 2017: pyramid residual modules, initialization and variance of networks with branches. Ids P01 to P28."""

import re
from dataclasses import replace

import numpy as np

from bench.results.rows import Measurement
from reports.formats import shown
from reports.ledger import measured_checks as measured
from reports.ledger import printed_checks as printed
from reports.ledger import sampling_checks as sampling
from reports.ledger.claim import Finding, Findings, claims_of, finding, question
from reports.ledger.evidence import Evidence, table, text
from reports.ledger.measured_checks import MPII

PAPER = "yang2017"
claim = claims_of(PAPER)
T1, T2, T3 = table(PAPER, "Table 1"), table(PAPER, "Table 2"), table(PAPER, "Table 3")
COST, ABLATION = table(PAPER, "Complexity"), table(PAPER, "Ablation")
COCO_STAGES = table("li2019", "Table 3")
NEWELL, BULAT = "Newell et al. [39]", "Bulat&Tzimiropoulos [5]"
WRN, RESNEXT = "WRN-28-10 [64]", "ResNeXt-29, 16 × 64d [56]"
BASE, CONTROLLED, FULL = (
    "Baseline (two-stack hourglass)", "With variance control", "With variance control and PRM",
)  # fmt: skip
DRAWN = "pyranet-bstar-2@initialization="
UNIT = text(PAPER, "section 3.3")
THEORY = text(PAPER, "section 4.1")
SIMILAR = 1.05  # sizes within 5 % are similar
MERGE = re.compile(r"hourglass( #\d+)?$")  # how a merge is called among the probes
TWICE = (1.5, 2.5)  # approximately doubled


best_on_mpii = claim("P01", "92.0 on the MPII test set is the new state of the art.", "section 5.1.2", "ranking")(
    printed.as_stated(T1, "Ours-B", "Mean", 92.0), printed.best(T1, "Ours-B", ["Mean"]), printed.means(PAPER, "mpii")
)
wrist_and_ankle = claim("P02", "It improves wrist and ankle by 1.6 and 2.4.", "section 5.1.2", "difference")(
    printed.gains(T1, "Ours-B", NEWELL, {"Wri.": 1.6, "Ank.": 2.4})
)
mean_on_lsp = claim("P03", "It improves the previous best result on LSP by 3.2.", "section 5.1.2", "difference")(
    printed.lead(T2, "Ours", "Mean", 3.2), sampling.beyond_chance(T2, "Ours", BULAT)
)
wrist_on_lsp = claim("P04", "It improves the wrist on LSP by 3.7.", "section 5.1.2", "difference")(
    printed.lead(T2, "Ours", "Wri.", 3.7)
)
ankle_on_lsp = claim(
    "P05", "It improves the ankle on LSP by 5.0 over the previous best.", "section 5.1.2", "difference"
)(printed.gain(T2, "Ours", BULAT, "Ank.", 5.0), printed.lead(T2, "Ours", "Ank.", 5.0))


@question
def _increase(evidence: Evidence, column: str, metric: str, stated: float) -> Findings:
    """The printed increase over the hourglass, and that of our two networks."""
    one, two = (evidence.printed(COST, row, column) for row in ("Ours", "Eight-stack hourglass"))
    yield printed.ratio(evidence, one, two, 1 + stated / 100, 3)
    ours, theirs = (evidence.row(name, "complexity", metric) for name in ("pyranet-bstar-8", "prm-baseline-8"))
    if ours and theirs:
        more = 100 * (ours.number / theirs.number - 1)
        words = f"Our two networks differ by {more:.1f} % in {column}."
        yield finding(abs(more - stated) <= 0.5, words, measured.cell(ours), measured.cell(theirs))


more_parameters = claim("P06", "The parameters increase by 13.5 %, from 23.7 M to 26.9 M.", "section 5.1.2", "cost")(
    _increase("Parameters", "parameters", 13.5)
)
more_operations = claim("P07", "The operations increase by 11.4 %, from 41.2 to 45.9 GFLOPs.", "section 5.1.2", "cost")(
    _increase("GFLOPs", "giga_published", 11.4)
)


def _unit(width: int, levels: int, kernels: int) -> tuple[int, float]:
    """Parameters, and MACs a pixel, of a unit 256 -> 128 -> 256 with a pyramid of `levels` between 1x1 convolutions."""
    parameters = (256 * 128 + 128) + (9 * 128**2 + 128) + (128 * 256 + 256)
    macs = 256 * 128 + 9 * 128**2 + 128 * 256
    if levels:
        parameters += (256 * width + width) + kernels * (9 * width**2 + width) + (width * 128 + 128)
        shares = sum(2 ** (-2 * level / levels) for level in range(1, levels + 1))  # pixels of a subsampled map
        macs += 256 * width + shares * 9 * width**2 + width * 128
    return parameters, macs


@claim("P08", "A unit of five branches with 28 channels costs about 10 % more parameters and operations.",
       "section 3.3", "cost")  # fmt: skip
def unit_costs_ten_percent(evidence: Evidence) -> Findings:
    plain = _unit(0, 0, 0)
    for name, kernels in (("PRM-B", 4), ("PRM-B* (one kernel for all levels)", 1)):
        for what, one, two in zip(("parameters", "MACs"), _unit(28, 4, kernels), plain, strict=True):
            more = 100 * (one / two - 1)
            yield finding(abs(more - 10) <= 2.5, f"{name}: {more:+.1f} % {what} a unit.", UNIT)


@claim("P09", "An eight-stack hourglass has 23.7 M parameters and 41.2 GFLOPs.", "section 5.1.2", "cost")
def hourglass_is_counted_again(evidence: Evidence) -> Findings:
    yield (measured.reproduces(COST, "Eight-stack hourglass", column) for column in ("Parameters", "GFLOPs"))
    if released := evidence.row("hourglass-8", "complexity", "parameters"):
        words = f"The released hourglass-8 counts {released.number / 1e6:.1f} M."
        yield Finding("note", words, (measured.cell(released),))


training_set_of_ours_a = claim(
    "P10", "Ours-A is trained on the training set of Tompson et al.", "Table 1", "consistency"
)(printed.agree("P10"))
control_and_modules_improve = claim(
    "P11", "Variance control raises 87.6 to 88.0, and PRM further to 88.5.", "section 5.1.3", "ablation"
)(
    printed.gain(ABLATION, CONTROLLED, BASE, "Mean", 0.4),
    printed.gain(ABLATION, FULL, CONTROLLED, "Mean", 0.5),
    measured.rerun(ABLATION, CONTROLLED, BASE),
    measured.rerun(ABLATION, FULL, CONTROLLED),
)
all_designs_improve = claim("P12", "All designs of PRM are better than the baseline.", "Figure 8 (a)", "ablation")(
    [
        measured.better(f"pyranet-{design}", "prm-baseline-2", MPII)
        for design in ("a-2", "b-2-scales4", "bstar-2", "c-2", "d-2")  # four scales are those of b-2
    ]
)


def _heavier(evidence: Evidence, metric: str, larger: tuple[str, ...], smaller: tuple[str, ...]) -> Finding:
    """Each of the larger designs needs more than each of the smaller ones."""
    designs = (*larger, *smaller)
    rows = measured.counted(evidence, [f"pyranet-{design}-2" for design in designs], "complexity", metric)
    if isinstance(rows, Finding):
        return rows
    row = dict(zip(designs, rows, strict=True))
    groups = [", ".join(f"{name} {shown(row[name])}" for name in group)
              for group in (larger, smaller)]  # fmt: skip
    separate = min(row[name].number for name in larger) > max(row[name].number for name in smaller)
    words = f"{measured.label(metric)} of two stacks: {groups[0]}, against {groups[1]}."
    return finding(separate, words, *map(measured.cell, rows))


@claim("P13", "PRM-A and C have more parameters than B, B* and D; A, C and D more operations than B and B*.",
       "Figure 8 (b, c)", "cost")  # fmt: skip
def designs_differ_in_cost(evidence: Evidence) -> Findings:
    yield _heavier(evidence, "parameters", ("a", "c"), ("b", "bstar", "d"))
    yield _heavier(evidence, "giga_published", ("a", "c", "d"), ("b", "bstar"))


@claim("P14", "More levels in the pyramid generally improve the performance.", "Figure 9 (a, b)", "ablation")
def more_levels_improve(evidence: Evidence) -> Findings:
    said = printed.agree("P14")(evidence)
    yield said if said.holds == "yes" else replace(said, holds="undecided")
    yield measured.better("pyranet-b-2-scales4", "pyranet-b-2-scales3", MPII)
    yield measured.better("pyranet-b-2-scales5", "pyranet-b-2-scales4", MPII)


initialization_improves = claim(
    "P15", "The proposed initialization is better than Xavier's and MSR.", "Figure 9 (c, d)", "ablation"
)([measured.better(f"{DRAWN}branch-aware", f"{DRAWN}{rival}", MPII) for rival in ("xavier", "msr")])


@claim("P16", "Equation 15 becomes Xavier's (Tanh, Sigmoid) and MSR (ReLU) for plain networks.",
       "section 4.1", "structure")  # fmt: skip
def plain_networks_reduce(evidence: Evidence) -> Findings:
    for name, alpha, times in (("MSR (ReLU)", 0.5, 2.0), ("Xavier (Tanh, Sigmoid)", 1.0, 1.0)):
        reduced = 1 / (alpha**2 * 2)  # one branch on either side, n_i = n_o = n: in units of 1 / n
        words = f"α = {alpha}: Var[w] = {reduced:g} / n, {name} has {times:g} / n."
        yield finding(reduced == times, words, THEORY)


def _merges(evidence: Evidence, network: str) -> list[tuple[Measurement, float]]:
    """Each merge of an hourglass, and Var(sum) over the mean of its addends' variances; its units are no merges."""
    found = []
    for made in evidence.snapshot.sorted_cells:
        rows = evidence.snapshot.rows.get(made.cell, ())
        if (made.architecture, made.protocol, made.state) != (network, "init-variance", "fresh"):
            continue
        variances = {row.part: row.value for row in rows if row.metric == "addend_variance msr" and row.value}
        for row in rows:
            addends = [variances[part] for number in (1, 2) if (part := f"{row.part} / {number}") in variances]
            if row.metric == "variance msr" and MERGE.search(row.part) and len(addends) == 2:
                found.append((row, 2 * row.number / sum(addends)))
    return found


@claim("P17", "The sum of two residual units with identity mappings has about twice the variance.",
       "section 4.2", "mechanism")  # fmt: skip
def sums_double_the_variance(evidence: Evidence) -> Findings:
    merges = _merges(evidence, "prm-baseline-2")
    if not merges:
        setting = measured.Setting("init-variance", "", "", "variance msr")
        yield measured.missing(evidence, ["prm-baseline-2"], setting)
        return
    middle = float(np.median([times for _, times in merges]))
    within = TWICE[0] <= middle <= TWICE[1]
    words = f"Var(sum) is {middle:.2f} times the mean variance of its addends, median of {len(merges)} merges."
    yield finding(middle >= TWICE[0], words, measured.cell(merges[0][0]))
    yield finding(within, f"That is {'' if within else 'not '}within {TWICE[0]} to {TWICE[1]}.")


convolution_stops_the_explosion = claim(
    "P18", "Replacing an identity by BN-ReLU-convolution stops the explosion of the variance.", "Figure 6", "mechanism"
)(measured.less("prm-baseline-2-vc", "prm-baseline-2", "init-variance", "variance msr", "max"))


@claim("P19", "With Xavier's or MSR initialization, branches multiply the variance by the product of their numbers.",
       "section 4.1", "mechanism")  # fmt: skip
def branches_multiply_the_variance(evidence: Evidence) -> Findings:
    """A simulation: layers that sum C branches, each drawn by the plain rule for its activation."""
    branches, layers, width = 3, 4, 400
    rules = (("Xavier, linear", 1.0, np.array), ("MSR, ReLU", 2.0, lambda x: np.maximum(x, 0)))
    for name, gain, activation in rules:
        random = np.random.default_rng(0)
        x = random.standard_normal((width, width))
        for _ in range(layers):
            weights = random.standard_normal((branches, width, width)) * np.sqrt(gain / width)
            x = np.sum([weight @ activation(x) for weight in weights], axis=0)
        times = x.var()
        words = f"{name}: {layers} layers of {branches} branches multiply the variance by {times:.0f}"
        within = abs(times / branches**layers - 1) < 0.2
        yield finding(within, f"{words}, Π C = {branches**layers}.", THEORY)


@claim("P20", "With M = 1 and C = 4 the lowest scale is half the resolution.", "section 3.2", "structure")
def lowest_scale_is_half(evidence: Evidence) -> Findings:
    scales = [2 ** (-level / 4) for level in range(5)]
    words = f"Scales for M = 1, C = 4: {', '.join(f'{scale:.3f}' for scale in scales)}."
    return finding(scales[-1] == 0.5, words, text(PAPER, "equation 3"))


@question
def _smaller_and_better(evidence: Evidence, ours: str, theirs: str) -> Findings:
    """Fewer errors at a similar or smaller size."""
    one, two = (evidence.printed(T3, row, "#params") for row in (ours, theirs))
    words = f"{ours} has {one.value:.1f} M parameters, {theirs} {two.value:.1f} M."
    yield printed.gain(T3, ours, theirs, "top-1", lower=True)
    yield finding(one.value <= SIMILAR * two.value, words, T3)
    yield measured.rerun(T3, ours, theirs, "top-1", lower=True)


beats_wide_resnet = claim(
    "P21", "On CIFAR-10, Ours-28-9 is better than WRN-28-10 at a similar size.", "Table 3", "difference"
)(_smaller_and_better("Ours-28-9", WRN), printed.gain(T3, "Ours-28-9", WRN, "GFLOPs", lower=True))


@claim("P22", "On CIFAR-10, Ours-29 8 × 64d is better than ResNeXt-29 16 × 64d with fewer parameters.",
       "Table 3", "difference")  # fmt: skip
def beats_resnext(evidence: Evidence) -> Findings:
    return _smaller_and_better("Ours-29, 8 × 64d", RESNEXT)


best_on_cifar = claim("P23", "3.30 % on CIFAR-10 is the state of the art.", "Table 3", "ranking")(
    printed.best(T3, "Ours-29, 16 × 64d", ["top-1"], lower=True)
)
depth_of_wide_resnet = claim("P24", "WRN-28-10 is a Wide ResNet with depth 29.", "Table 3", "consistency")(
    printed.agree("P24")
)
wider_baseline_is_worse = claim(
    "P25", "A wider baseline of equal size improves slightly and is still worse than PRM.", "Figure 8", "ablation"
)(
    measured.better("pyranet-bstar-2", "prm-wide-2", MPII),
    measured.better("prm-wide-2", "prm-baseline-2", MPII),
)


@claim("P26", "A deeper hourglass with more stacks hardly improves the result.", "section 5.1.2", "ablation")
def more_stacks_hardly_improve(evidence: Evidence) -> Findings:
    eight, four = (evidence.printed(COCO_STAGES, f"Hourglass, {stacks}", "AP").value for stacks in (8, 4))
    words = f"On COCO, Table 3 of Li 2019: eight stacks are {eight - four:+.1f} against four."
    yield Finding("limited" if eight - four < 0.5 else "open", words, (COCO_STAGES,))
    yield measured.unmeasured("hourglasses of more than eight stacks on MPII; the paper cites them")


means_follow = claim("P27", "The mean columns follow from the joint columns.", "Tables 1 and 2", "consistency")(
    printed.means(PAPER)
)
helps_limbs_of_varying_scale = claim(
    "P28", "PRM helps foreshortened limbs and limbs of varying scale most.", "section 5.1.2", "mechanism"
)(measured.unmeasured("scores by the ratio of limb length to torso; no protocol measures them"))
