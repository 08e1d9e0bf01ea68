"""The command line: `bench VERB [ARCHITECTURES] [PROTOCOLS]`.

Every verb imports what it needs when it runs, so that `bench list` answers at once. Results go to stdout, with
`--json` as one document; talk goes to stderr.
"""

import json
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.errors import CELL_FAILED, EXPECTED, FINE, INTERRUPTED, NOTHING, USAGE, Problem, exit_code, explain

app = typer.Typer(
    help="Benchmark and reproducibility suite for human-pose networks.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="List, check and prepare datasets; write the built-in one.", no_args_is_help=True)
app.add_typer(data_app, name="data")

Architectures = Annotated[str, typer.Argument(help="Name or shell glob, or path/to/net.py:builder.")]
Protocols = Annotated[str, typer.Argument(help="Name or shell glob.")]
StoreOption = Annotated[Path, typer.Option("--store", help="Folder of finished work.")]
DataOption = Annotated[Path, typer.Option("--data", envvar="REPOSE_DATA", help="Folder of datasets.")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, or auto.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
Matrix = Annotated[Path, typer.Option("--matrix", help="Which cells there are.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Change an option of the network: width=0.25")]
RUNS, DATA_FOLDER, MATRIX, SITE = Path("runs"), Path("data"), Path("matrix.toml"), Path("site")
BASELINE, CHECK_OUT = Path("tests/golden/baseline.jsonl"), Path("build/check")


@app.command("list")
def list_command(data: DataOption = DATA_FOLDER, as_json: Json = False, debug: Debug = False) -> None:
    """Architectures, protocols and datasets, and what is missing to run them."""
    from bench.listing import listing, print_listing

    found = listing(data)
    print(json.dumps(found, indent=1)) if as_json else print_listing(found)


@app.command()
def run(
    architectures: Architectures = "",
    protocols: Protocols = "",
    matrix: Matrix = MATRIX,
    dataset: Annotated[list[str] | None, typer.Option(help="Name or name/split.")] = None,
    overrides: Set = None,
    recipe: Annotated[str, typer.Option(help="Another recipe than the paper's, or a .toml file.")] = "",
    budget: Annotated[str, typer.Option(help="full, or quick: minutes instead of days.")] = "full",
    seed: Annotated[list[int] | None, typer.Option(help="May be given several times.", min=0)] = None,
    weights: Annotated[str, typer.Option(help="A released checkpoint instead of a training.")] = "",
    limit: Annotated[int, typer.Option(help="Score only so many people.", min=0)] = 0,
    option: Annotated[list[str] | None, typer.Option(help="An option of the protocol: name=value")] = None,
    store: StoreOption = RUNS,
    data: DataOption = DATA_FOLDER,
    device: Device = "auto",
    jobs: Annotated[int, typer.Option(help="Processes; 0: one a core, or one on an accelerator.", min=0)] = 0,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train if needed, predict, score and store: the cells of a matrix, or of two globs."""
    from bench import matrix as matrices
    from bench.plan import BLOCKED, FRESH, plan
    from bench.store import Store

    if protocols:
        block = matrices.Block(
            architectures=(architectures,),
            protocols=(protocols,),
            datasets=tuple(dataset or ("mannequin",)),
            seeds=tuple(seed or (0,)),
            set=pairs(overrides),
            recipe=recipe,
            budget=budget,
            weights=weights,
            limit=limit,
            options=pairs(option),
        )
        cells = matrices.unique(matrices.expand(block))
    else:
        if dataset or seed or overrides or recipe or weights or limit or option or budget != "full":
            raise Problem(
                f"Options of cells need a protocol: without one, the cells of {matrix} are run as they stand there.",
                next_step="bench run ARCHITECTURES PROTOCOLS with the options, or change the matrix",
            )
        cells = matrices.choose(matrices.load(matrix), architectures)
    if not cells:
        raise Problem("Nothing to run: no cell matches.", next_step="bench list, bench status", code=NOTHING)
    tasks = plan(cells, Store(store), data)
    if all(task.state in (FRESH, BLOCKED) for task in tasks):
        done, failed = [task for task in tasks if task.state == FRESH], []
    else:  # the imports take seconds: not for nothing
        from bench.executors import local
        from bench.steps import Bench

        done, failed = local(tasks, Bench(Store(store), data, chosen_device(device), debug), jobs)
    _conclude(tasks, done, failed, Store(store), as_json)


def _conclude(tasks: list, done: list, failed: list, store: Any, as_json: bool) -> None:
    """Say what came out of a run, and leave with the exit code that fits."""
    from bench.listing import print_measurements
    from bench.plan import BLOCKED, FRESH
    from bench.store import CELLS

    rows = (row for task in done for row in store.read_lines(CELLS, task.key, "measurements.jsonl"))
    blocked = [task for task in tasks if task.state == BLOCKED]
    cells = (store.read(CELLS, task.key, "cell.json") for task in done)
    cells = list(cells) if as_json else [{key: cell[key] for key in ("label", "warnings")} for cell in cells]
    warnings = [f"{cell['label']}: {text}" for cell in cells for text in cell["warnings"]]
    warnings += [f"{task.cell.label}: blocked: {task.why}" for task in blocked]
    warnings += [f"{task.cell.label}: failed: {why}" for task, why in failed]
    if as_json:
        print(json.dumps({"measurements": list(rows), "cells": cells, "warnings": warnings}))
    else:
        print_measurements(rows)
        for warning in warnings:
            print(f"! {warning}", file=sys.stderr)
        already = sum(task.state == FRESH for task in tasks)
        print(
            f"{len(done)} of {len(tasks)} cells finished ({already} were already), "
            f"{len(failed)} failed, {len(blocked)} blocked.",
            file=sys.stderr,
        )
    if failed:
        raise typer.Exit(CELL_FAILED)
    if blocked:
        raise typer.Exit(max(exit_code(task.problem) for task in blocked))


@app.command()
def train(
    architecture: Architectures,
    dataset: Annotated[str, typer.Argument(help="Name of the dataset.")] = "mannequin",
    overrides: Set = None,
    recipe: Annotated[str, typer.Option(help="Another recipe than the paper's, or a .toml file.")] = "",
    budget: Annotated[str, typer.Option(help="full, or quick: minutes instead of days.")] = "full",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    store: StoreOption = RUNS,
    data: DataOption = DATA_FOLDER,
    device: Device = "auto",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train one architecture on one dataset; the same command continues what was stopped."""
    from bench.steps import Bench, train_only
    from bench.store import Store

    here = Bench(Store(store), data, chosen_device(device), debug)
    document = train_only(here, architecture, pairs(overrides), dataset, recipe, budget, seed)
    print(json.dumps(document) if as_json else document["weights"])


@app.command("score")
def score_command(
    file: Annotated[Path, typer.Argument(help="Predictions: .h5, .mat, .npz, .npy or .json.")],
    protocol: Annotated[str, typer.Option(help="For instance mpii-pckh.")],
    dataset: Annotated[str, typer.Option(help="Name or name/split; default: the protocol's own.")] = "",
    name: Annotated[str, typer.Option(help="How tables call it; default: the file's name.")] = "",
    against: Annotated[Path | None, typer.Option(help="A second file: the paired difference, too.")] = None,
    variants: Annotated[bool, typer.Option(help="The number under every convention in the wild.")] = False,
    option: Annotated[list[str] | None, typer.Option(help="An option of the protocol: name=value")] = None,
    store: StoreOption = RUNS,
    data: DataOption = DATA_FOLDER,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Score a prediction file of any origin and keep it beside the measured networks."""
    from bench.external import print_outcome, score_file
    from bench.store import Store

    outcome = score_file(file, protocol, dataset, name, against, variants, pairs(option), Store(store), data)
    print(json.dumps(outcome)) if as_json else print_outcome(outcome)


@app.command()
def report(
    out: Annotated[Path, typer.Option(help="Folder of the site.")] = SITE,
    matrix: Matrix = MATRIX,
    store: StoreOption = RUNS,
    data: DataOption = DATA_FOLDER,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the HTML site and its CSV files from the store."""
    from bench import matrix as matrices
    from bench.plan import plan
    from bench.reporting import write_site
    from bench.store import Store

    tasks = plan(matrices.load(matrix), Store(store), data) if matrix.exists() else []
    index = write_site(tasks, Store(store), out)
    print(json.dumps({"index": str(index)}) if as_json else index)


@app.command()
def status(
    architectures: Architectures = "",
    matrix: Matrix = MATRIX,
    store: StoreOption = RUNS,
    data: DataOption = DATA_FOLDER,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Every cell of a matrix: fresh, stale (why), missing, failed (why), blocked (why)."""
    from bench import matrix as matrices
    from bench.listing import print_status
    from bench.plan import plan
    from bench.store import Store

    tasks = plan(matrices.choose(matrices.load(matrix), architectures), Store(store), data)
    if as_json:
        cells = [
            {"label": task.cell.label, "cell": task.key, "state": task.state, "why": task.why, "step": task.step}
            for task in tasks
        ]
        print(json.dumps({"cells": cells}))
    else:
        print_status(tasks)


@app.command()
def check(
    architectures: Architectures = "",
    protocols: Protocols = "",
    matrix: Matrix = Path("matrix.check.toml"),
    against: Annotated[Path, typer.Option(help="The committed baseline.")] = BASELINE,
    accept: Annotated[bool, typer.Option("--accept", help="Today's numbers become the baseline.")] = False,
    reason: Annotated[str, typer.Option(help="Why they may change; kept in the rows.")] = "",
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help="Rows may be missing.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for JUnit file, summary and site.")] = CHECK_OUT,
    store: Annotated[Path | None, typer.Option(help="Take what is finished there; default: measure anew.")] = None,
    data: DataOption = DATA_FOLDER,
    device: Device = "cpu",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Compare with a baseline: the regression gate."""
    from bench.gate import gate

    if accept != bool(reason):
        raise Problem("--accept and --reason TEXT belong together: the reason is kept in the rows.")
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
def doctor(data: DataOption = DATA_FOLDER, store: StoreOption = RUNS, as_json: Json = False, debug: Debug = False):
    """Versions, device, flags, data and weights in one block for a bug report."""
    from bench.doctor import examine, print_examination

    found = examine(data, store)
    print(json.dumps(found)) if as_json else print_examination(found)


@data_app.command("list")
def data_list(data: DataOption = DATA_FOLDER, as_json: Json = False) -> None:
    """Which datasets are there."""
    from bench.listing import datasets, print_datasets

    found = datasets(data)
    print(json.dumps({"datasets": found})) if as_json else print_datasets(found)


@data_app.command("check")
def data_check(
    dataset: Annotated[str, typer.Argument(help="Name or name/split.")],
    data: DataOption = DATA_FOLDER,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Read a split and say what it holds."""
    from bench.listing import checked

    found = checked(dataset, data)
    print(json.dumps(found) if as_json else "\n".join(f"{key:<20} {value}" for key, value in found.items()))


@data_app.command("prepare")
def data_prepare(
    dataset: Annotated[str, typer.Argument(help="Name or name/split.")],
    size: Annotated[int, typer.Option(help="Side of the network's input.")] = 256,
    store: StoreOption = RUNS,
    data: DataOption = DATA_FOLDER,
    debug: Debug = False,
) -> None:
    """Decode and crop the people of a split once, for training."""
    from bench.prepare import prepare_named
    from bench.store import Store

    print(prepare_named(Store(store), dataset, data, size))


@data_app.command("mannequin")
def data_mannequin(
    out: Annotated[Path, typer.Option(help="Folder to write; usable with --data afterwards.")],
    count: Annotated[int, typer.Option(help="How many people.")] = 100,
    debug: Debug = False,
) -> None:
    """Write the built-in people as images with MPII, LSP and COCO annotations."""
    from bench.progress import step
    from protocols.datasets.mannequin import export

    with step(f"mannequin: {count} people"):
        export(out, count)
    print(out)


def pairs(texts: list[str] | None) -> dict[str, Any]:
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


def chosen_device(device: str) -> str:
    """The device to use; auto means the first accelerator, else the processor."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise Problem(
            f"--device {device}: torch sees no accelerator.",
            cause=f"torch {torch.__version__} is a CPU build, or the driver is missing",
            next_step="use --device cpu, or install a CUDA build of torch",
        )
    return device


def main() -> int:
    """Run the command line; returns the exit code."""
    try:
        code = app(standalone_mode=False) or FINE
    except KeyboardInterrupt:
        code = INTERRUPTED
    except EXPECTED as error:
        code = exit_code(error)
        _complain(error)
    except Exception as error:
        if hasattr(error, "show"):  # a usage error of the command line itself
            error.show()
            code = USAGE
        else:
            code = CELL_FAILED
            _complain(error)
            print("  do        this is a defect: please report it with the output of --debug", file=sys.stderr)
    if code == INTERRUPTED:  # typer turns Ctrl-C into this code, too
        print("Stopped. Finished work is kept; the same command continues it.", file=sys.stderr)
    sys.stdout.flush()
    return code


def _complain(error: Exception) -> None:
    if "--debug" in sys.argv:
        traceback.print_exc()
    print(explain(error), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
