"""The ledger: complete, computed, and turned over by rows that are planted here. No planted number was measured."""

import math
import re
from collections import Counter

import pytest
from snapshots import COMPLEXITY, PCKH, cell, row

from reports.ablations import Collection
from reports.claim import KINDS, Finding, conclude
from reports.claims import CLAIMS
from reports.claims.scales import INCEPTION, IOI, RESIDUAL
from reports.known import Known
from reports.published import Paper, papers
from reports.snapshot import Snapshot

PAPERS = papers()
EMPTY = Known(PAPERS, Snapshot([], [], [], []))
CLAIM = {claim.id: claim for claim in CLAIMS}


def check(claim, rows=(), cells=(), **snapshot):
    """The verdict of a claim where these rows were measured."""
    catalogue, protocols = snapshot.pop("architectures", []), snapshot.pop("protocols", [])
    known = Known(PAPERS, Snapshot(list(rows), list(cells), catalogue, protocols, **snapshot))
    return CLAIM[claim].check(known)


def test_ids_are_unique_and_their_fields_are_known():
    assert len(CLAIM) == len(CLAIMS)
    for claim in CLAIMS:
        assert claim.paper in {*PAPERS, "several"} and claim.kind in KINDS
        assert claim.statement.endswith(".") and claim.place


def test_every_entry_of_the_list_is_there(real_data):
    listed = real_data.parent / "spec" / "claims.md"
    if not listed.is_file():
        pytest.skip(f"the list {listed.name} is not beside the real data")
    ids = re.findall(r"^\| ([ACPMTX]\d\d) \|", listed.read_text("utf-8"), re.MULTILINE)
    assert [claim.id for claim in CLAIMS] == ids and len(ids) == 166


def test_every_verdict_is_reached_and_says_why():
    verdicts = {claim.id: claim.check(EMPTY) for claim in CLAIMS}
    assert set(Counter(item.verdict for item in verdicts.values())) == {
        "supported", "contradicted", "partly", "not tested",
    }  # fmt: skip
    for name, item in verdicts.items():
        assert item.sentence.endswith(".") and item.sentence[0] != " ", name
        assert ("Missing: " in item.sentence) or item.verdict != "not tested", name
        assert item.evidence or item.verdict in ("not tested", "partly"), name


def test_evidence_exists():
    for claim in CLAIMS:
        for item in claim.check(EMPTY).evidence:
            assert item.target in PAPERS, claim.id
            if item.kind == "table":
                assert item.label in {table.name for table in PAPERS[item.target].tables}, claim.id
            if item.kind == "text":
                assert item.label in {quoted.place for quoted in PAPERS[item.target].statements}, claim.id


def test_quotations_belong_to_claims():
    for key, paper in PAPERS.items():
        for item in paper.statements:
            assert item.claim in CLAIM and item.quote and item.says, (key, item.place)


F = {name: Finding(name, name) for name in ("yes", "no", "undecided", "limited", "open", "missing", "note")}


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (["yes", "yes"], "supported"),
        (["yes", "note"], "supported"),
        (["no", "no"], "contradicted"),
        (["no", "missing"], "contradicted"),
        (["yes", "no"], "partly"),
        (["yes", "missing"], "partly"),
        (["undecided"], "partly"),
        (["limited"], "partly"),
        (["open"], "not tested"),
        (["missing", "note"], "not tested"),
        ([], "not tested"),
    ],
)
def test_findings_become_a_verdict(found, verdict):
    assert conclude([F[name] for name in found]).verdict == verdict


def test_measurements_of_one_place_are_said_in_one_sentence():
    """The place alone, with matrix, budget and seeds, is half a line; P12 would say it five times."""
    words = ("Table 1: x.", "Measured on A, PCK: a − b = +1.00.", "Measured on A, PCK: c − b = +2.00.",
             "Measured on B, PCK: a − b = +3.00.")  # fmt: skip
    assert conclude([Finding("yes", sentence) for sentence in words]).sentence == (
        "Table 1: x. Measured on A, PCK: a − b = +1.00; c − b = +2.00. Measured on B, PCK: a − b = +3.00."
    )


# ------------------------------------------------------------------------------ arithmetic of papers


