"""What points do when a member is merged: caps count for both, bonuses go over once."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.points import usage
from coalition.points.bonuses import personal
from coalition.points.bonuses.personal import EarningBonus
from coalition.points.merging import take_over
from coalition.points.usage import Share
from tests.support.ledger import issue, open_holder, post

pytestmark = pytest.mark.usefixtures("database")


async def used(member: MemberId, points: int, period: str, at: datetime) -> None:
    (posted,) = await post([issue(member, points, at)], at)
    posting = getattr(posted, "posting", None)
    assert posting is not None
    async with transaction() as connection:
        await usage.add(connection, [Share(posting, member, 7, period, points, points)])


async def test_what_both_have_had_of_a_cap_counts_for_the_survivor(at: datetime) -> None:
    old, new = MemberId(await open_holder(at)), MemberId(await open_holder(at))
    await used(old, 30, "2026-11", at)
    await used(old, 5, "2026-10", at)
    await used(new, 10, "2026-11", at)
    async with transaction() as connection:
        await take_over(connection, old, new, at)
        counters = [(7, "2026-11"), (7, "2026-10")]
        found = await usage.read(connection, [(new, counters)])
    assert found == {(new, (7, "2026-11")): 40, (new, (7, "2026-10")): 5}


async def test_bonuses_go_over_and_one_that_both_were_given_counts_once(at: datetime) -> None:
    old, new = MemberId(await open_holder(at)), MemberId(await open_holder(at))
    async with transaction() as connection:
        for holder, source, factor in (
            (old, "plan:plus", "3"),
            (old, "gift:1", "2"),
            (new, "plan:plus", "5"),
        ):
            bonus = EarningBonus(
                holder=holder,
                source=source,
                kind="multiplier",
                factor=Decimal(factor),
                valid_from=at,
                valid_until=at + timedelta(days=30),
            )
            await personal.give(connection, bonus, at=at)
        await personal.end(connection, old, "gift:1", at=at + timedelta(days=3))
        await take_over(connection, old, new, at)
        rows = await connection.fetch(
            "SELECT source, factor, ended_at FROM earning_bonus WHERE holder = $1 ORDER BY source",
            new,
        )
    assert [tuple(row) for row in rows] == [
        ("gift:1", Decimal(2), at + timedelta(days=3)),
        ("plan:plus", Decimal(5), None),
    ]


async def test_who_had_nothing_hands_nothing_over(at: datetime) -> None:
    old, new = MemberId(await open_holder(at)), MemberId(await open_holder(at))
    async with transaction() as connection:
        await take_over(connection, old, new, at)
        assert await connection.fetchval("SELECT count(*) FROM earning_usage") == 0
        assert await connection.fetchval("SELECT count(*) FROM earning_bonus") == 0
