"""Claims that two or more papers make together. Ids X01 to X10."""

from collections import defaultdict
from dataclasses import replace

from reports.data.published import Value
from reports.ledger import measured_checks as measured
from reports.ledger import printed_checks as printed
from reports.ledger.claim import Finding, Findings, claims_of, finding
from reports.ledger.evidence import Evidence, Source, table
from reports.ledger.measured_checks import MPII

claim = claims_of("several")
MPII_TABLES = CHU_MPII, YANG_MPII, LIU_MPII = (
    table("chu2017", "Table 1"), table("yang2017", "Table 1"), table("liu2018", "Table 7"),
)  # fmt: skip
LSP_TABLES = CHU_LSP, YANG_LSP, LIU_LSP = (
    table("chu2017", "Table 2"), table("yang2017", "Table 2"), table("liu2018", "Table 6"),
)  # fmt: skip
RESNETS, STAGES = table("li2019", "Table 2"), table("li2019", "Table 3")
JOINTS = ("Head", "Sho.", "Elb.", "Wri.", "Hip", "Knee", "Ank.", "Mean")


@claim("X01", "Liu 2018 is the state of the art, also beside Yang 2017, which it does not list.",
       "Liu 2018, Tables 6 and 7", "ranking")  # fmt: skip
def liu_is_best(evidence: Evidence) -> Findings:
    for liu, yang, row in ((LIU_MPII, YANG_MPII, "Ours-B"), (LIU_LSP, YANG_LSP, "Ours")):
        yield printed.exceeds((liu, "AIOI+CJN", "Mean"), (yang, row, "Mean"))
        absent = not any(name.startswith("Yang") for name in evidence.column(liu, "Mean"))
        yield Finding("note", f"{liu.label} of Liu 2018 does not list Yang et al." if absent else "", (liu,))


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
    unequal = []
    for author, groups in shared.items():
        numbers = [{tuple(value.value for value in row) for row in rows} for rows in groups]
        if not set.intersection(*numbers):
            unequal.append(f"{author} ({'; '.join(printed.say(rows[0][-1]) for rows in groups)})")
    words = f"{len(shared)} rows stand in more than one of {', '.join(map(evidence.cite, tables))}: "
    words += f"not equal are {', '.join(unequal)}." if unequal else "all are equal, cell by cell."
    return finding(not unequal, words, *tables)


def _surname(row: str) -> str:
    """The first author of a row: "Bulat&Tzimiropoulos [5]" and "Bulat et al." are one."""
    return row.replace("&", " ").split()[0]


@claim("X02", "The rows that Chu 2017, Yang 2017 and Liu 2018 quote agree.", "their comparison tables", "consistency")
def quoted_rows_agree(evidence: Evidence) -> Findings:
    yield _baselines(evidence, MPII_TABLES)
    yield _baselines(evidence, LSP_TABLES)


@claim("X03", "Liu 2018 quotes Chu 2017 as it was printed.", "Liu 2018, Tables 6 and 7", "consistency")
def liu_quotes_chu(evidence: Evidence) -> Findings:
    for chu, liu in ((CHU_MPII, LIU_MPII), (CHU_LSP, LIU_LSP)):
        pairs = [(evidence.printed(chu, "Ours", name), evidence.printed(liu, "Chu et al.", name)) for name in JOINTS]
        unequal = [one.column for one, two in pairs if one.value != two.value]
        words = f"{evidence.cite(liu)} against {evidence.cite(chu)}: {', '.join(unequal) or 'no number'} differs."
        yield finding(not unequal, words, chu, liu)


@claim("X04", "The hourglass baselines on the MPII validation set are in keeping with each other.",
       "Chu 2017, Yang 2017, Liu 2018", "consistency")  # fmt: skip
