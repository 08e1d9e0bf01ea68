"""Results: measurement rows, files of finished cells, paired differences, the snapshot behind a report."""
