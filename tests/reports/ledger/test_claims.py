"""The ledger: complete, computed, and changed by rows that are made up here. None of them was measured."""

import re
from collections import Counter
from itertools import groupby
from types import ModuleType

import pytest
from ledger_fixtures import CLAIM, PAPERS, check, counted, rows_of, scored
from snapshots import COMPLEXITY, PCKH, architecture

from bench.results.snapshot import Snapshot
from reports.data.published import Paper
from reports.ledger.claim import KINDS, Claim, Finding, claims_of, conclude
from reports.ledger.claims import CLAIMS, collect
from reports.ledger.evidence import Evidence
from reports.ledger.scales import INCEPTION, IOI, RESIDUAL

EMPTY = Evidence(PAPERS, Snapshot([], [], [], []))


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
    assert [claim.id for claim in CLAIMS] == sorted(ids) and len(ids) == 166


def test_no_claim_of_a_paper_is_lost():
    """Two claims of one name in a module would leave a gap: the ids of a paper are counted through."""
    for letter, ids in groupby((claim.id for claim in CLAIMS), key=lambda key: key[0]):
        found = list(ids)
        assert found == [f"{letter}{number:02}" for number in range(1, len(found) + 1)]


def module_of(*claims: Claim) -> ModuleType:
    """A module of claims."""
    module = ModuleType("made2000")
    vars(module).update({f"claim_{at}": claim for at, claim in enumerate(claims)})
    return module


def test_claims_of_modules_come_in_the_order_of_ids():
    claim = claims_of("made2000")
    one, two = (claim(key, "A is better.", "Table 1", "ranking")() for key in ("Z01", "Z02"))
    assert collect([module_of(two), module_of(one)]) == (one, two)


def test_an_id_that_occurs_twice_is_refused_with_both_statements():
    claim = claims_of("made2000")
    one, two = (claim("Z01", words, "Table 1", "ranking")() for words in ("A is better.", "B is better."))
    with pytest.raises(ValueError, match=r"made2000: claim Z01 \('B is better.'\) has the id of 'A is better.'"):
        collect([module_of(one), module_of(two)])


def test_an_unknown_kind_is_refused_with_the_kinds_there_are():
    odd = claims_of("made2000")("Z01", "A is better.", "Table 1", "guess")()
    with pytest.raises(ValueError, match="unknown kind 'guess'; the kinds are difference, ranking"):
        collect([module_of(odd)])


def test_a_claim_can_be_checked_again():
    """Of the same evidence it says the same: no check is used up by the first verdict."""
    assert [claim.verdict(EMPTY) for claim in CLAIMS] == [claim.verdict(EMPTY) for claim in CLAIMS]


def test_every_verdict_is_reached_and_says_why():
    verdicts = {claim.id: claim.verdict(EMPTY) for claim in CLAIMS}
    assert set(Counter(item.verdict for item in verdicts.values())) == {
        "supported", "contradicted", "partly", "not tested",
    }  # fmt: skip
    for name, item in verdicts.items():
        assert item.sentence.endswith(".") and item.sentence[0] != " ", name
        assert ("Missing: " in item.sentence) or item.verdict != "not tested", name
        assert item.sources or item.verdict in ("not tested", "partly"), name


def test_evidence_exists():
    for claim in CLAIMS:
        for item in claim.verdict(EMPTY).sources:
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
    found = CLAIM["A01"].verdict(Evidence({**PAPERS, "liu2018": changed}, Snapshot([], [], [], [])))
    assert found.verdict == "contradicted" and "stated +1.5" in found.sentence


def _with(struct, **fields):
    import msgspec

    return msgspec.structs.replace(struct, **fields)


def test_equal_fields_are_not_equal_sizes():
    """Counts of the spec sheet: IOI has 1.93 times the parameters of the residual network."""
    sizes = {"liu-res": (4_364_032, 11.606e9), "liu-incep-res": (5_312_000, 12.576e9), "liu-ioi": (8_441_600, 15.758e9)}
    rows = [counted(name, "parameters", size) for name, (size, _) in sizes.items()]
    rows += [counted(name, "macs", macs, unit="MACs") for name, (_, macs) in sizes.items()]
    found = check("A06", **rows_of(*rows))
    assert found.verdict == "partly" and f"{8_441_600 / 4_364_032:.2f}" in found.sentence
    equal = [counted(name, metric, 5e6) for name in sizes for metric in ("parameters", "macs")]
    assert check("A06", **rows_of(*equal)).verdict == "supported"


