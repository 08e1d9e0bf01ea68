"""Benchmarks: our code compared with a peer, one script for each question; `python -m benchmarks` runs them all."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as in `bench`: spinning threads slow down the peer
