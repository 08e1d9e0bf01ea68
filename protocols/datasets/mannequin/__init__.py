"""The built-in synthetic people."""
