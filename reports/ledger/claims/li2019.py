"""Li et al. 2019: multi-stage networks on COCO (MSPN). Ids M01 to M34."""

from itertools import pairwise

from reports.ledger import measured_checks as measured
from reports.ledger import printed_checks as printed
from reports.ledger.claim import Finding, Findings, claims_of, finding
from reports.ledger.evidence import Evidence, Source, table

PAPER = "li2019"
claim = claims_of(PAPER)
T2, T3, T4, T5, T6, T7, T8 = (table(PAPER, f"Table {number}") for number in range(2, 9))
BASE, CTF, CSFA = "BaseNet", "BaseNet + CTF", "BaseNet + CTF + CSFA"
OURS, ENSEMBLE = "Ours (MSPN)", "Ours (MSPN+*)"
SINGLE = ("CMU Pose [5]", "Mask R-CNN [14]", "G-RMI [27]", "AE [25]", "CPN [8]", "Simple Baseline [39]")
ALONE = "of the single models trained on COCO alone"
SIMILAR = 1.15  # costs within 15 % are similar
LITTLE = 0.25  # a gain is little if it is less than a quarter of the first one


def _grown(ours: str, theirs: str, points: float, giga: float) -> Findings:
    """Points that a larger backbone of Table 2 gains, and what it costs."""
    return [
        printed.gain(T2, ours, theirs, "AP", points),
        printed.gain(T2, ours, theirs, "Flops(G)", giga),
        measured.rerun(T2, ours, theirs, "AP"),
    ]


res_101 = claim("M01", "Res-101 is 1.6 AP better than Res-50 for 3.1 GFLOPs more.", "Table 2", "difference")(
    _grown("Res-101", "Res-50", 1.6, 3.1)
)
res_152 = claim("M02", "Res-152 is only 0.5 better than Res-101 for 3.7 GFLOPs more.", "Table 2", "difference")(
    _grown("Res-152", "Res-101", 0.5, 3.7)
)
res_254 = claim("M03", "Res-254 is only 0.4 better than Res-152, from 11.2 to 18.0 GFLOPs.", "Table 2", "difference")(
    _grown("Res-254", "Res-152", 0.4, 6.8)
)


@claim("M04", "A single stage saturates as its backbone grows.", "Table 2", "ranking")
def backbones_saturate(evidence: Evidence) -> Findings:
    points, cost = evidence.column(T2, "AP"), evidence.column(T2, "Flops(G)")
    steps = [
        (points[two].value - points[one].value) / (cost[two].value - cost[one].value) for one, two in pairwise(points)
    ]
    words = ", ".join(f"{step:.3f}" for step in steps)
    falls = all(one > two for one, two in pairwise(steps))
    return finding(falls, f"AP gained a GFLOP: {words}.", T2)


def _steps(evidence: Evidence, name: str) -> list[float]:
    """Points that each further line of Table 3 gains."""
    values = [value.value for row, value in evidence.column(T3, "AP").items() if row.startswith(f"{name},")]
    return [two - one for one, two in pairwise(values)]


def _signed(steps: list[float]) -> str:
    return ", ".join(f"{step:+.1f}" for step in steps)


@claim("M05", "One more stage gives Hourglass a large gain, four and eight little.", "Table 3", "ablation")
def hourglass_saturates(evidence: Evidence) -> Findings:
    first, *rest = steps = _steps(evidence, "Hourglass")
    little = all(step < LITTLE * first for step in rest)
    yield finding(little, f"Steps to 2, 4 and 8 stages: {_signed(steps)}.", T3)
    yield measured.rerun(T3, "Hourglass, 2", "Hourglass, 1", "AP")


def _operations(evidence: Evidence, one: printed.Number, two: printed.Number) -> tuple[float, float, str]:
    """The printed GFLOPs of two networks, and both in a sentence."""
    ours, theirs = evidence.printed(*one).value, evidence.printed(*two).value
    return ours, theirs, f"At {ours} against {theirs} GFLOPs."


