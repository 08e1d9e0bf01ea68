"""Liu et al. 2018: inception of inception, attention over scales, cascaded joints. Ids A01 to A45."""

import math
from itertools import pairwise

from reports.ledger import measured_checks as measured
from reports.ledger import printed_checks as printed
from reports.ledger import sampling_checks as sampling
from reports.ledger.claim import Finding, Findings, claims_of, finding
from reports.ledger.evidence import Evidence, table, text
from reports.ledger.scales import INCEPTION, IOI, RESIDUAL

PAPER = "liu2018"
claim = claims_of(PAPER)
T1, T2, T3, T4, T5, T6, T7 = (table(PAPER, f"Table {number}") for number in range(1, 8))
TEXT = text(PAPER, "equation of P(r)")
STAGES = {"liu-res": RESIDUAL.stacked(18), "liu-incep-res": INCEPTION.stacked(9), "liu-ioi": IOI.stacked(3)}
EQUAL_FIELD = {"6 Res": RESIDUAL.stacked(6), "3 Incep-Res": INCEPTION.stacked(3), "1 IOI": IOI}
JOINTS = ("Head", "Sho.", "Elb.", "Wri.", "Hip", "Knee", "Ank.")
CLEAN = {"Res": T1, "Incep-Res": T1, "IOI": T1, "AIOI": T3}
GROUPS = (["Head"], ["Sho.", "Hip"], ["Elb.", "Wri.", "Knee", "Ank."])  # as CJN finds them
AROUND = 2.5  # points: what "around 10" may be off
SIMILAR = 1.1  # sizes within 10 % count as equal
GRID = 32  # pixels of the feature maps
PRECISE = measured.Setting("mpii-pckh", "mpii", "val", "PCKh@0.1")
CONFUSION = measured.Setting("occluded-limb", "mpii", "val", "left-right confusion")
DROP = measured.Setting("occluded-limb", "mpii", "val", "drop")
AREA, RADIUS = (measured.Setting("receptive-field", "mpii", "val", metric) for metric in ("area50", "r50"))


ioi_beats_res = claim("A01", "IOI is 1.5 points better overall than the residual baseline.", "Table 1", "difference")(
    printed.gain(T1, "IOI", "Res", "Mean", 1.5), measured.rerun(T1, "IOI", "Res")
)
ioi_is_best = claim("A02", "IOI outperforms all other architectures.", "Table 1", "ranking")(
    printed.best(T1, "IOI"), measured.rerun(T1, "IOI", "Res"), measured.rerun(T1, "IOI", "Incep-Res")
)
ioi_at_ankle_and_wrist = claim(
    "A03", "IOI exceeds the residual block by 2.8 at the ankle and 2.0 at the wrist.", "Table 1", "difference"
)(
    printed.gains(T1, "IOI", "Res", {"Ank.": 2.8, "Wri.": 2.0}),
    measured.rerun(T1, "IOI", "Res", "Ank."),
    measured.rerun(T1, "IOI", "Res", "Wri."),
)
ioi_at_hard_joints = claim("A04", "The gains are largest at the hard joints, ankle and wrist.", "Table 1", "ranking")(
    printed.largest(T1, "IOI", "Res", ("Ank.", "Wri."))
)


@claim("A05", "18 residual, 9 Inception-residual and 3 IOI blocks have the same theoretical receptive field.",
       "Comparison of Multi-scale Blocks", "structure")  # fmt: skip
def stages_have_equal_fields(evidence: Evidence) -> Findings:
    fields = {name: scales.largest for name, scales in STAGES.items()}
    words = ", ".join(f"{name} {field}" for name, field in fields.items())
    yield finding(len(set(fields.values())) == 1, f"Field of a stage by the paper's formula: {words} cells.", TEXT)
    yield (measured.field_of_graph(name, "Stage", field) for name, field in fields.items())


@claim("A06", "Equal receptive fields make the comparison of the blocks fair.",
       "Comparison of Multi-scale Blocks", "cost")  # fmt: skip
