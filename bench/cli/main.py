"""The command line: `bench VERB [ARCHITECTURES] [PROTOCOLS]`.

Every verb imports what it needs when it runs, so that `bench list` answers at once. Results go to stdout, with
`--json` as one document; messages go to stderr.
"""

import json
import os
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from bench.cells.cell import Cell
from bench.cells.choices import words
from bench.cells.settings import chosen
from bench.cli.cell_options import cell_settings
from bench.cli.data import data_app
from bench.cli.keep import keep
from bench.cli.options import (
    DATA_FOLDER,
    MATRIX,
    RUNS,
    SITE,
    Architectures,
    DataOption,
    Debug,
    Device,
    Json,
    Matrix,
    Paper,
    Protocols,
    Set,
    StoreOption,
    Table,
    Tensorboard,
    Yes,
    pairs,
)
from bench.cli.score import score
from bench.errors import (
    CELL_FAILED,
    EXPECTED,
    FINE,
    INTERRUPTED,
    NOTHING,
    USAGE,
    Problem,
    as_document,
    exit_code,
    explain,
)
from bench.plain_text import Terminal
from bench.store.provenance import chosen_device

app = typer.Typer(
    help="Benchmark and reproducibility suite for human-pose networks.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(data_app, name="data")
app.command()(keep)
app.command()(score)

BASELINE, CHECK_OUT = Path("tests/golden/baseline.jsonl"), Path("build/check")


@app.command("list")
def list_command(data: DataOption = DATA_FOLDER, as_json: Json = False, debug: Debug = False) -> None:
    """List architectures, protocols and datasets, and what is missing to run them."""
    from bench.cli.listing import listing, print_listing

    print(json.dumps(listing(data), indent=1)) if as_json else print_listing(data)


@app.command()
@cell_settings()
def run(
    architectures: Architectures = "",
    protocols: Protocols = "",
    matrix: Matrix = MATRIX,
    paper: Paper = "",
    table: Table = "",
    dataset: Annotated[
        list[str] | None, typer.Option(help="Name or name/split; may be repeated; default mannequin.")
    ] = None,
    overrides: Set = None,
    seed: Annotated[list[int] | None, typer.Option(help="Random seed; may be repeated.", min=0, max=2**63 - 1)] = None,
    store: StoreOption = RUNS,
    data: DataOption = DATA_FOLDER,
    device: Device = "auto",
    jobs: Annotated[int, typer.Option(help="Worker processes; 0: one per core, or one per accelerator.", min=0)] = 0,
    processes: Annotated[int, typer.Option(help="Processes per training, one per accelerator.", min=1)] = 1,
    executor: Annotated[
        str, typer.Option(help=f"One of {', '.join(words('bench.executors.local:EXECUTORS'))}.")
    ] = "local",
    address: Annotated[str, typer.Option(help="Ray cluster; default: RAY_ADDRESS, else this machine.")] = "",
    tensorboard: Tensorboard = None,
    yes: Yes = False,
    as_json: Json = False,
    debug: Debug = False,
    **cell: Any,
) -> None:
    """Train if needed, predict, score and store: the cells of a matrix, of two globs, or those that fill a paper."""
    from bench.cells import matrix as matrices
    from bench.cells.plan import BLOCKED, FRESH, plan
    from bench.cli.summary import conclude
    from bench.store.store import Store

    given = chosen(Cell("", "", **cell))
    if paper or table:
        from bench.cli.paper import cells_of_paper

        if architectures or dataset or overrides or given:
            raise Problem(
                "--paper says which networks are run and how.", expected="--table and --seed beside it, and no others"
            )
        cells = cells_of_paper(paper, table, seed or (0,), data)
    elif protocols:
        block = matrices.Block(
            architectures=(architectures,),
            protocols=(protocols,),
            datasets=tuple(dataset or ()),
            seeds=tuple(seed or (0,)),
            set=pairs(overrides),
            **cell,
        )
        matrices.check_count("This command", [block], yes)
        cells = matrices.unique(matrices.expand(block))
        if not cells:
            raise matrices.empty_block(block)
    else:
        if dataset or seed or overrides or given:
            raise Problem(
                f"Options of cells need a protocol: without one, the cells of {matrix} are run as the file says.",
                next_step="bench run ARCHITECTURES PROTOCOLS with the options, or change the matrix",
            )
        cells = matrices.select(matrices.load(matrix, yes), architectures)
    if not cells:
        raise Problem("Nothing to run: no cell matches.", next_step="bench list, bench status", code=NOTHING)
    tasks = plan(cells, Store(store), data, device)
    if all(task.state in (FRESH, BLOCKED) for task in tasks):
        done, failed = [task for task in tasks if task.state == FRESH], []
    else:  # the imports take seconds: only if something is left to run
        from bench.context import RunContext
        from bench.executors.local import execute

        ctx = RunContext(Store(store), data, device, debug, processes, tensorboard)
        done, failed = execute(tasks, ctx, executor, jobs, address)
    conclude(tasks, done, failed, Store(store), as_json)


@app.command()
@cell_settings("recipe", "budget", "drop_invalid")
def train(
    architecture: Architectures,
    dataset: Annotated[str, typer.Argument(help="Name, name/split, or several joined by +.")] = "mannequin",
    overrides: Set = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1)] = 0,
    tensorboard: Tensorboard = None,
    store: StoreOption = RUNS,
    data: DataOption = DATA_FOLDER,
    device: Device = "auto",
    as_json: Json = False,
    debug: Debug = False,
    **cell: Any,
) -> None:
    """Train one architecture; the same command continues what was stopped.

    On several GPUs: torchrun --standalone --nproc-per-node N -m bench train ...
    """
    from bench.context import RunContext
    from bench.steps.pipeline import train_only
    from bench.store.store import Store

    ctx = RunContext(Store(store), data, chosen_device(device), debug, tensorboard=tensorboard)
    document = train_only(ctx, architecture, pairs(overrides), dataset, seed, **cell)
    print(json.dumps(document) if as_json else document["weights"])


