"""Statistics of scores: tallies, bootstrap and intervals."""