def baselines_are_in_keeping(evidence: Evidence) -> Findings:
    """The more stacks, the better, if the papers measured under equal conditions."""
    with_attention = evidence.printed(table("chu2017", "Ablation"), "BL+MS", "Mean")
    two_stacks = evidence.printed(table("yang2017", "Ablation"), "Baseline (two-stack hourglass)", "Mean")
    plain = evidence.printed(table("liu2018", "Table 1"), "Res", "Mean")
    implied = with_attention.value - printed.numbers(evidence, "C06")[0]
    words = f"Eight stacks in Chu 2017 {implied:.1f} (implied), two stacks in Yang 2017 {printed.say(two_stacks)}"
    words += f", no hourglass in Liu 2018 {printed.say(plain)}."
    places = map(printed.source, (with_attention, two_stacks, plain))
    return finding(implied >= max(two_stacks.value, plain.value), words, *places)


@claim("X05", "The papers share one MPII validation split.", "Chu 2017, Yang 2017, Liu 2018", "consistency")
def papers_share_a_split(evidence: Evidence) -> Findings:
    said: dict[str, list[str]] = defaultdict(list)
    for paper, item in evidence.statements("X05"):
        said[item.says].append(evidence.papers[paper].short)
    groups = sorted(said.items(), key=lambda group: -len(group[1]))
    words = "; ".join(f"{', '.join(papers)}: {text}" for text, papers in groups)
    yield finding(len(groups[0][1]) > 1, f"{words}.", *printed.quoted(evidence, "X05"))
    if len(groups) > 1:
        yield Finding("undecided", f"The text of {', '.join(groups[-1][1])} names no list.")


@claim("X06", "GFLOPs mean the same in Li 2019 and Yang 2017.", "Li 2019, Table 3; Yang 2017, section 5.1.2", "cost")
def operations_mean_the_same(evidence: Evidence) -> Findings:
    rows = measured.counted(evidence, ("mspn-2", "prm-baseline-8"), "complexity", "giga_published")
    if isinstance(rows, Finding):
        return rows
    li, yang = (measured.rule(evidence, row.unit) for row in rows)
    words = f"The rule that comes closest for Li 2019 is {li}; for Yang 2017, {yang}."
    return finding(li == yang, words, *map(measured.cell, rows))


@claim("X07", "Means on MPII are weighted by annotated joints, the neck included, in three papers alike.",
       "Chu 2017, Yang 2017, Liu 2018", "consistency")  # fmt: skip
def means_are_weighted(evidence: Evidence) -> Findings:
    for paper in ("chu2017", "yang2017", "liu2018"):
        for item in printed.means(paper, "mpii")(evidence):
            yield replace(item, words=f"{evidence.papers[paper].short}, {item.words}")


@claim("X08", "Multi-stage networks win on MPII and are not competitive on COCO.", "Li 2019, section 2", "ranking")
def stages_win_on_mpii_only(evidence: Evidence) -> Findings:
    others = [row for row, value in evidence.column(CHU_MPII, "Mean").items() if value.source == "quoted"]
    among = "of the methods that Chu 2017 quotes"
    yield printed.exceeds((RESNETS, "Res-152", "AP"), (STAGES, "Hourglass, 8", "AP"))
    yield printed.best(CHU_MPII, "Newell et al. [29]", ["Mean"], rivals=others, among=among)


@claim("X09", "Larger fields (HRU) and smaller fields (IOI) both help the ankle.", "Chu 2017 and Liu 2018", "mechanism")
def both_fields_help_the_ankle(evidence: Evidence) -> Findings:
    yield measured.better("attention-8-hru", "attention-8-ms", MPII, "ankle")
    yield measured.better("liu-ioi", "liu-res", MPII, "ankle")
    yield measured.less("attention-8-ms", "attention-8-hru", "receptive-field", "rf_mean", "network")
    yield measured.less("liu-ioi", "liu-res", "receptive-field", "rf_mean", "network")


@claim("X10", "Local gates beat a softmax in both Chu 2017 and Liu 2018.",
       "Chu 2017, Figure 10; Liu 2018, Table 2", "ablation")  # fmt: skip
def gates_beat_softmax(evidence: Evidence) -> Findings:
    yield printed.gain(table("liu2018", "Table 2"), "AIOI-sigmoid", "AIOI-softmax", "Mean")
    yield measured.better("attention-2-crf", "attention-2-softmax", MPII)
