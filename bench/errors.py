"""Errors as sentences, and the exit codes: one meaning each."""

from architectures.errors import ArchitectureError
from bench.plain_text import escape, shortened
from protocols.errors import DataError

FINE, REGRESSED, USAGE, CELL_FAILED, NOTHING, DATA, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130


class Problem(Exception):
    """An error that the user can fix: what happened, what was expected, the likely cause, the next step."""

    def __init__(self, what: str, expected: str = "", cause: str = "", next_step: str = "", code: int = USAGE):
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.cause = cause
        self.next_step = next_step
        self.code = code


EXPECTED = (Problem, DataError, ArchitectureError, OSError)


def exit_code(error: BaseException) -> int:
    """Exit code of a command that ends with this error."""
    if isinstance(error, Problem):
        return error.code
    if isinstance(error, DataError | FileNotFoundError | IsADirectoryError):
        return DATA
    return USAGE if isinstance(error, ArchitectureError) else CELL_FAILED


def explain(error: BaseException) -> str:
    """Format an error as a few lines: the sentence, then what was expected, the cause and the next step."""
    if isinstance(error, OSError):
        return _explain_os(error)
    lines = [str(error) or type(error).__name__]
    for label, field in (("expected", "expected"), ("why", "cause"), ("do", "next_step")):
        if text := getattr(error, field, ""):
            lines.append(f"  {label:<9} {text}")
    if not isinstance(error, EXPECTED):
        lines[0] = f"{type(error).__name__}: {lines[0]}"
    return shortened(escape("\n".join(lines)))


def as_document(error: BaseException, code: int) -> dict[str, object]:
    """Convert an error to plain data for --json: sentence, expectation, cause, next step, exit code."""
    if isinstance(error, EXPECTED) and not isinstance(error, OSError):
        what = str(error)
    else:
        what = getattr(error, "format_message", lambda: explain(error))()  # typer's usage errors have one
    fields = {name: text for name in ("expected", "cause", "next_step") if (text := getattr(error, name, ""))}
    texts = {name: shortened(text) for name, text in {"error": what, **fields}.items()}
    return {**texts, "exit_code": code}


def _explain_os(error: OSError) -> str:
    """Format an error of the operating system: the file, the reason and the likely remedy."""
    remedies = {
        28: "free some space, or choose another folder with --store or --out",
        30: "the disk is read-only; choose another folder with --store or --out",
        13: "this user may not write there; choose another folder with --store or --out",
    }
    remedies |= dict.fromkeys((2, 20, 21), "check the path")  # missing, not a folder, a folder
    what = f"{error.filename or 'a file'}: {error.strerror or error}"
    remedy = remedies.get(error.errno or 0)
    return f"{what}\n  do        {remedy}, then repeat the command: finished work is kept" if remedy else what
