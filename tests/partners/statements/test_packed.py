"""Blocks packed and read again."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partners.settlement import packed
from partners.settlement.packed import MOVE_BYTES, Moved

MOVES = st.lists(st.tuples(st.uuids(), st.integers(-(2**31), 2**31 - 1)), max_size=20)


@given(MOVES)
def test_what_is_packed_is_read_again(moves: list[tuple[UUID, int]]) -> None:
    read = list(packed.unpack(packed.pack(moves)))
    assert [(move.posting, move.points) for move in read] == moves
    assert [move.position for move in read] == list(range(len(moves)))
    assert packed.pairs(packed.pack(moves)) == moves


@given(MOVES, st.integers(0, 20))
def test_a_part_of_a_block_knows_where_it_begins(moves: list[tuple[UUID, int]], first: int) -> None:
    whole = packed.pack(moves)
    part = list(packed.unpack(whole[first * MOVE_BYTES :], first=first))
    assert part == list(packed.unpack(whole))[first:]


@given(MOVES, st.uuids())
def test_a_posting_is_found_as_often_as_it_is_there(
    moves: list[tuple[UUID, int]], posting: UUID
) -> None:
    moves = [*moves, (posting, 7), *moves, (posting, -2)]
    read = packed.unpack(packed.pack(moves))
    assert list(packed.find(packed.pack(moves), posting)) == [
        move for move in read if move.posting == posting
    ]


def test_what_only_looks_like_an_id_between_two_moves_is_not_found() -> None:
    first = UUID(bytes=bytes(range(16)))
    second = UUID(bytes=bytes(range(100, 116)))
    block = packed.pack([(first, 1), (second, 2)])
    between = UUID(bytes=block[10:26])
    assert list(packed.find(block, between)) == []
    assert list(packed.find(block, second)) == [Moved(1, second, 2)]


def test_a_posting_is_found_though_the_byte_before_it_looks_like_its_first() -> None:
    alike = UUID(bytes=b"\x07" * 16)
    block = packed.pack([(UUID(int=1), 7), (alike, 3)])
    assert list(packed.find(block, alike)) == [Moved(1, alike, 3)]


def test_a_block_that_is_cut_within_a_move_is_no_block() -> None:
    with pytest.raises(AssertionError, match="cut between moves"):
        list(packed.unpack(b"\x00" * 21))
