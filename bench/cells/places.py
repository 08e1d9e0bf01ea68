"""Where people are: the name of a dataset and a split, as people write it."""

from bench.errors import USAGE, Problem
from protocols.datasets import DATASETS


def place(text: str, usual: str = "test") -> tuple[str, str]:
    """ "mpii" or "mpii/val" as dataset and split; `usual` ("train" or "test") says what a name alone means."""
    name, _, split = text.partition("/")
    if name not in DATASETS:
        raise Problem(f"There is no dataset {name!r}.", expected=f"one of {', '.join(DATASETS)}", code=USAGE)
    splits = DATASETS[name].splits
    if split and split not in splits:
        raise Problem(f"{name} has no split {split!r}.", expected=f"one of {', '.join(splits)}", code=USAGE)
    return name, split or getattr(DATASETS[name], usual)
