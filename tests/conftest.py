"""What all tests share: where real annotations lie, one torch thread a process, and nothing left to chance."""

import os
import random
import signal
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; commands started by tests inherit it
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what runs in its background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # commands started by tests would ignore it, too
REPOSITORY = Path(__file__).resolve().parent.parent

# The same cases on every machine, however slow it is.
hypothesis.settings.register_profile(
    "repose", derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("repose")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Before the fixtures of a module, and after them: which test asks for them first is a matter of chance."""
    seed()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    seed()


def seed() -> None:
    """Draws without a seed of their own are the same in every run, in whatever order the tests come."""
    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real annotations, images and prediction files; skips where it is absent."""
    folder = Path(os.environ.get("REPOSE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder.name}/; set REPOSE_REAL_DATA to run this test")
    return folder
