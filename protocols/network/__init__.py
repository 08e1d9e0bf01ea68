"""Protocols of a network alone."""
