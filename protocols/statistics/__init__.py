"""Statistics: scores with tallies, bootstrap and intervals."""