@claim("M06", "A single stage of MSPN is superior to a single stage of Hourglass.", "Table 3", "ranking")
def one_stage_beats_one_stage(evidence: Evidence) -> Findings:
    *_, words = _operations(evidence, (T3, "MSPN, 1", "FLOPs(G)"), (T3, "Hourglass, 1", "FLOPs(G)"))
    yield printed.gain(T3, "MSPN, 1", "Hourglass, 1", "AP")
    yield Finding("note", words, (T3,))
    yield measured.rerun(T3, "MSPN, 1", "Hourglass, 1", "AP")


@claim("M07", "A single stage of MSPN is worth eight stages of Hourglass (implied).", "Table 3", "ranking")
def one_stage_is_worth_eight(evidence: Evidence) -> Findings:
    ours, theirs = (evidence.printed(T3, row, "AP").value for row in ("MSPN, 1", "Hourglass, 8"))
    words = f"MSPN with 1 stage has {ours}, Hourglass with 8 has {theirs}."
    yield finding(abs(ours - theirs) <= 0.5, words, T3)
    yield printed.gain(T3, "MSPN, 1", "Hourglass, 8", "FLOPs(G)", lower=True)


two_stages = claim("M08", "Two stages lead to a 3.0 improvement, 74.5 AP.", "Table 3", "difference")(
    printed.gain(T3, "MSPN, 2", "MSPN, 1", "AP", 3.0),
    printed.as_stated(T3, "MSPN, 2", "AP", 74.5),
    measured.rerun(T3, "MSPN, 2", "MSPN, 1", "AP"),
)


@claim("M09", "The third and fourth stage maintain a tremendous upward trend.", "Table 3", "ablation")
def trend_goes_on(evidence: Evidence) -> Findings:
    first, *rest = _steps(evidence, "MSPN")
    for stages, step in zip((3, 4), rest, strict=True):
        words = f"Stage {stages} adds {step:+.1f}, stage 2 added {first:+.1f}."
        yield finding(step > 0, words, T3)
        yield finding(step >= LITTLE * first, words)


@claim("M10", "Several stages beat a single one of equal cost.", "Tables 2 and 3", "ranking")
def stages_beat_a_single_one(evidence: Evidence) -> Findings:
    pairs = (("MSPN, 2", "Res-152"), ("MSPN, 4", "Res-254"))
    for ours, theirs in pairs:
        yield printed.exceeds((T3, ours, "AP"), (T2, theirs, "AP"))
        one, two, words = _operations(evidence, (T3, ours, "FLOPs(G)"), (T2, theirs, "Flops(G)"))
        yield finding(one <= SIMILAR * two, words, T2)
    yield (measured.rerun(T3, ours, theirs, "AP", elsewhere=T2) for ours, theirs in pairs)


@claim("M11", "Two stages of Res-18 are comparable to Res-50 with fewer operations.", "Table 4", "difference")
def two_small_stages(evidence: Evidence) -> Findings:
    ours, theirs = (evidence.printed(T4, row, "AP").value for row in ("2×Res-18", "Res-50"))
    yield finding(abs(ours - theirs) <= 0.5, f"2×Res-18 has {ours}, Res-50 {theirs}.", T4)
    yield printed.gain(T4, "2×Res-18", "Res-50", "FLOPs", lower=True)


@claim("M12", "Four small Xceptions are 1.0 better than a large one of similar complexity.", "Table 4", "difference")
def four_small_xceptions(evidence: Evidence) -> Findings:
    ours, theirs, words = _operations(evidence, (T4, "4×S-XCP", "FLOPs"), (T4, "L-XCP", "FLOPs"))
    yield printed.gain(T4, "4×S-XCP", "L-XCP", "AP", 1.0)
    yield finding(max(ours, theirs) <= SIMILAR * min(ours, theirs), words, T4)
    yield measured.rerun(T4, "4×S-XCP", "L-XCP", "AP")


