"""Error of every function that builds, initializes or loads a network."""


class ArchitectureError(ValueError):
    """Name, option, input size or weights file that does not work; the message says what is allowed."""
