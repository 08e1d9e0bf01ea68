"""Questions asked of our own measurements: which network is better beyond the interval, what a network counts."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bench.cells.conditions import against, difference
from bench.results.rows import Measurement
from protocols import PROTOCOLS
from reports import formats
from reports.data.ablations import ablations, trial_name
from reports.ledger.claim import Finding, Question, finding, question
from reports.ledger.evidence import Evidence, Source
from reports.ledger.printed_checks import half_unit, source


@dataclass(frozen=True)
class Setting:
    """The protocol, dataset, split and metric in which a paper compares networks."""

    protocol: str
    dataset: str
    split: str
    metric: str


MPII = Setting("mpii-pckh", "mpii", "val", "PCKh@0.5")
COVERED = Setting("occluded-limb", "mpii", "val", "PCKh@0.5")
COCO = Setting("coco-ap", "coco", "val2017", "AP")
LSP = Setting("lsp-pck", "lsp", "test", "PCK@0.2")
CIFAR = Setting("cifar10-error", "cifar10", "test", "error")


# Protocol and metric that the committed ablations use on photographs instead of a paper's own.
PHOTOGRAPHS = "lspet"
INSTEAD = {paper.protocol: (LSP.protocol, LSP.metric) for paper in (MPII, LSP, COCO)}


Interval = tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """Ours minus theirs under comparable conditions, with its 95 % interval where there is one."""

    names: str  # of the two networks
    measured: str  # where, and in which metric
    value: float
    interval: Interval | None
    unit: str
    restriction: str  # "" under the paper's conditions, else what is different
    sources: tuple[Source, ...]


def cell(row: Measurement) -> Source:
    """The cell of a measurement."""
    return Source("cell", row.cell, row.architecture)


@question
def better(
    evidence: Evidence, ours: str, theirs: str, setting: Setting, part: str = "mean", *, lower: bool = False
) -> list[Finding]:
    """Our own runs of two networks, compared: one finding for every two comparable cells.

    Holds only if the interval of the difference excludes 0. Under other conditions than the paper's (a synthetic
    dataset, a smaller budget or network) it holds with a restriction at best, and refutes nothing.
    """
    found = _compared(evidence, ours, theirs, setting, part, lower)
    return (found or [missing(evidence, [ours, theirs], setting)]) + _unlike(evidence, ours, theirs, setting, part)


@question
def rerun_networks(
    evidence: Evidence, ours: str, theirs: str, setting: Setting, part: str = "mean", *, lower: bool = False
) -> list[Finding]:
    """Like `better`, but measurements not made under the paper's conditions become notes that leave the verdict."""
    found = _compared(evidence, ours, theirs, setting, part, lower)
    found = [replace(item, holds="note") if item.holds in ("limited", "open") else item for item in found]
    return found + _unlike(evidence, ours, theirs, setting, part)


@question
def rerun(
    evidence: Evidence,
    where: Source,
    ours: str,
    theirs: str,
    column: str = "Mean",
    *,
    lower: bool = False,
    elsewhere: Source | None = None,
) -> Question:
    """`rerun_networks` for the networks that rebuild two printed rows, in the setting of their column."""
    one, two = evidence.printed(where, ours, column), evidence.printed(elsewhere or where, theirs, column)
    setting = Setting(one.protocol, one.dataset, one.split, one.metric)
    return rerun_networks(one.architecture, two.architecture, setting, one.part, lower=lower)


def _compared(evidence: Evidence, ours: str, theirs: str, setting: Setting, part: str, lower: bool) -> list[Finding]:
    """Findings of every comparison of two networks: of the cells, then of the committed ablations."""
    cells = differences(evidence, ours, theirs, setting, part)
    return [_judged(item, lower) for item in (*cells, *committed(evidence, ours, theirs, setting, part))]


def committed(evidence: Evidence, ours: str, theirs: str, setting: Setting, part: str) -> list[Difference]:
    """Differences between two networks in the committed ablations, one a matrix."""
    protocol, metric = INSTEAD.get(setting.protocol, (setting.protocol, setting.metric))
    part = "mean" if setting == COCO else part  # AP is of all joints together
    found = []
    for matrix in evidence.snapshot.ablations:
        value = matrix.difference(ours, theirs, PHOTOGRAPHS, (protocol, metric, part))
        if value:
            seeds = min(len(matrix.cells[name, PHOTOGRAPHS, protocol].seeds) for name in (ours, theirs))
            place = f"on LSPET, our budget (matrix.{matrix.fragment.name}.toml, {formats.counted(seeds, 'seed')})"
            trial = Source("ablation", _trial_name(matrix.fragment.name, ours, theirs), f"ablation {place}")
            interval = None if value.low is None or value.high is None else (value.low, value.high)
            measured, names = f"{place}, {metric} {part}", f"{ours} − {theirs}"
            found.append(Difference(names, measured, value.value, interval, value.unit, "elsewhere", (trial,)))
    return found


