"""Paired differences of two networks on the same people, over their seeds, from the samples of their cells."""

import importlib
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import cache

from bench.cells import conditions
from bench.cells.conditions import Conditions, table_key
from bench.cells.record import CellRecord, read, read_all
from bench.errors import NOTHING, Problem
from bench.store.store import CELLS, Store
from protocols import PROTOCOLS, Protocol, Value
from protocols.errors import DataError
from protocols.statistics.bootstrap import paired_difference
from protocols.statistics.scores import Scores

SHORTEST = 6  # characters that may stand for a cell's key


def difference(protocol: Protocol, ours: Sequence[Scores], theirs: Sequence[Scores]) -> tuple[Value, ...]:
    """Ours minus theirs on the same people or images, with the interval of the difference; one element per seed.

    Raises DataError if the people differ, or if the protocol cannot compare cells or several seeds.
    """
    module = importlib.import_module(protocol.module)
    if hasattr(module, "tally"):
        return paired_difference(*([module.tally(scores.samples) for scores in side] for side in (ours, theirs)))
    if not hasattr(module, "difference"):
        raise DataError(f"{protocol.name} stores no per-person samples, so two cells cannot be compared.")
    if max(len(ours), len(theirs)) > 1:
        raise DataError(
            f"{protocol.name} compares one seed with one.", next_step="name each cell by the start of its key"
        )
    return module.difference(ours[0], theirs[0])


def paired(store: Store) -> Callable[[str, str], tuple[Value, ...]]:
    """Return a function (key, other key) -> differences, the first minus the second on the same people.

    They are empty where a cell has no samples, or where the two were not scored on the same people.
    """

    @cache
    def values(ours: str, theirs: str) -> tuple[Value, ...]:
        one, two = _samples(store, ours), _samples(store, theirs)
        if one is None or two is None:
            return ()
        protocol = PROTOCOLS[read(store, ours).protocol]
        try:
            return difference(protocol, [one], [two])
        except DataError:
            return ()

    return values


def finished(store: Store, name: str, asked: Conditions) -> tuple[list[CellRecord], list[Scores]]:
    """Find the finished cells of a network (a name, a glob, or the start of a key) that differ only in their seed.

    asked: protocol, split and options. Returns records and samples; of revisions of a cell the newest counts, as on
    the pages. Raises Problem if there are none, or cells under several sets of conditions.
    """
    records, _ = read_all(store, store.keys(CELLS))
    scored = [record for record in records.values() if _matches(asked, record.conditions)]
    named = sorted((record for record in scored if _has_name(record, name)), key=lambda record: record.provenance.date)
    found = list({record.table_key: record for record in named}.values())
    kinds = {record.table_key if record.source == "predictions" else _kind(record): record for record in found}
    if len(kinds) != 1:
        raise Problem(
            f"{name}: {len(kinds) or 'no'} kinds of finished cells of {asked.protocol} on "
            f"{asked.dataset}/{asked.split} have this name in {store.root}.",
            expected="a prediction file, or cells that differ only in their seed; "
            f"found: {', '.join(sorted(map(_label, kinds.values() or scored))) or 'none'}",
            next_step="name one by the start of its key, or bench run it first",
            code=NOTHING,
        )
    found.sort(key=lambda record: record.seed or 0)
    samples_of = [samples for record in found if (samples := _samples(store, record.cell))]
    if len(samples_of) < len(found):
        raise Problem(f"{name}: its cells have no per-person samples to compare.", code=NOTHING)
    return found, samples_of


def check_comparable(names: tuple[str, str], ours: Conditions, theirs: Conditions) -> None:
    """Raise Problem, with the differences, for two measurements under different conditions."""
    if differences := conditions.difference(ours, theirs):
        raise Problem(
            f"{names[0]} and {names[1]} were not measured under the same conditions: {'; '.join(differences)}.",
            expected="cells that differ only in their network",
            next_step="bench run both with the same recipe, budget, training data and options",
        )


def _matches(asked: Conditions, found: Conditions) -> bool:
    """Tell if a cell has the asked protocol, split and options; other options may have any value."""
    same = all(getattr(asked, name) == getattr(found, name) for name in ("protocol", "version", "dataset", "split"))
    chosen = ((asked.options, found.options), (asked.resampling, found.resampling))
    return same and all(wanted.items() <= given.items() for wanted, given in chosen)


def _has_name(record: CellRecord, name: str) -> bool:
    """Tell if a name, a glob or the start of a key means this cell."""
    by_key = len(name) >= SHORTEST and record.cell.startswith(name)
    return by_key or fnmatchcase(record.architecture, name)


def _kind(record: CellRecord) -> tuple:
    """Table key without the seed."""
    return table_key(record.architecture, None, record.conditions)


def _label(record: CellRecord) -> str:
    return f"{', '.join((record.architecture, *record.tags))} ({record.cell[: SHORTEST + 2]})"


def _samples(store: Store, key: str) -> Scores | None:
    samples = store.read_arrays(CELLS, key, "samples.npz")
    return Scores(values=(), samples=samples) if samples else None
