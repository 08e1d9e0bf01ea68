"""Protocols of image classification."""
