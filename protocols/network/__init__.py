"""Protocols of networks, without ground truth."""
