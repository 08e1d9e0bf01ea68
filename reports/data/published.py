"""The papers' tables as data: `published/*.toml`, one file a paper, read and validated here.

A file holds `key, title, short, summary` and `[[tables]]`; authors and venue are those of the method `key`. A table
is printed once as it stands in the paper: `name` ("Table 1", or a word for numbers of the running text), `caption`,
`place`, `notes`, its `columns` and its `rows`. What it measures is written with the words of a measurement row:
`protocol, dataset, split, unit`, and in each column `metric` and `part`; a column overrides the table where it
differs. Printed value = measured value / `scale`, with `decimals` digits. A column with the dataset "" is a property
of the network alone.

A row has `name`, `source` ("own": the authors ran it; "quoted": taken from elsewhere), `values` in the order of the
columns (nan: not printed), and `method`: the key of the system in methods.toml, "" where a row is not one system.

`settings` say how it was tested; a row overrides its table. They are compared, letter by letter, with the settings
of a cell, so both use the same words: `input` ("256x256"), `flip` ("yes"/"no"), `scales` (their number), `boxes`
("ground truth"/"detected"), `training data` (as on the command line: "mpii/train+lsp/train+lspet"), ... "unknown" means
that the paper does not say, or says it twice and differently. Options of the protocol, and a `recipe` that is not that
of the network, stand there as well. Of a row that is quoted only its own settings are known: a paper describes how it
trained and tested its own networks.

`mean` names the rule the printed mean must follow ("mpii": weighted by annotated joints; "lsp": plain). A table that is
known to exist, but not its values, has no rows and says why in `missing`; `networks` are then those that it compares.
Where the paper prints the networks side by side, `transposed` is true; `labels` are columns of words. A table whose
entries in one row are different systems names them in `methods`, one a column.

`[[statements]]` are short quotations, for claims about what a text says: `claim` (id in the ledger), `place`, `quote`,
`says`, the quotation's content in words that are equal where two places agree, and its `number` if it has one.

`[[figures]]` are shown again: from our measurements of `networks`, by a kind of drawing (`draw`) or as a `picture` of
people that cells keep (reports/data/cell_files.py); as `diagrams` of modules; or not at all, for the reason in
`absent`. Networks are compared in `metric` and `parts` of `protocol` on `dataset` and `split`; a figure of something
else says in `needs` what has to be measured. Where receptive fields of blocks are drawn, `blocks` names the kind of
block of each network, and `stacked` how many of them stand in a row.
"""

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from bench.cells.conditions import UNKNOWN
from bench.cells.splits import parts_of
from bench.errors import Problem
from reports.data.methods import FILE as METHODS
from reports.data.methods import Method, methods

FOLDER = METHODS.parent
OF_OWN_ROWS = ("training data", "input", "flip", "scales", "boxes")  # settings that say nothing of a quoted row
OTHERS = (METHODS.name, "predictions.toml")  # files of the folder that are no papers