@pytest.mark.parametrize(
    ("claim", "verdict", "said"),
    [
        ("A01", "supported", f"{88.8 - 87.3:+.1f}"),
        ("A07", "contradicted", f"= {1 + 2 * 6 * 2}"),  # two blocks of six 3x3 convolutions
        ("A08", "contradicted", f"= {1 + 3 * 6 * 2}"),
        ("A09", "partly", f"{2 * 32 - 1}"),
        ("A17", "contradicted", "88.4"),
        ("A20", "supported", f"{77.4 - 64.7:+.1f}"),
        ("A23", "contradicted", f"{88.8 - 86.5:.1f}"),
        ("A36", "supported", f"{64.6 - 63.8:+.1f}"),
        ("A43", "partly", f"{25925 + 2958}"),
        ("A29", "partly", "89.1"),  # equal scores do not name their cause
        ("C04", "supported", f"{92.6 - 90.7:+.1f}"),
        ("C11", "supported", f"{2 + 4 + 4}"),
        ("C15", "supported", f"{64 // 2**4} cells"),  # four poolings, and up again: 8, 16, 32, 64
        ("P05", "partly", f"{93.7 - 89.9:+.1f}"),
        ("P06", "supported", f"{26.9 / 23.7:.3f}"),
        ("P16", "partly", "0.5 / n"),
        ("P20", "supported", f"{2**-0.25:.3f}"),
        ("M04", "supported", f"{1.6 / 3.1:.3f}"),
        ("M19", "contradicted", f"{74.2 - 73.3:+.1f}"),
        ("M18", "supported", "Setting 3 is best"),
        ("M22", "supported", "of the single models trained on COCO alone"),
        ("M31", "supported", f"{90_000 * 256 / 150_000:.1f}"),
        ("T02", "supported", "Table 1 of Chu 2017"),
        ("T23", "contradicted", f"{25925 + 2958}"),
        ("X01", "contradicted", "92.0"),
        ("X04", "contradicted", f"{87.2 - 1.2:.1f}"),
        ("X08", "supported", "of the methods that Chu 2017 quotes"),
    ],
)
def test_arithmetic_claims(claim, verdict, said):
    found = check(claim)
    assert found.verdict == verdict and said in found.sentence, found.sentence


def test_a_unit_of_the_pyramid_is_counted_by_hand():
    plain = 256 * 128 + 128 + 9 * 128 * 128 + 128 + 128 * 256 + 256
    more = (256 * 28 + 28) + 4 * (9 * 28 * 28 + 28) + (28 * 128 + 128)
    assert (plain, plain + more) == (213_504, 252_748)  # as the ledger's list has them
    assert f"{100 * more / plain:+.1f} %" in check("P08").sentence


def test_scale_distributions():
    """Counts of the spec sheet (inception, section 3)."""
    assert RESIDUAL.stacked(6).counts == (1, 6, 15, 20, 15, 6, 1)
    assert INCEPTION.stacked(3).counts == (8, 12, 18, 13, 9, 3, 1)
    assert IOI.counts == (15, 17, 24, 15, 10, 3, 1)
    assert IOI.stacked(2).counts == (225, 510, 1009, 1266, 1386, 1150, 837, 478, 238, 90, 29, 6, 1)
    assert IOI.stacked(3).paths == 85**3 and RESIDUAL.stacked(80).paths == 2**80
    assert IOI.variance == pytest.approx(8.234740, abs=1e-6)
    assert INCEPTION.stacked(3).entropy == pytest.approx(2.508, abs=5e-4)


def test_a_printed_number_decides(monkeypatch):
    """With another number in the table, the verdict is another one."""
    liu = PAPERS["liu2018"]
    table = liu.tables[0]
    worse = [item if item.name != "IOI" else _with(item, values=(*item.values[:7], 88.0)) for item in table.rows]
    changed: Paper = _with(liu, tables=(_with(table, rows=tuple(worse)), *liu.tables[1:]))
    found = CLAIM["A01"].check(Known({**PAPERS, "liu2018": changed}, Snapshot([], [], [], [])))
    assert found.verdict == "contradicted" and "stated +1.5" in found.sentence


def _with(struct, **fields):
    import msgspec

    return msgspec.structs.replace(struct, **fields)


# ------------------------------------------------------------------------------------ planted rows


