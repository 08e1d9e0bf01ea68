"""Data of the pages and claims: published values, kept ablations, files of cells."""