@app.command()
def report(
    out: Annotated[Path, typer.Option(help="Folder of the site.")] = SITE,
    matrix: Matrix = MATRIX,
    check_only: Annotated[bool, typer.Option("--check", help="Only report whether the site is up to date.")] = False,
    store: StoreOption = RUNS,
    data: DataOption = DATA_FOLDER,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the HTML site and its CSV files from the store."""
    from bench.cells import matrix as matrices
    from bench.cells.plan import plan
    from bench.cli.damage import say_left_out
    from bench.cli.site import outdated, write_site
    from bench.store.store import Store

    tasks = plan(matrices.load(matrix), Store(store), data) if matrix.exists() else []
    if check_only:
        different = outdated(tasks, Store(store), out)
        print(json.dumps({"different": different}) if as_json else "\n".join(different) or f"{out} is up to date")
        raise typer.Exit(1 if different else FINE)
    index = write_site(tasks, Store(store), out)
    print(json.dumps({"index": str(index)}) if as_json else index)
    if code := say_left_out(Store(store)):
        raise typer.Exit(code)


@app.command()
def status(
    architectures: Architectures = "",
    matrix: Matrix = MATRIX,
    paper: Paper = "",
    table: Table = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Read all files of the store against their digests.")
    ] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Verify, and move what is damaged aside.")] = False,
    yes: Yes = False,
    store: StoreOption = RUNS,
    data: DataOption = DATA_FOLDER,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List every cell of a matrix with its state: fresh, stale, missing, failed, blocked or damaged, and why.

    With --paper the cells that fill its printed numbers, and for every number what is missing.
    """
    from bench.cells import matrix as matrices
    from bench.cells.plan import plan
    from bench.cli.damage import verify as verify_store
    from bench.cli.listing import print_status
    from bench.store.store import Store

    code = verify_store(Store(store), repair) if verify or repair else FINE
    if paper or table:
        from bench.cli.paper import show_status

        if architectures:
            raise Problem("--paper says which networks are looked at.", expected="--table beside it, and no others")
        show_status(paper, table, Store(store), data, as_json)
        raise typer.Exit(code)
    tasks = plan(matrices.select(matrices.load(matrix, yes), architectures), Store(store), data)
    if as_json:
        shown = [
            {"label": task.cell.label, "cell": task.key, "state": task.state, "why": task.why, "step": task.step}
            for task in tasks
        ]
        print(json.dumps({"cells": shown}))
    else:
        print_status(tasks)
    if code or not tasks:
        raise typer.Exit(code or NOTHING)


@app.command()
def check(
    architectures: Architectures = "",
    protocols: Protocols = "",
    matrix: Matrix = Path("matrix.check.toml"),
    against: Annotated[Path, typer.Option(help="The committed baseline.")] = BASELINE,
    accept: Annotated[bool, typer.Option("--accept", help="Make the new numbers the baseline.")] = False,
    reason: Annotated[str, typer.Option(help="Why they may change; stored in the rows.")] = "",
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help="Missing rows are no failure.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for JUnit file, summary and site.")] = CHECK_OUT,
    store: Annotated[Path | None, typer.Option(help="Reuse its finished work; default: measure all.")] = None,
    data: DataOption = DATA_FOLDER,
    device: Device = "cpu",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Compare the numbers with the committed baseline: the regression gate."""
    from bench.cli.check import gate

    if accept != bool(reason):
        raise Problem("--accept and --reason TEXT belong together: the reason is stored in the rows.")
    code = gate(
        matrix,
        against,
        store,
        data,
        chosen_device(device),
        out,
        architectures=architectures,
        protocols=protocols,
        accepted=reason,
        allow_missing=allow_missing,
        as_json=as_json,
        debug=debug,
    )
    raise typer.Exit(code)


@app.command()
def doctor(
    throughput: Annotated[bool, typer.Option("--throughput", help="Does training wait for its data?")] = False,
    architecture: Annotated[str, typer.Option(help="With --throughput or --rate: the network.")] = "hourglass-1",
    overrides: Set = None,
    hours: Annotated[Path | None, typer.Option(help="Estimate the hours of the trainings of a matrix.")] = None,
    rate: Annotated[float, typer.Option(help="With --hours: images a second, instead of --throughput.", min=0)] = 0,
    data: DataOption = DATA_FOLDER,
    store: StoreOption = RUNS,
    device: Device = "auto",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Print versions, device, flags, data and store in one block for a bug report."""
    from architectures import describe
    from bench.cells import matrix
    from bench.cells.cost import estimate, print_hours
    from bench.cli.doctor import examine, print_examination
    from bench.store.store import Store

    if hours and not (throughput or rate):
        raise Problem("--hours needs a measured rate.", next_step="add --throughput, or --rate NUMBER")
    found = examine(data, store)
    if throughput:
        from bench.training.throughput import measure_throughput

        measured = measure_throughput(Store(store), data, chosen_device(device), architecture, pairs(overrides))
        found["throughput"], rate = msgspec.to_builtins(measured), rate or measured.cache
    estimated = estimate(matrix.load(hours), describe(architecture, **pairs(overrides)), rate) if hours else None
    if as_json:
        print(json.dumps(found | ({"hours": msgspec.to_builtins(estimated)} if estimated else {})))
    else:
        print_examination(found)
        if estimated:
            print_hours(estimated)