def stages_have_equal_sizes(evidence: Evidence) -> Findings:
    equal = len({scales.largest for scales in STAGES.values()}) == 1
    yield finding(equal, f"Their theoretical receptive fields are {'' if equal else 'not '}equal.", TEXT)
    for metric in ("parameters", "macs"):
        rows = measured.counted(evidence, STAGES, "complexity", metric)
        if isinstance(rows, Finding):
            yield rows
            continue
        ratio = max(row.number for row in rows) / min(row.number for row in rows)
        words = f"The networks of Table 1 differ by a factor of {ratio:.2f} in {measured.label(metric)}."
        yield finding(ratio <= SIMILAR, words, *map(measured.cell, rows))


def _field(blocks: int, stated: int) -> Finding:
    """The field of a chain of AIOI blocks by the paper's formula; gates multiply and are no pathways."""
    field = IOI.stacked(blocks).largest
    words = f"{blocks} blocks: 1 + {blocks} × {IOI.largest - 1} = {field}, stated {stated}."
    return finding(field == stated, words, TEXT)


field_of_two_blocks = claim(
    "A07", "Two AIOI blocks have a receptive field of 23 × 23.", "Cascaded Joint Network", "structure"
)(_field(2, 23))
field_of_three_blocks = claim(
    "A08", "Three AIOI blocks have a receptive field of 35 × 35.", "Cascaded Joint Network", "structure"
)(_field(3, 35))


@claim("A09", "35 × 35 is larger than the input and captures all context of the former branches.",
       "Cascaded Joint Network", "structure")  # fmt: skip
def three_blocks_see_everything(evidence: Evidence) -> Findings:
    stated, needed = 35, 2 * GRID - 1
    yield finding(stated > GRID, f"The stated field, {stated}, is larger than the grid, {GRID}.", TEXT)
    yield finding(stated >= needed, f"A cell at the border sees the whole grid only with a field of {needed}.", TEXT)


@claim("A10", "The skip connection of IOI spans as many as nine convolution layers.",
       "Inception of Inception", "structure")  # fmt: skip
def skip_spans_nine_convolutions(evidence: Evidence) -> Findings:
    [stated], places = printed.numbers(evidence, "A10"), printed.quoted(evidence, "A10")
    branch = 3 * ["1x1", "3x3", "3x3"]
    joined = len(branch) + 3 + 2  # one projection behind each concatenation, two convolutions of the fusion
    yield finding(len(branch) == stated, f"The longest branch of figure 3 has {len(branch)} convolutions.", *places)
    yield finding(joined == stated, f"With the projections that the released graph has, {joined} are spanned.", *places)


@claim("A11", "Inception-residual blocks have a larger scale variance than residual blocks.", "Figure 4", "structure")
def inception_varies_more(evidence: Evidence) -> Findings:
    res, inception = EQUAL_FIELD["6 Res"], EQUAL_FIELD["3 Incep-Res"]
    words = f"Var R at the field {res.largest}: 3 Incep-Res {inception.variance:.2f}, 6 Res {res.variance:.2f}."
    return finding(inception.variance > res.variance, words, TEXT)


@claim("A12", "Stacking Inception-residual blocks reduces the low-level features.", "Figure 4 (c)", "structure")
def stacking_reduces_low_levels(evidence: Evidence) -> Findings:
    shares = [INCEPTION.stacked(blocks).share(5) for blocks in range(1, 10)]
    words = ", ".join(f"{share:.3f}" for share in shares)
    falls = all(one > two for one, two in pairwise(shares))
    return finding(falls, f"P(R ≤ 5) for 1 to 9 Incep-Res: {words}.", TEXT)


def _ioi_has_most(words: str, values: dict[str, float], digits: str) -> Finding:
    """The IOI block has the largest of the values of blocks of equal field."""
    listed = ", ".join(f"{block} {value:{digits}}" for block, value in values.items())
    return finding(values["1 IOI"] == max(values.values()), f"{words}: {listed}.", TEXT)


@claim("A13", "IOI has more detailed features than the other blocks.", "Figure 4 (b)", "structure")
def ioi_has_most_detail(evidence: Evidence) -> Findings:
    for field in (1, 3, 5):
        shares = {block: scales.share(field) for block, scales in EQUAL_FIELD.items()}
        yield _ioi_has_most(f"P(R ≤ {field})", shares, ".3f")


@claim("A14", "IOI achieves geometric growth of the scale distribution, a greater diversity of scales.",
       "Inception of Inception", "structure")  # fmt: skip
