"""Benchmarks: our way beside a peer's, one script a question; `python -m benchmarks` runs them all."""
