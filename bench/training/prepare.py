"""The prepared cache: people decoded and cropped once, so that training never waits for an image.

Crops are larger than the input by `MARGIN`, so that rotated and zoomed-out windows still see the surroundings.
Several processes write chunks into one memory-mapped file; a finished chunk survives a kill.
"""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from bench import progress
from bench.cells.splits import parts_of
from bench.cells.training_sets import Source, source_of
from bench.processes import block_interrupt, end_with_parent
from bench.progress import Update
from bench.store.digests import content_key
from bench.store.image_digests import images_digest
from bench.store.store import PREPARED, Store
from protocols.datasets import DATASETS, image_files
from protocols.errors import DataError
from protocols.pose.crops import crop, to_crop, windows
from protocols.pose.people import People

VERSION = 1
MARGIN = 1.5
CHUNK = 64  # people


@dataclass(frozen=True)
class Crops:
    """Pre-cropped people; row i of every array is one person."""

    pixels: np.ndarray  # N x H x W x 3 uint8, memory-mapped
    keypoints: np.ndarray  # N x J x 2 float32, pixels of the crops; NaN where the dataset lacks the joint
    visibility: np.ndarray  # N x J: ABSENT, OCCLUDED or VISIBLE
    boxes: np.ndarray | None = None  # N x 4 float32: x, y, width, height, pixels of the crops
    names: tuple[str, ...] = ()  # image and row of the annotation, for messages

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def annotated(self) -> np.ndarray:
        """N x J bool: joints with a position, occluded ones included."""
        return self.visibility > 0

    def fractions(self) -> np.ndarray:
        """Keypoints as fractions of the test window (N x J x 2)."""
        height, width = self.pixels.shape[1:3]
        return (self.keypoints / np.array([width, height]) - 0.5) * MARGIN + 0.5


def prepare(store: Store, source: Source, size: tuple[int, int], update: Update) -> Crops:
    """Open the cache for networks with an input of `size`; build it first if it is missing.

    `update(done, total)` is called after every chunk. Raises DataError for an image that cannot be read, unless the
    source has `drop_invalid`: then its people are left out.
    """
    people = source.open()
    side = (round(size[0] * MARGIN), round(size[1] * MARGIN))
    inputs = {"version": VERSION, "people": people.fingerprint, "size": side, "margin": MARGIN}
    if files := image_files(people):
        inputs["images"] = images_digest(source.data, files, store.root)
    key = content_key(inputs | ({"broken images": "dropped"} if source.drop_invalid else {}))
    folder = store.ensure(PREPARED, key, lambda: _build(store, key, source, people, side, update))
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    return _crops(people, pixels, _readable(len(people), folder))


def _crops(people: People, pixels: np.ndarray, rows: np.ndarray) -> Crops:
    """The people of `rows` with their pixels, which are the first ones of the file."""
    side = pixels.shape[1:3]
    centre, height = windows(people)
    points = to_crop(people.keypoints - people.origin, centre, height * MARGIN, side).astype(np.float32)
    boxes = None
    if people.boxes is not None:
        corners = np.stack([people.boxes[:, :2], people.boxes[:, :2] + people.boxes[:, 2:]], axis=1)
        corners = to_crop(corners - people.origin, centre, height * MARGIN, side)
        boxes = np.concatenate([corners[:, 0], corners[:, 1] - corners[:, 0]], axis=1).astype(np.float32)
        boxes = boxes[rows]
    names = tuple(f"{people.images[row]} (person {row})" for row in rows)
    return Crops(pixels[: len(rows)], points[rows], people.visibility[rows], boxes, names)


def _readable(count: int, folder: Path) -> np.ndarray:
    """Rows, of `count`, whose image could be read."""
    path = folder / "dropped"
    dropped = [int(line) for line in path.read_text().split()] if path.exists() else []
    return np.setdiff1d(np.arange(count), dropped)


