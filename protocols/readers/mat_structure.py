"""The structure of a version 5 mat file, walked before scipy reads it: its C code trusts tags and crashes on some.

After "MAT-File Format" (MathWorks), version 5: a header of 128 bytes, then elements of type, size and content.
"""

import math
import zlib
from pathlib import Path

from protocols.errors import DataError

INTEGERS, MATRIX, COMPRESSED, TEXTS = {1, 2, 3, 4, 5, 6, 12, 13}, 14, 15, {16, 17, 18}
NUMBERS = INTEGERS | {7, 9}
CELL, STRUCT, OBJECT, CHARACTERS, SPARSE = 1, 2, 3, 4, 5
CONTENT = {CELL: {MATRIX}, STRUCT: NUMBERS | {MATRIX}, OBJECT: NUMBERS | {MATRIX}, CHARACTERS: NUMBERS | TEXTS}
CONTENT |= dict.fromkeys((SPARSE, *range(6, 16)), NUMBERS)  # double to uint64
COMPLEX = 0x800  # a bit of the flags
DEPTH = 32  # of matrices in cells in cells; the MPII release has nine

Element = tuple[int, memoryview]  # type, content


def check(path: Path, limit: int) -> int:
    """Raise DataError unless every element fits into the one around it and is of a type that may be there.

    `limit`: bytes that all compressed elements together may have once inflated. Returns how many matrices there
    are, those in cells and structures included. Files of version 4 pass: they have neither compression nor nested
    elements.
    """
    content = memoryview(path.read_bytes())
    if 0 in content[:4]:
        return 0
    order = {b"IM": "little", b"MI": "big"}.get(bytes(content[126:128]))
    if order is None:
        raise _damaged(path, "its header does not say the order of bytes")
    place, matrices = 128, 0
    while place < len(content):
        kind, size = _words(path, content[place : place + 8], order)
        body = content[place + 8 : place + 8 + size]
        place += 8 + size
        if kind == COMPRESSED:
            inflated = _inflated(path, body, limit)
            limit -= len(inflated)
            kind, size = _words(path, inflated[:8], order)
            body = inflated[8 : 8 + size]
        if kind != MATRIX or len(body) < size:
            raise _damaged(path, "a variable is cut off")
        matrices += _check_matrix(path, body, order, DEPTH)
    return matrices


def _check_matrix(path: Path, body: memoryview, order: str, depth: int) -> int:
    """Flags, size, name, then what the class of the matrix holds; matrices in it likewise. Returns their number."""
    if not body:
        return 1  # an empty cell
    parts = _elements(path, body, order)
    if depth == 0 or len(parts) < 3 or [kind for kind, _ in parts[:2]] != [6, 5] or parts[2][0] not in INTEGERS:
        raise _damaged(path, "a variable has no flags, size and name, or lies too deep")
    (_, flags), (_, shape), _ = parts[:3]
    allowed = CONTENT.get(int.from_bytes(flags[:4], order) & 0xFF)
    sides = [int.from_bytes(shape[at : at + 4], order) for at in range(0, len(shape), 4)]
    if len(flags) != 8 or allowed is None or any(kind not in allowed for kind, _ in parts[3:]):
        raise _damaged(path, "a variable is of no known class, or holds what its class cannot hold")
    if int.from_bytes(flags[:4], order) & COMPLEX:
        raise _damaged(path, "a variable holds complex numbers, whose imaginary parts would be lost")
    if allowed is not CONTENT[SPARSE] and math.prod(sides) > len(body):
        raise _damaged(path, "a variable is said to be larger than what it holds")
    return 1 + sum(_check_matrix(path, content, order, depth - 1) for kind, content in parts[3:] if kind == MATRIX)


def _elements(path: Path, body: memoryview, order: str) -> list[Element]:
    """The elements in a matrix: padded to 8 bytes, or up to 4 bytes packed with type and size into 8."""
    found, place = [], 0
    while place < len(body):
        kind, size = _words(path, body[place : place + 8], order)
        start = place + 8
        if kind >> 16:
            kind, size, start = kind & 0xFFFF, kind >> 16, place + 4
            if size > 4:
                raise _damaged(path, "an element is longer than its place")
        content = body[start : start + size]
        if len(content) < size:
            raise _damaged(path, "an element reaches beyond its variable")
        found.append((kind, content))
        place = max(place + 8, start + size + (-size % 8 if start == place + 8 else 0))
    return found


def _words(path: Path, tag: memoryview, order: str) -> tuple[int, int]:
    if len(tag) < 8:
        raise _damaged(path, "it is cut off")
    return int.from_bytes(tag[:4], order), int.from_bytes(tag[4:], order)


def _inflated(path: Path, packed: memoryview, limit: int) -> memoryview:
    stream = zlib.decompressobj()
    content = stream.decompress(packed, limit + 1)
    if len(content) > limit:
        raise DataError(
            what=f"{path.name} holds more than {limit / 2**20:,.0f} MiB once inflated.",
            expected="coordinates only",
            cause="heatmaps instead of coordinates, or a file made to fill the memory",
        )
    return memoryview(content)


def _damaged(path: Path, why: str) -> DataError:
    return DataError(
        what=f"{path.name} cannot be read as mat: {why}.",
        expected="a file as MATLAB and scipy.io.savemat write it",
        cause="a damaged or truncated file",
        next_step="write it again",
    )
