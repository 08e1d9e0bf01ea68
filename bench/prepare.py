"""The prepared cache: people decoded and cropped once, so that training never waits for an image.

Crops are larger than the input by `MARGIN`, so that rotated and zoomed-out windows still see the surroundings.
Chunks are written by several processes straight into one memory-mapped file; a finished chunk survives a kill.
"""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap

from bench.errors import Problem
from bench.store import PREPARED, Store, content_key
from protocols.crops import crop, to_crop, windows
from protocols.datasets import DATASETS, open_people
from protocols.people import People

VERSION = 1
MARGIN = 1.5
CHUNK = 64  # people


@dataclass(frozen=True)
class Source:
    """The people of a split, by name: what another process needs to open them."""

    dataset: str
    split: str
    data: Path
    skeleton: str

    def open(self) -> People:
        return open_people(self.dataset, self.split, self.data, self.skeleton)


@dataclass(frozen=True)
class Crops:
    """Pre-cropped people; row i of every array is one person."""

    pixels: np.ndarray  # N x H x W x 3 uint8, memory-mapped
    keypoints: np.ndarray  # N x J x 2 float32, pixels of the crops
    annotated: np.ndarray  # N x J bool

    def __len__(self) -> int:
        return len(self.pixels)

    def fractions(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Keypoints as fractions of the test window (N x J x 2), and which are annotated (N x J)."""
        height, width = self.pixels.shape[1:3]
        inside = (self.keypoints / np.array([width, height]) - 0.5) * MARGIN + 0.5
        return torch.from_numpy(inside), torch.from_numpy(self.annotated)


def prepare(store: Store, source: Source, size: tuple[int, int], progress: Callable[[int, int], None]) -> Crops:
    """The cache for networks with an input of `size`, built now if it is not there.

    `progress(done, total)` is called after every chunk.
    """
    people = source.open()
    side = tuple(round(length * MARGIN) for length in size)
    key = content_key({"version": VERSION, "people": people.fingerprint, "size": side, "margin": MARGIN})
    if not store.has(PREPARED, key):
        with store.lock(PREPARED, key, wait=True):
            if not store.has(PREPARED, key):
                store.sweep(PREPARED, key)
                _build(store, key, source, people, side, progress)
    centre, height = windows(people)
    points = to_crop(people.keypoints - people.origin, centre, height * MARGIN, side)
    pixels = np.load(store.folder(PREPARED, key) / "pixels.npy", mmap_mode="r")
    return Crops(pixels, points.astype(np.float32), people.annotated)


def _build(
    store: Store, key: str, source: Source, people: People, side: tuple[int, int], progress: Callable[[int, int], None]
) -> None:
    """Fill the chunks that an earlier try did not finish, then publish."""
    work = store.work(PREPARED, key)
    path, finished = work / "pixels.npy", work / "finished"
    if not finished.exists():
        open_memmap(path, mode="w+", dtype=np.uint8, shape=(len(people), *side, 3)).flush()
        finished.touch()
    done = {int(line) for line in finished.read_text().split()}
    chunks = [start for start in range(0, len(people), CHUNK) if start not in done]
    workers = min(len(os.sched_getaffinity(0)), len(chunks))
    context = multiprocessing.get_context("spawn")  # a fork would copy torch's threads in an unknown state
    count = len(people) - len(chunks) * CHUNK
    if chunks:
        with ProcessPoolExecutor(workers, context, initializer=_open_worker, initargs=(source, path, side)) as pool:
            for future in as_completed([pool.submit(_fill, start) for start in chunks]):
                with finished.open("a") as file:
                    file.write(f"{future.result()}\n")
                count += CHUNK
                progress(max(0, min(count, len(people))), len(people))
    with store.publish(PREPARED, key) as folder:
        path.rename(folder / path.name)


_worker: tuple[People, np.ndarray] | None = None  # what a worker process opened


def _open_worker(source: Source, path: Path, side: tuple[int, int]) -> None:
    import cv2

    global _worker
    cv2.setNumThreads(1)  # one worker a core: threads of their own would only compete
    _worker = (source.open(), open_memmap(path, mode="r+"))


def _fill(start: int) -> int:
    """Crop the people of one chunk; returns its start."""
    people, pixels = _worker
    centre, height = windows(people)
    for row in range(start, min(start + CHUNK, len(people))):
        pixels[row] = crop(people.read_image(row), centre[row], height[row] * MARGIN, pixels.shape[1:3])
    pixels.flush()
    return start


def prepare_named(store: Store, dataset: str, data: Path, size: int) -> str:
    """Build the cache of "name" or "name/split" (default: what networks train on) for square inputs; a sentence."""
    from bench.progress import step

    name, _, split = dataset.partition("/")
    if name not in DATASETS:
        raise Problem(f"There is no dataset {name!r}.", expected=f"one of {', '.join(DATASETS)}")
    source = Source(name, split or DATASETS[name].train, data, DATASETS[name].skeletons[0])
    with step(f"{source.dataset}/{source.split}: crops") as update:
        crops = prepare(store, source, (size, size), update)
    return f"{len(crops)} people of {source.dataset}/{source.split} are ready, {crops.pixels.nbytes / 1e6:.0f} MB."