def test_printed_costs_are_counted_again():
    assert check("M27").verdict == "not tested"
    giga = {1: 3.938, 2: 6.164, 4: 10.615, 8: 19.518}  # the spec sheet's counts
    rows = [counted(f"mspn-hourglass-{n}", "giga_published", value, unit="G") for n, value in giga.items()]
    assert check("M27", **rows_of(*rows)).verdict == "supported"
    rows = [counted(f"mspn-hourglass-{n}", "giga_published", value, unit="G (opc)") for n, value in giga.items()]
    told = check("M27", **rows_of(*rows))
    assert told.verdict == "supported" and told.sentence.count("opc: torch-opCounter") == 1
    rows[0] = counted("mspn-hourglass-1", "giga_published", 4.35, unit="G")
    assert check("M27", **rows_of(*rows)).verdict == "partly"


def test_a_reconstruction_made_to_be_small_proves_little():
    rows = [counted("nie-4", metric, 1e7) for metric in ("parameters", "macs")]
    rows += [counted("cpm-6", metric, 3e7) for metric in ("parameters", "macs")]
    known = architecture("nie-4", "widths are chosen", "reconstruction")
    assert check("T08", **rows_of(*rows), architectures=[known]).verdict == "partly"
    assert check("T08", **rows_of(*rows)).verdict == "supported"


def test_receptive_fields_are_read_from_the_graph():
    wider = [
        counted(name, "rf_mean", value, part, "px", "receptive-field")
        for name, value in (("attention-8-ms", 78.3), ("attention-8-hru", 79.9))
        for part in ("AttentionStack", "network")
    ]
    assert check("C18").verdict == "not tested"
    assert check("C18", **rows_of(*wider)).verdict == "supported"
    one = counted("attention-8-hru", "rf_max", 9.0, "HourglassResidual", "cells", "receptive-field")
    assert check("C11", **rows_of(one)).verdict == "partly"


@pytest.mark.parametrize(("total", "verdict"), [(4.1, "supported"), (6.0, "partly"), (2.1, "contradicted")])
def test_variances_of_sums(total, verdict):
    """Two addends of variance 2 give about 4, twice the one that either has."""
    part = "stacks.0.hourglass"
    rows = [counted("prm-baseline-2", "variance msr", total, part, "1", "init-variance")]
    rows += [
        counted("prm-baseline-2", "addend_variance msr", 2.0, f"{part} / {n}", "1", "init-variance") for n in (1, 2)
    ]
    assert check("P17").verdict == "not tested"
    assert check("P17", **rows_of(*rows)).verdict == verdict


def test_conventions_of_operations_are_compared():
    rows = [counted("mspn-2", "giga_published", 9.6, unit="G (gibi-macs-inference)"),
            counted("prm-baseline-8", "giga_published", 41.1, unit="G (opc)")]  # fmt: skip
    assert check("X06", **rows_of(*rows)).verdict == "contradicted"


def test_all_claims_survive_rows_of_everything():
    """A snapshot with a row for every network and metric that claims ask for raises nothing."""
    names = {claim: CLAIM[claim].verdict(EMPTY) for claim in CLAIM}
    networks = sorted(set(re.findall(r"[a-z]+\d?-[a-z0-9-]+", " ".join(item.sentence for item in names.values()))))
    items = [scored(name, 50 + i % 7) for i, name in enumerate(networks)]
    items += [counted(name, metric, 1e6 + i) for i, name in enumerate(networks) for metric in ("parameters", "macs")]
    evidence = Evidence(PAPERS, Snapshot(**_fields(rows_of(*items))))
    assert {claim.verdict(evidence).verdict for claim in CLAIMS} >= {"supported", "partly", "contradicted"}


def _fields(made):
    return {
        "measurements": made["rows"], "cells": made["cells"], "architectures": [],
        "protocols": [PCKH, COMPLEXITY],
    }  # fmt: skip
