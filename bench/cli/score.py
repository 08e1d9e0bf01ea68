"""`bench score`: scores prediction files, and compares files and networks."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import DATA_FOLDER, RUNS, DataOption, Debug, Json, StoreOption, pairs
from bench.errors import Problem


def score(
    subject: Annotated[str, typer.Argument(metavar="FILE", help=".h5, .mat, .npz, .npy or .json; or a network.")] = "",
    protocol: Annotated[str, typer.Option(help="For instance mpii-pckh.")] = "",
    dataset: Annotated[str, typer.Option(help="Name or name/split; default: the protocol's own.")] = "",
    name: Annotated[str, typer.Option(help="Name in tables; default: the method, or the file's name.")] = "",
    method: Annotated[str, typer.Option(help="Key of the published system that made the file, as wei2016.")] = "",
    prediction_list: Annotated[
        Path | None, typer.Option("--list", help="Score the files of a list, as predictions.toml.")
    ] = None,
    against: Annotated[str, typer.Option(help="Also the difference to this file or network.")] = "",
    variants: Annotated[bool, typer.Option("--variants", help="Also the numbers by other conventions in use.")] = False,
    limit: Annotated[int, typer.Option(help="The file covers only the first N people.", min=0)] = 0,
    option: Annotated[
        list[str] | None, typer.Option(help="An option of the protocol, as resamples=0; may be repeated.")
    ] = None,
    store: StoreOption = RUNS,
    data: DataOption = DATA_FOLDER,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Score a prediction file of any origin and store it with the measured networks; or compare two of either.

    bench score mine.npz --protocol mpii-pckh --against theirs.npz;
    bench score hourglass-2 --against hourglass-1 --protocol occluded-limb takes the cells of all seeds;
    bench score --list predictions.toml scores what the authors of the papers' methods have published.
    """
    from bench.cli.damage import say_left_out
    from bench.cli.documents import print_json
    from bench.cli.score_list import check_maker, score_listed, unknown_method
    from bench.cli.score_text import as_document, print_outcome
    from bench.steps.compare import score_and_compare
    from bench.steps.score_file import file_cell
    from bench.store.store import Store

    if prediction_list:
        if subject or protocol or dataset or name or method or against or variants or limit or option:
            raise Problem("A list says how its files are scored.", expected="--list alone, with --data and --store")
        raise typer.Exit(score_listed(prediction_list, data, Store(store), as_json))
    if not subject or not protocol:
        raise Problem("A file and --protocol are needed, or --list.", next_step="bench score --help")
    if warning := unknown_method(method):
        print(f"! {warning}", file=sys.stderr)
    if method:
        check_maker(method, Path(subject))
    cell = file_cell(name or method or Path(subject).stem, protocol, dataset, pairs(option), limit)
    if against:
        say_left_out(Store(store))
    outcome = score_and_compare(subject, cell, data, Store(store), against=against, variants=variants, method=method)
    print_json(as_document(outcome)) if as_json else print_outcome(outcome)
