"""Names of datasets and splits as users write them: "mpii/val", and training data, "mpii/train+lsp/train"."""

from functools import cache

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


def parts_of(text: str) -> list[tuple[str, str]]:
    """Parse training data, "mpii/train+lsp", as pairs (dataset, split); a name without split means its training split.

    This is the grammar of tables, matrices, the command line and pages. Raises Problem like `parse_split`.
    """
    return [parse_split(part.strip(), "train") for part in text.split("+")]


@cache  # asked for every cell
def training_text(text: str) -> str:
    """Write training data out: "mpii/train+lspet" is "mpii/train+lspet/train". Raises Problem like `parse_split`."""
    return "+".join(f"{name}/{split}" for name, split in parts_of(text))
