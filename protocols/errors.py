"""The one error of this package: a file or an array that cannot be scored."""


class DataError(Exception):
    """Input that cannot be read or scored, said in four parts.

    Each part is a sentence or empty: `what` happened and where, what was
    `expected`, the likely `cause`, the `next_step` for the user.
    """

    def __init__(self, what: str, expected: str = "", cause: str = "", next_step: str = ""):
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.cause = cause
        self.next_step = next_step
