"""Data of the pages and claims: published values, committed ablations, files of cells."""
