"""`bench data`: list, check and prepare datasets; write the built-in one."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.cell_options import cell_settings
from bench.cli.options import DATA_FOLDER, RUNS, DataOption, Debug, Json, StoreOption

data_app = typer.Typer(help="List, check and prepare datasets; write the built-in one.", no_args_is_help=True)


@data_app.command("list")
def data_list(data: DataOption = DATA_FOLDER, as_json: Json = False) -> None:
    """List the datasets, and what is missing to use them."""
    from bench.cli.listing import datasets, print_datasets

    print(json.dumps({"datasets": datasets(data)})) if as_json else print_datasets(data)


@data_app.command("check")
def data_check(
    dataset: Annotated[str, typer.Argument(help="Name or name/split.")],
    data: DataOption = DATA_FOLDER,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Read a split and count what it holds."""
    from bench.cli.listing import describe_split

    found = describe_split(dataset, data)
    print(json.dumps(found) if as_json else "\n".join(f"{key:<20} {value}" for key, value in found.items()))


@data_app.command("prepare")
@cell_settings("drop_invalid")
def data_prepare(
    dataset: Annotated[str, typer.Argument(help="Name or name/split, or several joined by +.")],
    size: Annotated[int, typer.Option(help="Side of the network's input.")] = 256,
    store: StoreOption = RUNS,
    data: DataOption = DATA_FOLDER,
    as_json: Json = False,
    debug: Debug = False,
    **cell: Any,
) -> None:
    """Decode and crop the people of a split once, for training."""
    from bench.store.store import Store
    from bench.training.prepare import prepare_named

    done = prepare_named(Store(store), dataset, data, size, **cell)
    print(json.dumps({"prepared": done}) if as_json else done)


@data_app.command("mannequin")
def data_mannequin(
    out: Annotated[Path, typer.Option(help="Folder to write; usable with --data afterwards.")],
    count: Annotated[int, typer.Option(help="Number of people.")] = 100,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the built-in people as images with MPII, LSP and COCO annotations."""
    from bench.progress import step
    from protocols.datasets.mannequin.export import export

    with step(f"mannequin: {count} people"):
        export(out, count)
    others = len(list((out / "lsp" / "images").glob("im*.jpg"))) - count
    if others > 0:
        print(
            f"! {out}: the annotations name {count:,} people; images of {others:,} others stay there", file=sys.stderr
        )
    print(json.dumps({"folder": str(out), "people": count}) if as_json else out)
