"""`--paper`: the cells that fill the printed numbers of a paper, and their state."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bench.cells.cell import Cell
from bench.cells.plan import BLOCKED, Task, plan
from bench.cli.documents import print_json
from bench.cli.listing import print_status
from bench.errors import NOTHING, Problem
from bench.results.collect import snapshot
from bench.store.store import Store
from reports.data.authors import with_authors
from reports.data.published import Paper, papers
from reports.tables.paper_cells import cells_of
from reports.tables.paper_status import Status, status_of


def cells_of_paper(name: str, table: str, seeds: Iterable[int], data: Path) -> list[Cell]:
    """The cells that fill a paper or one of its tables. Raises Problem for unknown names, and where none would."""
    paper = _paper(name, table)
    if cells := cells_of(paper, table, seeds, data):
        return cells
    raise Problem(
        f"No network here fills a number of {paper.short}{f', {table}' if table else ''}.",
        next_step=f"bench status --paper {name} says why, number by number",
        code=NOTHING,
    )


def show_status(name: str, table: str, store: Store, data: Path, as_json: bool) -> None:
    """Print which printed numbers have a cell that fills them, its state, and what is missing to run it.

    Cells that were measured where the data are, and imported, count here as well.
    """
    paper = _paper(name, table)
    tasks = plan(cells_of(paper, table, data=data), store, data)
    known = snapshot([task for task in tasks if task.state != BLOCKED], store)
    found = status_of(paper, table, tasks, with_authors(known), data)
    print_json(found) if as_json else _print(found, tasks)


def _paper(name: str, table: str) -> Paper:
    known = papers()
    if name not in known:
        raise Problem(f"There is no paper {name!r}.", expected=f"one of {', '.join(known)}")
    tables = [one.name for one in known[name].tables]
    if table and table not in tables:
        raise Problem(f"{known[name].short} has no table {table!r}.", expected=f"one of {', '.join(tables)}")
    return known[name]


def _print(found: Status, tasks: list[Task]) -> None:
    """Print the cells, what no cell fills and why, and the counts."""
    print_status(tasks)
    reasons = Counter((one.table, one.row, one.missing) for one in found.numbers if not one.fillable)
    for (table, row, why), count in reasons.items():
        print(f"  {table}, {row}: {count} without a cell: {why}")
    costs, scores = found.costs, found.accuracies
    withheld = sum(one.fillable and one.withheld for one in found.numbers)
    print(
        f"costs: {costs.printed} printed, {costs.fillable} fillable, {costs.filled} filled, "
        f"{costs.reproduced} reproduced"
    )
    print(
        f"accuracies: {scores.printed} printed, {scores.rebuilt} rebuilt, {scores.fillable} fillable "
        f"({withheld} of them by those who have the annotation that its owners withhold), "
        f"{scores.filled} filled, {scores.reproduced} reproduced, {scores.from_predictions} from authors' predictions"
    )
