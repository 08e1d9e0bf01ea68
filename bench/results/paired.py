"""Differences on the same people, from the samples that cells keep: of two networks, over their seeds."""

import importlib
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from bench.cells import conditions
from bench.cells.cell import Cell
from bench.cells.conditions import Conditions, of_file, table_key
from bench.cells.record import CellRecord, read, read_all
from bench.errors import NOTHING, Problem
from bench.store.store import CELLS, Store
from protocols import PROTOCOLS, Protocol, Value
from protocols.errors import DataError
from protocols.statistics.bootstrap import paired_difference
from protocols.statistics.scores import Scores

SHORTEST = 6  # characters of a cell's key


def difference(rules: Protocol, ours: Sequence[Scores], theirs: Sequence[Scores]) -> tuple[Value, ...]:
    """Ours minus theirs on the same people or images, with the interval of the difference; one element a seed.

    Raises DataError where the people differ, or where a protocol cannot compare so many seeds, or anything.
    """
    module = importlib.import_module(rules.module)
    if hasattr(module, "tally"):
        return paired_difference(*([module.tally(scores.samples) for scores in side] for side in (ours, theirs)))
    if not hasattr(module, "difference"):
        raise DataError(f"{rules.name} keeps nothing of single people that two cells could be compared by.")
    if max(len(ours), len(theirs)) > 1:
        raise DataError(f"{rules.name} compares one seed with one.", next_step="name each cell by the start of its key")
    return module.difference(ours[0], theirs[0])


def paired(store: Store) -> Callable[[str, str], tuple[Value, ...]]:
    """(key, other key) -> differences, the first minus the second on the same people.

    Empty where a cell keeps no samples, or where the two were not scored on the same people.
    """

    @cache
    def values(ours: str, theirs: str) -> tuple[Value, ...]:
        one, two = _samples(store, ours), _samples(store, theirs)
        if one is None or two is None:
            return ()
        rules = PROTOCOLS[read(store, ours).protocol]
        try:
            return difference(rules, [one], [two])
        except DataError:
            return ()

    return values


def finished(
    store: Store, name: str, rules: Protocol, where: tuple[str, str], options: dict[str, Any]
) -> tuple[list[CellRecord], list[Scores]]:
    """The cells of a network (a name, a glob, or the start of a key) that differ in nothing but their seed.

    Records and samples; of cells that differ in a version or the text of a recipe alone, the newest counts, as on
    the pages. Raises Problem where there are none, or cells under more than one set of conditions.
    """
    records, _ = read_all(store, store.keys(CELLS))
    asked = of_file(Cell(name, rules.name, *where, options=options))
    here = [record for record in records.values() if _under(asked, record.conditions)]
    called = sorted((record for record in here if _called(record, name)), key=lambda record: record.provenance.date)
    found = list({record.table_key: record for record in called}.values())
    kinds = {record.table_key if record.source == "predictions" else _kind(record): record for record in found}
    if len(kinds) != 1:
        place = f"{rules.name} on {'/'.join(where)}"
        raise Problem(
            f"{name}: {len(kinds) or 'no'} kinds of finished cells of {place} are called so in {store.root}.",
            expected="a prediction file, or cells that differ in their seed alone; "
            f"there: {', '.join(sorted(map(_say, kinds.values() or here))) or 'none'}",
            next_step="name one by the start of its key, or bench run it first",
            code=NOTHING,
        )
    found.sort(key=lambda record: record.seed or 0)
    kept = [samples for record in found if (samples := _samples(store, record.cell))]
    if len(kept) < len(found):
        raise Problem(f"{name}: its cells keep nothing of single people to compare by.", code=NOTHING)
    return found, kept


def check_comparable(names: tuple[str, str], ours: Conditions, theirs: Conditions) -> None:
    """Raise Problem for two measurements that were not made under the same conditions, with what is unlike."""
    if unlike := conditions.difference(ours, theirs):
        raise Problem(
            f"{names[0]} and {names[1]} were not measured under the same conditions: {'; '.join(unlike)}.",
            expected="cells that differ in their network alone",
            next_step="bench run both with the same recipe, budget, training data and options",
        )


def _under(asked: Conditions, found: Conditions) -> bool:
    """Whether a cell scores the asked people by the asked protocol and options; what is not asked for is open."""
    same = all(getattr(asked, name) == getattr(found, name) for name in ("protocol", "version", "dataset", "split"))
    chosen = ((asked.options, found.options), (asked.resampling, found.resampling))
    return same and all(wanted.items() <= given.items() for wanted, given in chosen)


def _called(record: CellRecord, name: str) -> bool:
    by_key = len(name) >= SHORTEST and record.cell.startswith(name)
    return by_key or fnmatchcase(record.architecture, name)


def _kind(record: CellRecord) -> tuple:
    """Everything that decides the place of a cell in the tables but the seed."""
    return table_key(record.architecture, None, record.conditions)


def _say(record: CellRecord) -> str:
    return f"{', '.join((record.architecture, *record.tags))} ({record.cell[: SHORTEST + 2]})"


def _samples(store: Store, key: str) -> Scores | None:
    samples = store.read_arrays(CELLS, key, "samples.npz")
    return Scores(values=(), samples=samples) if samples else None
