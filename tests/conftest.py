"""What all tests share: where real annotations lie, and one torch thread a process."""

import os
import signal
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; commands started by tests inherit it
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what runs in its background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # commands started by tests would ignore it, too
REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real annotations, images and prediction files; skips where it is absent."""
    folder = Path(os.environ.get("REPOSE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder.name}/; set REPOSE_REAL_DATA to run this test")
    return folder
