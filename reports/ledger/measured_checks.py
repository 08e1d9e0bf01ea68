"""The questions that need measurements of ours: who is better beyond the interval, what a network counts."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from reports import formats
from reports.data.ablations import Row as Kept
from reports.data.ablations import ablations, trial_name
from reports.data.published import Value
from reports.ledger.claim import Finding, finding
from reports.ledger.evidence import Evidence, Row, Source
from reports.ledger.printed_checks import half_unit, source


@dataclass(frozen=True)
class Test:
    """Where and in what a paper compares networks."""

    protocol: str
    dataset: str
    split: str
    metric: str


MPII = Test("mpii-pckh", "mpii", "val", "PCKh@0.5")
COVERED = Test("occluded-limb", "mpii", "val", "PCKh@0.5")
COCO = Test("coco-ap", "coco", "val2017", "AP")
LSP = Test("lsp-pck", "lsp", "test", "PCK@0.2")
CIFAR = Test("cifar10-error", "cifar10", "test", "error")


# What the kept ablations measured on photographs in the place of a paper's protocol and metric.
PHOTOGRAPHS = "lspet"
INSTEAD = {paper.protocol: (LSP.protocol, LSP.metric) for paper in (MPII, LSP, COCO)}


@dataclass(frozen=True)
class Difference:
    """Ours minus theirs, tested alike, with its 95 % interval where there is one."""

    ours: Row
    theirs: Row
    value: float
    low: float | None
    high: float | None
    where: str  # "" under the paper's conditions, else what is different


def cell(row: Row) -> Source:
    """The cell of a measurement."""
    return Source("cell", row["cell"], row["architecture"])


def better(
    evidence: Evidence, ours: str, theirs: str, test: Test, part: str = "mean", *, lower: bool = False
) -> list[Finding]:
    """Our own runs of two networks, compared: one finding for every two cells that were tested alike.

    Holds only if the interval of the difference excludes 0. Under other conditions than the paper's (a synthetic
    dataset, a smaller budget or network) it holds with a restriction at best, and refutes nothing.
    """
    found = [_judged(item, test, part, lower) for item in differences(evidence, ours, theirs, test, part)]
    return found + kept(evidence, ours, theirs, test, part, lower) or [missing(evidence, [ours, theirs], test)]


def again(
    evidence: Evidence, ours: str, theirs: str, test: Test, part: str = "mean", *, lower: bool = False
) -> list[Finding]:
    """`better` beside a printed difference: runs under other conditions are told, and decide nothing."""
    found = [_judged(item, test, part, lower) for item in differences(evidence, ours, theirs, test, part)]
    found += kept(evidence, ours, theirs, test, part, lower)
    return [Finding("note", item.words, item.sources) if item.holds in ("limited", "open") else item for item in found]


def kept(evidence: Evidence, ours: str, theirs: str, test: Test, part: str, lower: bool) -> list[Finding]:
    """What the committed ablations say of two networks: one finding a matrix, never more than a restricted yes."""
    protocol, metric = INSTEAD.get(test.protocol, (test.protocol, test.metric))
    part = "mean" if test is COCO else part  # AP is of all joints together
    found = []
    for collection in evidence.snapshot.kept:
        row = collection.difference.get((ours, theirs, PHOTOGRAPHS, protocol, metric, part))
        if row:
            place = f"on LSPET, our budget (matrix.{collection.name}.toml, {formats.counted(row['seeds'], 'seed')})"
            words = f"Measured {place}, {metric} {part}: {ours} − {theirs} = {signed(row['value'], row['unit'])}"
            trial = Source("ablation", _trial(collection.name, ours, theirs), f"ablation {place}")
            found.append(_told(words, row, (trial,), "elsewhere", lower))
    return found


def _trial(collection: str, ours: str, theirs: str) -> str:
    """The table that holds a comparison."""
    keys = (item.key for item in ablations() for pair in item.comparisons if (pair.ours, pair.theirs) == (ours, theirs))
    return trial_name(collection, next(keys), PHOTOGRAPHS)


def differences(evidence: Evidence, ours: str, theirs: str, test: Test, part: str) -> list[Difference]:
    """Ours minus theirs for all pairs of cells that share place, seed, recipe, budget, settings and overrides."""
    rivals: dict[tuple, Row] = {}
    for row in evidence.rows(theirs, test.protocol, test.metric, part):
        rivals.setdefault(_conditions(evidence, row), row)
    found = []
    for row in evidence.rows(ours, test.protocol, test.metric, part):
        rival = rivals.get(_conditions(evidence, row))
        if rival:
            value, low, high = _difference(evidence, row, rival)
            found.append(Difference(row, rival, value, low, high, _restriction(evidence, row, test)))
    return sorted(found, key=lambda item: (item.where, item.ours["cell"]))


def missing(evidence: Evidence, networks: Iterable[str], test: Test) -> Finding:
    """What would have to be measured, and what the matrix says of it."""
    wanted = []
    for name in networks:
        why = evidence.why_not(name, test.protocol, test.dataset)
        wanted.append(f"{name} ({why})" if why else name)
    alike = f" on {test.dataset}/{test.split}, tested alike" if test.dataset else ""
    return Finding("missing", f"{test.protocol} of {' and '.join(wanted)}{alike}")


def unmeasured(evidence: Evidence, what: str) -> Finding:
    """What no protocol and no network of the catalogue can decide yet."""
    return Finding("missing", what)


def _conditions(evidence: Evidence, row: Row) -> tuple:
    """What two cells must share to be compared: everything but the network."""
    made = evidence.cell(row)
    overrides = row["architecture"].partition("@")[2]
    settings = tuple(sorted((key, str(value)) for key, value in made.get("settings", {}).items()))
    place = (row["dataset"], row["split"], row["seed"], made["budget"], made.get("limit", 0), made["recipe"])
    return (overrides, *place, settings)


def _restriction(evidence: Evidence, row: Row, test: Test) -> str:
    """In what a cell is not what the paper tested; "" if it is."""
    made, overrides = evidence.cell(row), row["architecture"].partition("@")[2]
    told = []
    if (row["dataset"], row["split"]) != (test.dataset, test.split):
        told.append(f"on {formats.dataset(row['dataset'])}/{row['split']}")
    if made["budget"] != "full":
        told.append(f"with the {made['budget']} budget")
    if overrides:
        told.append(f"at {overrides}")
    if made.get("limit"):
        told.append(f"for {made['limit']} people only")
    return ", ".join(told)


def _difference(evidence: Evidence, ours: Row, theirs: Row) -> tuple[float, float | None, float | None]:
    """The paired difference if the snapshot has it, else that of independent intervals, added in quadrature."""
    for row in evidence.snapshot.paired(ours["cell"], theirs["cell"]):
        if (row["metric"], row["part"]) == (ours["metric"], ours["part"]):
            return row["value"], row["low"], row["high"]
    value = ours["value"] - theirs["value"]
    if any(row[end] is None for row in (ours, theirs) for end in ("low", "high")):
        return value, None, None
    down = math.hypot(ours["value"] - ours["low"], theirs["high"] - theirs["value"])
    up = math.hypot(ours["high"] - ours["value"], theirs["value"] - theirs["low"])
    return value, value - down, value + up


def _judged(item: Difference, test: Test, part: str, lower: bool) -> Finding:
    """Whether a measured difference says that ours is better."""
    place = f" {item.where}" if item.where else f" on {test.dataset}/{test.split}"
    names = f"{item.ours['architecture']} − {item.theirs['architecture']}"
    metric = test.metric if part == "all" else f"{test.metric} {part}"
    words = f"Measured{place}, {metric}: {names} = {signed(item.value, item.ours['unit'])}"
    bounds = {"low": item.low, "high": item.high, "unit": item.ours["unit"]}
    return _told(words, bounds, (cell(item.ours), cell(item.theirs)), item.where, lower)


def _told(words: str, bounds: Kept, sources: tuple[Source, ...], where: str, lower: bool) -> Finding:
    """A difference with its interval; `where` is "" under the paper's conditions."""
    if bounds["low"] is None or bounds["high"] is None:
        return Finding("open" if where else "undecided", f"{words}, without an interval.", sources)
    words += f" [{signed(bounds['low'], bounds['unit'])}, {signed(bounds['high'], bounds['unit'])}]"
    low, high = (-bounds["high"], -bounds["low"]) if lower else (bounds["low"], bounds["high"])
    if low > 0:
        return Finding("limited" if where else "yes", f"{words}.", sources)
    if high < 0:
        return Finding("open" if where else "no", f"{words}, the opposite.", sources)
    return Finding("open" if where else "undecided", f"{words}, which includes 0.", sources)


