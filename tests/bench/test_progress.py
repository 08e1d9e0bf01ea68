"""What a run says: lines that stay whole where several processes write to one stream."""

import io
import sys

from bench import progress


class Writes(io.StringIO):
    """A stream that keeps what each call wrote."""

    def __init__(self):
        super().__init__()
        self.calls: list[str] = []

    def write(self, text: str) -> int:
        self.calls.append(text)
        return len(text)


def test_a_line_and_its_end_are_written_at_once(monkeypatch):
    stream = Writes()
    monkeypatch.setattr(sys, "stderr", stream)
    progress.say("one line")
    assert stream.calls == ["one line\n"]
