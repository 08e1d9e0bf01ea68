"""Claims that two or more papers make together. Ids X01 to X10."""

from collections import defaultdict
from dataclasses import replace

from reports.data.published import Value
from reports.ledger.claim import Claim, Finding, Verdict, conclude, finding
from reports.ledger.evidence import Evidence, Source, table
from reports.ledger.measured_checks import MPII, Setting, better, cell, less, missing, rule
from reports.ledger.printed_checks import best, exceeds, gains, means, numbers, quoted, say, source

PAPER = "several"
MPII_TABLES = (table("chu2017", "Table 1"), table("yang2017", "Table 1"), table("liu2018", "Table 7"))
LSP_TABLES = (table("chu2017", "Table 2"), table("yang2017", "Table 2"), table("liu2018", "Table 6"))
JOINTS = ("Head", "Sho.", "Elb.", "Wri.", "Hip", "Knee", "Ank.", "Mean")


def x01(evidence: Evidence) -> Verdict:
    found = []
    for (_, yang, liu), row in ((MPII_TABLES, "Ours-B"), (LSP_TABLES, "Ours")):
        found.append(exceeds(evidence, (liu, "AIOI+CJN", "Mean"), (yang, row, "Mean")))
        absent = not any(name.startswith("Yang") for name in evidence.column(liu, "Mean"))
        words = f"{liu.label} of Liu 2018 does not list Yang et al." if absent else ""
        found.append(Finding("note", words, (liu,)))
    return conclude(found)


def _baselines(evidence: Evidence, tables: tuple[Source, ...]) -> Finding:
    """Rows that several tables quote from the same authors have the same numbers, cell by cell.

    Authors who occur more than once in a table (two papers of Pishchulin's) agree if one of the rows does.
    """
    found: dict[str, dict[str, list[tuple[Value, ...]]]] = defaultdict(lambda: defaultdict(list))
    for place in tables:
        for row, first in evidence.column(place, "Mean").items():
            if first.source == "quoted":
                values = tuple(evidence.printed(place, row, column) for column in JOINTS)
                found[_surname(row)][place.target].append(values)
    shared = {author: list(papers.values()) for author, papers in found.items() if len(papers) > 1}
    apart = []
    for author, groups in shared.items():
        numbers = [{tuple(value.value for value in row) for row in rows} for rows in groups]
        if not set.intersection(*numbers):
            apart.append(f"{author} ({'; '.join(say(rows[0][-1]) for rows in groups)})")
    names = ", ".join(f"{place.label} of {evidence.papers[place.target].short}" for place in tables)
    words = f"{len(shared)} rows stand in more than one of {names}: "
    words += f"not equal are {', '.join(apart)}." if apart else "all are equal, cell by cell."
    return finding(not apart, words, *tables)


def _surname(row: str) -> str:
    """The first author of a row: "Bulat&Tzimiropoulos [5]" and "Bulat et al." are one."""
    return row.replace("&", " ").split()[0]


def x02(evidence: Evidence) -> Verdict:
    return conclude(_baselines(evidence, MPII_TABLES), _baselines(evidence, LSP_TABLES))


def x03(evidence: Evidence) -> Verdict:
    found = []
    for chu, _, liu in (MPII_TABLES, LSP_TABLES):
        pairs = [(evidence.printed(chu, "Ours", name), evidence.printed(liu, "Chu et al.", name)) for name in JOINTS]
        apart = [one.column for one, two in pairs if one.value != two.value]
        names = [f"{place.label} of {evidence.papers[place.target].short}" for place in (liu, chu)]
        words = f"{names[0]} against {names[1]}: {', '.join(apart) or 'no number'} differs."
        found.append(finding(not apart, words, chu, liu))
    return conclude(found)


def x04(evidence: Evidence) -> Verdict:
    """The more stacks, the better, if the papers measured alike."""
    with_attention = evidence.printed(table("chu2017", "Ablation"), "BL+MS", "Mean")
    two_stacks = evidence.printed(table("yang2017", "Ablation"), "Baseline (two-stack hourglass)", "Mean")
    plain = evidence.printed(table("liu2018", "Table 1"), "Res", "Mean")
    implied = with_attention.value - numbers(evidence, "C06")[0]
    words = f"Eight stacks in Chu 2017 {implied:.1f} (implied), two stacks in Yang 2017 {say(two_stacks)}"
    words += f", no hourglass in Liu 2018 {say(plain)}."
    return conclude(
        finding(implied >= max(two_stacks.value, plain.value), words, *map(source, (with_attention, two_stacks, plain)))
    )


