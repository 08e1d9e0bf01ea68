"""Fingerprints: keys of what networks see follow the images, and scoring needs none."""

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import pytest
from typed import present

from bench.cells.cell import Cell
from bench.cells.fingerprints import images_in, of_split, of_training_set, with_images
from bench.cells.plan import FRESH, MISSING, STALE, Task, plan
from bench.cells.record import record
from bench.errors import Problem
from bench.executors.ray_worker import _checked
from bench.store.digests import content_key
from bench.store.image_digests import ABSENT
from bench.store.provenance import Provenance
from bench.store.store import CELLS, PREDICTIONS, WEIGHTS, Store
from protocols import PROTOCOLS
from protocols.datasets.mannequin.export import export

NOWHERE = Path("nowhere")


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """Three people with their images, as MPII, LSP and COCO."""
    folder = tmp_path_factory.mktemp("exported")
    export(folder, 3, "val")
    return folder


@pytest.fixture
def data(exported, tmp_path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "data"))


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "runs")


def cell(**changes) -> Cell:
    usual = Cell("hourglass-1", "lsp-pck", "lsp", "test", budget="quick", trained_on="mannequin/train")
    return replace(usual, **changes)


def encode_again(folder: Path) -> None:
    """The same pictures in other files of the same names and sizes in pixels."""
    for path in folder.rglob("*.*g"):
        pixels = present(cv2.imread(str(path)))
        quality = [cv2.IMWRITE_JPEG_QUALITY, 20, cv2.IMWRITE_PNG_COMPRESSION, 1]
        path.write_bytes(cv2.imencode(path.suffix, pixels // 2 * 2, quality)[1].tobytes())


def located(which: Cell, store: Store, data: Path) -> Task:
    (task,) = plan([which], store, data)
    return task


def finish(task: Task, store: Store, date: str = "2026-01-01T00:00:00Z") -> None:
    """Leave behind what a finished cell, its training and its predictions leave."""
    predictions = task.inputs["predictions"]
    for kind, inputs in ((WEIGHTS, predictions["weights"]), (PREDICTIONS, predictions)):
        with store.publish(kind, content_key(inputs)):
            pass
    with store.publish(CELLS, task.key) as folder:
        document = record(task.cell, task.key, task.inputs, "measured", provenance=Provenance(date=date))
        (folder / "cell.json").write_bytes(msgspec.json.encode(document))


@pytest.mark.parametrize(
    ("protocol", "dataset", "split"),
    [("mpii-pckh", "mpii", "val"), ("lsp-pck", "lsp", "test"), ("coco-ap", "coco", "val2017")],
)
def test_pictures_that_were_encoded_again_are_others(data, store, protocol, dataset, split):
    chosen = cell(protocol=protocol, dataset=dataset, split=split)
    finish(located(chosen, store, data), store)
    assert located(chosen, store, data).state == FRESH
    encode_again(data / dataset)
    task = located(chosen, store, data)
    assert (task.state, task.step) == (STALE, "predict")  # the training saw other images
    assert task.why.startswith("predictions.people.images ")


def test_a_training_follows_the_images_that_it_saw(data, store):
    chosen = cell(dataset="mannequin", split="val", trained_on="lsp/test")
    before = located(chosen, store, data).inputs["predictions"]["weights"]
    encode_again(data / "coco")
    assert located(chosen, store, data).inputs["predictions"]["weights"] == before
    encode_again(data / "lsp")
    after = located(chosen, store, data).inputs["predictions"]["weights"]
    assert after["trained on"]["annotation"] == before["trained on"]["annotation"]
    assert after["trained on"]["images"] != before["trained on"]["images"]


def test_drawn_people_have_no_images(store):
    assert set(of_split("mannequin", "val", NOWHERE, "mpii", store)) == {"annotation"}


def test_a_mix_has_parts(data, store):
    one = of_training_set("mannequin/train", NOWHERE, "mpii", store)
    assert one != of_training_set("mannequin/train", NOWHERE, "lsp", store)
    mixed = of_training_set("mannequin/train+lsp/test", data, "mpii", store)
    assert mixed == {"part 1": one, "part 2": of_split("lsp", "test", data, "lsp", store)}
    swapped = of_training_set("lsp/test+mannequin/train", data, "mpii", store)
    assert swapped != mixed  # people are drawn in their order


def test_finished_cells_stay_finished_where_only_the_annotation_is(data, store, monkeypatch):
    task = located(cell(), store, data)
    assert ABSENT not in str(task.inputs)
    finish(task, store)
    shutil.rmtree(data / "lsp/images")
    assert (located(cell(), store, data).key, located(cell(), store, data).state) == (task.key, FRESH)
    assert located(cell(protocol="lsp-pcp"), store, data).step == "score"  # from the predictions that are there
    rules = PROTOCOLS["lsp-pck"]
    rules = msgspec.structs.replace(rules, changes=(*rules.changes, "Something."))
    monkeypatch.setitem(PROTOCOLS, "lsp-pck", rules)
    again = located(cell(), store, data)
    assert (again.state, again.step, again.why) == (STALE, "score", "version 1 -> 2")


def test_a_node_may_have_the_images_that_the_driver_lacks(data, store, tmp_path):
    lacking = Path(shutil.copytree(data, tmp_path / "lacking"))
    shutil.rmtree(lacking / "lsp/images")
    sent, planned = (located(cell(), store, place) for place in (lacking, data))
    checked = _checked(sent, planned)
    assert (checked.key, checked.inputs) == (sent.key, sent.inputs)  # what the driver will look for
    encode_again(lacking / "coco")
    assert _checked(planned, planned) is planned
    encode_again(data / "lsp")
    with pytest.raises(Problem, match=r"something else: predictions\.people\.images"):
        _checked(planned, located(cell(), store, data))


def test_without_images_and_without_finished_cells(data, store):
    shutil.rmtree(data / "lsp/images")
    task = located(cell(), store, data)
    assert (task.state, task.inputs["predictions"]["people"]["images"]) == (MISSING, ABSENT)


def test_images_of_inputs():
    inputs = {"people": {"annotation": "a", "images": ABSENT}, "weights": {"trained on": {"annotation": "b"}}, "x": 1}
    assert images_in(inputs) == {"a": ABSENT}
    assert with_images(inputs, {"a": "1", "b": "2"})["people"] == {"annotation": "a", "images": "1"}
    assert with_images(inputs, {"b": "2"}) == inputs
