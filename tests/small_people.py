"""Small, made-up people for tests: positions drawn from a seed, every array of the right shape."""

import numpy as np

from protocols.errors import DataError
from protocols.pose.people import VISIBLE, People, Predictions
from protocols.pose.skeletons import MPII, SKELETONS


def people(count: int = 40, skeleton: str = MPII.name, seed: int = 0, **changes) -> People:
    """`count` people of about 200 pixels, all joints visible, heads of 30 to 50 pixels, no images."""
    rng = np.random.default_rng(seed)
    joints = len(SKELETONS[skeleton])
    centre = rng.uniform(200, 800, (count, 2))
    fields = {
        "dataset": "made up",
        "split": "test",
        "skeleton": SKELETONS[skeleton],
        "images": tuple(f"images/{i}.jpg" for i in range(count)),
        "keypoints": centre[:, None] + rng.uniform(-100, 100, (count, joints, 2)),
        "visibility": np.full((count, joints), VISIBLE, np.uint8),
        "centre": centre,
        "scale": np.full(count, 1.0),
        "head_size": rng.uniform(30, 50, count),
        "origin": 1,
        "fingerprint": "made up",
        "read_image": no_image,
    }
    return People(**fields | changes)


def no_image(row: int) -> np.ndarray:
    raise DataError(f"There is no image {row}.")


def near(truth: People, spread: float = 8.0, seed: int = 1) -> Predictions:
    """Predictions with normal errors of `spread` pixels."""
    return Predictions(truth.keypoints + np.random.default_rng(seed).normal(0, spread, truth.keypoints.shape))


def table(scores) -> dict[tuple[str, str], float]:
    """(metric, part) -> value."""
    return {(value.metric, value.part): value.value for value in scores.values}
