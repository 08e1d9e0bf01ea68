"""Executors: the tasks of a plan, on this machine or on a Ray cluster."""
