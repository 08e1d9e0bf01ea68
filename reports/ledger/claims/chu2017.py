"""Chu et al. 2017: multi-context attention and hourglass residual units. Ids C01 to C23."""

from reports.ledger.claim import Claim, Finding, Verdict, ask, conclude, finding
from reports.ledger.evidence import Evidence, table, text
from reports.ledger.measured_checks import MPII, Setting, better, cell, less, rerun, unmeasured
from reports.ledger.printed_checks import agree, best, gain, gains, means, numbers, printed_as, quoted

PAPER = "chu2017"
T1, T2, ABLATION = table(PAPER, "Table 1"), table(PAPER, "Table 2"), table(PAPER, "Ablation")
JOINTS = ("Head", "Sho.", "Elb.", "Wri.", "Hip", "Knee", "Ank.")
HRU_TEXT = text(PAPER, "section 4.2")
POOLED, KERNEL = 2, 3  # branch C: 2x2 pooling, two 3x3 convolutions on the pooled map
CONFUSION = Setting("occluded-limb", "mpii", "val", "left-right confusion clean")
CELLS, POOLINGS = 64, 4  # of an hourglass: its grid, and how often it halves it


def c01(evidence: Evidence) -> Verdict:
    return conclude(printed_as(evidence, T1, "Ours", "Mean", 91.5), means(evidence, PAPER, "mpii"))


def c03(evidence: Evidence) -> Verdict:
    return conclude(best(evidence, T1, "Ours"), best(evidence, T2, "Ours"))


def _implied(evidence: Evidence, *steps: str) -> float:
    """A bar of figure 8 that has no printed number: BL+MS and the increases that the text states."""
    return evidence.printed(ABLATION, "BL+MS", "Mean").value + sum(numbers(evidence, step)[0] for step in steps)


def _step(evidence: Evidence, value: float, name: str, ours: str, theirs: str) -> Verdict:
    """A step of figure 8: only our own runs can tell."""
    words = f"The text implies {value:.1f} for {name}, which is not printed."
    note = Finding("note", words, (ABLATION,))
    return conclude(note, better(evidence, ours, theirs, MPII))


def c06(evidence: Evidence) -> Verdict:
    baseline = _implied(evidence) - numbers(evidence, "C06")[0]
    return _step(evidence, baseline, "BL", "attention-8-ms", "attention-8-bl")


def c07(evidence: Evidence) -> Verdict:
    return _step(evidence, _implied(evidence, "C07"), "BL+MS+HRU", "attention-8-hru", "attention-8-ms")


def c08(evidence: Evidence) -> Verdict:
    return _step(evidence, _implied(evidence, "C07", "C08"), "BL+MS+HRU+MR", "attention-8-mr", "attention-8-hru")


def c09(evidence: Evidence) -> Verdict:
    full = (ABLATION, "BL+MS+HRU+MR+HP", "Mean")
    before = _implied(evidence, "C07", "C08")
    more = evidence.printed(*full).value - before
    words = f"The text implies {before:.1f} before, so that part attention adds {more:.1f}."
    return conclude(
        printed_as(evidence, ABLATION, *full[1:], 89.4),
        Finding("note", words, (ABLATION,)),
        rerun(evidence, "attention-8-hp", "attention-8-mr", MPII),
    )


def _branch_field() -> int:
    """The field of branch C: what is pooled, and twice two more pooled cells."""
    return POOLED + 2 * (KERNEL - 1) * POOLED


def c11(evidence: Evidence) -> Verdict:
    words = f"Pooling {POOLED}, then twice {KERNEL - 1} × {POOLED}: {_branch_field()}, stated 10."
    row = evidence.row("attention-8-hru", "receptive-field", "rf_max", "HourglassResidual")
    graph = row and finding(row["value"] == 10, f"The graph of our HRU has {row['value']:g}.", cell(row))
    return conclude(finding(_branch_field() == 10, words, HRU_TEXT), graph)


def c12(evidence: Evidence) -> Verdict:
    times = _branch_field() / KERNEL
    return conclude(finding(round(times) == 3, f"{_branch_field()} / {KERNEL} = {times:.2f}.", HRU_TEXT))


def c14(evidence: Evidence) -> Verdict:
    along = unmeasured(evidence, "how fast they converge; held-out scores are drawn along a training, not compared")
    return conclude(better(evidence, "attention-2-crf", "attention-2-softmax", MPII), along)


def c15(evidence: Evidence) -> Verdict:
    [used] = numbers(evidence, "C15")
    lowest = CELLS // 2**POOLINGS
    made = [lowest * 2**step for step in range(1, POOLINGS + 1)]  # the lowest is where up-sampling starts
    told = ", ".join(map(str, made))
    words = f"{POOLINGS} poolings lead from {CELLS} to {lowest} cells; from there up-sampling makes {told}"
    return conclude(finding(len(made) == used and made[0] == 8, f"{words}.", *quoted(evidence, "C15")))


