"""The page of the ablations: for every kept matrix, each question of a paper with the networks that answer it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from markupsafe import Markup

from reports import formats
from reports.data.ablations import FLOOR, Ablation, Collection, Comparison, Row, ablations, network, trial_name, values
from reports.pages.page import Page
from reports.tables import leaderboards as tables
from reports.tables.sheets import Entry, Heading, Piece, Sheet, nothing

# protocol, metric, part, words over the column
COLUMNS = (
    ("lsp-pck", "PCK@0.2", "mean", "PCK@0.2"),
    ("lsp-pck", "PCK@0.2", "wrist", "wrist"),
    ("lsp-pck", "PCK@0.2", "ankle", "ankle"),
    ("lsp-pckh", "PCKh-like@0.5", "mean", "PCKh-like@0.5"),
    ("occluded-limb", "PCKh@0.5 clean", "ankle covered", "ankle seen"),
    ("occluded-limb", "PCKh@0.5", "ankle covered", "ankle covered"),
    ("occluded-limb", "drop", "ankle covered", "drop"),
)
LOWER = ("drop",)  # metrics of which less is better
SIZES = ("parameters", "macs")
ENDS = ("value", "low", "high")
UNMEASURED = Entry(None, page=(nothing("not measured"),))


@dataclass(frozen=True)
class Trial:
    """An ablation on one dataset, by the rows of one matrix."""

    ablation: Ablation
    collection: Collection
    dataset: str

    @property
    def name(self) -> str:
        """Identifies its tables on the page."""
        return trial_name(self.collection.name, self.ablation.key, self.dataset)

    @cached_property
    def columns(self) -> list[tuple[str, str, str, str]]:
        """Those of COLUMNS that one of its networks has."""
        return [column for column in COLUMNS if any(self.mean(name, column) for name in self.ablation.networks)]

    @cached_property
    def ranks(self) -> dict[str, tuple[int, int]]:
        """network -> best and worst place by the intervals of the first column; empty where questions are asked."""
        if self.ablation.comparisons:
            return {}
        rows = [self.mean(name, self.columns[0]) for name in self.networks]
        places = tables.ranks([(row["low"], row["high"]) for row in rows], higher_is_better=True)
        return dict(zip(self.networks, places, strict=True))

    @cached_property
    def ways(self) -> dict[str, str]:
        """network -> how it was trained, if that is not the same for all of them."""
        found = {name: self.collection.ways.get((name, self.dataset), "") for name in self.networks if name != FLOOR}
        return found if len(set(found.values())) > 1 else {}

    @property
    def networks(self) -> list[str]:
        """The floor and the networks that were measured, in the order of the ablation."""
        names = (*self.ablation.networks, FLOOR) if not self.ablation.comparisons else (FLOOR, *self.ablation.networks)
        return [name for name in names if any(self.mean(name, column) for column in self.columns)]

    def mean(self, name: str, column: tuple[str, ...]) -> Row | None:
        """A network's value over its seeds."""
        protocol, metric, part, _ = column
        return self.collection.mean.get((name, self.dataset, protocol, metric, part))

    def seeds(self, name: str, column: tuple[str, ...]) -> list[Row]:
        """The same of every seed alone, in the order of the seeds."""
        return [
            row
            for cell in self.collection.cells
            if (network(cell["architecture"]), cell["dataset"], cell["protocol"]) == (name, self.dataset, column[0])
            for row in values(cell)
            if (row["metric"], row["part"]) == column[1:3]
        ]

    def size(self, name: str, metric: str) -> Row | None:
        """Parameters or MACs of a network, as narrow as it was trained; how it is drawn changes neither."""
        name = name.partition("@initialization=")[0]
        for cell in self.collection.cells:
            if cell["protocol"] == "complexity" and network(cell["architecture"]) == name:
                return next((row for row in values(cell) if (row["metric"], row["part"]) == (metric, "all")), None)
        return None

    def answers(self) -> Iterator[tuple[Any, list[tuple[Row | None, str]]]]:
        """Every comparison with its differences and what each says, a column of COLUMNS each."""
        for item in self.ablation.comparisons:
            found = [
                self.collection.difference.get((item.ours, item.theirs, self.dataset, *column[:3]))
                for column in self.columns
            ]
            if any(found):
                told = [
                    (row, answer(row, column[1]) if row else "")
                    for row, column in zip(found, self.columns, strict=True)
                ]
                yield item, told


