"""What is given entitles as what is paid does: from one day to another, once, until taken back."""

import asyncio
from datetime import UTC, datetime

import pytest

from billing.benefits.entitlements import Ground
from billing.subscriptions import grounds, syncing
from billing.subscriptions.grounds import Gift
from coalition.kernel.database import Engine, transaction
from coalition.kernel.ids import MemberId, random_id
from tests.billing.subscriptions.world import START, Club, open_club


def _at(month: int, day: int, year: int = 2027) -> datetime:
    return datetime(year, month, day, 9, 30, tzinfo=UTC)


@pytest.fixture
def club(runner: asyncio.Runner, database: Engine) -> Club:
    assert database.pool is not None
    return runner.run(open_club())


def _gift(club: Club, begins: datetime, ends: datetime, source: str) -> Gift:
    return Gift(
        ground=Ground.GIFT, plan_no=1, begins=begins, ends=ends, source=source, made_by="test"
    )


async def _give(club: Club, member: MemberId, gift: Gift) -> None:
    async with transaction() as connection:
        await syncing.give(connection, gift, member=member, at=club.at)


async def test_what_is_given_begins_a_membership_that_ends_by_itself(club: Club) -> None:
    member = await club.member()
    gift = _gift(club, START, _at(3, 31), "gift:1")
    for _ in range(2):
        await _give(club, member, gift)
    found = await club.live(member)
    assert found is not None
    assert (found.state, found.ground, found.entitled_until) == ("active", "gift", _at(3, 31))
    assert await club.told() == ["membership.started"]
    await club.advance(days=60)
    assert await club.turn() == 1
    assert await club.live(member) is None
    assert await club.told() == ["membership.ended"]
    assert await club.turn() == 0


async def test_a_subscription_joins_the_membership_that_was_given(club: Club) -> None:
    member = await club.member()
    await _give(club, member, _gift(club, START, _at(3, 31), "gift:1"))
    await club.subscribe(member)
    await club.hear()
    (found,) = await club.memberships(member)
    held = await club.held(member, found.id)
    assert [(one.ground, one.ends) for one in held] == [
        ("paid", _at(2, 28)),
        ("gift", _at(3, 31)),
    ]


async def test_what_was_given_is_taken_back_once(club: Club) -> None:
    member = await club.member()
    await _give(club, member, _gift(club, START, _at(3, 31), "gift:1"))
    await club.advance(days=10)
    async with transaction() as connection:
        ended = await syncing.take_back(connection, "gift:1", member=member, at=club.at)
        assert ended is not None
        assert (ended.state, ended.ended_at) == ("ended", club.at)
        assert await syncing.take_back(connection, "gift:1", member=member, at=club.at) is None
    (held,) = await club.held(member, ended.id)
    assert (held.ends, held.taken_back) == (club.at, True)


async def test_what_is_taken_back_before_it_begins_was_never_there(club: Club) -> None:
    member = await club.member()
    await _give(club, member, _gift(club, START, _at(3, 31), "gift:1"))
    await _give(club, member, _gift(club, _at(3, 31), _at(4, 30), "gift:2"))
    async with transaction() as connection:
        left = await syncing.take_back(connection, "gift:2", member=member, at=club.at)
        assert left is not None
        assert left.entitled_until == _at(3, 31)
        assert await grounds.take_back(connection, "gift:9", member=member, at=club.at) is None


async def test_a_membership_that_cannot_turn_keeps_no_other_from_turning(club: Club) -> None:
    members = [await club.member() for _ in range(2)]
    for no, member in enumerate(members):
        await _give(club, member, _gift(club, START, _at(3, 31 - no), f"gift:{no}"))
    async with transaction() as connection:
        await connection.execute(
            "UPDATE membership SET plan_no = 99 WHERE member_id = $1", members[1]
        )
        await connection.execute(
            "INSERT INTO membership_ground SELECT bucket, $2, member_id, "
            "membership_id, ground, 99, begins, ends, 'gift:9', made_by, made_at "
            "FROM membership_ground WHERE member_id = $1",
            *(members[1], random_id()),
        )
    await club.advance(days=90)
    assert await club.turn() == 1
    assert await club.live(members[0]) is None
    assert await club.live(members[1]) is not None
