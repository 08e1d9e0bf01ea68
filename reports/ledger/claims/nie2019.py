"""Nie et al. 2019: a convolution machine; its tables are images, so that most claims need runs. Ids T01 to T26."""

from dataclasses import replace
from itertools import pairwise

from reports.ledger import measured_checks as measured
from reports.ledger import printed_checks as printed
from reports.ledger.claim import Finding, Findings, claims_of, finding
from reports.ledger.evidence import Evidence, table, text
from reports.ledger.measured_checks import LSP, MPII

PAPER = "nie2019"
claim = claims_of(PAPER)
MEAN, LIMBS = table(PAPER, "Text, MPII"), table(PAPER, "Text, LSP")
WEI = (table("liu2018", "Table 6"), "Wei et al.")
CPM, BULAT, NEWELL, CHU, YANG, LIU = RIVALS = (  # the mean on MPII of networks that were published before
    (table("chu2017", "Table 1"), "Wei et al. [40]", "Mean"),
    (table("chu2017", "Table 1"), "Bulat&Tzimiropoulos [5]", "Mean"),
    (table("chu2017", "Table 1"), "Newell et al. [29]", "Mean"),
    (table("chu2017", "Table 1"), "Ours", "Mean"),
    (table("yang2017", "Table 1"), "Ours-B", "Mean"),
    (table("liu2018", "Table 7"), "AIOI+CJN", "Mean"),
)
PROPOSED = (MEAN, "Proposed", "Mean")
FIELDS = [1 + 2 * dilation for dilation in (1, 2, 3, 4)]  # of a 3x3 convolution


@claim("T01", "On LSP, ankle and wrist improve by 1.7 and 2.4 over CPM.", "section 4.4", "difference")
def ankle_and_wrist_improve(evidence: Evidence) -> Findings:
    for column, theirs in (("Ankle", "Ank."), ("Wrist", "Wri.")):
        wei, more = evidence.printed(*WEI, theirs), evidence.printed(LIMBS, "Proposed − CPM", column)
        words = f"{column}: {wei.value} of CPM + {more.value} implies {wei.value + more.value:.1f}."
        yield Finding("note", words, (WEI[0], LIMBS))
    yield (measured.better("nie-4", "cpm-6", LSP, part) for part in ("ankle", "wrist"))


mean_improves = claim("T02", "On MPII, the mean improves from 88.5 to 89.5 over CPM.", "section 4.4", "difference")(
    printed.gain(MEAN, "Proposed", "CPM", "Mean", 1.0),
    printed.same((MEAN, "CPM", "Mean"), CPM),
    measured.rerun_networks("nie-4", "cpm-6", MPII),
)
places_of_mpii = claim("T03", "The result on MPII is in Figure 7 and Table 5.", "section 4.4", "consistency")(
    printed.agree("T03")
)
places_of_lsp = claim("T04", "The results on LSP are in Figure 6 and Tables 4 and 5.", "section 4.4", "consistency")(
    printed.agree("T04")
)


@claim("T05", "It outperforms eight other methods at ankle, knee and wrist on MPII.", "Figure 8", "ranking")
def best_at_hard_joints(evidence: Evidence) -> Findings:
    ours, newell = evidence.printed(*PROPOSED).value, evidence.printed(*NEWELL).value
    yield Finding("note", f"Its mean, {ours}, is below Newell's, {newell}.", (MEAN, NEWELL[0]))
    yield measured.unmeasured("the numbers of Figure 8, which is an image")
    yield (measured.better("nie-4", "hourglass-8", MPII, part) for part in ("ankle", "knee", "wrist"))


outperforms_cpm = claim(
    "T06", "It outperforms CPM and some other state-of-the-art approaches.", "section 5", "ranking"
)(printed.exceeds(PROPOSED, CPM))
outperforms_all = claim("T07", "It is more accurate than other ConvNet-based architectures.", "abstract", "ranking")(
    [printed.exceeds(PROPOSED, rival) for rival in RIVALS]
)


@claim("T08", "It has fewer parameters, fewer operations and a smaller model than CPM.", "Table 1", "cost")
def smaller_than_cpm(evidence: Evidence) -> Findings:
    """Note that a smaller count of ours proves little where our widths are a choice."""
    row = evidence.snapshot.architecture.get("nie-4")
    chosen = row.summary if row and row.kind == "reconstruction" else ""
    for metric in ("parameters", "macs"):
        item = measured.less("nie-4", "cpm-6", "complexity", metric)(evidence)
        yield replace(item, holds="limited") if chosen and item.holds == "yes" else item
    if chosen:
        yield Finding("note", f"nie-4 is a reconstruction: {chosen}.")


fire_modules_are_small = claim("T09", "Fire modules reduce the complexity.", "section 3.3", "cost")(
    [measured.less("cpm-3-sq", "cpm-3", "complexity", metric) for metric in ("parameters", "macs")]
)
each_part_improves = claim(
    "T10", "Fire modules, dilations and gates each improve a three-stage CPM.", "Tables 2 and 3", "ablation"
)([measured.better(variant, "cpm-3", LSP) for variant in ("cpm-3-sq", "cpm-3-pd", "cpm-3-gate")])
stages_improve = claim("T11", "CPM improves monotonically up to five stages.", "section 3.1", "ablation")(
    [measured.better(f"cpm-{two}", f"cpm-{one}", LSP) for one, two in pairwise(range(1, 6))]
)
optimizer = claim("T12", "The network is trained with stochastic gradient descent.", "section 3.2", "consistency")(
    printed.agree("T12")
)


