"""Credits of each person under the headline of a protocol: enough for paired differences, small enough to commit."""

import importlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import msgspec
import numpy as np

from bench.cells.record import read
from bench.store.store import CELLS, Store
from protocols import PROTOCOLS, Protocol
from protocols.statistics.tally import Statistic, Tally


class PackedTally(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tally of hits and misses as text, a bit a joint (or stick)."""

    people: int
    columns: int
    hits: str  # base64 of people x columns bits
    counted: str = ""  # likewise; "": all are counted


def headline_tally(tally: Tally, headline: tuple[str, str]) -> Tally:
    """Reduce a tally to the statistic (metric, part) and the columns that it averages."""
    statistic = next(one for one in tally.statistics if (one.metric, one.part) == headline)
    columns = list(statistic.columns)
    chosen = replace(statistic, columns=tuple(range(len(columns))))
    credits = {statistic.credit: np.asarray(tally.credits[statistic.credit])[:, columns]}
    return Tally(credits, tally.counted[:, columns], (chosen,), tally.full)


def pack(tally: Tally) -> PackedTally | None:
    """Pack a headline tally; None for one whose credits are no hits and misses, or whose mean is not pooled."""
    ((name, hits),) = tally.credits.items()
    if not tally.statistics[0].pooled or tally.full.get(name, 1) != 1 or not np.isin(hits, (0, 1)).all():
        return None
    counted = "" if tally.counted.all() else _bits(tally.counted)
    people, columns = hits.shape
    return PackedTally(people, columns, _bits(hits), counted)


def unpack(packed: PackedTally, headline: tuple[str, str]) -> Tally:
    """Unpack a headline tally of (metric, part)."""
    shape = (packed.people, packed.columns)
    counted = _array(packed.counted, shape) if packed.counted else np.ones(shape, bool)
    statistic = Statistic(*headline, headline[0], tuple(range(packed.columns)), pooled=True)
    return Tally({headline[0]: _array(packed.hits, shape)}, counted, (statistic,))


def headline_tallies(store: Store) -> Callable[[str], Tally | None]:
    """Return a function from the key of a cell to its headline tally; None where it keeps no credits of people."""

    @cache
    def tally(key: str) -> Tally | None:
        rules = PROTOCOLS[read(store, key).protocol]
        samples = store.read_arrays(CELLS, key, "samples.npz")
        return of_samples(rules, samples) if samples else None

    return tally


def of_samples(rules: Protocol, samples: dict[str, np.ndarray]) -> Tally | None:
    """Return the headline tally of stored samples; None if the protocol gives no credits to people."""
    module = importlib.import_module(rules.module)
    return headline_tally(module.tally(samples), rules.headline) if hasattr(module, "tally") else None


def _bits(array: np.ndarray) -> str:
    return b64encode(np.packbits(array.astype(bool)).tobytes()).decode()


def _array(text: str, shape: tuple[int, int]) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(b64decode(text), np.uint8), count=shape[0] * shape[1])
    return bits.reshape(shape).astype(bool)
