"""The ledger: claims of the papers, their checks and their evidence."""