def _trial_name(matrix: str, ours: str, theirs: str) -> str:
    """Name of the table of ablations that holds a comparison."""
    keys = (key for key, ablation in ablations().items()
            if any((item.ours, item.theirs) == (ours, theirs) for item in ablation.comparisons))  # fmt: skip
    return trial_name(matrix, next(keys), PHOTOGRAPHS)


def differences(evidence: Evidence, ours: str, theirs: str, setting: Setting, part: str) -> list[Difference]:
    """Ours minus theirs for all pairs of cells that share seed, overrides and conditions."""
    rivals = evidence.rows(theirs, setting.protocol, setting.metric, part)
    metric = setting.metric if part == "all" else f"{setting.metric} {part}"
    found = []
    for row in evidence.rows(ours, setting.protocol, setting.metric, part):
        rival = next((rival for rival in rivals if _comparable(evidence, row, rival)), None)
        if rival:
            restriction = _restriction(evidence, row, setting)
            measured = f"{restriction or f'on {setting.dataset}/{setting.split}'}, {metric}"
            names, sources = f"{row.architecture} − {rival.architecture}", (cell(row), cell(rival))
            value, interval = _with_interval(evidence, row, rival)
            found.append(Difference(names, measured, value, interval, row.unit, restriction, sources))
    return sorted(found, key=lambda item: (item.restriction, item.sources[0].target))


def missing(evidence: Evidence, networks: Iterable[str], setting: Setting) -> Finding:
    """A finding that names what would have to be measured, and what the matrix says of it."""
    wanted = []
    for name in networks:
        why = evidence.why_missing(name, setting.protocol, setting.dataset)
        wanted.append(f"{name} ({why})" if why else name)
    place = f" on {setting.dataset}/{setting.split}, under the same conditions" if setting.dataset else ""
    return Finding("missing", f"{setting.protocol} of {' and '.join(wanted)}{place}")


def unmeasured(what: str) -> Finding:
    """A finding that no protocol and no network of the catalogue can decide yet."""
    return Finding("missing", what)


def _comparable(evidence: Evidence, ours: Measurement, theirs: Measurement) -> bool:
    """Return whether two measurements differ in nothing but the network."""
    overrides = [row.architecture.partition("@")[2] for row in (ours, theirs)]
    one, two = (evidence.cell(row).conditions for row in (ours, theirs))
    return overrides[0] == overrides[1] and ours.seed == theirs.seed and not difference(one, two)


def _unlike(evidence: Evidence, ours: str, theirs: str, setting: Setting, part: str) -> list[Finding]:
    """A note on two cells of one place and seed that are not compared, and in what their conditions differ."""
    if differences(evidence, ours, theirs, setting, part):
        return []
    found = []
    for one in evidence.rows(ours, setting.protocol, setting.metric, part):
        for two in evidence.rows(theirs, setting.protocol, setting.metric, part):
            if (one.dataset, one.split, one.seed) == (two.dataset, two.split, two.seed):
                clauses = difference(evidence.cell(one).conditions, evidence.cell(two).conditions)
                names = f"{one.architecture} and {two.architecture} on {formats.dataset(one.dataset)}/{one.split}"
                words = f"Not compared: {names}, which differ in {'; '.join(clauses) or 'their options'}."
                found.append((len(clauses), Finding("note", words, (cell(one), cell(two)))))
    return [min(found, key=lambda item: item[0])[1]] if found else []


def _restriction(evidence: Evidence, row: Measurement, setting: Setting) -> str:
    """Differences between the conditions of a cell and the paper's, in words; "" if there are none."""
    made, overrides = evidence.cell(row), row.architecture.partition("@")[2]
    found = []
    if (row.dataset, row.split) != (setting.dataset, setting.split):
        found.append(f"on {formats.dataset(row.dataset)}/{row.split}")
    found += [f"at {overrides}"] if overrides else []
    conditions = made.conditions
    stated = {"people": "all"} if conditions.weights else {"people": "all", "budget": "full"}
    own = () if conditions.weights else made.tags  # released weights are the paper's own way
    if unusual := own or against(conditions, stated).differences:
        found.append(f"with {', '.join(unusual)}")
    return ", ".join(found)


