"""The prepared cache: the crops that the test pipeline would cut, whole or absent, whoever dies while making it."""

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typed import present

from bench.cells.recipe import Augmentation, Pixels
from bench.store.store import PREPARED, Store
from bench.training import prepare as preparation
from bench.training.batches import augmented
from bench.training.prepare import MARGIN, Source, prepare, prepare_named
from protocols.datasets.mannequin.export import export
from protocols.errors import DataError
from protocols.pose.crops import crop, to_crop, windows
from protocols.pose.skeletons import MPII

SIZE = (32, 32)


def source(limit: int) -> Source:
    return Source("mannequin", "train", Path("nowhere"), "mpii", limit)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def pairs(monkeypatch):
    """Chunks of two people, all of them filled by this process: a worker takes a second to start."""
    fill_all = preparation._fill_all
    monkeypatch.setattr(preparation, "CHUNK", 2)
    monkeypatch.setattr(preparation, "_fill_all", lambda chunks, *how: [fill_all([start], *how) for start in chunks])


def quiet(*said) -> None:
    pass


def expected(limit: int) -> np.ndarray:
    """Every window with its margin, cut one by one."""
    people = source(limit).open()
    centre, height = windows(people)
    return np.stack([crop(people.read_image(i), centre[i], height[i] * MARGIN, (48, 48)) for i in range(limit)])


def test_workers_cut_every_window(store):
    said = []
    crops = prepare(store, source(70), SIZE, lambda *values: said.append(values))
    assert len(crops) == 70
    assert said == [(6, 70), (70, 70)]  # two chunks of 64, the second not full
    assert store.keys(PREPARED) and not list((store.root / "work").iterdir())
    people = source(70).open()
    points = to_crop(people.keypoints, windows(people)[0], windows(people)[1] * MARGIN, (48, 48))
    assert np.allclose(crops.keypoints, points) and np.array_equal(crops.annotated, people.annotated)
    assert np.array_equal(crops.pixels, expected(70))


def test_the_second_time_nothing_is_made(store, monkeypatch):
    first = prepare(store, source(3), SIZE, quiet)
    monkeypatch.setattr(preparation, "_build", None)
    assert np.array_equal(prepare(store, source(3), SIZE, quiet).pixels, first.pixels)


def test_what_decides_the_pixels_has_a_cache_of_its_own(store):
    for limit, size in ((3, SIZE), (2, SIZE), (3, (32, 64))):
        assert len(prepare(store, source(limit), size, quiet)) == limit
    assert len(store.keys(PREPARED)) == 3


def test_without_augmentation_training_sees_what_testing_sees(store):
    """The middle of a prepared crop is the window that prediction cuts."""
    crops = prepare(store, source(4), SIZE, quiet)
    generator = torch.Generator().manual_seed(0)
    everyone = np.arange(4)
    images, points, _ = augmented(crops, everyone, SIZE, Augmentation(), Pixels(), MPII, generator, "cpu")
    people = source(4).open()
    centre, height = windows(people)
    for row in range(4):
        tested = crop(people.read_image(row), centre[row], height[row], SIZE).astype(float) / 255
        difference = abs(images[row].permute(1, 2, 0).numpy() - tested)
        assert np.median(difference) < 0.01  # shrinking by a whole factor comes first, and may differ
    assert np.allclose(points, to_crop(people.keypoints, centre, height, SIZE), atol=1e-3)


def test_fractions_are_of_the_test_window(store):
    crops = prepare(store, source(4), SIZE, quiet)
    people = source(4).open()
    assert np.allclose(crops.fractions() * 32, to_crop(people.keypoints, *windows(people), SIZE), atol=1e-3)


def test_finished_chunks_are_kept(store, pairs, monkeypatch):
    fill, filled = preparation._fill, []

    def broken(start: int) -> int:
        if len(filled) == 2:
            raise OSError("the disk is gone")
        filled.append(start)
        return fill(start)

    monkeypatch.setattr(preparation, "_fill", broken)
    with pytest.raises(OSError, match="gone"):
        prepare(store, source(6), SIZE, quiet)
    assert store.keys(PREPARED) == set()
    monkeypatch.setattr(preparation, "_fill", lambda start: (filled.append(start), fill(start))[1])
    crops = prepare(store, source(6), SIZE, quiet)
    assert filled == [0, 2, 4]
    assert np.array_equal(crops.pixels, expected(6))


def test_a_try_that_died_while_publishing_is_made_anew(store, monkeypatch):
    """The pixels have left the work folder, and went with the unpublished folder."""
    rename = Path.rename

    def dies(path: Path, target: Path) -> Path:
        rename(path, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", dies)
    with pytest.raises(KeyboardInterrupt):
        prepare(store, source(3), SIZE, quiet)
    monkeypatch.setattr(Path, "rename", rename)
    assert np.array_equal(prepare(store, source(3), SIZE, quiet).pixels, expected(3))


def test_a_full_disk_is_an_error_before_any_worker_starts(store, monkeypatch):
    """A worker that writes into a mapped file without blocks would die of SIGBUS, without a word."""

    def full(descriptor: int, start: int, length: int) -> None:
        assert length >= 3 * 48 * 48 * 3
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space") as caught:
        prepare(store, source(3), SIZE, quiet)
    assert caught.value.filename.endswith("pixels.npy")
    assert store.keys(PREPARED) == set()


def test_prepare_named(store, monkeypatch):
    named = preparation.source_of
    monkeypatch.setattr(preparation, "source_of", lambda *words, **more: replace(named(*words, **more), limit=3))
    said = prepare_named(store, "mannequin", Path("nowhere"), 32)
    assert said.startswith("3 people of mannequin/train are ready")
    assert prepare_named(store, "mannequin/val", Path("nowhere"), 32).startswith("3 people of mannequin/val")


def started(store: Store) -> subprocess.Popen:
    """A process that prepares many people, after its first chunk; it takes no notice of any that follows."""
    code = f"""
import time
from pathlib import Path
from bench.training.prepare import Source, prepare
from bench.store.store import Store
if __name__ == "__main__":
    source = Source("mannequin", "train", Path("nowhere"), "mpii")
    told = lambda done, total: (print(done, flush=True), time.sleep(1000))
    prepare(Store(Path({str(store.root)!r})), source, (32, 32), told)
"""
    script = store.root.parent / "script.py"
    script.write_text(code)
    process = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(preparation.__file__).resolve().parents[2])},
    )
    assert present(process.stdout).readline()
    return process