def c17(evidence: Evidence) -> Verdict:
    return conclude(
        rerun(evidence, "attention-8-hru", "attention-8-ms", MPII),
        unmeasured(
            evidence, "a network of more than eight stacks beside hourglass-8, and a printed number for HRU alone"
        ),
    )


def c18(evidence: Evidence) -> Verdict:
    return conclude(
        less(evidence, "attention-8-ms", "attention-8-hru", "receptive-field", "rf_mean", part)
        for part in ("AttentionStack", "network")
    )


def c19(evidence: Evidence) -> Verdict:
    return conclude(better(evidence, "attention-8-hp", "attention-8-mr", CONFUSION, "ankle covered", lower=True))


def c23(evidence: Evidence) -> Verdict:
    [maps] = numbers(evidence, "C23")
    words = f"With nothing to normalize it, a sum of {maps:.0f} maps in (0, 1) reaches up to {maps:.0f}."
    return conclude(agree(evidence, "C23"), Finding("note", words, quoted(evidence, "C23")))


# fmt: off
CLAIMS = (
    Claim("C01", PAPER, "PCKh@0.5 on the MPII test set is 91.5.", "Table 1", "difference", c01),
    Claim("C02", PAPER, "It is 1.0 (wrist) and 1.4 (ankle) better than the closest competitor.", "section 7.1",
          "difference",
          ask(gains, T1, "Ours", "Newell et al. [29]", {"Wri.": 1.0, "Ank.": 1.4})),
    Claim("C03", PAPER, "It outperforms all existing methods on both benchmarks over all the body parts.", "abstract",
          "ranking", c03),
    Claim("C04", PAPER, "It improves the LSP average by 1.9.", "section 7.1", "difference",
          ask(gain, T2, "Ours", "Bulat&Tzimiropoulos [5]", "Mean", 1.9)),
    Claim("C05", PAPER, "On LSP it is best across all the body joints.", "section 7.1", "ranking",
          ask(best, T2, "Ours", JOINTS)),
    Claim("C06", PAPER, "Multi-semantics attention improves the baseline by 1.2, to 87.2.", "section 7.2", "ablation",
          c06),
    Claim("C07", PAPER, "Hourglass residual units give a further 1.", "section 7.2", "ablation",
          c07),
    Claim("C08", PAPER, "Attention at several resolutions gives a further 1.", "section 7.2", "ablation",
          c08),
    Claim("C09", PAPER, "Hierarchical part attention reaches the highest mean, 89.4.", "section 7.2", "ablation", c09),
    Claim("C10", PAPER, "Part attention is used in stacks 4 to 8.", "section 7.2", "consistency", ask(agree, "C10")),
    Claim("C11", PAPER, "Branch C of an HRU sees 10 × 10 cells.", "section 4.2", "structure", c11),
    Claim("C12", PAPER, "Branch C sees about 3 times the receptive field of the residual branch.", "section 4.2",
          "structure", c12),
    Claim("C13", PAPER, "The mean field takes three steps with one shared kernel.", "section 5.2.1", "consistency",
          ask(agree, "C13")),
    Claim("C14", PAPER, "CRF attention converges faster and to a higher accuracy than softmax attention.", "Figure 10",
          "ablation", c14),
    Claim("C15", PAPER, "Attention maps are made of all features that up-sampling gives, r = 8, 16, 32 and 64.",
          "section 5.2.2", "structure", c15),
    Claim("C16", PAPER, "The output is P × 64 × 64, where K is the number of body parts.", "section 3", "consistency",
          ask(agree, "C16")),
    Claim("C17", PAPER, "More than eight stacks do not help, HRUs do.", "section 7.2", "ablation", c17),
    Claim("C18", PAPER, "HRUs let the network see a larger context in an earlier stage.", "section 1", "structure",
          c18),
    Claim("C19", PAPER, "Part attention reduces the double counting of left and right.", "section 7.2", "mechanism",
          c19),
    Claim("C20", PAPER, "All results use flipped images and six scales.", "section 7", "consistency",
          ask(agree, "C20")),
    Claim("C21", PAPER, "Deeper stacks attend globally, lower ones locally.", "section 5.2.3", "mechanism",
          ask(unmeasured, "the spread of the attention maps by stack; no protocol measures it")),
    Claim("C22", PAPER, "The loss is the squared error summed over all parts, whether visible or not.", "equation 14",
          "consistency", ask(agree, "C22")),
    Claim("C23", PAPER, "The maps of four resolutions are summed before they weight the features.", "equation 9",
          "consistency", c23),
)
# fmt: on
