"""Results: measurement rows, finished cells, paired differences, the snapshot that a report is made of."""
