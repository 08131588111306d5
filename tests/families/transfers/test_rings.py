"""Rings of transfers are found each once, and whoever gathers or hurries is told."""

from datetime import datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.families.transfers import rings, watching
from coalition.families.transfers.rings import Ring, Sent
from coalition.kernel.database import transaction
from tests.families import registered
from tests.families.transfers.world import make_bank

A, B, C, D = (UUID(int=number) for number in range(1, 5))


def test_a_ring_is_told_once_with_the_least_that_went_all_the_way_round() -> None:
    found = rings.find(
        [Sent(A, B, 300, 2), Sent(B, C, 200, 1), Sent(C, A, 250, 1), Sent(A, D, 9, 1)]
    )
    assert found.rings == [Ring((A, B, C), 200, 4)]
    assert found.is_complete


def test_two_who_send_to_each_other_are_a_ring_and_the_larger_comes_first() -> None:
    found = rings.find([Sent(A, B, 10, 1), Sent(B, A, 10, 1), Sent(C, D, 50, 1), Sent(D, C, 40, 1)])
    assert [(ring.members, ring.points) for ring in found.rings] == [((C, D), 40), ((A, B), 10)]


def test_rings_longer_than_asked_for_are_not_looked_for() -> None:
    sent = [Sent(A, B, 1, 1), Sent(B, C, 1, 1), Sent(C, D, 1, 1), Sent(D, A, 1, 1)]
    assert rings.find(sent, longest=3).rings == []
    assert len(rings.find(sent, longest=4).rings) == 1


def test_a_graph_that_is_too_dense_is_told_in_part_and_that_is_said() -> None:
    many = [UUID(int=number) for number in range(60)]
    sent = [Sent(one, other, 1, 1) for one in many for other in many if one != other]
    assert not rings.find(sent, longest=6).is_complete


@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20))
def test_every_ring_and_nothing_else_is_found(pairs: set[tuple[int, int]]) -> None:
    edges = {(one, other) for one, other in pairs if one != other}
    sent = [Sent(UUID(int=one), UUID(int=other), 1, 1) for one, other in edges]
    found = {tuple(member.int for member in ring.members) for ring in rings.find(sent).rings}
    assert found == _all_rings(edges)


def _all_rings(edges: set[tuple[int, int]]) -> set[tuple[int, ...]]:
    """Return rings of up to four by trying all rows of different numbers."""
    numbers = {number for edge in edges for number in edge}
    return {
        row
        for size in (2, 3, 4)
        for row in permutations(sorted(numbers), size)
        if row[0] == min(row)
        and all(step in edges for step in zip(row, (*row[1:], row[0]), strict=True))
    }


@pytest.mark.usefixtures("database")
async def test_reports_are_of_completed_transfers_since_an_instant(at: datetime) -> None:
    bank = await make_bank(at)
    await registered.activated("plain", registered.written(), at)
    await registered.bound("p2p", "plain", at)
    anna, bo, eva = [await bank.member(1000) for _ in range(3)]
    for sender, receiver in ((anna, bo), (bo, eva), (eva, anna), (bo, anna)):
        answer = await bank.send(sender, receiver, 100)
        assert isinstance(answer, dict), answer
    async with transaction() as connection:
        found = await watching.ring_report(
            connection, since=at - timedelta(hours=1), currency_no=1, least_points=100
        )
        none = await watching.ring_report(connection, since=at + timedelta(hours=1), currency_no=1)
        gathered = await watching.gatherers(
            connection, since=at - timedelta(hours=1), currency_no=1, least_senders=2
        )
        hasty = await watching.hasty(
            connection, since=at - timedelta(hours=1), currency_no=1, least_times=2
        )
    assert sorted(len(ring.members) for ring in found.rings) == [2, 3]
    assert watching.involved(found.rings) == {anna, bo, eva}
    assert none.rings == []
    assert [(one.member, one.senders, one.points) for one in gathered] == [(anna, 2, 200)]
    assert [(one.member, one.times, one.points) for one in hasty] == [(bo, 2, 200)]