def _build(store: Store, key: str, source: Source, people: People, side: tuple[int, int], update: Update) -> None:
    """Fill the chunks that an earlier run left unfinished, then publish the cache."""
    work = store.work(PREPARED, key)
    path, finished, dropped = work / "pixels.npy", work / "finished", work / "dropped"
    if not (path.exists() and finished.exists()):  # the first is gone if an earlier run was killed while publishing
        finished.unlink(missing_ok=True)
        dropped.unlink(missing_ok=True)
        _allocate(path, (len(people), *side, 3))
        finished.touch()
    done = {int(line) for line in finished.read_text().split()}
    chunks = [start for start in range(0, len(people), CHUNK) if start not in done]
    if chunks:
        _fill_all(chunks, source, path, finished, lambda left: update(max(0, len(people) - left * CHUNK), len(people)))
    if dropped.exists():
        finished.unlink()  # a kill from here on starts the cache anew: its rows move
        _compact(path, _readable(len(people), work))
    with store.publish(PREPARED, key) as folder:
        path.rename(folder / path.name)
        if dropped.exists():
            dropped.rename(folder / dropped.name)


def _compact(path: Path, rows: np.ndarray) -> None:
    """Move the pixels of `rows` to the beginning of the file."""
    pixels = open_memmap(path, mode="r+")
    for position, row in enumerate(rows):
        if position != row:
            pixels[position] = pixels[row]
    pixels.flush()


def _allocate(path: Path, shape: tuple[int, ...]) -> None:
    """Create an .npy file of zeros with all its blocks: a full disk is an error now, not a crash of a worker later."""
    open_memmap(path, mode="w+", dtype=np.uint8, shape=shape).flush()
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error


def _fill_all(chunks: list[int], source: Source, path: Path, finished: Path, report: Callable[[int], None]) -> None:
    """Fill chunks with one worker process per core; append each to `finished`, and report how many are left.

    A single chunk is filled by this process: its crops take less time than a worker needs to start.
    """
    if len(chunks) == 1:
        _open(source, path)
        _append(finished, _fill(chunks[0]))
        report(0)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy torch's threads in an unknown state
    workers = min(len(os.sched_getaffinity(0)), len(chunks))
    pool = ProcessPoolExecutor(workers, context, initializer=_open_worker, initargs=(source, path))
    try:
        with block_interrupt():
            futures = [pool.submit(_fill, start) for start in chunks]
        for left, future in zip(reversed(range(len(chunks))), as_completed(futures), strict=True):
            _append(finished, future.result())
            report(left)
    finally:
        pool.shutdown(cancel_futures=True)


def _append(path: Path, number: int) -> None:
    """Append a line with a number to a file."""
    with path.open("a") as file:
        file.write(f"{number}\n")


_opened: tuple[People, np.memmap] | None = None  # the people to crop, and their crops
_dropped: Path | None = None  # the list of people whose image cannot be read; None: such an image is an error


def _open_worker(source: Source, path: Path) -> None:
    """Open people and crops in a worker process."""
    import cv2

    end_with_parent()
    cv2.setNumThreads(1)  # one worker a core: threads of their own would only compete
    _open(source, path)


def _open(source: Source, path: Path) -> None:
    """Open people and crops for `_fill`."""
    global _opened, _dropped
    _opened = (source.open(), open_memmap(path, mode="r+"))
    _dropped = path.with_name("dropped") if source.drop_invalid else None


def _fill(start: int) -> int:
    """Crop the people of one chunk; returns its start."""
    assert _opened is not None  # by _open
    people, pixels = _opened
    centre, height = windows(people)
    for row in range(start, min(start + CHUNK, len(people))):
        try:
            image = people.read_image(row)
        except DataError as error:
            if _dropped is None:
                first = error.next_step or "fetch the image again"
                error.next_step = f"{first}, or train without such people by --drop-invalid"
                raise
            progress.say(f"left out: {error}")
            _append(_dropped, row)
            continue
        pixels[row] = crop(image, centre[row], height[row] * MARGIN, pixels.shape[1:3])
    pixels.flush()
    return start


def prepare_named(store: Store, dataset: str, data: Path, size: int, drop_invalid: bool = False) -> str:
    """Build the cache of "name" (its training split), "name/split" or a mix for square inputs; returns a summary."""
    skeleton = DATASETS[parts_of(dataset)[0][0]].skeletons[0]
    source = source_of(dataset, data, skeleton, drop_invalid=drop_invalid)
    with progress.step(f"{source.label}: crops") as update:
        crops = prepare(store, source, (size, size), update)
    return f"{len(crops)} people of {source.label} are ready, {crops.pixels.nbytes / 1e6:.0f} MB."