def x05(evidence: Evidence) -> Verdict:
    said: dict[str, list[str]] = defaultdict(list)
    for paper, item in evidence.statements("X05"):
        said[item.says].append(evidence.papers[paper].short)
    groups = sorted(said.items(), key=lambda group: -len(group[1]))
    words = "; ".join(f"{', '.join(papers)}: {text}" for text, papers in groups)
    named = finding(len(groups[0][1]) > 1, f"{words}.", *quoted(evidence, "X05"))
    unsaid = Finding("undecided", f"The text of {', '.join(groups[-1][1])} names no list.") if len(groups) > 1 else None
    return conclude(named, unsaid)


def x06(evidence: Evidence) -> Verdict:
    rows = [evidence.row(name, "complexity", "giga_published") for name in ("mspn-2", "prm-baseline-8")]
    if lacking := [name for name, row in zip(("mspn-2", "prm-baseline-8"), rows, strict=True) if row is None]:
        return conclude(missing(evidence, lacking, Setting("complexity", "", "", "giga_published")))
    units = [rule(evidence, row["unit"]) for row in rows]
    words = f"The rule that comes closest for Li 2019 is {units[0]}; for Yang 2017, {units[1]}."
    return conclude(finding(units[0] == units[1], words, *map(cell, rows)))


def x07(evidence: Evidence) -> Verdict:
    papers = (evidence.papers[paper] for paper in ("chu2017", "yang2017", "liu2018"))
    return conclude(
        replace(item, words=f"{paper.short}, {item.words}")
        for paper in papers
        for item in means(evidence, paper.key, "mpii")
    )


def x08(evidence: Evidence) -> Verdict:
    others = [row for row, value in evidence.column(MPII_TABLES[0], "Mean").items() if value.source == "quoted"]
    return conclude(
        exceeds(
            evidence, (table("li2019", "Table 2"), "Res-152", "AP"), (table("li2019", "Table 3"), "Hourglass, 8", "AP")
        ),
        best(
            evidence,
            MPII_TABLES[0],
            "Newell et al. [29]",
            ["Mean"],
            rivals=others,
            among="of the methods that Chu 2017 quotes",
        ),
    )


def x09(evidence: Evidence) -> Verdict:
    return conclude(
        better(evidence, "attention-8-hru", "attention-8-ms", MPII, "ankle"),
        better(evidence, "liu-ioi", "liu-res", MPII, "ankle"),
        less(evidence, "attention-8-ms", "attention-8-hru", "receptive-field", "rf_mean", "network"),
        less(evidence, "liu-ioi", "liu-res", "receptive-field", "rf_mean", "network"),
    )


def x10(evidence: Evidence) -> Verdict:
    gate = table("liu2018", "Table 2")
    return conclude(
        gains(evidence, gate, "AIOI-sigmoid", "AIOI-softmax", ["Mean"]),
        better(evidence, "attention-2-crf", "attention-2-softmax", MPII),
    )


# fmt: off
CLAIMS = (
    Claim("X01", PAPER, "Liu 2018 is the state of the art, also beside Yang 2017, which it does not list.",
          "Liu 2018, Tables 6 and 7", "ranking", x01),
    Claim("X02", PAPER, "The rows that Chu 2017, Yang 2017 and Liu 2018 quote agree.", "their comparison tables",
          "consistency", x02),
    Claim("X03", PAPER, "Liu 2018 quotes Chu 2017 as it was printed.", "Liu 2018, Tables 6 and 7", "consistency", x03),
    Claim("X04", PAPER, "The hourglass baselines on the MPII validation set are in keeping with each other.",
          "Chu 2017, Yang 2017, Liu 2018", "consistency", x04),
    Claim("X05", PAPER, "The papers share one MPII validation split.", "Chu 2017, Yang 2017, Liu 2018", "consistency",
          x05),
    Claim("X06", PAPER, "GFLOPs mean the same in Li 2019 and Yang 2017.", "Li 2019, Table 3; Yang 2017, section 5.1.2",
          "cost", x06),
    Claim("X07", PAPER, "Means on MPII are weighted by annotated joints, the neck included, in three papers alike.",
          "Chu 2017, Yang 2017, Liu 2018", "consistency", x07),
    Claim("X08", PAPER, "Multi-stage networks win on MPII and are not competitive on COCO.", "Li 2019, section 2",
          "ranking", x08),
    Claim("X09", PAPER, "Larger fields (HRU) and smaller fields (IOI) both help the ankle.", "Chu 2017 and Liu 2018",
          "mechanism", x09),
    Claim("X10", PAPER, "Local gates beat a softmax in both Chu 2017 and Liu 2018.",
          "Chu 2017, Figure 10; Liu 2018, Table 2",
          "ablation", x10),
)
# fmt: on