def session(process: subprocess.Popen) -> list[int]:
    """The processes of its session that still run."""
    running = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == process.pid and fields[0] != "Z":
            running.append(int(path.parent.name))
    return running


def wait_until_empty(process: subprocess.Popen, seconds: float = 120.0) -> list[int]:
    end = time.monotonic() + seconds
    while session(process) and time.monotonic() < end:
        time.sleep(0.05)
    return session(process)


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(store):
    process = started(store)
    assert len(session(process)) > 1
    process.kill()
    process.wait()
    assert wait_until_empty(process) == []
    assert store.keys(PREPARED) == set()


@pytest.mark.slow
def test_ctrl_c_stops_after_the_chunks_under_way(store):
    process = started(store)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to workers, too
    _, errors = process.communicate(timeout=300)
    assert errors.count("Traceback") == 1 and errors.rstrip().endswith("KeyboardInterrupt")  # the script's own
    assert wait_until_empty(process) == []
    assert store.keys(PREPARED) == set()
    (work,) = (store.root / "work").iterdir()
    assert len((work / "finished").read_text().split()) == 1


def broken_images(rows: set[int]):
    """A source whose images of some rows cannot be read."""

    @dataclass(frozen=True)
    class Broken(Source):
        def open(self):
            people = super().open()

            def read(row: int) -> np.ndarray:
                if row in rows:
                    raise DataError(f"images/{row}.jpg: the image is damaged.")
                return people.read_image(row)

            return replace(people, read_image=read)

    return lambda count, drop: Broken("mannequin", "train", Path("nowhere"), "mpii", count, drop)


def test_a_broken_image_stops_the_preparation_with_its_name(store):
    with pytest.raises(DataError, match=r"images/2\.jpg") as raised:
        prepare(store, broken_images({2})(5, False), SIZE, quiet)
    assert "--drop-invalid" in raised.value.next_step
    assert store.keys(PREPARED) == set()


def test_a_broken_image_is_named_and_left_out_if_so_wanted(store, pairs, capsys):
    crops = prepare(store, broken_images({0, 3})(6, True), SIZE, quiet)
    said = capsys.readouterr().err
    assert "images/0.jpg" in said and "images/3.jpg" in said
    assert len(crops) == 4
    kept = [1, 2, 4, 5]
    assert np.array_equal(crops.pixels, expected(6)[kept])
    assert [name.endswith(f"(person {row})") for name, row in zip(crops.names, kept, strict=True)] == [True] * 4
    people = source(6).open()
    points = to_crop(people.keypoints, windows(people)[0], windows(people)[1] * MARGIN, (48, 48))
    assert np.allclose(crops.keypoints, points[kept]) and np.array_equal(crops.visibility, people.visibility[kept])
    again = prepare(store, broken_images({0, 3})(6, True), SIZE, quiet)
    assert np.array_equal(again.pixels, crops.pixels)


def test_whole_images_are_shared_with_those_who_would_not_mind(store):
    """What --drop-invalid prepares is a cache of its own: it may lack people."""
    assert len(prepare(store, source(3), SIZE, quiet)) == len(
        prepare(store, broken_images(set())(3, True), SIZE, quiet)
    )
    assert len(store.keys(PREPARED)) == 2


def test_boxes_are_in_the_pixels_of_the_crops(store):
    people = Source("mannequin", "train", Path("nowhere"), "coco", 3).open()
    crops = prepare(store, Source("mannequin", "train", Path("nowhere"), "coco", 3), SIZE, quiet)
    centre, height = windows(people)
    k, found, boxes = 32 / height[:, None], present(crops.boxes), present(people.boxes)
    assert np.allclose(found[:, 2:], boxes[:, 2:] * k, atol=1e-3)
    assert np.allclose(found[:, :2], k * (boxes[:, :2] - people.origin - centre) + 24, atol=1e-3)


def test_images_that_changed_are_cut_anew(store, tmp_path, pairs):
    export(tmp_path, 2, "train")
    photographs = Source("lsp", "train", tmp_path, "lsp")
    first = prepare(store, photographs, SIZE, quiet).pixels
    assert np.array_equal(prepare(store, photographs, SIZE, quiet).pixels, first) and len(store.keys(PREPARED)) == 1
    path = next((tmp_path / "lsp/images").iterdir())
    path.write_bytes(cv2.imencode(".jpg", np.zeros((256, 256, 3), np.uint8))[1].tobytes())
    assert not np.array_equal(prepare(store, photographs, SIZE, quiet).pixels, first)