def answer(row: Row, metric: str) -> str:
    """yes, no, or cannot tell: whether the first network is better beyond the interval of the difference."""
    if row["low"] is None or row["high"] is None:
        return "cannot tell"
    low, high = (-row["high"], -row["low"]) if metric in LOWER else (row["low"], row["high"])
    return "yes" if low > 0 else "no" if high < 0 else "cannot tell"


def short(value: float) -> str:
    """A percentage with a digit behind the point and a true minus."""
    return f"{value:.1f}".replace("-", "−")


def bounds(row: Row) -> str:
    """An interval: 12.6–17.1, or −1.5 to 1.8 where a dash could be taken for a minus."""
    return f"{short(row['low'])}{' to ' if row['low'] < 0 else '–'}{short(row['high'])}"


def page(collections: Sequence[Collection]) -> Page:
    """All collections, one after the other, with their tables as data."""
    groups = [(collection, facts(collection), list(trials(collection))) for collection in collections]
    sheets = [scores(trial) for _, _, found in groups for trial in found]
    sheets += [differences(trial) for _, _, found in groups for trial in found if trial.ablation.comparisons]
    context = {"groups": groups, "FLOOR": FLOOR}
    return Page("ablations.html", "ablations.html", context, tuple(sheets))


def trials(collection: Collection) -> Iterator[Trial]:
    """The rankings of a matrix on each dataset; then the ablations of which a question has an answer."""
    datasets = list(dict.fromkeys(line["dataset"] for line in collection.means))
    for dataset in datasets:
        yield from (Trial(ranking, collection, dataset) for ranking in rankings(collection, dataset))
    asked = (Trial(ablation, collection, dataset) for ablation in ablations() for dataset in datasets)
    yield from (trial for trial in asked if any(trial.answers()))


def rankings(collection: Collection, dataset: str) -> Iterator[Ablation]:
    """For every way of training, the networks with a value in the first column of COLUMNS; they ask nothing."""
    protocol, metric, part, _ = COLUMNS[0]
    found = {
        place[0]: row["value"]
        for place, row in collection.mean.items()
        if place[1:] == (dataset, protocol, metric, part) and place[0] != FLOOR
    }
    ways = list(dict.fromkeys(collection.ways[name, dataset] for name in found))
    for way in ways:
        names = sorted((n for n in found if collection.ways[n, dataset] == way), key=found.__getitem__, reverse=True)
        if len(ways) == 1:
            yield Ablation("all", "", "", "All networks, ranked", tuple(names), ())
        elif len(names) > 1:
            yield Ablation(f"all {way}", "", "", f"All networks by recipe {way}, ranked", tuple(names), ())


def facts(collection: Collection) -> dict[str, str]:
    """What all cells of a matrix share, and what they cost; computed from their provenance."""
    trained = [cell for cell in collection.cells if cell["dataset"]]
    made = [cell["provenance"] for cell in collection.cells]
    names = {change for cell in trained for change in cell["architecture"].partition("@")[2].split(",")}
    shared = sorted(name for name in names if name.partition("=")[0] in ("input", "width")) or [
        "the size of the papers"
    ]
    trainings = {(cell["architecture"], cell["dataset"], cell["seed"]): cell for cell in trained}
    seconds = [taken for cell in trainings.values() if (taken := cell["provenance"]["seconds"].get("train"))]
    return {
        "Matrix": f"matrix.{collection.name}.toml",
        "Networks": ", ".join(shared),
        "Recipe": "; ".join(sorted(set(collection.ways.values()))),
        "Trained": f"{len(seconds)} networks in {formats.duration(sum(seconds))} of one process",
        "Seeds": ", ".join(str(seed) for seed in sorted({cell["seed"] for cell in trained})),
        "Device": ", ".join(sorted({row["device"] for row in made})),
        "Versions": ", ".join(sorted({f"torch {row['versions']['torch']}" for row in made})),
        "Commit": ", ".join(sorted({row["commit"] for row in made if row["commit"]})),
        "Date": formats.moment(max(row["date"] for row in made)),
    }


