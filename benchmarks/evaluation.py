"""Evaluation from JPEG files to the score, against the same network in a plain DataLoader, image by image in numpy."""

import copy
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import architectures
from bench.cells import recipe as recipes
from bench.steps.predict import BATCH, predict
from benchmarks import crops, decode, pckh
from benchmarks.rounds import Line, in_turn, main
from protocols.datasets import images, mpii_files
from protocols.datasets.mannequin import people as mannequin
from protocols.joints import mpii_pckh
from protocols.pose.crops import windows
from protocols.pose.people import VISIBLE, People, Predictions
from protocols.pose.skeletons import MPII

PEOPLE, SIDE, NETWORK, WIDTH = 64, 256, "hourglass-2", 0.0625


def sample(count: int, folder: Path) -> tuple[People, str]:
    """Return people with JPEG files: the five of MPII's test fixture, repeated, if present; else mannequins."""
    real = Path(os.environ.get("REPOSE_REAL_DATA", "../shared/data")) / "mpii" / "fixture"
    if not real.is_dir():
        return mannequins(count, folder), "mannequins"
    found = mpii_files.json_records(real / "test_mpii.json", validation=True)
    assert found.images and found.centre is not None and found.scale is not None
    rows = np.arange(count) % len(found.images)
    names = tuple(found.images[row] for row in rows)
    people = replace(
        mannequin.people("val", count=1), dataset="mpii", origin=1, images=names, keypoints=found.keypoints[rows],
        visibility=np.where(found.annotated[rows], VISIBLE, 0).astype(np.uint8), centre=found.centre[rows],
        scale=found.scale[rows], head_size=np.full(count, 60.0), read_image=images.reader(real, names),
        boxes=None, areas=None, image_ids=None,
    )  # fmt: skip
    return people, "images of MPII"


def mannequins(count: int, folder: Path) -> People:
    """Write mannequins as JPEG files."""
    people = mannequin.people("val", count=count)
    names = tuple(f"{row}.jpg" for row in range(count))
    for row, name in enumerate(names):
        cv2.imwrite(str(folder / name), people.read_image(row)[..., ::-1])
    return replace(people, read_image=images.reader(folder, names))


class PlainCrops(Dataset):
    """Dataset of people, read and cropped as in the hourglass code."""

    def __init__(self, people: People):
        self.people = people
        self.centre, self.height = windows(people)

    def __len__(self) -> int:
        return len(self.people)

    def __getitem__(self, row: int) -> torch.Tensor:
        image = crops.as_loaded(self.people.read_image(row))
        pixels = crops.hourglass_style(image, self.centre[row], self.height[row], 0, False)
        return torch.from_numpy(pixels)


@torch.inference_mode()
def plainly(network: nn.Module, people: People, workers: int) -> dict[tuple[str, str], float]:
    """Compute the score in a loop over the batches of a DataLoader."""
    data, start, found = PlainCrops(people), 0, []
    for batch in DataLoader(data, batch_size=BATCH, num_workers=workers):
        maps, mirrored = network(batch)[-1].numpy(), network(batch.flip(-1))[-1].numpy()
        chosen = slice(start, start + len(batch))
        found.append(decode.by_loops(maps, mirrored, MPII.mirror, data.centre[chosen], data.height[chosen]))
        start += len(batch)
    return pckh.by_loops(Predictions(np.concatenate(found) + people.origin), people)


def ours(network: nn.Module, people: People) -> object:
    """Compute the score as `bench` does, with predictions in a file."""
    recipe = recipes.load("newell2016")
    with tempfile.TemporaryDirectory() as work:
        found = predict(network, people, recipe, (SIDE, SIDE), Path(work), "cpu", lambda *said: None)
    return mpii_pckh.score(found, people, resamples=0)


def lines(tiny: bool) -> Iterator[Line]:
    """Yield the comparisons, `tiny` ones to check that they run."""
    cv2.setNumThreads(1)
    torch.manual_seed(0)
    plain = architectures.create(NETWORK, width=WIDTH).eval()
    network = copy.deepcopy(plain)  # `predict` chooses the order of its weights in memory
    with tempfile.TemporaryDirectory() as folder:
        people, name = sample(2 if tiny else PEOPLE, Path(folder))
        batch = torch.zeros(len(people), 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last)

        def bare() -> None:
            with torch.inference_mode():
                for part in batch.split(BATCH):
                    network(part)
                    network(part.flip(-1))

        rounds = 1 if tiny else 3
        mine, alone, worker, forward = in_turn(
            lambda: ours(network, people),
            lambda: plainly(plain, people, 0),
            lambda: plainly(plain, people, 1),
            bare,
            rounds=rounds,
        )
    what = f"PCKh from {len(people)} JPEG files ({name}), {NETWORK} of width {WIDTH:g}, flip test"
    note = f"the bare forward passes take {1e3 * forward:.0f} ms"
    yield Line(what, mine, rounds, "plain DataLoader and numpy", alone, reach=2, note=note)
    yield Line("the same", mine, rounds, "DataLoader with a worker process", worker)


if __name__ == "__main__":
    main("evaluation", lines)
