"""Nie et al. 2019: a convolution machine; its tables are images, so that most claims need runs. Ids T01 to T26."""

from dataclasses import replace
from itertools import pairwise

from reports.ledger.claim import Claim, Finding, Verdict, ask, conclude, finding
from reports.ledger.evidence import Evidence, table, text
from reports.ledger.measured_checks import LSP, MPII, better, less, rerun, unmeasured
from reports.ledger.printed_checks import agree, exceeds, gain, numbers, quoted, same

PAPER = "nie2019"
MEAN, LIMBS = table(PAPER, "Text, MPII"), table(PAPER, "Text, LSP")
WEI = (table("liu2018", "Table 6"), "Wei et al.")
RIVALS = {  # (table, row) of networks that were published before
    "CPM": (table("chu2017", "Table 1"), "Wei et al. [40]"),
    "Bulat": (table("chu2017", "Table 1"), "Bulat&Tzimiropoulos [5]"),
    "Newell": (table("chu2017", "Table 1"), "Newell et al. [29]"),
    "Chu": (table("chu2017", "Table 1"), "Ours"),
    "Yang": (table("yang2017", "Table 1"), "Ours-B"),
    "Liu": (table("liu2018", "Table 7"), "AIOI+CJN"),
}
DILATIONS = (1, 2, 3, 4)
PILOT = ("cpm-3-sq", "cpm-3-pd", "cpm-3-gate")


def t01(evidence: Evidence) -> Verdict:
    notes = []
    for column, theirs in (("Ankle", "Ank."), ("Wrist", "Wri.")):
        wei, more = evidence.printed(*WEI, theirs), evidence.printed(LIMBS, "Proposed − CPM", column)
        words = f"{column}: {wei.value} of CPM + {more.value} implies {wei.value + more.value:.1f}."
        notes.append(Finding("note", words, (WEI[0], LIMBS)))
    return conclude(notes, *(better(evidence, "nie-4", "cpm-6", LSP, part) for part in ("ankle", "wrist")))


def t02(evidence: Evidence) -> Verdict:
    return conclude(
        gain(evidence, MEAN, "Proposed", "CPM", "Mean", 1.0),
        same(evidence, (MEAN, "CPM", "Mean"), (*RIVALS["CPM"], "Mean")),
        rerun(evidence, "nie-4", "cpm-6", MPII),
    )


def t05(evidence: Evidence) -> Verdict:
    newell = evidence.printed(*RIVALS["Newell"], "Mean").value
    words = f"Its mean, {evidence.printed(MEAN, 'Proposed', 'Mean').value}, is below Newell's, {newell}."
    note = Finding("note", words, (MEAN, RIVALS["Newell"][0]))
    rivals = (better(evidence, "nie-4", "hourglass-8", MPII, part) for part in ("ankle", "knee", "wrist"))
    return conclude(note, unmeasured(evidence, "the numbers of Figure 8, which is an image"), *rivals)


def _against(evidence: Evidence, names: tuple[str, ...]) -> list[Finding]:
    """The printed mean on MPII against those of other papers."""
    return [exceeds(evidence, (MEAN, "Proposed", "Mean"), (*RIVALS[name], "Mean")) for name in names]


def t08(evidence: Evidence) -> Verdict:
    """Where our widths are a choice, a smaller count of ours proves little."""
    row = evidence.snapshot.architecture.get("nie-4", {})
    chosen = row.get("kind") == "reconstruction"
    found = [less(evidence, "nie-4", "cpm-6", "complexity", metric) for metric in ("parameters", "macs")]
    if chosen:
        found = [replace(item, holds="limited") if item.holds == "yes" else item for item in found]
        found.append(Finding("note", f"nie-4 is a reconstruction: {row['summary']}."))
    return conclude(found)


def t09(evidence: Evidence) -> Verdict:
    return conclude(less(evidence, "cpm-3-sq", "cpm-3", "complexity", metric) for metric in ("parameters", "macs"))


def t10(evidence: Evidence) -> Verdict:
    return conclude(better(evidence, variant, "cpm-3", LSP) for variant in PILOT)


def t11(evidence: Evidence) -> Verdict:
    return conclude(*(better(evidence, f"cpm-{two}", f"cpm-{one}", LSP) for one, two in pairwise(range(1, 6))))


def t13(evidence: Evidence) -> Verdict:
    maps, joints = numbers(evidence, "T13")
    unsaid = Finding("undecided", "What the other map holds is not said.", quoted(evidence, "T13"))
    return conclude(
        finding(maps == joints + 1, f"{maps:.0f} maps = {joints:.0f} joints + 1.", *quoted(evidence, "T13")), unsaid
    )


def t15(evidence: Evidence) -> Verdict:
    (gates, stages), places = numbers(evidence, "T15"), quoted(evidence, "T15")
    small = f"One big gate and a small one for each of {stages:.0f} stages are {1 + stages:.0f}."
    both = f"A big and a small gate for every stage are {2 * stages:.0f}."
    return conclude(finding(1 + stages == gates, small, *places), finding(2 * stages == gates, both, *places))


def t16(evidence: Evidence) -> Verdict:
    width = 64
    pooled, convolved = width, width
    words = f"{pooled} pooled and {convolved} convolved channels, of stride 2, are {pooled + convolved}."
    return conclude(finding(pooled + convolved == 2 * width, words, text(PAPER, "section 3.2")))