def scores(trial: Trial) -> Sheet:
    """A network a row: its size, its values over the seeds with intervals."""
    names = [words for *_, words in trial.columns]
    ends = tuple(f"{name}{end}" for name in names for end in ("", " low", " high"))
    page = (*[Heading("rank")][: len(trial.ranks)], Heading("network", names=True), Heading("parameters"),
            Heading("macs", "MACs"), *map(Heading, names))  # fmt: skip
    columns = ("rank", "worst rank", "network", "recipe", *SIZES, *ends, "seeds")
    rows = [_scored(trial, name) for name in trial.networks]
    return Sheet(f"{trial.name}-scores", caption(trial), columns, rows, page)


def _scored(trial: Trial, name: str) -> tuple:
    best, worst = trial.ranks.get(name, (None, None))
    rank = Entry(best, page=(Piece(formats.span(best, worst)),)) if best else None
    way = [Piece(trial.ways[name], "small")] if name in trial.ways else []
    sizes = [
        Entry(row["value"], formats.number(row["value"], row["unit"])) if row else UNMEASURED
        for row in (trial.size(name, metric) for metric in SIZES)
    ]
    values = [entry for column in trial.columns for entry in _value(trial, name, column)]
    recipe = trial.collection.ways.get((name, trial.dataset))
    network = Entry(name, page=(Piece(formats.breakable(name)), *way))
    return (rank, worst, network, recipe, *sizes, *values, len(trial.seeds(name, trial.columns[0])))


def _value(trial: Trial, name: str, column: tuple[str, ...]) -> tuple[Entry | None, ...]:
    """The mean, on the page with its interval and every seed, and the ends of the interval."""
    row = trial.mean(name, column)
    if not row:
        return UNMEASURED, None, None
    mean, low, high = (row[end] if row[end] is None else Entry(row[end], f"{row[end]:.1f}") for end in ENDS)
    interval = [Piece(bounds(row), "small")] if low else []
    seeds = " · ".join(short(seed["value"]) for seed in trial.seeds(name, column))
    return mean._replace(page=(Piece(short(row["value"])), *interval, Piece(seeds, "small"))), low, high


def differences(trial: Trial) -> Sheet:
    """A comparison a row: the differences with their intervals, and what they say."""
    names = [words for *_, words in trial.columns]
    ends = tuple(f"{name}{end}" for name in names for end in ("", " low", " high", " says"))
    page = (Heading("question", names=True), Heading("ours", "difference"), *map(Heading, names))
    rows = [_answered(item, told) for item, told in trial.answers()]
    columns = ("question", "ours", "theirs", *ends)
    return Sheet(f"{trial.name}-differences", f"{caption(trial)}: differences", columns, rows, page)


def _answered(item: Comparison, told: list[tuple[Row | None, str]]) -> tuple:
    names = f"{formats.breakable(item.ours)} − {formats.breakable(item.theirs)}"
    found = [entry for row, says in told for entry in (_difference(row, says) if row else (UNMEASURED, *[None] * 3))]
    return (item.asks, Entry(item.ours, page=(Piece(Markup(names)),)), item.theirs, *found)


def _difference(row: Row, says: str) -> tuple[Entry | str | None, ...]:
    value, low, high = (row[end] if row[end] is None else Entry(row[end], formats.signed(row[end], 1)) for end in ENDS)
    interval = [Piece(f"{low.text} to {high.text}", "small")] if low else []
    look = "" if says == "cannot tell" else "b"
    return value._replace(page=(Piece(value.text, look), *interval, Piece(says, "small"))), low, high, says


def caption(trial: Trial) -> str:
    """What was compared, on what, by which matrix."""
    return f"{trial.ablation.title}, on {formats.dataset(trial.dataset)}, matrix.{trial.collection.name}.toml"