@claim("T13", "15 maps are made for 14 joints.", "sections 3.1 and 4.2", "structure")
def maps_for_joints(evidence: Evidence) -> Findings:
    maps, joints = printed.numbers(evidence, "T13")
    places = printed.quoted(evidence, "T13")
    yield finding(maps == joints + 1, f"{maps:.0f} maps = {joints:.0f} joints + 1.", *places)
    yield Finding("undecided", "What the other map holds is not said.", places)


parts_of_figure_9 = claim("T14", "Figure 9 (B) to (O) shows the heat maps of 14 parts.", "Figure 9", "consistency")(
    printed.agree("T14")
)


@claim("T15", "There are five gates: one big and four small ones.", "sections 2 and 3.1", "structure")
def number_of_gates(evidence: Evidence) -> Findings:
    (gates, stages), places = printed.numbers(evidence, "T15"), printed.quoted(evidence, "T15")
    small = f"One big gate and a small one for each of {stages:.0f} stages are {1 + stages:.0f}."
    yield finding(1 + stages == gates, small, *places)
    yield finding(2 * stages == gates, f"A big and a small gate for every stage are {2 * stages:.0f}.", *places)


@claim("T16", "Pyramid stacking halves the size and doubles the channels.", "section 3.2", "structure")
def stacking_doubles_channels(evidence: Evidence) -> Findings:
    width = 64
    pooled, convolved = width, width
    words = f"{pooled} pooled and {convolved} convolved channels, of stride 2, are {pooled + convolved}."
    return finding(pooled + convolved == 2 * width, words, text(PAPER, "section 3.2"))


@claim("T17", "Three stacking modules lead to an eighth of the resolution.", "section 3.2", "structure")
def resolution_is_an_eighth(evidence: Evidence) -> Findings:
    [halvings] = printed.numbers(evidence, "T17")
    words = f"2^{halvings:.0f} = {2**halvings:.0f}, if the first convolution has stride 1."
    return finding(2**halvings == 8, words, *printed.quoted(evidence, "T17"))


@claim("T18", "Parallel dilations 1 to 4 capture several scales.", "section 3.3", "structure")
def dilations_capture_scales(evidence: Evidence) -> Findings:
    words = f"3x3 with dilations 1 to 4 sees {', '.join(map(str, FIELDS))} cells."
    return finding(len(set(FIELDS)) == len(FIELDS), words, *printed.quoted(evidence, "T18"))


@claim("T19", "The dilation module learns no extra parameters.", "section 3.3", "structure")
def dilation_learns_nothing(evidence: Evidence) -> Findings:
    stated, learned = printed.numbers(evidence, "T19")
    words = f"The module has {learned:.0f} 3x3 convolutions of its own, and a wider 1x1."
    return finding(learned == stated, words, *printed.quoted(evidence, "T19"))


@claim("T20", "The dilated convolutions expand the receptive field exponentially.", "section 3.3", "structure")
def fields_grow_exponentially(evidence: Evidence) -> Findings:
    steps = {two - one for one, two in pairwise(FIELDS)}
    words = f"In parallel, dilations 1 to 4 see {', '.join(map(str, FIELDS))} cells: by {min(steps)} more each time."
    return finding(len(steps) > 1, words, *printed.quoted(evidence, "T20"))


maps_become_clearer = claim("T21", "Heat maps become clearer with every stage.", "Figure 10", "mechanism")(
    measured.unmeasured("scores and sharpness of the maps by stage; no protocol measures them")
)
gates_adapt = claim("T22", "The gates adapt the weights of the features to the image.", "section 2", "mechanism")(
    measured.unmeasured("how much the gates vary over images; no protocol measures it")
)


@claim("T23", "MPII has 28,821 poses for training and 11,701 for testing.", "section 4.2", "consistency")
def poses_of_mpii(evidence: Evidence) -> Findings:
    ours, _ = printed.numbers(evidence, "T23")
    _, _, training, validation = printed.numbers(evidence, "A43")
    words = f"{ours:.0f} people here; {training:.0f} + {validation:.0f} = {training + validation:.0f} in Liu 2018."
    places = (*printed.quoted(evidence, "T23"), *printed.quoted(evidence, "A43"))
    return finding(ours == training + validation, words, *places)


length_of_pck = claim("T24", "PCK is normalized by one length.", "section 4.1", "consistency")(printed.agree("T24"))

faster_than_cpm = claim("T25", "Fewer stages make it run faster than CPM.", "section 1", "cost")(
    measured.less("nie-4", "cpm-6", "speed", "latency", "float32 eager")
)
rule_of_pcp = claim("T26", "A part is correct if both ends are within half its length.", "section 4.1", "consistency")(
    printed.agree("T26")
)
