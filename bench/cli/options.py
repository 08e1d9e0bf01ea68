"""Options that several verbs share: their defaults, help texts and parsing."""

from pathlib import Path
from typing import Annotated

import typer

from bench.errors import Problem
from protocols import Options


def curve_folder(folder: Path | None) -> Path | None:
    """Return the folder for curves. Raises Problem if TensorBoard is not installed."""
    from bench.training.curves import require_tensorboard

    return require_tensorboard(folder)


Architectures = Annotated[str, typer.Argument(help="Name or shell glob, or path/to/net.py:builder.")]
Protocols = Annotated[str, typer.Argument(help="Name or shell glob.")]
StoreOption = Annotated[Path, typer.Option("--store", help="Folder of finished work.")]
DataOption = Annotated[Path, typer.Option("--data", envvar="REPOSE_DATA", help="Folder of datasets.")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, or auto.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
Matrix = Annotated[Path, typer.Option("--matrix", help="File that lists the cells.")]
Paper = Annotated[str, typer.Option("--paper", help="The cells that fill this paper: liu2018, ...")]
Table = Annotated[str, typer.Option("--table", help='With --paper: only one of its tables, as "Table 1".')]
Yes = Annotated[bool, typer.Option("--yes", help="Go on, however many cells these are.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="An option of the network, as input=64 or width=0.25; may be repeated."),
]
Tensorboard = Annotated[
    Path | None,
    typer.Option("--tensorboard", help="Folder for TensorBoard curves of trainings.", callback=curve_folder),
]
RUNS, DATA_FOLDER, MATRIX, SITE = Path("runs"), Path("data"), Path("matrix.toml"), Path("site")


def pairs(texts: list[str] | None) -> Options:
    """`name=value` texts as a dict; values are TOML where they can be (0.25, true, [256, 192]), else words."""
    import tomllib

    found = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise Problem(f"{text!r} is not of the form name=value.", next_step="for instance --set width=0.25")
        try:
            found[name] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[name] = value
    return found