def ioi_has_most_scales(evidence: Evidence) -> Findings:
    for name, words in (("paths", "Pathways"), ("variance", "Var R"), ("entropy", "Entropy of R in bits")):
        yield _ioi_has_most(words, {block: getattr(scales, name) for block, scales in EQUAL_FIELD.items()}, ".4g")


@claim("A15", "K residual blocks are an ensemble of 2^K networks, each with a different scale.",
       "Inception of Inception", "structure")  # fmt: skip
def residual_blocks_are_an_ensemble(evidence: Evidence) -> Findings:
    blocks = EQUAL_FIELD["6 Res"]
    sizes = len([count for count in blocks.counts if count])
    yield finding(blocks.paths == 2**6, f"6 residual blocks have {blocks.paths} = 2^6 pathways.", TEXT)
    yield finding(sizes == blocks.paths, f"Their fields take only {sizes} values.", TEXT)


@claim("A16", "A sigmoid gate performs better than a softmax.", "Table 2", "ablation")
def sigmoid_beats_softmax(evidence: Evidence) -> Findings:
    yield printed.gains(T2, "AIOI-sigmoid", "AIOI-softmax", evidence.columns(T2))
    yield measured.rerun(T2, "AIOI-sigmoid", "AIOI-softmax")


aioi_of_both_tables = claim("A17", "Tables 2 and 3 report the same AIOI.", "Tables 2 and 3", "consistency")(
    [
        printed.same((T2, "AIOI-sigmoid", two), (T3, "AIOI", three))
        for two, three in (("Wrist", "Wri."), ("Ankle", "Ank."), ("Mean", "Mean"))
    ]
)
attention_improves_ioi = claim("A18", "Attention improves IOI by 0.3.", "Table 3", "ablation")(
    printed.gain(T3, "AIOI", "IOI", "Mean", 0.3), measured.rerun(T3, "AIOI", "IOI")
)


def _drop(evidence: Evidence, row: str, column: str) -> float:
    """Points lost when a calf is covered."""
    return evidence.printed(CLEAN[row], row, column).value - evidence.printed(T4, row, column).value


@claim("A19", "With calves covered, all networks lose around 10 at the ankle.", "Table 4", "difference")
def ankles_lose_ten(evidence: Evidence) -> Findings:
    for row, clean in CLEAN.items():
        drop = _drop(evidence, row, "Ank.")
        around = abs(drop - 10) <= AROUND
        words = f"{row}: {drop:.1f} at the ankle, {'' if around else 'not '}within {AROUND} of 10."
        yield finding(around, words, clean, T4)


@claim("A20", "The ankle drops by 12.7 (Res), 11.5 (Incep-Res), 11.5 (IOI) and 9.6 (AIOI).", "Table 4", "difference")
def drops_are_as_stated(evidence: Evidence) -> Findings:
    for row, drop in (("Res", 12.7), ("Incep-Res", 11.5), ("IOI", 11.5), ("AIOI", 9.6)):
        yield printed.gain(CLEAN[row], row, row, "Ank.", drop, elsewhere=T4)


@claim("A21", "The drop of AIOI is significantly smaller than all others.", "Table 4", "ranking")
def aioi_drops_least(evidence: Evidence) -> Findings:
    """Beyond 1.96 standard errors of four independent shares of the annotated ankles; the paper tests nothing."""
    for rival, network in (("Res", "liu-res"), ("Incep-Res", "liu-incep-res"), ("IOI", "liu-ioi")):
        places = [(where, row) for row in (rival, "AIOI") for where in (CLEAN[row], T4)]
        shares = [evidence.printed(*place, "Ank.").value / 100 for place in places]
        bound = 196 * math.sqrt(sum(share * (1 - share) / printed.MPII_JOINTS["ankle"] for share in shares))
        less = _drop(evidence, rival, "Ank.") - _drop(evidence, "AIOI", "Ank.")
        words = f"AIOI drops {less:.1f} less than {rival}; {bound:.1f} would be significant (independent samples)."
        yield Finding("yes" if less > bound else "undecided", words, (T4,))
        yield measured.rerun_networks("liu-aioi", network, DROP, "ankle", lower=True)


@claim("A22", "The gap to the residual network is even larger than on the standard validation set.",
       "Table 4", "difference")  # fmt: skip