names_of_xceptions = claim("M13", "L-XCP is the small and S-XCP the large Xception.", "Table 4", "consistency")(
    printed.agree("M13")
)
coarse_to_fine_improves_mspn = claim(
    "M14", "Coarse-to-fine supervision improves MSPN by a large margin, 73.3 to 74.2.", "Table 6", "ablation"
)(printed.gain(T6, CTF, BASE, "MSPN", 0.9), measured.rerun(T6, CTF, BASE, "MSPN"))
coarse_to_fine_improves_hourglass = claim(
    "M15", "Coarse-to-fine supervision improves Hourglass by 1.2.", "Table 6", "ablation"
)(printed.gain(T6, CTF, BASE, "Hourglass", 1.2), measured.rerun(T6, CTF, BASE, "Hourglass"))
aggregation_improves = claim(
    "M16", "Feature aggregation adds 0.3 to MSPN and 0.5 to Hourglass.", "Table 6", "ablation"
)(
    printed.gains(T6, CSFA, CTF, {"MSPN": 0.3, "Hourglass": 0.5}),
    measured.rerun(T6, CSFA, CTF, "MSPN"),
    measured.rerun(T6, CSFA, CTF, "Hourglass"),
)


def _added(evidence: Evidence, where: Source, ours: str, theirs: str, column: str) -> float:
    """Points that one printed row has more than another."""
    return evidence.printed(where, ours, column).value - evidence.printed(where, theirs, column).value


@claim("M17", "Hourglass loses more information, so aggregation helps it more.", "section 4.3.2", "mechanism")
def aggregation_helps_hourglass_more(evidence: Evidence) -> Findings:
    hourglass, mspn = (_added(evidence, T6, CSFA, CTF, column) for column in ("Hourglass", "MSPN"))
    yield finding(hourglass > mspn, f"CSFA adds {hourglass:.1f} to Hourglass, {mspn:.1f} to MSPN.", T6)
    yield Finding("undecided", "Single runs, each rounded to 0.1; nothing is said of their spread.")


coarse_to_fine_is_best = claim("M18", "The coarse-to-fine setting, kernels 7 then 5, is best.", "Table 7", "ablation")(
    printed.best(T7, "Setting 3", ["AP"]),
    measured.rerun(T7, "Setting 3", "Setting 1", "AP"),
    measured.rerun(T7, "Setting 3", "Setting 2", "AP"),
)


@claim("M19", "Tables 6 and 7 show the same effect of coarse-to-fine supervision.", "Tables 6 and 7", "consistency")
def tables_show_one_effect(evidence: Evidence) -> Findings:
    without, kernels = _added(evidence, T6, CTF, BASE, "MSPN"), _added(evidence, T7, "Setting 3", "Setting 1", "AP")
    words = f"Table 6: {without:+.1f} (without CSFA); Table 7, kernels 7, 7 to 7, 5: {kernels:+.1f} (with CSFA)."
    return finding(abs(without - kernels) < 0.05, words, T6, T7)


place_of_the_targets = claim(
    "M20", "The Gaussian targets are described in section 3.2.", "section 4.3.3", "consistency"
)(printed.agree("M20"))


@claim("M21", "A four-stage Hourglass is comparable to a two-stage MSPN in complexity.", "section 4.3.3", "cost")
def costs_are_comparable(evidence: Evidence) -> Findings:
    ours, theirs = (evidence.printed(T3, row, "FLOPs(G)").value for row in ("Hourglass, 4", "MSPN, 2"))
    words = f"{ours} against {theirs} GFLOPs, {100 * (ours / theirs - 1):+.0f} %."
    return finding(ours <= SIMILAR * theirs, words, T3)


@claim("M22", "76.1 on test-dev, of a single model on COCO alone, outperforms other methods in all metrics.",
       "Table 5", "ranking")  # fmt: skip
def best_on_test_dev(evidence: Evidence) -> Findings:
    yield printed.as_stated(T5, OURS, "AP", 76.1)
    yield printed.best(T5, OURS, rivals=SINGLE, among=ALONE)


