"""Check of the structure of a version 5 mat file, before scipy reads it: its C code crashes on some wrong tags.

After "MAT-File Format" (MathWorks), version 5: a header of 128 bytes, then elements of type, size and content.
"""

import math
import zlib
from pathlib import Path
from typing import Literal

from protocols.errors import DataError

INTEGERS, MATRIX, COMPRESSED, TEXTS = {1, 2, 3, 4, 5, 6, 12, 13}, 14, 15, {16, 17, 18}
NUMBERS = INTEGERS | {7, 9}
CELL, STRUCT, OBJECT, CHARACTERS, SPARSE = 1, 2, 3, 4, 5
CONTENT = {CELL: {MATRIX}, STRUCT: NUMBERS | {MATRIX}, OBJECT: NUMBERS | {MATRIX}, CHARACTERS: NUMBERS | TEXTS}
CONTENT |= dict.fromkeys((SPARSE, *range(6, 16)), NUMBERS)  # double to uint64
COMPLEX = 0x800  # a bit of the flags
DEPTH = 32  # of matrices in cells in cells; the MPII release has nine

Element = tuple[int, memoryview]  # type, content
Order = Literal["little", "big"]  # of bytes
ORDERS: dict[bytes, Order] = {b"IM": "little", b"MI": "big"}


def check(path: Path, limit: int) -> int:
    """Raise DataError unless every element fits into the enclosing one and has an allowed type.

    `limit`: bytes of all compressed elements together after inflation. Returns the number of matrices, those in
    cells and structures included. Files of version 4 pass: they have neither compression nor nested elements.
    """
    content = memoryview(path.read_bytes())
    if 0 in content[:4]:
        return 0
    order = ORDERS.get(bytes(content[126:128]))
    if order is None:
        raise _damaged(path, "its header does not give the order of bytes")
    position, matrices = 128, 0
    while position < len(content):
        kind, size = _tag(path, content[position : position + 8], order)
        body = content[position + 8 : position + 8 + size]
        position += 8 + size
        if kind == COMPRESSED:
            inflated = _inflated(path, body, limit)
            limit -= len(inflated)
            kind, size = _tag(path, inflated[:8], order)
            body = inflated[8 : 8 + size]
        if kind != MATRIX or len(body) < size:
            raise _damaged(path, "a variable is cut off")
        matrices += _check_matrix(path, body, order, DEPTH)
    return matrices


def _check_matrix(path: Path, body: memoryview, order: Order, depth: int) -> int:
    """Check flags, size, name and content of a matrix, and the matrices in it; return their number."""
    if not body:
        return 1  # an empty cell
    parts = _elements(path, body, order)
    if depth == 0 or len(parts) < 3 or [kind for kind, _ in parts[:2]] != [6, 5] or parts[2][0] not in INTEGERS:
        raise _damaged(path, "a variable has no flags, size and name, or is nested too deeply")
    (_, flags), (_, shape), _ = parts[:3]
    allowed = CONTENT.get(int.from_bytes(flags[:4], order) & 0xFF)
    sides = [int.from_bytes(shape[at : at + 4], order) for at in range(0, len(shape), 4)]
    if len(flags) != 8 or allowed is None or any(kind not in allowed for kind, _ in parts[3:]):
        raise _damaged(path, "a variable is of an unknown class, or its content does not fit its class")
    if int.from_bytes(flags[:4], order) & COMPLEX:
        raise _damaged(path, "a variable holds complex numbers, whose imaginary parts would be lost")
    if allowed is not CONTENT[SPARSE] and math.prod(sides) > len(body):
        raise _damaged(path, "a variable declares a larger size than its content has")
    return 1 + sum(_check_matrix(path, content, order, depth - 1) for kind, content in parts[3:] if kind == MATRIX)


def _elements(path: Path, body: memoryview, order: Order) -> list[Element]:
    """Return the elements of a matrix: padded to 8 bytes, or up to 4 bytes packed with type and size into 8."""
    elements, position = [], 0
    while position < len(body):
        kind, size = _tag(path, body[position : position + 8], order)
        start = position + 8
        if kind >> 16:
            kind, size, start = kind & 0xFFFF, kind >> 16, position + 4
            if size > 4:
                raise _damaged(path, "a packed element has more than 4 bytes")
        content = body[start : start + size]
        if len(content) < size:
            raise _damaged(path, "an element reaches beyond its variable")
        elements.append((kind, content))
        position = max(position + 8, start + size + (-size % 8 if start == position + 8 else 0))
    return elements


def _tag(path: Path, tag: memoryview, order: Order) -> tuple[int, int]:
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
            cause="heatmaps instead of coordinates, or a malicious file",
        )
    return memoryview(content)


def _damaged(path: Path, why: str) -> DataError:
    return DataError(
        what=f"{path.name} cannot be read as mat: {why}.",
        expected="a file as MATLAB and scipy.io.savemat write it",
        cause="a damaged or truncated file",
        next_step="write it again",
    )