def gap_grows_under_occlusion(evidence: Evidence) -> Findings:
    for column in ("Ank.", "Mean"):
        clean = evidence.printed(T3, "AIOI", column).value - evidence.printed(T1, "Res", column).value
        covered = evidence.printed(T4, "AIOI", column).value - evidence.printed(T4, "Res", column).value
        words = f"AIOI − Res, {column}: {covered:.1f} occluded, {clean:.1f} clean."
        yield finding(covered > clean + 1e-9, words, T1, T3, T4)


@claim("A23", "Diverse features make a block more robust: IOI drops less than Incep-Res (implied).",
       "Conclusion", "ranking")  # fmt: skip
def ioi_drops_less_than_inception(evidence: Evidence) -> Findings:
    for column in ("Ank.", "Knee", "Mean"):
        ours, theirs = (_drop(evidence, row, column) for row in ("IOI", "Incep-Res"))
        yield finding(ours < theirs - 1e-9, f"Drop at {column}: IOI {ours:.1f}, Incep-Res {theirs:.1f}.", T1, T4)
    yield measured.rerun_networks("liu-ioi", "liu-incep-res", DROP, "ankle", lower=True)


@claim("A24", "The occlusion hides the structure without hiding the ankle.",
       "Robustness of the AIOI Block", "structure")  # fmt: skip
def occlusion_spares_the_ankle(evidence: Evidence) -> Findings:
    margin = 0.5 - 0.8 / 2
    unmoved = max(abs(_drop(evidence, row, column)) for row in CLEAN for column in ("Head", "Sho."))
    words = f"A disc of 0.8 calves around the middle of the calf ends {margin:.1f} calves before the ankle."
    yield finding(margin > 0, words, text(PAPER, "Robustness of the AIOI Block"))
    yield finding(unmoved <= 0.2 + 1e-9, f"Head and shoulders change by at most {unmoved:.1f}.", T4)


residual_confuses_legs = claim(
    "A25", "The residual network tends to confuse the covered calf with the other leg.", "Figure 8", "mechanism"
)(measured.better("liu-aioi", "liu-res", CONFUSION, "ankle covered", lower=True))
cjn_improves_aioi = claim("A26", "CJN improves AIOI by 0.5.", "Tables 3 and 5", "ablation")(
    printed.gain(T5, "CJN", "AIOI", "Mean", 0.5, elsewhere=T3), measured.rerun(T5, "CJN", "AIOI", elsewhere=T3)
)


cjn_is_best = claim("A27", "CJN outperforms all the other models.", "Table 5", "ranking")(
    printed.best(T5, "CJN"), [measured.rerun(T5, "CJN", rival) for rival in ("MS-AIOI", "CJN-Random", "CJN-all")]
)
cjn_all_beats_stages = claim("A28", "CJN-all gets better results than MS-AIOI.", "Table 5", "ranking")(
    printed.gain(T5, "CJN-all", "MS-AIOI", "Mean"), measured.rerun(T5, "CJN-all", "MS-AIOI")
)


@claim("A29", "MS-AIOI is behind CJN-all because its branches pass no messages.", "Table 5", "mechanism")
def messages_are_the_cause(evidence: Evidence) -> Findings:
    yield printed.same((T5, "MS-AIOI", "Mean"), (T3, "AIOI", "Mean"))
    yield Finding("undecided", "CJN-all differs in more than messages: its every branch finds all joints.")
    yield measured.rerun(T5, "CJN", "MS-AIOI")


@claim("A30", "The order of the groups matters: CJN is better than CJN-Random.", "Table 5", "ablation")
def order_of_groups_matters(evidence: Evidence) -> Findings:
    draws = [row for row in evidence.column(T5, "Mean") if "Random" in row]
    yield printed.gain(T5, "CJN", "CJN-Random", "Mean")
    yield Finding("undecided", f"Table 5 has {len(draws)} random order; the spread over orders is not known.")
    yield measured.rerun(T5, "CJN", "CJN-Random")