class _Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Unknown or missing keys and wrong types are errors that name the place."""


class Column(_Data, frozen=True):
    name: str
    metric: str
    part: str
    protocol: str | None = None
    dataset: str | None = None
    split: str | None = None
    unit: str | None = None
    scale: float = 1.0
    decimals: int | None = None


class Row(_Data, frozen=True):
    name: str
    source: Literal["own", "quoted"]
    values: tuple[float, ...]
    method: str = ""
    methods: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    settings: dict[str, str] = {}
    note: str = ""

    @property
    def architecture(self) -> str:
        """Row of the catalogue that rebuilds its system, "" if none does."""
        return methods()[self.method].architecture if self.method else ""


class Table(_Data, frozen=True):
    name: str
    caption: str
    place: str
    protocol: str
    dataset: str
    split: str
    unit: str
    decimals: int
    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    labels: tuple[str, ...] = ()
    transposed: bool = False
    mean: Literal["mpii", "lsp", ""] = ""
    settings: dict[str, str] = {}
    settings_place: str = ""
    notes: tuple[str, ...] = ()
    missing: str = ""
    networks: tuple[str, ...] = ()


class Statement(_Data, frozen=True):
    claim: str
    place: str
    quote: str
    says: str
    number: float = math.nan


class Diagram(_Data, frozen=True):
    """A network to draw, or its first `block` of a class; modules of the classes `opened` show their content."""

    network: str
    block: str = ""
    opened: tuple[str, ...] = ()


class FigureSpec(_Data, frozen=True):
    """A figure of a paper, shown again."""

    place: str
    title: str
    networks: tuple[str, ...] = ()
    draw: str = ""
    picture: str = ""
    diagrams: tuple[Diagram, ...] = ()
    absent: str = ""
    needs: str = ""
    protocol: str = ""
    dataset: str = ""
    split: str = ""
    metric: str = ""
    parts: tuple[str, ...] = ()
    blocks: dict[str, str] = {}
    stacked: dict[str, tuple[int, ...]] = {}


class Paper(_Data, frozen=True):
    key: str
    title: str
    short: str
    tables: tuple[Table, ...]
    summary: str = ""
    statements: tuple[Statement, ...] = ()
    figures: tuple[FigureSpec, ...] = ()

    @property
    def method(self) -> Method:
        """Its system, with authors and venue."""
        return methods()[self.key]

    def value(self, table: str, row: str, column: str) -> float:
        """The printed number at (table, row, column), in the printed unit; KeyError if there is none."""
        for item in self.values():
            if (item.table, item.row, item.column) == (table, row, column):
                return item.value
        raise KeyError(f"{self.key} prints no value at {table} / {row} / {column}")

    def values(self) -> Iterator["Value"]:
        """Every printed number, table by table, row by row."""
        for table in self.tables:
            for row in table.rows:
                for place, value in enumerate(row.values):
                    if not math.isnan(value):
                        yield _value(self, table, row, place, value)


class Value(_Data, frozen=True):
    """One printed number, in the words of a measurement row."""

    paper: str
    table: str
    row: str
    column: str
    source: str
    method: str
    architecture: str
    protocol: str
    dataset: str
    split: str
    metric: str
    part: str
    value: float
    unit: str
    scale: float
    decimals: int
    settings: dict[str, str]  # as far as they are known
    table_settings: dict[str, str] = {}  # of the paper's own rows


def _value(paper: Paper, table: Table, row: Row, place: int, value: float) -> Value:
    """The printed number in a column, with what the column leaves to the table filled in."""
    column = table.columns[place]

    def either(key: str):
        own = getattr(column, key)
        return getattr(table, key) if own is None else own

    dataset = either("dataset")
    method = row.methods[place] if row.methods else row.method
    return Value(
        paper=paper.key,
        table=table.name,
        row=row.name,
        column=column.name,
        source=row.source,
        method=method,
        architecture=methods()[method].architecture if method else "",
        protocol=either("protocol"),
        dataset=dataset,
        split=either("split"),
        metric=column.metric,
        part=column.part,
        value=value,
        unit=either("unit"),
        scale=column.scale,
        decimals=either("decimals"),
        settings=_settings(table, row) if dataset else {},
        table_settings=table.settings if dataset else {},
    )


def _settings(table: Table, row: Row) -> dict[str, str]:
    """Conditions of training, testing and scoring of a row; the first two are unknown of a row that is quoted."""
    if row.source == "own":
        return {**table.settings, **row.settings}
    shared = {name: UNKNOWN if name in OF_OWN_ROWS else text for name, text in table.settings.items()}
    shared.pop("recipe", None)  # that of its network, unless the row says so
    return {**shared, **row.settings}


@cache
def papers(folder: Path = FOLDER) -> dict[str, Paper]:
    """All papers of a folder, by key, in the order of the keys.

    Raises ValueError, with file and place, for a key that is unknown, missing or of the wrong type, for a row with
    another number of values than columns, and for names that occur twice.
    """
    found = {}
    for path in sorted(folder.glob("*.toml")):
        if path.name in OTHERS:
            continue
        try:
            paper = msgspec.toml.decode(path.read_bytes(), type=Paper)
        except msgspec.MsgspecError as error:
            raise ValueError(f"{path.name}: {error}") from error
        _check(path.name, paper)
        found[paper.key] = paper
    return found


def _check(file: str, paper: Paper) -> None:
    """Raise ValueError for what the types cannot say: numbers of values, names that occur twice, unclear figures."""
    if file != f"{paper.key}.toml":
        raise ValueError(f"{file}: the file of {paper.key!r} must be called {paper.key}.toml")
    if paper.key not in methods():
        raise ValueError(f"{file}: no method {paper.key!r} is in {METHODS.name}; add it there")
    _unique(file, "table", [table.name for table in paper.tables])
    for table in paper.tables:
        where = f"{file}: {table.name}"
        _unique(where, "row", [row.name for row in table.rows])
        _unique(where, "column", [column.name for column in table.columns])
        if bool(table.rows) == bool(table.missing):
            raise ValueError(f"{where}: give rows, or say in `missing` why there are none")
        for row in table.rows:
            if len(row.values) != len(table.columns):
                raise ValueError(f"{where}: {row.name} has {len(row.values)} values for {len(table.columns)} columns")
            if len(row.labels) != len(table.labels) or len(row.methods) not in (0, len(table.columns)):
                raise ValueError(f"{where}: {row.name} needs {len(table.labels)} labels, and a method for each column")
            if unknown := [key for key in (row.method, *row.methods) if key and key not in methods()]:
                raise ValueError(f"{where}: {row.name}: no method {unknown[0]!r} is in {METHODS.name}; add it there")
            if (trained := {**table.settings, **row.settings}.get("training data", UNKNOWN)) != UNKNOWN:
                try:
                    parts_of(trained)
                except Problem as problem:
                    raise ValueError(f"{where}: {row.name}: training data {trained!r}: {problem.what}") from problem
    _unique(file, "figure", [figure.place for figure in paper.figures])
    for figure in paper.figures:
        compared = (figure.networks, figure.protocol, figure.dataset, figure.split, figure.metric, figure.parts)
        shown = [way for way in (figure.draw, figure.picture, figure.diagrams, figure.absent) if way]
        alone = figure.diagrams or figure.absent
        if len(shown) != 1 or not (alone or (figure.needs and figure.networks) or all(compared)):
            raise ValueError(
                f"{file}: {figure.place}: give one of `draw`, `picture`, `diagrams`, `absent`; for the first two also "
                "the networks, and protocol, dataset, split, metric and parts in which they are compared, or `needs`"
            )


def _unique(where: str, what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{where}: the {what} {name!r} occurs twice")