def signed(value: float, unit: str) -> str:
    """A difference in points where it is one of percentages or shares (AP has no unit)."""
    return formats.signed(100 * value if unit in ("", "share") else value, 2)


def counted(evidence: Evidence, network: str, protocol: str, metric: str, part: str = "all") -> Row | Finding:
    """A measurement of a network alone, or what is missing."""
    row = evidence.row(network, protocol, metric, part)
    return row or missing(evidence, [network], Test(protocol, "", "", metric))


def reproduces(evidence: Evidence, value: Value, network: str = "") -> list[Finding]:
    """Our count of a network is the one that was printed, to the last printed digit; and what its rule counts."""
    row = counted(evidence, network or value.architecture, value.protocol, value.metric, value.part)
    if isinstance(row, Finding):
        return [row]
    ours, name = row["value"] / value.scale, row["architecture"]
    right = abs(ours - value.value) <= half_unit(value.decimals) + 1e-9
    numbers = f"{formats.printed(ours, value.decimals + 1)}, printed {formats.printed(value.value, value.decimals)}"
    words = f"{name} counts {numbers} {row['unit'] if value.scale == 1 else value.unit}."
    meaning = rule(evidence, row["unit"])
    note = [Finding("note", f"{meaning}.")] if meaning != row["unit"] else []
    return [finding(right, words, source(value), cell(row)), *note]


def rule(evidence: Evidence, unit: str) -> str:
    """What the counting rule in a unit counts: "G (flops)" becomes "flops: 2 x MACs"; the unit if that is not known."""
    name = unit.rstrip(")").partition(" (")[2]
    meaning = evidence.snapshot.protocol.get("complexity", {}).get("variants", {}).get(name)
    return f"{name}: {meaning}" if meaning else unit


def less(evidence: Evidence, one: str, two: str, protocol: str, metric: str, part: str = "all") -> Finding:
    """One network needs less of something than another."""
    rows = [counted(evidence, name, protocol, metric, part) for name in (one, two)]
    if lacking := [name for name, row in zip((one, two), rows, strict=True) if isinstance(row, Finding)]:
        return missing(evidence, lacking, Test(protocol, "", "", metric))
    told = " < " if rows[0]["value"] < rows[1]["value"] else " ≥ "
    words = told.join(f"{row['architecture']} {formats.number(row['value'], row['unit'])}" for row in rows)
    where = "" if part == "all" else f", {part}"
    return finding(rows[0]["value"] < rows[1]["value"], f"{label(metric)}{where}: {words}.", *map(cell, rows))


def label(metric: str) -> str:
    """A metric of a network alone as a sentence begins with it."""
    names = {"macs": "MACs", "giga_published": "Operations by the paper's rule, G", "rf_mean": "Mean receptive field"}
    return names.get(metric, metric[:1].upper() + metric[1:])
