"""Error of every reader and protocol: a file or an array that cannot be scored."""


class DataError(Exception):
    """Input that cannot be read or scored, explained in four parts.

    `what` is a sentence: what happened, and where. `expected`, the likely `cause` and the `next_step` for the user are
    printed behind a label each; they are empty, or a phrase without a capital letter and a full stop.
    """

    def __init__(self, what: str, expected: str = "", cause: str = "", next_step: str = ""):
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.cause = cause
        self.next_step = next_step
