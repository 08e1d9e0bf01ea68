"""Published systems by key: `published/methods.toml`, which tables, prediction files and lists refer to."""

from functools import cache
from pathlib import Path

import msgspec

FILE = Path(__file__).parents[1] / "published" / "methods.toml"


class Method(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A published system. `architecture` is the row of the catalogue that rebuilds it, "" if none does."""

    authors: str
    venue: str
    year: int
    architecture: str = ""
    variants: dict[str, str] = {}  # further systems of the same publication: name -> architecture

    @property
    def short(self) -> str:
        """Authors and year as a text cites them: "Bulat & Tzimiropoulos 2016"."""
        names = [name.rpartition(" ")[2] for name in self.authors.split(", ")]
        who = f"{names[0]} et al." if len(names) > 2 else " & ".join(names)
        return f"{self.authors if self.authors.endswith(')') else who} {self.year}"


@cache
def methods(file: Path = FILE) -> dict[str, Method]:
    """All systems of a file by key, a variant as "key-variant". Raises ValueError, with the file and the place."""
    try:
        found = msgspec.toml.decode(file.read_bytes(), type=dict[str, Method])
    except msgspec.MsgspecError as error:
        raise ValueError(f"{file.name}: {error}") from error
    return {
        f"{key}-{name}" if name else key: msgspec.structs.replace(method, architecture=architecture, variants={})
        for key, method in found.items()
        for name, architecture in {"": method.architecture, **method.variants}.items()
    }
