"""Curves for TensorBoard while a training runs. Its package is optional, imported only when asked for."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from bench.errors import Problem

Draw = Callable[[int, dict[str, float]], None]  # step, value by name
FLUSH_SECONDS = 10


def require_tensorboard(folder: Path | None) -> Path | None:
    """Return the folder for curves. Raises Problem, before any training, if TensorBoard is not installed."""
    if folder is not None and find_spec("tensorboard") is None:
        raise Problem(
            f"--tensorboard {folder}: the package tensorboard is not installed.",
            next_step="pip install tensorboard; or leave the option out: history.csv and the site hold the same curves",
        )
    return folder


def no_curves(step: int, values: dict[str, float]) -> None:
    """Draw nothing."""


@contextmanager
def curves(folder: Path, name: str) -> Iterator[Draw]:
    """Yield a function that draws the curves of one training, in a folder of its own below `folder`.

    When a training resumes after a kill, TensorBoard hides the points that were drawn beyond its checkpoint.
    """
    from torch.utils.tensorboard import SummaryWriter

    own: Path = folder / re.sub(r"[^\w.=@,+-]+", "_", name)
    writers: list[SummaryWriter] = []

    def draw(step: int, values: dict[str, float]) -> None:
        if not writers:
            writers.append(SummaryWriter(own, purge_step=step, flush_secs=FLUSH_SECONDS))
        for tag, value in values.items():
            writers[0].add_scalar(tag, value, step)

    try:
        yield draw
    finally:
        for writer in writers:
            writer.close()
