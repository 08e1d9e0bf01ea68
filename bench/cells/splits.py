"""Names of datasets and splits, as users write them."""

from bench.errors import USAGE, Problem
from protocols.datasets import DATASETS


def parse_split(text: str, default: str = "test") -> tuple[str, str]:
    """Parse "mpii" or "mpii/val" as (dataset, split); a name without split means its `default`: "train" or "test".

    Raises Problem for an unknown dataset or split.
    """
    name, _, split = text.partition("/")
    if name not in DATASETS:
        raise Problem(f"There is no dataset {name!r}.", expected=f"one of {', '.join(DATASETS)}", code=USAGE)
    splits = DATASETS[name].splits
    if split and split not in splits:
        raise Problem(f"{name} has no split {split!r}.", expected=f"one of {', '.join(splits)}", code=USAGE)
    return name, split or getattr(DATASETS[name], default)
