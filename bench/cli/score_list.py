"""`bench score --list`: scores the prediction files of a list."""

import sys
from difflib import get_close_matches
from pathlib import Path

from bench.cli.documents import print_json
from bench.errors import DATA, FINE, NOTHING, Problem
from bench.results.text import print_measurements
from bench.steps.prediction_lists import Scored, read_list, score_list
from bench.store.digests import file_digest
from bench.store.store import Store
from reports.data.methods import FILE as METHODS
from reports.data.methods import methods


def score_listed(path: Path, data: Path, store: Store, as_json: bool) -> int:
    """Score the files of a list and print their headlines; returns the exit code.

    Files that are not there are skipped with a reason; a file that is another one than listed is refused, and the exit
    code says so.
    """
    listed = read_list(find_list(path))
    for warning in dict.fromkeys(filter(None, (unknown_method(item.method) for item in listed))):
        print(f"! {warning}", file=sys.stderr)
    scored: list[Scored] = []
    for found in score_list(listed, data, store):
        scored.append(found)
        if as_json:
            continue
        print_measurements(found.rows)
        for words in filter(None, (*found.warnings, found.skipped and f"skipped: {found.skipped}", found.refused)):
            print(f"! {found.listed.method}: {words}", file=sys.stderr)
    if as_json:
        print_json(_document(scored))
    if any(found.refused for found in scored):
        return DATA
    return FINE if any(found.rows for found in scored) else NOTHING


def find_list(path: Path) -> Path:
    """Return the path of a list; a name without a folder that does not exist is one beside the published tables."""
    return path if path.is_file() or path.parent != Path() else METHODS.with_name(path.name)


def unknown_method(method: str) -> str:
    """Return a sentence on a key that no published system has; "" for a known one, and for none."""
    if not method or method in methods():
        return ""
    near = get_close_matches(method, methods(), n=1)
    guess = f" Is {near[0]} meant?" if near else ""
    return f"{method!r} is no method of {METHODS.name}: no printed number is compared with its predictions.{guess}"


def check_maker(method: str, file: Path) -> None:
    """Raise Problem if the published list says that another method made a file."""
    if not file.is_file():
        return
    digest = file_digest(file)
    makers = {item.method for item in read_list(find_list(Path("predictions.toml"))) if item.sha256 == digest}
    if makers and method not in makers:
        raise Problem(
            f"{file} is not by {method}: by its SHA-256 it is what {', '.join(sorted(makers))} predicted.",
            expected=f"--method {min(makers)}",
            cause="two files that were exchanged",
            next_step=f"correct --method, or the entry in {METHODS.with_name('predictions.toml').name}",
            code=DATA,
        )


def _document(scored: list[Scored]) -> dict[str, object]:
    """Convert the outcome for --json."""
    return {
        "measurements": [row for found in scored for row in found.rows],
        "warnings": [f"{found.listed.method}: {words}" for found in scored for words in found.warnings],
        "skipped": [{"file": found.listed.file, "why": found.skipped} for found in scored if found.skipped],
        "refused": [{"file": found.listed.file, "why": found.refused} for found in scored if found.refused],
    }
