"""Chu et al. 2017: multi-context attention and hourglass residual units. Ids C01 to C23."""

from reports.ledger import measured_checks as measured
from reports.ledger import printed_checks as printed
from reports.ledger import sampling_checks as sampling
from reports.ledger.claim import Finding, Findings, claims_of, finding
from reports.ledger.evidence import Evidence, table, text
from reports.ledger.measured_checks import MPII

PAPER = "chu2017"
claim = claims_of(PAPER)
T1, T2, ABLATION = table(PAPER, "Table 1"), table(PAPER, "Table 2"), table(PAPER, "Ablation")
JOINTS = ("Head", "Sho.", "Elb.", "Wri.", "Hip", "Knee", "Ank.")
HRU_TEXT = text(PAPER, "section 4.2")
POOLED, KERNEL = 2, 3  # branch C: 2x2 pooling, two 3x3 convolutions on the pooled map
BRANCH_FIELD = POOLED + 2 * (KERNEL - 1) * POOLED  # what is pooled, and twice two more pooled cells
CONFUSION = measured.Setting("occluded-limb", "mpii", "val", "left-right confusion clean")
CELLS, POOLINGS = 64, 4  # of an hourglass: its grid, and how often it halves it


pckh_on_mpii = claim("C01", "PCKh@0.5 on the MPII test set is 91.5.", "Table 1", "difference")(
    printed.as_stated(T1, "Ours", "Mean", 91.5), printed.means(PAPER, "mpii")
)
wrist_and_ankle = claim(
    "C02", "It is 1.0 (wrist) and 1.4 (ankle) better than the closest competitor.", "section 7.1", "difference"
)(printed.gains(T1, "Ours", "Newell et al. [29]", {"Wri.": 1.0, "Ank.": 1.4}))
best_on_both = claim(
    "C03", "It outperforms all existing methods on both benchmarks over all the body parts.", "abstract", "ranking"
)(printed.best(T1, "Ours"), printed.best(T2, "Ours"))
gain_on_lsp = claim("C04", "It improves the LSP average by 1.9.", "section 7.1", "difference")(
    printed.gain(T2, "Ours", "Bulat&Tzimiropoulos [5]", "Mean", 1.9),
    sampling.beyond_chance(T2, "Ours", "Bulat&Tzimiropoulos [5]"),
)
best_joints_on_lsp = claim("C05", "On LSP it is best across all the body joints.", "section 7.1", "ranking")(
    printed.best(T2, "Ours", JOINTS)
)


def _implied(evidence: Evidence, *steps: str) -> float:
    """A bar of figure 8 that has no printed number: BL+MS and the increases that the text states."""
    increases = [printed.numbers(evidence, step)[0] for step in steps]
    return evidence.printed(ABLATION, "BL+MS", "Mean").value + sum(increases)


def _step(value: float, name: str, ours: str, theirs: str) -> Findings:
    """A step of figure 8: only our own runs can tell."""
    yield Finding("note", f"The text implies {value:.1f} for {name}, which is not printed.", (ABLATION,))
    yield measured.better(ours, theirs, MPII)


@claim("C06", "Multi-semantics attention improves the baseline by 1.2, to 87.2.", "section 7.2", "ablation")
def attention_improves_the_baseline(evidence: Evidence) -> Findings:
    baseline = _implied(evidence) - printed.numbers(evidence, "C06")[0]
    return _step(baseline, "BL", "attention-8-ms", "attention-8-bl")


@claim("C07", "Hourglass residual units give a further 1.", "section 7.2", "ablation")
def residual_units_improve(evidence: Evidence) -> Findings:
    return _step(_implied(evidence, "C07"), "BL+MS+HRU", "attention-8-hru", "attention-8-ms")


@claim("C08", "Attention at several resolutions gives a further 1.", "section 7.2", "ablation")
def resolutions_improve(evidence: Evidence) -> Findings:
    return _step(_implied(evidence, "C07", "C08"), "BL+MS+HRU+MR", "attention-8-mr", "attention-8-hru")


@claim("C09", "Hierarchical part attention reaches the highest mean, 89.4.", "section 7.2", "ablation")
def part_attention_is_best(evidence: Evidence) -> Findings:
    full, before = "BL+MS+HRU+MR+HP", _implied(evidence, "C07", "C08")
    more = evidence.printed(ABLATION, full, "Mean").value - before
    words = f"The text implies {before:.1f} before, so that part attention adds {more:.1f}."
    yield printed.as_stated(ABLATION, full, "Mean", 89.4)
    yield Finding("note", words, (ABLATION,))
    yield measured.rerun_networks("attention-8-hp", "attention-8-mr", MPII)