def t17(evidence: Evidence) -> Verdict:
    [halvings] = numbers(evidence, "T17")
    words = f"2^{halvings:.0f} = {2**halvings:.0f}, if the first convolution has stride 1."
    return conclude(finding(2**halvings == 8, words, *quoted(evidence, "T17")))


def t18(evidence: Evidence) -> Verdict:
    fields = [1 + 2 * dilation for dilation in DILATIONS]
    words = f"3x3 with dilations 1 to 4 sees {', '.join(map(str, fields))} cells."
    return conclude(finding(len(set(fields)) == len(DILATIONS), words, *quoted(evidence, "T18")))


def t19(evidence: Evidence) -> Verdict:
    stated, learned = numbers(evidence, "T19")
    words = f"The module has {learned:.0f} 3x3 convolutions of its own, and a wider 1x1."
    return conclude(finding(learned == stated, words, *quoted(evidence, "T19")))


def t20(evidence: Evidence) -> Verdict:
    fields = [1 + 2 * dilation for dilation in DILATIONS]
    steps = {two - one for one, two in pairwise(fields)}
    words = f"In parallel, dilations 1 to 4 see {', '.join(map(str, fields))} cells: by {min(steps)} more each time."
    return conclude(finding(len(steps) > 1, words, *quoted(evidence, "T20")))


def t23(evidence: Evidence) -> Verdict:
    ours, _ = numbers(evidence, "T23")
    _, _, training, validation = numbers(evidence, "A43")
    words = f"{ours:.0f} people here; {training:.0f} + {validation:.0f} = {training + validation:.0f} in Liu 2018."
    return conclude(finding(ours == training + validation, words, *quoted(evidence, "T23"), *quoted(evidence, "A43")))


# fmt: off
CLAIMS = (
    Claim("T01", PAPER, "On LSP, ankle and wrist improve by 1.7 and 2.4 over CPM.", "section 4.4", "difference", t01),
    Claim("T02", PAPER, "On MPII, the mean improves from 88.5 to 89.5 over CPM.", "section 4.4", "difference", t02),
    Claim("T03", PAPER, "The result on MPII is in Figure 7 and Table 5.", "section 4.4", "consistency",
          ask(agree, "T03")),
    Claim("T04", PAPER, "The results on LSP are in Figure 6 and Tables 4 and 5.", "section 4.4", "consistency",
          ask(agree, "T04")),
    Claim("T05", PAPER, "It outperforms eight other methods at ankle, knee and wrist on MPII.", "Figure 8", "ranking",
          t05),
    Claim("T06", PAPER, "It outperforms CPM and some other state-of-the-art approaches.", "section 5", "ranking",
          ask(_against, ("CPM",))),
    Claim("T07", PAPER, "It is more accurate than other ConvNet-based architectures.", "abstract", "ranking",
          ask(_against, tuple(RIVALS))),
    Claim("T08", PAPER, "It has fewer parameters, fewer operations and a smaller model than CPM.", "Table 1", "cost",
          t08),
    Claim("T09", PAPER, "Fire modules reduce the complexity.", "section 3.3", "cost", t09),
    Claim("T10", PAPER, "Fire modules, dilations and gates each improve a three-stage CPM.", "Tables 2 and 3",
          "ablation",
          t10),
    Claim("T11", PAPER, "CPM improves monotonically up to five stages.", "section 3.1", "ablation", t11),
    Claim("T12", PAPER, "The network is trained with stochastic gradient descent.", "section 3.2", "consistency",
          ask(agree, "T12")),
    Claim("T13", PAPER, "15 maps are made for 14 joints.", "sections 3.1 and 4.2", "structure", t13),
    Claim("T14", PAPER, "Figure 9 (B) to (O) shows the heat maps of 14 parts.", "Figure 9", "consistency",
          ask(agree, "T14")),
    Claim("T15", PAPER, "There are five gates: one big and four small ones.", "sections 2 and 3.1", "structure", t15),
    Claim("T16", PAPER, "Pyramid stacking halves the size and doubles the channels.", "section 3.2", "structure", t16),
    Claim("T17", PAPER, "Three stacking modules lead to an eighth of the resolution.", "section 3.2", "structure", t17),
    Claim("T18", PAPER, "Parallel dilations 1 to 4 capture several scales.", "section 3.3", "structure", t18),
    Claim("T19", PAPER, "The dilation module learns no extra parameters.", "section 3.3", "structure", t19),
    Claim("T20", PAPER, "The dilated convolutions expand the receptive field exponentially.", "section 3.3",
          "structure", t20),
    Claim("T21", PAPER, "Heat maps become clearer with every stage.", "Figure 10", "mechanism",
          ask(unmeasured, "scores and sharpness of the maps by stage; no protocol measures them")),
    Claim("T22", PAPER, "The gates adapt the weights of the features to the image.", "section 2", "mechanism",
          ask(unmeasured, "how much the gates vary over images; no protocol measures it")),
    Claim("T23", PAPER, "MPII has 28,821 poses for training and 11,701 for testing.", "section 4.2", "consistency",
          t23),
    Claim("T24", PAPER, "PCK is normalized by one length.", "section 4.1", "consistency", ask(agree, "T24")),
    Claim("T25", PAPER, "Fewer stages make it run faster than CPM.", "section 1", "cost",
          ask(less, "nie-4", "cpm-6", "speed", "latency", "float32 eager")),
    Claim("T26", PAPER, "A part is correct if both ends are within half its length.", "section 4.1", "consistency",
          ask(agree, "T26")),
)
# fmt: on