cjn_at_wrists_and_ankles = claim("A31", "CJN helps wrists and ankles most.", "Tables 3 and 5", "ranking")(
    printed.largest(T5, "CJN", "AIOI", ("Wri.", "Ank."), elsewhere=T3)
)
best_on_lsp = claim("A32", "93.6 on LSP surpasses the state of the art.", "Table 6", "ranking")(
    printed.best(T6, "AIOI+CJN", ["Mean"]), sampling.beyond_chance(T6, "AIOI+CJN", "Chu et al.")
)
best_joints_on_lsp = claim("A33", "On LSP it outperforms all previous methods for all joints.", "Table 6", "ranking")(
    printed.best(T6, "AIOI+CJN", JOINTS)
)
wrists_and_ankles_on_lsp = claim("A34", "On LSP it gains especially at wrists and ankles.", "Table 6", "ranking")(
    printed.largest(T6, "AIOI+CJN", "Chu et al.", ("Wri.", "Ank."))
)
best_on_mpii = claim("A35", "It achieves the state of the art on the MPII test set.", "Table 7", "ranking")(
    printed.best(T7, "AIOI+CJN", ["Mean"])
)
auc_exceeds_the_closest = claim("A36", "Its AUC exceeds the closest method by 0.8.", "Table 7", "difference")(
    printed.gain(T7, "AIOI+CJN", "Chu et al.", "AUC", 0.8)
)


localizes_more_precisely = claim(
    "A37", "0.1 better at 0.5, 0.8 better in AUC: it localizes more precisely.", "Table 7", "mechanism"
)(
    printed.gains(T7, "AIOI+CJN", "Chu et al.", {"Mean": 0.1, "AUC": 0.8}),
    measured.better("liu-cjn", "attention-8-hp", PRECISE),
)


@claim("A38", "The IOI block is optimal among all the possible combinations.",
       "Comparison of Multi-scale Blocks", "ranking")  # fmt: skip
def ioi_is_optimal(evidence: Evidence) -> Findings:
    yield printed.best(T1, "IOI", ["Mean"])
    yield Finding("undecided", f"Only {len(evidence.column(T1, 'Mean'))} designs were compared.", (T1,))


@claim("A39", "For the right ankle the residual network looks at almost half of the body, IOI at a small area.",
       "Figure 7", "mechanism")  # fmt: skip
def residual_looks_at_half_the_body(evidence: Evidence) -> Findings:
    for row in evidence.rows("liu-res", AREA.protocol, AREA.metric, "ankle"):
        words = f"Half of the ankle's gradient fills {row.value:.2f} body boxes."
        yield finding(row.number >= 0.4, words, measured.cell(row))
    yield measured.better("liu-ioi", "liu-res", RADIUS, "ankle", lower=True)


@claim("A40", "AIOI looks at more for a hidden wrist and at less for a visible ankle.", "Figure 9", "mechanism")
def aioi_adapts_its_field(evidence: Evidence) -> Findings:
    yield measured.better("liu-aioi", "liu-res", RADIUS, "wrist hidden")
    yield measured.better("liu-aioi", "liu-res", RADIUS, "ankle visible", lower=True)


joints_by_difficulty = claim(
    "A41", "Head and neck are easiest, then shoulders and hips, then the limbs.", "Cascaded Joint Network", "ranking"
)(printed.ordered(T1, "Res", GROUPS))
means_follow = claim("A42", "The mean columns follow from the joint columns.", "Tables 1 and 3 to 7", "consistency")(
    printed.means(PAPER)
)


@claim("A43", "More than 28000 MPII training images are split into 25925 and 2958 images.",
       "MPII dataset", "consistency")  # fmt: skip
def split_adds_up(evidence: Evidence) -> Findings:
    images, stated, training, validation = printed.numbers(evidence, "A43")
    total, places = training + validation, printed.quoted(evidence, "A43")
    sums = f"{training:.0f} + {validation:.0f} = {total:.0f}, more than {stated:.0f}."
    people = f"All of MPII has about {images:.0f} images: these must be people."
    yield finding(total > stated, sums, *places)
    yield finding(total <= images, people, *places)


figure_6_is_what_it_says = claim(
    "A44", "Figure 6 shows the cascaded joint network, and says so.", "Figures 2 and 6", "consistency"
)(printed.differ("A44"))
earlier_groups_are_easier = claim(
    "A45", "Earlier groups are easier, so their maps are more robust than those of later ones.", "Table 5", "ranking"
)(printed.ordered(T5, "CJN", GROUPS))
