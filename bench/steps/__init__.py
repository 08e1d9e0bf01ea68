"""The steps of a cell: train, predict, score; and the scoring of prediction files."""
