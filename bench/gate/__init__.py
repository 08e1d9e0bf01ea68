"""The regression gate: rows against a committed baseline."""