def _with_interval(evidence: Evidence, ours: Measurement, theirs: Measurement) -> tuple[float, Interval | None]:
    """The paired difference if the snapshot has it, else that of independent intervals, added in quadrature."""
    for row in evidence.snapshot.paired(ours.cell, theirs.cell):
        if (row.metric, row.part) == (ours.metric, ours.part):
            return row.value, None if row.low is None or row.high is None else (row.low, row.high)
    value = ours.number - theirs.number
    if not (ours.interval and theirs.interval):
        return value, None
    (our_low, our_high), (their_low, their_high) = ours.interval, theirs.interval
    down = math.hypot(ours.number - our_low, their_high - theirs.number)
    up = math.hypot(our_high - ours.number, theirs.number - their_low)
    return value, (value - down, value + up)


def _judged(difference: Difference, lower: bool) -> Finding:
    """A finding that holds if the interval of a difference excludes 0; under other conditions it refutes nothing."""
    no, undecided = ("open", "open") if difference.restriction else ("no", "undecided")
    words = f"Measured {difference.measured}: {difference.names} = {signed(difference.value, difference.unit)}"
    if difference.interval is None:
        return Finding(undecided, f"{words}, without an interval.", difference.sources)
    low, high = difference.interval
    words += f" [{signed(low, difference.unit)}, {signed(high, difference.unit)}]"
    if lower:
        low, high = -high, -low
    if low > 0:
        return Finding("limited" if difference.restriction else "yes", f"{words}.", difference.sources)
    if high < 0:
        return Finding(no, f"{words}, the opposite.", difference.sources)
    return Finding(undecided, f"{words}, which includes 0.", difference.sources)


def signed(value: float, unit: str) -> str:
    """A difference in points where it is one of percentages or shares (AP has no unit)."""
    return formats.signed(100 * value if unit in ("", "share") else value, 2)


def counted(
    evidence: Evidence, networks: Iterable[str], protocol: str, metric: str, part: str = "all"
) -> list[Measurement] | Finding:
    """A measurement of each of some networks alone, or the finding that some are missing."""
    rows = {name: evidence.row(name, protocol, metric, part) for name in networks}
    if lacking := [name for name, row in rows.items() if row is None]:
        return missing(evidence, lacking, Setting(protocol, "", "", metric))
    return [row for row in rows.values() if row]


@question
def field_of_graph(evidence: Evidence, network: str, part: str, field: int, called: str = "") -> Finding | None:
    """The largest receptive field in a part of our network is `field`; None if it was not measured."""
    row = evidence.row(network, "receptive-field", "rf_max", part)
    words = f"The graph of {called or network} has {row.value:g}." if row else ""
    return finding(row.value == field, words, cell(row)) if row else None


@question
def reproduces(evidence: Evidence, where: Source, row: str, column: str) -> list[Finding]:
    """Our count of a network is the one that was printed, to the last printed digit; and what its rule counts."""
    value = evidence.printed(where, row, column)
    rows = counted(evidence, [value.architecture], value.protocol, value.metric, value.part)
    if isinstance(rows, Finding):
        return [rows]
    [counts] = rows
    ours, name = counts.number / value.scale, counts.architecture
    right = abs(ours - value.value) <= half_unit(value.decimals) + 1e-9
    numbers = f"{formats.printed(ours, value.decimals + 1)}, printed {formats.printed(value.value, value.decimals)}"
    words = f"{name} counts {numbers} {counts.unit if value.scale == 1 else value.unit}."
    meaning = rule(evidence, counts.unit)
    note = [Finding("note", f"{meaning}.")] if meaning != counts.unit else []
    return [finding(right, words, source(value), cell(counts)), *note]


def rule(evidence: Evidence, unit: str) -> str:
    """Meaning of the counting rule in a unit: "G (flops)" becomes "flops: 2 x MACs"; the unit if it is not known."""
    name = unit.rstrip(")").partition(" (")[2]
    meaning = PROTOCOLS["complexity"].variants.get(name)
    return f"{name}: {meaning}" if meaning else unit


@question
def less(evidence: Evidence, one: str, two: str, protocol: str, metric: str, part: str = "all") -> Finding:
    """One network needs less of something than another."""
    rows = counted(evidence, (one, two), protocol, metric, part)
    if isinstance(rows, Finding):
        return rows
    holds = rows[0].number < rows[1].number
    relation = " < " if holds else " ≥ "
    words = relation.join(f"{row.architecture} {formats.shown(row)}" for row in rows)
    where = "" if part == "all" else f", {part}"
    return finding(holds, f"{label(metric)}{where}: {words}.", *map(cell, rows))


def label(metric: str) -> str:
    """A metric of a network alone as a sentence begins with it."""
    names = {"macs": "MACs", "giga_published": "Operations by the paper's rule, G", "rf_mean": "Mean receptive field"}
    return names.get(metric, metric[:1].upper() + metric[1:])
