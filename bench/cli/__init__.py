"""The command line: verbs, options and texts; the only folder that may import everything."""
