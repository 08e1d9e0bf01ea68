"""The run context: what the steps of all cells of a run share."""

import uuid
from dataclasses import dataclass, field
from pathlib import Path

from bench.store.store import Store


@dataclass(frozen=True)
class RunContext:
    """Store, data, device and switches of a run."""

    store: Store
    data: Path
    device: str
    debug: bool = False  # let unexpected errors through, with their traceback
    processes: int = 1  # that torchrun starts for one training, one an accelerator
    tensorboard: Path | None = None  # folder for the curves of trainings, in addition to the store's
    run: str = field(default_factory=lambda: uuid.uuid4().hex)  # the same in all processes of one run
