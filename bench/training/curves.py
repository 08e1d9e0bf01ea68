"""Curves for TensorBoard while a training runs. Its package is an extra of this project, loaded only when asked for."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from bench.errors import Problem

Draw = Callable[[int, dict[str, float]], None]  # step, value by name
FLUSH_SECONDS = 10


def checked(folder: Path | None) -> Path | None:
    """The folder that curves were asked for in, if they can be drawn: said before a training, not after it."""
    if folder is not None and find_spec("tensorboard") is None:
        raise Problem(
            f"--tensorboard {folder}: the package tensorboard is not installed here.",
            next_step="pip install tensorboard; or leave the option out: history.csv and the site hold the same curves",
        )
    return folder


def nowhere(step: int, values: dict[str, float]) -> None:
    """No curves."""


@contextmanager
def curves(folder: Path, name: str) -> Iterator[Draw]:
    """What draws the curves of one training, in a folder of its own below `folder`.

    When a training goes on after a kill, TensorBoard hides what the earlier try had drawn beyond its checkpoint.
    """
    from torch.utils.tensorboard import SummaryWriter

    place, writers = folder / re.sub(r"[^\w.=@,+-]+", "_", name), []

    def draw(step: int, values: dict[str, float]) -> None:
        if not writers:
            writers.append(SummaryWriter(place, purge_step=step, flush_secs=FLUSH_SECONDS))
        for tag, value in values.items():
            writers[0].add_scalar(tag, value, step)

    try:
        yield draw
    finally:
        for writer in writers:
            writer.close()