def scored(
    name, value, half=0.5, metric="PCKh@0.5", part="mean", protocol="mpii-pckh", dataset="mpii", split="val", **fields
):
    """(cell, row) of a network under a protocol."""  # fmt: skip
    made = cell(name, protocol, dataset, split, **fields)
    low, high = (None, None) if half is None else (value - half, value + half)
    return made, row(made, metric, part, value, low, high)


def pair(ours, theirs):
    cells, rows = zip(ours, theirs, strict=True)
    return {"rows": rows, "cells": cells}


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (88.0, 86.0, "supported"),
        (86.0, 88.0, "contradicted"),
        (86.5, 86.4, "partly"),  # the interval includes 0
    ],
)
def test_training_turns_a_claim(ours, theirs, verdict):
    assert check("C06").verdict == "not tested"
    found = check("C06", **pair(scored("attention-8-ms", ours), scored("attention-8-bl", theirs)))
    assert found.verdict == verdict
    assert {item.label for item in found.evidence if item.kind == "cell"} == {"attention-8-ms", "attention-8-bl"}


def test_the_interval_of_independent_cells():
    found = check("C06", **pair(scored("attention-8-ms", 88.0, 0.3), scored("attention-8-bl", 87.5, 0.4)))
    half = math.hypot(0.3, 0.4)
    assert f"[{0.5 - half:+.2f}, {0.5 + half:+.2f}]".replace("+0.00", "±0.00") in found.sentence


def test_a_paired_difference_comes_first():
    """Intervals that overlap hide what the same people show."""
    ours, theirs = scored("attention-8-ms", 88.0, 2.0), scored("attention-8-bl", 87.5, 2.0)

    def paired(one, two):
        assert (one, two) == (ours[0]["cell"], theirs[0]["cell"])
        return [{"metric": "PCKh@0.5", "part": "mean", "value": 0.5, "low": 0.2, "high": 0.8}]

    assert check("C06", **pair(ours, theirs)).verdict == "partly"
    found = check("C06", **pair(ours, theirs), paired=paired)
    assert found.verdict == "supported" and "[+0.20, +0.80]" in found.sentence


def test_without_an_interval_nothing_is_better():
    found = check("C06", **pair(scored("attention-8-ms", 99.0, None), scored("attention-8-bl", 1.0, None)))
    assert found.verdict == "partly" and "without an interval" in found.sentence


@pytest.mark.parametrize("change", [{"dataset": "mannequin"}, {"budget": "quick"}, {"limit": 200}])
def test_other_conditions_than_the_papers_restrict(change):
    better = check("C06", **pair(scored("attention-8-ms", 88, **change), scored("attention-8-bl", 80, **change)))
    worse = check("C06", **pair(scored("attention-8-ms", 80, **change), scored("attention-8-bl", 88, **change)))
    assert (better.verdict, worse.verdict) == ("partly", "not tested")
    assert "the opposite" in worse.sentence
    if "dataset" in change:
        assert "mannequin (synthetic)" in better.sentence


def kept(ours: str, theirs: str, low: float, high: float) -> Collection:
    """A committed difference on photographs, in PCK@0.2."""
    value = ["PCK@0.2", "mean", (low + high) / 2, "points", low, high, 9000]
    one, two = (f"{name}{',' if '@' in name else '@'}input=64" for name in (ours, theirs))
    line = {"kind": "difference", "ours": one, "theirs": two, "seeds": 2,
            "protocol": "lsp-pck", "dataset": "lspet", "split": "holdout", "values": [value]}  # fmt: skip
    return Collection("cpu", (), (), (line,))


@pytest.mark.parametrize(
    ("low", "high", "verdict", "words"),
    [(0.5, 1.5, "partly", "[+0.50, +1.50]"), (-1.5, -0.5, "not tested", "the opposite"),
     (-0.5, 1.5, "not tested", "includes 0")],
)  # fmt: skip
def test_committed_ablations_restrict_and_refute_nothing(low, high, verdict, words):
    """P25 asks whether pyramids beat a baseline as large; the sentence says on what and with which budget."""
    pairs = (("pyranet-bstar-2", "prm-wide-2"), ("prm-wide-2", "prm-baseline-2"))
    found = check("P25", kept=tuple(kept(*pair, low, high) for pair in pairs))
    assert found.verdict == verdict and words in found.sentence
    assert "on LSPET, our budget (matrix.cpu.toml, 2 seeds), PCK@0.2 mean" in found.sentence
    assert {item.target for item in found.evidence} == {"cpu-pyramids-lspet"}


