"""The ledger: every claim of the papers, in the order of ids. The claims of another paper are a new module here."""

import pkgutil
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType

from reports.ledger.claim import KINDS, Claim


def collect(modules: Iterable[ModuleType]) -> tuple[Claim, ...]:
    """The claims that modules define, in the order of ids.

    Raises ValueError, with the place and what to do, for an id that occurs twice and for an unknown kind.
    """
    found: dict[str, Claim] = {}
    for module in modules:
        for claim in (value for value in vars(module).values() if isinstance(value, Claim)):
            where = f"{module.__name__}: claim {claim.id} ({claim.statement!r})"
            if claim.id in found:
                raise ValueError(f"{where} has the id of {found[claim.id].statement!r}; give it one of its own")
            if claim.kind not in KINDS:
                raise ValueError(f"{where} is of the unknown kind {claim.kind!r}; the kinds are {', '.join(KINDS)}")
            found[claim.id] = claim
    return tuple(found[key] for key in sorted(found))


CLAIMS = collect(import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
