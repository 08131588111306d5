"""Postings and their points as a block packs them: twenty bytes each, in the order of ids."""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.ids import uuid_from_bytes

MOVE_BYTES = 20
"""Sixteen of the posting's id, four of its points: signed, the most significant byte first."""

_MOVE = struct.Struct(">16si")


class Moved(NamedTuple):
    """Points of one posting in a block, and how many moves of the block come before it."""

    position: int
    posting: UUID
    points: int


def pack(moves: Iterable[tuple[UUID, int]]) -> bytes:
    """Return `moves`, each a posting and its points, as a block keeps them."""
    return b"".join(_MOVE.pack(posting.bytes, points) for posting, points in moves)


def unpack(packed: bytes, *, first: int = 0) -> Iterator[Moved]:
    """Yield the moves of (a part of) a block; the part begins with position `first`."""
    for position, (identifier, points) in enumerate(_iterated(packed), first):
        yield Moved(position, uuid_from_bytes(identifier), points)


def pairs(packed: bytes) -> list[tuple[UUID, int]]:
    """Return postings and points of a block, for who needs all of them and not where they stand."""
    return [(uuid_from_bytes(identifier), points) for identifier, points in _iterated(packed)]


def find(packed: bytes, posting: UUID) -> Iterator[Moved]:
    """Yield the moves of `posting` in a block; one posting may have several of them there."""
    wanted = posting.bytes
    found = packed.find(wanted)
    while found >= 0:
        # Bytes of two neighbours may look like an id; only what begins a move is one.
        if found % MOVE_BYTES == 0:
            (points,) = struct.unpack_from(">i", packed, found + len(wanted))
            yield Moved(found // MOVE_BYTES, posting, points)
        found = packed.find(wanted, found + 1)


def _iterated(packed: bytes) -> Iterator[tuple[bytes, int]]:
    assert len(packed) % MOVE_BYTES == 0, "a block is cut between moves"
    moves: Iterator[tuple[bytes, int]] = _MOVE.iter_unpack(packed)
    return moves
