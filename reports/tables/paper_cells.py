"""Cells that fill the printed numbers of a paper: what its authors ran, as `bench run --paper` runs it again."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from architectures import catalogue
from bench.cells.cell import Cell
from bench.cells.conditions import UNKNOWN, against, conditions
from bench.cells.matrix import unique
from bench.cells.splits import training_text
from protocols import PROTOCOLS, Options
from protocols.datasets import DATASETS
from protocols.datasets.coco import DETECTIONS
from reports.data.published import Paper, Table, Value
from reports.tables.published_vs_measured import required


def cells_of(paper: Paper, table: str = "", seeds: Iterable[int] = (0,), data: Path = Path("data")) -> list[Cell]:
    """The cells that fill a paper, or one table of it, each once. A network alone is counted once, not for each seed.

    Of a table without printed values they are the cells of its networks.
    """
    found: list[Cell] = []
    for seed in seeds:
        values = (value for value in paper.values() if table in ("", value.table))
        found += [cell for value in values if (cell := cell_of(value, data, seed)) and not why_not(value, cell)]
        found += [cell for one in paper.tables if table in ("", one.name) for cell in _of_networks(one, data, seed)]
    return unique(found)


def cell_of(value: Value, data: Path = Path("data"), seed: int = 0) -> Cell | None:
    """The cell that fills a printed number; None where no network here rebuilds the system, or nothing was measured.

    What the paper leaves open is chosen by the network and its recipe; a row that it quotes is trained on what its own
    rows are trained on.
    """
    if not value.architecture or not value.protocol:
        return None
    settings = {name: text for name, text in value.settings.items() if text != UNKNOWN}
    trained_on = value.table_settings.get("training data", UNKNOWN)
    if trained_on != UNKNOWN:
        settings.setdefault("training data", trained_on)
    return _cell(value.architecture, value, settings, data, seed)


def why_not(value: Value, cell: Cell | None) -> str:
    """Reason why no cell fills a printed number; "" if one does as soon as its data are there."""
    if not value.protocol:
        return "a description of the network, not a result"
    if not cell:
        return "no network here rebuilds it"
    if value.dataset and value.split not in DATASETS[value.dataset].splits:
        return f"{value.dataset} has no split {value.split}"
    return "; ".join(against(conditions(cell), required(value)).differences)


def _of_networks(table: Table, data: Path, seed: int) -> Iterator[Cell]:
    known = {name: text for name, text in table.settings.items() if text != UNKNOWN}
    for network in table.networks:
        yield _cell(network, table, known, data, seed)


def _cell(network: str, place: Value | Table, settings: Mapping[str, str], data: Path, seed: int) -> Cell:
    """A network under the protocol of a printed number, with the settings that are known of it."""
    if not place.dataset:
        return Cell(network, place.protocol)
    row = catalogue()[network]
    overrides: Options = {}
    if settings.get("input", "") not in ("", "x".join(map(str, row.input))):
        overrides = {"input": [int(side) for side in settings["input"].split("x")]}
    recipe, trained_on = settings.get("recipe", ""), settings.get("training data", "")
    usual = training_text(place.dataset)
    return Cell(
        network,
        place.protocol,
        place.dataset,
        place.split,
        overrides,
        recipe="" if recipe == row.recipe else recipe,
        seed=seed,
        options=_options(place, settings, data),
        trained_on="" if not trained_on or training_text(trained_on) == usual else trained_on,
    )


def _options(place: Value | Table, settings: Mapping[str, str], data: Path) -> Options:
    """Options of the protocol that are printed; detected boxes are where HRNet's instructions put them."""
    found: Options = {name: settings[name] for name in PROTOCOLS[place.protocol].options if name in settings}
    if settings.get("boxes") == "detected":
        found["detections"] = str(data / "coco" / DETECTIONS.format(split=place.split))
    return found
