"""The one error of this package: a file or an array that cannot be scored."""


class DataError(Exception):
    """Input that cannot be read or scored, said in four parts.

    `what` happened and where is a sentence. What was `expected`, the likely `cause` and the `next_step` for the user
    are printed behind a label each: empty, or words without a capital and a full stop.
    """

    def __init__(self, what: str, expected: str = "", cause: str = "", next_step: str = ""):
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.cause = cause
        self.next_step = next_step
