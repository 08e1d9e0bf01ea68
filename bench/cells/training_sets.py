"""Training sets by name: a split, or several joined."""

from dataclasses import dataclass
from pathlib import Path

from bench.cells.splits import parts_of
from protocols.datasets import DATASETS, open_people
from protocols.pose.people import People
from protocols.pose.skeletons import SKELETONS


@dataclass(frozen=True)
class Source:
    """Names of a split or of several, from which any process can open the people."""

    dataset: str  # a name; for a mix several "name/split", joined by "+"
    split: str  # "" for a mix
    data: Path
    skeleton: str
    limit: int = 0  # only the first so many people; 0 for all
    drop_invalid: bool = False  # leave out people whose image cannot be read, instead of stopping

    @property
    def label(self) -> str:
        return f"{self.dataset}/{self.split}" if self.split else self.dataset

    def open(self) -> People:
        """The people; joints that a dataset of a mix does not have are NaN."""
        from protocols.pose.mix import join

        if self.split:
            return open_people(self.dataset, self.split, self.data, self.skeleton, self.limit)
        parts = [open_people(name, split, self.data, self.skeleton) for name, split in parts_of(self.dataset)]
        people = join(parts, SKELETONS[self.skeleton])
        return people.first(self.limit) if self.limit else people


def source_of(text: str, data: Path, skeleton: str, limit: int = 0, drop_invalid: bool = False) -> Source:
    """The source named by "mpii", "mpii/train" or "mpii/train+lsp/train"."""
    parts = parts_of(text)
    name, split = parts[0] if len(parts) == 1 and skeleton in DATASETS[parts[0][0]].skeletons else (text, "")
    return Source(name, split, data, skeleton, limit, drop_invalid)