stacks_of_part_attention = claim("C10", "Part attention is used in stacks 4 to 8.", "section 7.2", "consistency")(
    printed.agree("C10")
)


@claim("C11", "Branch C of an HRU sees 10 × 10 cells.", "section 4.2", "structure")
def branch_sees_ten(evidence: Evidence) -> Findings:
    words = f"Pooling {POOLED}, then twice {KERNEL - 1} × {POOLED}: {BRANCH_FIELD}, stated 10."
    yield finding(BRANCH_FIELD == 10, words, HRU_TEXT)
    yield measured.field_of_graph("attention-8-hru", "HourglassResidual", 10, "our HRU")


@claim("C12", "Branch C sees about 3 times the receptive field of the residual branch.", "section 4.2", "structure")
def branch_sees_three_times_as_much(evidence: Evidence) -> Findings:
    times = BRANCH_FIELD / KERNEL
    return finding(round(times) == 3, f"{BRANCH_FIELD} / {KERNEL} = {times:.2f}.", HRU_TEXT)


steps_of_the_mean_field = claim(
    "C13", "The mean field takes three steps with one shared kernel.", "section 5.2.1", "consistency"
)(printed.agree("C13"))
crf_beats_softmax = claim(
    "C14", "CRF attention converges faster and to a higher accuracy than softmax attention.", "Figure 10", "ablation"
)(
    measured.better("attention-2-crf", "attention-2-softmax", MPII),
    measured.unmeasured("how fast they converge; held-out scores are drawn along a training, not compared"),
)


@claim("C15", "Attention maps are made of all features that up-sampling gives, r = 8, 16, 32 and 64.",
       "section 5.2.2", "structure")  # fmt: skip
def resolutions_of_up_sampling(evidence: Evidence) -> Findings:
    [used] = printed.numbers(evidence, "C15")
    lowest = CELLS // 2**POOLINGS
    made = [lowest * 2**step for step in range(1, POOLINGS + 1)]  # the lowest is where up-sampling starts
    words = f"{POOLINGS} poolings lead from {CELLS} to {lowest} cells; from there up-sampling makes "
    words += f"{', '.join(map(str, made))}."
    return finding(len(made) == used and made[0] == 8, words, *printed.quoted(evidence, "C15"))


shape_of_the_output = claim(
    "C16", "The output is P × 64 × 64, where K is the number of body parts.", "section 3", "consistency"
)(printed.agree("C16"))
units_instead_of_stacks = claim("C17", "More than eight stacks do not help, HRUs do.", "section 7.2", "ablation")(
    measured.rerun_networks("attention-8-hru", "attention-8-ms", MPII),
    measured.unmeasured("a network of more than eight stacks beside hourglass-8, and a printed number for HRU alone"),
)
units_see_more = claim(
    "C18", "HRUs let the network see a larger context in an earlier stage.", "section 1", "structure"
)(
    measured.less("attention-8-ms", "attention-8-hru", "receptive-field", "rf_mean", "AttentionStack"),
    measured.less("attention-8-ms", "attention-8-hru", "receptive-field", "rf_mean", "network"),
)
part_attention_tells_left_from_right = claim(
    "C19", "Part attention reduces the double counting of left and right.", "section 7.2", "mechanism"
)(measured.better("attention-8-hp", "attention-8-mr", CONFUSION, "ankle covered", lower=True))
tests_of_all_results = claim("C20", "All results use flipped images and six scales.", "section 7", "consistency")(
    printed.agree("C20")
)
deep_stacks_attend_globally = claim(
    "C21", "Deeper stacks attend globally, lower ones locally.", "section 5.2.3", "mechanism"
)(measured.unmeasured("the spread of the attention maps by stack; no protocol measures it"))
loss_of_all_parts = claim(
    "C22", "The loss is the squared error summed over all parts, whether visible or not.", "equation 14", "consistency"
)(printed.agree("C22"))


@claim("C23", "The maps of four resolutions are summed before they weight the features.", "equation 9", "consistency")
def maps_are_summed(evidence: Evidence) -> Findings:
    [maps] = printed.numbers(evidence, "C23")
    words = f"With nothing to normalize it, a sum of {maps:.0f} maps in (0, 1) reaches up to {maps:.0f}."
    yield printed.agree("C23")
    yield Finding("note", words, printed.quoted(evidence, "C23"))