def test_initializations_are_compared_by_their_names():
    name = "pyranet-bstar-2@initialization="
    pairs = [(f"{name}branch-aware", f"{name}{rival}") for rival in ("xavier", "msr")]
    found = check("P15", kept=tuple(kept(*pair, 1, 2) for pair in pairs))
    assert found.verdict == "partly" and "Missing" not in found.sentence


def test_narrow_networks_are_compared_with_narrow_ones_and_restrict():
    ours, theirs = scored("attention-8-ms@width=0.25", 60), scored("attention-8-bl@width=0.25", 50)
    found = check("C06", **pair(ours, theirs))
    assert found.verdict == "partly" and "width=0.25" in found.sentence
    assert check("C06", **pair(ours, scored("attention-8-bl", 50))).verdict == "not tested"


@pytest.mark.parametrize("change", [{"seed": 1}, {"settings": {"flip": "no"}}, {"budget": "quick"}, {"state": "stale"}])
def test_only_cells_tested_alike_are_compared(change):
    found = check("C06", **pair(scored("attention-8-ms", 88), scored("attention-8-bl", 80, **change)))
    assert found.verdict == "not tested"


def test_prediction_files_prove_nothing_about_a_network():
    made, found = scored("attention-8-ms", 88)
    rows = {**found, "source": "predictions"}
    assert check("C06", **pair((made, rows), scored("attention-8-bl", 80))).verdict == "not tested"


def test_what_is_missing_is_said_with_its_cause():
    blocked = cell("attention-8-bl", "mpii-pckh", "mpii", "val", state="blocked", why="data/mpii is missing")
    found = check("C06", cells=[blocked])
    assert "attention-8-bl (blocked: data/mpii is missing)" in found.sentence


def test_a_rerun_beside_printed_numbers():
    worse = pair(scored("liu-ioi", 85), scored("liu-res", 88))
    assert check("A01", **worse).verdict == "partly"
    assert check("A01", **pair(scored("liu-ioi", 88), scored("liu-res", 85))).verdict == "supported"
    synthetic = pair(scored("liu-ioi", 50, dataset="mannequin"), scored("liu-res", 60, dataset="mannequin"))
    found = check("A01", **synthetic)
    assert found.verdict == "supported" and "mannequin (synthetic)" in found.sentence


def test_errors_are_better_when_they_are_lower():
    place = {"metric": "left-right confusion", "part": "ankle covered", "protocol": "occluded-limb"}
    fewer = pair(scored("liu-aioi", 4, **place), scored("liu-res", 9, **place))
    assert check("A25", **fewer).verdict == "supported"
    assert check("A25", **pair(scored("liu-aioi", 9, **place), scored("liu-res", 4, **place))).verdict == "contradicted"


def test_coco_is_in_points():
    place = {"metric": "AP", "part": "all", "protocol": "coco-ap", "dataset": "coco", "split": "val2017"}
    cells, rows = zip(scored("mspn-2", 0.74, 0.002, **place), scored("mspn-1", 0.71, 0.002, **place), strict=True)
    found = check("M08", [{**item, "unit": ""} for item in rows], cells)
    assert found.verdict == "supported" and "+3.00" in found.sentence


def counted(name, metric, value, part="all", unit="parameters", protocol="complexity"):
    made = cell(name, protocol, seed=0)
    return made, row(made, metric, part, value, unit=unit, n=1)


def plant(*items):
    cells = {made["cell"]: made for made, _ in items}
    return {"rows": [found for _, found in items], "cells": list(cells.values())}


def test_equal_fields_are_not_equal_sizes():
    """Counts of the spec sheet: IOI has 1.93 times the parameters of the residual network."""
    sizes = {"liu-res": (4_364_032, 11.606e9), "liu-incep-res": (5_312_000, 12.576e9), "liu-ioi": (8_441_600, 15.758e9)}
    rows = [counted(name, "parameters", size) for name, (size, _) in sizes.items()]
    rows += [counted(name, "macs", macs, unit="MACs") for name, (_, macs) in sizes.items()]
    found = check("A06", **plant(*rows))
    assert found.verdict == "partly" and f"{8_441_600 / 4_364_032:.2f}" in found.sentence
    alike = [counted(name, metric, 5e6) for name in sizes for metric in ("parameters", "macs")]
    assert check("A06", **plant(*alike)).verdict == "supported"


