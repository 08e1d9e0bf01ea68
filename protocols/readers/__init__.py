"""Readers of prediction files of any origin."""
