"""The one error of this package."""


class ArchitectureError(ValueError):
    """A name, an option or an input size that no network can have; the message says what is allowed."""