more_data_and_ensemble = claim(
    "M23", "External data adds 1.0 (77.1); the ensemble reaches 78.1.", "Table 5", "difference"
)(
    printed.gain(T5, "Ours (MSPN*)", OURS, "AP", 1.0),
    printed.as_stated(T5, "Ours (MSPN*)", "AP", 77.1),
    printed.as_stated(T5, ENSEMBLE, "AP", 78.1),
)
challenge = claim("M24", "76.4 on test-challenge, 4.3 over CPN and 1.9 over MSRA.", "Table 8", "difference")(
    printed.as_stated(T8, ENSEMBLE, "AP", 76.4),
    printed.gain(T8, ENSEMBLE, "CPN+ [8]", "AP", 4.3),
    printed.gain(T8, ENSEMBLE, "MSRA SB+* [39]", "AP", 1.9),
)


@claim("M25", "It improves the winner of 2017 by 4.3.", "section 1", "difference")
def improves_the_winner(evidence: Evidence) -> Findings:
    [stated] = printed.numbers(evidence, "M25")
    yield printed.agree("M25")
    yield printed.gain(T8, ENSEMBLE, "CPN+ [8]", "AP", stated)


@claim("M26", "Every further stage costs the same.", "Table 3", "cost")
def stages_cost_the_same(evidence: Evidence) -> Findings:
    for name, stages in (("MSPN", (1, 2, 3, 4)), ("Hourglass", (1, 2, 4, 8))):
        cost = [evidence.printed(T3, f"{name}, {number}", "FLOPs(G)").value for number in stages]
        steps = [(b - a) / (n - m) for (a, b), (m, n) in zip(pairwise(cost), pairwise(stages), strict=True)]
        words = ", ".join(f"{step:.3g}" for step in steps)
        constant = max(steps) - min(steps) <= 0.1 + 1e-9  # each cost is rounded to 0.1
        yield finding(constant, f"{name}: {words} GFLOPs a stage.", T3)


hourglass_is_counted_again = claim(
    "M27", "Hourglass costs 3.9, 6.2, 10.6 and 19.5 GFLOPs at 256 × 192.", "Table 3", "cost"
)([measured.reproduces(T3, f"Hourglass, {stages}", "FLOPs(G)") for stages in (1, 2, 4, 8)])
doubling_beats_constant = claim(
    "M28", "Doubling the channels on the way down beats a constant 256.", "section 3.1", "ablation"
)(measured.unmeasured("a control of 256 channels throughout with equal operations; the catalogue has none"))
capacity_belongs_down = claim(
    "M29", "Capacity belongs into down-sampling rather than up-sampling.", "section 3.1", "ablation"
)(measured.unmeasured("two networks of equal operations that share them differently; the catalogue has none"))


@claim("M30", "The performance keeps improving with more stages.", "Figure 1", "ranking")
def every_stage_improves(evidence: Evidence) -> Findings:
    steps = _steps(evidence, "MSPN")
    yield finding(min(steps) > 0, f"Every stage adds: {_signed(steps)}.", T3)
    yield (measured.rerun(T3, f"MSPN, {stages + 1}", f"MSPN, {stages}", "AP") for stages in (1, 2, 3))


@claim("M31", "90k iterations of 8 × 32 people are about 154 epochs of 150k.", "section 4.2", "consistency")
def iterations_make_epochs(evidence: Evidence) -> Findings:
    gpus, batch, iterations, people = printed.numbers(evidence, "M31")
    epochs = iterations * gpus * batch / people
    words = f"{iterations:.0f} × {gpus:.0f} × {batch:.0f} / {people:.0f} = {epochs:.1f} epochs."
    return finding(round(epochs) == 154, words, *printed.quoted(evidence, "M31"))


base_networks = claim("M32", "The base networks of Table 6 are those of Table 3.", "Tables 3 and 6", "consistency")(
    printed.same((T3, "Hourglass, 4", "AP"), (T6, BASE, "Hourglass")),
    printed.same((T3, "MSPN, 2", "AP"), (T6, CSFA, "MSPN")),
)
plain_mspn_beats_hourglass = claim(
    "M33", "MSPN without either technique already beats Hourglass with both.", "Table 6", "ranking"
)(printed.exceeds((T6, BASE, "MSPN"), (T6, CSFA, "Hourglass")))
best_of_the_challenge = claim("M34", "All other entries of the challenge are below MSPN.", "Table 8", "ranking")(
    printed.best(T8, ENSEMBLE)
)
