"""The regression gate: compares rows with a committed baseline."""
