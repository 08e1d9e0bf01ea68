"""The command line: verbs, options and texts; the only place that knows everything."""
