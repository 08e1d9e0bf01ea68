"""The page of the ablations: for every committed matrix, each question of a paper with the networks that answer it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from protocols import Value
from reports import formats
from reports.data.ablations import BASELINE, Ablation, Committed, Comparison, Metric, ablations, trial_name
from reports.pages.page import Page
from reports.tables.leaderboards import ranks
from reports.tables.sheets import Entry, Heading, Piece, Sheet, absent, number

# words over a column -> protocol, metric, part; the first one ranks
COLUMNS: dict[str, Metric] = {
    "PCK@0.2": ("lsp-pck", "PCK@0.2", "mean"),
    "wrist": ("lsp-pck", "PCK@0.2", "wrist"),
    "ankle": ("lsp-pck", "PCK@0.2", "ankle"),
    "PCKh-like@0.5": ("lsp-pckh", "PCKh-like@0.5", "mean"),
    "ankle seen": ("occluded-limb", "PCKh@0.5 clean", "ankle covered"),
    "ankle covered": ("occluded-limb", "PCKh@0.5", "ankle covered"),
    "drop": ("occluded-limb", "drop", "ankle covered"),
}
RANKING = COLUMNS["PCK@0.2"]
SIZES = ("parameters", "macs")
UNMEASURED = absent("not measured")
Difference = tuple[Value | None, str]  # and what it says


@dataclass(frozen=True)
class Trial:
    """An ablation on one dataset, by the cells of one matrix."""

    name: str  # of its tables on the page
    ablation: Ablation
    committed: Committed
    dataset: str

    @cached_property
    def columns(self) -> dict[str, Metric]:
        """Those of COLUMNS that one of its networks has."""
        return {words: metric for words, metric in COLUMNS.items()
                if any(self.committed.row(name, self.dataset, metric) for name in self.ablation.networks)}  # fmt: skip

    @cached_property
    def networks(self) -> list[str]:
        """The baseline and the networks that were measured, in the order of the ablation."""
        asked = self.ablation.networks
        names = (BASELINE, *asked) if self.ablation.comparisons else (*asked, BASELINE)
        measured = self.columns.values()
        return [name for name in names if any(self.committed.row(name, self.dataset, metric) for metric in measured)]

    @cached_property
    def ranks(self) -> dict[str, tuple[int, int]]:
        """network -> best and worst place by the intervals of the first column; empty where questions are asked."""
        if self.ablation.comparisons:
            return {}
        rows = {name: row for name in self.networks if (row := self.committed.row(name, self.dataset, RANKING))}
        higher = self.committed.direction(RANKING) == "higher"
        bounds = [row.interval or (row.number, row.number) for row in rows.values()]
        return dict(zip(rows, ranks(bounds, higher_is_better=higher), strict=True))

    @cached_property
    def ways(self) -> dict[str, str]:
        """network -> recipe and budget, if these are not the same for all."""
        found = {name: way for name in self.networks if (way := _way(self.committed, name, self.dataset))}
        return found if len(set(found.values())) > 1 else {}

    def answers(self) -> Iterator[tuple[Comparison, list[Difference]]]:
        """Every comparison with a difference in each column, and what it says."""
        for item in self.ablation.comparisons:
            found = [(self.committed.difference(item.ours, item.theirs, self.dataset, metric), metric)
                     for metric in self.columns.values()]  # fmt: skip
            if any(value for value, _ in found):
                yield item, [(value, answer(value, self.committed.direction(metric)) if value else "")
                             for value, metric in found]  # fmt: skip


def answer(value: Value, direction: str) -> str:
    """yes, no, or cannot tell: whether the first network is better beyond the interval of the difference."""
    if value.low is None or value.high is None:
        return "cannot tell"
    low, high = (-value.high, -value.low) if direction == "lower" else (value.low, value.high)
    return "yes" if low > 0 else "no" if high < 0 else "cannot tell"


def page(found: Sequence[Committed]) -> Page:
    """All matrices, one after the other, with their tables as data."""
    groups = [(committed.fragment.name, facts(committed), list(trials(committed))) for committed in found]
    shown = [trial for _, _, group in groups for trial in group]
    sheets = [scores(trial) for trial in shown]
    sheets += [differences(trial) for trial in shown if trial.ablation.comparisons]
    return Page("ablations.html", "ablations.html", {"groups": groups, "BASELINE": BASELINE}, tuple(sheets))


def trials(committed: Committed) -> Iterator[Trial]:
    """The rankings of a matrix on each dataset; then the ablations of which a question has an answer."""
    datasets = list(dict.fromkeys(dataset for _, dataset, _ in committed.cells if dataset))
    asked = [(dataset, found) for dataset in datasets for found in rankings(committed, dataset).items()]
    asked += [(dataset, found) for found in ablations().items() for dataset in datasets]
    for dataset, (key, ablation) in asked:
        trial = Trial(trial_name(committed.fragment.name, key, dataset), ablation, committed, dataset)
        if not ablation.comparisons or any(trial.answers()):
            yield trial


def rankings(committed: Committed, dataset: str) -> dict[str, Ablation]:
    """For every way of training, the networks with a value in the first column; they ask nothing."""
    rows = {name: committed.row(name, dataset, RANKING) for name, where, protocol in committed.cells
            if (where, protocol) == (dataset, RANKING[0]) and name != BASELINE}  # fmt: skip
    measured = {name: row.number for name, row in rows.items() if row}
    best = sorted(measured, key=measured.__getitem__, reverse=True)
    ways = {way: [name for name in best if _way(committed, name, dataset) == way]
            for way in dict.fromkeys(_way(committed, name, dataset) for name in rows)}  # fmt: skip
    if len(ways) == 1:
        return {"all": Ablation("All networks, ranked", tuple(best))}
    return {f"all {way}": Ablation(f"All networks by recipe {way}, ranked", tuple(names))
            for way, names in ways.items() if len(names) > 1}  # fmt: skip


def facts(committed: Committed) -> dict[str, str]:
    """Facts that all cells of a matrix share, and their cost, from their provenance."""
    cells = [cell for cell in committed.snapshot.cells if not cell.seeds]
    trained = [cell for cell in cells if cell.dataset]
    made = [cell.provenance for cell in cells]
    names = {change for cell in trained for change in cell.architecture.partition("@")[2].split(",")}
    shared = sorted(name for name in names if name.partition("=")[0] in ("input", "width"))
    trainings = {(cell.architecture, cell.dataset, cell.seed): cell for cell in trained}
    seconds = [taken for cell in trainings.values() if (taken := cell.provenance.seconds.get("train"))]
    return {
        "Matrix": f"matrix.{committed.fragment.name}.toml",
        "Networks": ", ".join(shared) or "the size of the papers",
        "Recipe": "; ".join(
            sorted({way for name, where, _ in committed.cells if (way := _way(committed, name, where))})
        ),
        "Trained": f"{len(seconds)} networks in {formats.duration(sum(seconds))} of one process",
        "Seeds": ", ".join(str(seed) for seed in sorted({cell.seed for cell in trained if cell.seed is not None})),
        "Device": ", ".join(sorted({each.device for each in made})),
        "Versions": ", ".join(sorted({f"torch {each.versions['torch']}" for each in made})),
        "Commit": ", ".join(sorted({each.commit for each in made if each.commit})),
        "Date": formats.moment(max(each.date for each in made)),
    }


def scores(trial: Trial) -> Sheet:
    """A network a row: its size, its values over the seeds with intervals."""
    page = (*[Heading("rank")][: len(trial.ranks)], Heading("network", names=True), Heading("parameters"),
            Heading("macs", "MACs"), *map(Heading, trial.columns))  # fmt: skip
    ends = tuple(f"{words}{end}" for words in trial.columns for end in ("", " low", " high"))
    columns = ("rank", "worst rank", "network", "recipe", *SIZES, *ends, "seeds")
    rows = [_scored(trial, name) for name in trial.networks]
    return Sheet(f"{trial.name}-scores", caption(trial), columns, rows, page)


def _scored(trial: Trial, name: str) -> tuple:
    best, worst = trial.ranks.get(name, (None, None))
    rank = Entry(best, page=(Piece(formats.span(best, worst)),)) if best else None
    way = [Piece(trial.ways[name], "small")] if name in trial.ways else []
    counted = name.partition("@initialization=")[0]  # how a network is drawn changes neither
    sizes = [number(trial.committed.row(counted, "", ("complexity", size, "all"))) or UNMEASURED for size in SIZES]
    values = [entry for metric in trial.columns.values() for entry in _value(trial, name, metric)]
    network = Entry(name, page=(Piece(formats.breakable(name)), *way))
    recipe = _way(trial.committed, name, trial.dataset) or None
    seeds = len(trial.committed.seeds(name, trial.dataset, next(iter(trial.columns.values()))))
    return (rank, worst, network, recipe, *sizes, *values, seeds)


def _value(trial: Trial, name: str, metric: Metric) -> tuple[Entry | None, ...]:
    """The mean, on the page with its interval and every seed, and the ends of the interval."""
    row = trial.committed.row(name, trial.dataset, metric)
    if not row:
        return UNMEASURED, None, None
    seeds = [formats.shown(seed) for seed in trial.committed.seeds(name, trial.dataset, metric)]
    low, high = number(row, "low"), number(row, "high")
    interval = [Piece(formats.interval(row), "small")] if low else []
    mean = Entry(row.value, formats.shown(row))
    return mean._replace(page=(Piece(mean.text), *interval, Piece(" · ".join(seeds), "small"))), low, high


def differences(trial: Trial) -> Sheet:
    """A comparison a row: the differences with their intervals, and what they say."""
    page = (Heading("question", names=True), Heading("ours", "difference"), *map(Heading, trial.columns))
    ends = tuple(f"{words}{end}" for words in trial.columns for end in ("", " low", " high", " says"))
    rows = [_answered(item, told) for item, told in trial.answers()]
    columns = ("question", "ours", "theirs", *ends)
    return Sheet(f"{trial.name}-differences", f"{caption(trial)}: differences", columns, rows, page)


def _answered(item: Comparison, told: list[Difference]) -> tuple:
    names = Markup(f"{formats.breakable(item.ours)} − {formats.breakable(item.theirs)}")
    found = [entry for difference in told for entry in _difference(*difference)]
    return (item.asks, Entry(item.ours, page=(Piece(names),)), item.theirs, *found)


def _difference(value: Value | None, says: str) -> tuple[Entry | str | None, ...]:
    if not value:
        return UNMEASURED, None, None, None
    middle = Entry(value.value, formats.signed(value.value, 1))
    low, high = (None if end is None else Entry(end, formats.signed(end, 1)) for end in (value.low, value.high))
    interval = [Piece(f"{low.text} to {high.text}", "small")] if low and high else []
    shown = Piece(middle.text, "" if says == "cannot tell" else "b")
    return middle._replace(page=(shown, *interval, Piece(says, "small"))), low, high, says


def caption(trial: Trial) -> str:
    """Title, dataset and matrix of a trial."""
    return f"{trial.ablation.title}, on {formats.dataset(trial.dataset)}, matrix.{trial.committed.fragment.name}.toml"


def _way(committed: Committed, name: str, dataset: str) -> str:
    """Recipe and budget of a network; "" for the baseline, which is not trained."""
    cells = (cell for (network, where, _), cell in committed.cells.items() if (network, where) == (name, dataset))
    made = next(cells).conditions
    return f"{made.recipe}, {made.budget} budget" if made.recipe else ""
