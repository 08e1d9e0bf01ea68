"""Benchmarks: our way beside a peer's, one script a question; `python -m benchmarks` runs them all."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as in `bench`: threads that spin disturb the peer
