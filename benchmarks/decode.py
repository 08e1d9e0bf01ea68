"""Flip average, argmax, quarter offset and mapping to the image, compared with a numpy loop over people and joints."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from bench.cells import recipe as recipes
from bench.steps.predict import BATCH, decoded
from benchmarks.rounds import Line, in_turn, main
from protocols.pose.crops import to_image
from protocols.pose.skeletons import MPII

PEOPLE, SIDE, STRIDE = 64, 64, 4  # people, heatmap pixels, pixels of the crop a heatmap pixel
RECIPE = recipes.load("newell2016")  # flip test with shift, quarter offset


def by_loops(
    maps: np.ndarray, mirrored: np.ndarray, mirror: Sequence[int], centre: np.ndarray, height: np.ndarray
) -> np.ndarray:
    """Decode N x J x h x w heatmaps to keypoints (N x J x 2, pixels of the image), one joint at a time."""
    people, joints, rows, columns = maps.shape
    found = np.zeros((people, joints, 2))
    for person in range(people):
        for joint in range(joints):
            back = mirrored[person, mirror[joint], :, ::-1]
            back = np.concatenate([back[:, :1], back[:, :-1]], axis=1)
            mean = (maps[person, joint] + back) / 2
            y, x = divmod(int(mean.argmax()), columns)
            if mean[y, x] <= 0:
                x, y, point = 0, 0, np.zeros(2)
            else:
                point = np.array([x, y], dtype=np.float64)
            if 1 < x < columns - 1 and 1 < y < rows - 1:
                slope = [mean[y, x + 1] - mean[y, x - 1], mean[y + 1, x] - mean[y - 1, x]]
                point += 0.25 * np.sign(slope)
            scale = height[person] / (rows * STRIDE)
            found[person, joint] = (point * STRIDE - [columns * STRIDE / 2, rows * STRIDE / 2]) * scale + centre[person]
    return found


def ours(maps: torch.Tensor, mirrored: torch.Tensor, centre: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Decode as `bench` does: in batches, with a check for values that are not finite."""
    size = (SIDE * STRIDE, SIDE * STRIDE)
    batches = zip(maps.split(BATCH), mirrored.split(BATCH), strict=True)
    points = torch.cat([decoded([views], RECIPE, MPII, size)[0] for views in batches])
    return to_image(points.double().numpy(), centre, height, size)


def lines(tiny: bool) -> Iterator[Line]:
    """Yield the comparisons, `tiny` ones to check that they run."""
    people = 2 if tiny else PEOPLE
    rng = np.random.default_rng(0)
    maps, mirrored = (rng.normal(size=(people, 16, SIDE, SIDE)).astype(np.float32) for _ in range(2))
    place = rng.uniform(0, 1000, (people, 2)), rng.uniform(200, 800, people)
    arrays, tensors = (
        (maps, mirrored, MPII.mirror, *place),
        (torch.from_numpy(maps), torch.from_numpy(mirrored), *place),
    )
    torch.ones(people * 10**5).sum()  # as after a network, the allocator keeps the memory that it gets back
    np.testing.assert_allclose(ours(*tensors), by_loops(*arrays), rtol=0, atol=1e-9)
    rounds = 1 if tiny else 15
    mine, peer = in_turn(lambda: ours(*tensors), lambda: by_loops(*arrays), rounds=rounds)
    what = f"decoding of {people} x 16 maps of {SIDE} x {SIDE}"
    yield Line(what, mine, rounds, "numpy, one person and joint at a time", peer, reach=5)


if __name__ == "__main__":
    main("decode", lines)
