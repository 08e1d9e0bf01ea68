"""What networks train on, by name: a split, or several as one."""

from dataclasses import dataclass
from pathlib import Path

from bench.cells.places import place
from protocols.datasets import DATASETS, fingerprint, open_people
from protocols.pose.people import People
from protocols.pose.skeletons import SKELETONS


@dataclass(frozen=True)
class Source:
    """The people of a split, or of several, by name: what another process needs to open them."""

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


def parts_of(text: str) -> list[tuple[str, str]]:
    """ "mpii/train+lsp" as pairs of dataset and split; a name alone means the split to train on."""
    return [place(part.strip(), "train") for part in text.split("+")]


def source_of(text: str, data: Path, skeleton: str, limit: int = 0, drop_invalid: bool = False) -> Source:
    """The source that "mpii", "mpii/train" or "mpii/train+lsp/train" names."""
    parts = parts_of(text)
    name, split = parts[0] if len(parts) == 1 and skeleton in DATASETS[parts[0][0]].skeletons else (text, "")
    return Source(name, split, data, skeleton, limit, drop_invalid)


def fingerprint_of(text: str, data: Path, skeleton: str) -> str:
    """What changes when, and only when, the annotation of what `text` names changes."""
    parts = parts_of(text)
    own = [DATASETS[name].skeletons for name, _ in parts]
    names = [skeleton if skeleton in offered else offered[0] for offered in own]
    found = [fingerprint(name, split, data, joints) for (name, split), joints in zip(parts, names, strict=True)]
    return found[0] if len(found) == 1 else " + ".join(found)
