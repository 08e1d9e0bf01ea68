"""Protocols of classes."""