def main() -> int:
    """Run the command line; returns the exit code."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin make a busy machine many times slower
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy's products are small: more threads only wait and spin
    with redirect_stdout(Terminal(sys.stdout, "--json" in sys.argv)), redirect_stderr(Terminal(sys.stderr)):
        return _main()


def _main() -> int:
    """Run the command line and print how it ended; returns the exit code."""
    try:
        code = app(standalone_mode=False) or FINE
    except KeyboardInterrupt:
        code = INTERRUPTED
    except SystemExit:  # raised by typer when the reader of stdout, such as `head`, has ended
        code = FINE
    except EXPECTED as error:
        code = exit_code(error)
        _print_error(error)
        _print_json(error, code)
    except Exception as error:
        show = getattr(error, "show", None)  # of typer's usage errors
        code = USAGE if show else CELL_FAILED
        _print_json(error, code)
        if show:
            show()
        else:
            _print_error(error)
            print("  do        this is a defect: please report it with the output of --debug", file=sys.stderr)
    if code == INTERRUPTED:  # typer turns Ctrl-C into this code, too
        stopped = Problem("Stopped. Finished work is kept; the same command continues it.")
        print(stopped, file=sys.stderr)
        _print_json(stopped, code)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python prints an error at exit
    return code


def _print_error(error: Exception) -> None:
    """Print an error on stderr, with its traceback under --debug."""
    if "--debug" in sys.argv:
        traceback.print_exc()
    print(explain(error), file=sys.stderr)


def _print_json(error: BaseException, code: int) -> None:
    """Print an error as a document, if --json was given."""
    if "--json" in sys.argv:
        print(json.dumps(as_document(error, code)))


if __name__ == "__main__":
    sys.exit(main())
