"""Where a run takes place: what every step of a cell is given beside the cell."""

import uuid
from dataclasses import dataclass, field
from pathlib import Path

from bench.store.store import Store


@dataclass(frozen=True)
class Bench:
    """Where a run takes place."""

    store: Store
    data: Path
    device: str
    debug: bool = False  # let unexpected errors through, with their traceback
    processes: int = 1  # that train a network together, one an accelerator
    tensorboard: Path | None = None  # where the curves of trainings go, beside the store's own
    run: str = field(default_factory=lambda: uuid.uuid4().hex)  # the same in all processes of one run