def test_printed_costs_are_counted_again():
    assert check("M27").verdict == "not tested"
    giga = {1: 3.938, 2: 6.164, 4: 10.615, 8: 19.518}  # the spec sheet's counts
    rows = [counted(f"mspn-hourglass-{n}", "giga_published", value, unit="G") for n, value in giga.items()]
    assert check("M27", **plant(*rows)).verdict == "supported"
    rows = [counted(f"mspn-hourglass-{n}", "giga_published", value, unit="G (opc)") for n, value in giga.items()]
    told = check("M27", **plant(*rows), protocols=[{"name": "complexity", "variants": {"opc": "ops of a counter"}}])
    assert told.verdict == "supported" and told.sentence.count("opc: ops of a counter.") == 1
    rows[0] = counted("mspn-hourglass-1", "giga_published", 4.35, unit="G")
    assert check("M27", **plant(*rows)).verdict == "partly"


def test_a_reconstruction_made_to_be_small_proves_little():
    rows = [counted("nie-4", metric, 1e7) for metric in ("parameters", "macs")]
    rows += [counted("cpm-6", metric, 3e7) for metric in ("parameters", "macs")]
    known = {"name": "nie-4", "kind": "reconstruction", "summary": "widths are chosen"}
    assert check("T08", **plant(*rows), architectures=[known]).verdict == "partly"
    assert check("T08", **plant(*rows)).verdict == "supported"


def test_receptive_fields_are_read_from_the_graph():
    wider = [
        counted(name, "rf_mean", value, part, "px", "receptive-field")
        for name, value in (("attention-8-ms", 78.3), ("attention-8-hru", 79.9))
        for part in ("AttentionStack", "network")
    ]
    assert check("C18").verdict == "not tested"
    assert check("C18", **plant(*wider)).verdict == "supported"
    one = counted("attention-8-hru", "rf_max", 9.0, "HourglassResidual", "cells", "receptive-field")
    assert check("C11", **plant(one)).verdict == "partly"


@pytest.mark.parametrize(("total", "verdict"), [(4.1, "supported"), (6.0, "partly"), (2.1, "contradicted")])
def test_variances_of_sums(total, verdict):
    """Two addends of variance 2 give about 4, twice the one that either has."""
    part = "stacks.0.hourglass"
    rows = [counted("prm-baseline-2", "variance msr", total, part, "1", "init-variance")]
    rows += [
        counted("prm-baseline-2", "addend_variance msr", 2.0, f"{part} / {n}", "1", "init-variance") for n in (1, 2)
    ]
    assert check("P17").verdict == "not tested"
    assert check("P17", **plant(*rows)).verdict == verdict


def test_conventions_of_operations_are_compared():
    rows = [counted("mspn-2", "giga_published", 9.6, unit="G (gibi-macs-inference)"),
            counted("prm-baseline-8", "giga_published", 41.1, unit="G (opc)")]  # fmt: skip
    assert check("X06", **plant(*rows)).verdict == "contradicted"


def test_all_claims_survive_rows_of_everything():
    """A snapshot with a row for every network and metric that claims ask for raises nothing."""
    names = {claim: CLAIM[claim].check(EMPTY) for claim in CLAIM}
    networks = sorted(set(re.findall(r"[a-z]+\d?-[a-z0-9-]+", " ".join(item.sentence for item in names.values()))))
    items = [scored(name, 50 + i % 7) for i, name in enumerate(networks)]
    items += [counted(name, metric, 1e6 + i) for i, name in enumerate(networks) for metric in ("parameters", "macs")]
    known = Known(PAPERS, Snapshot(**_fields(plant(*items))))
    assert {claim.check(known).verdict for claim in CLAIMS} >= {"supported", "partly", "contradicted"}


def _fields(planted):
    return {
        "measurements": planted["rows"], "cells": planted["cells"], "architectures": [],
        "protocols": [PCKH, COMPLEXITY],
    }  # fmt: skip
