"""Special prices are checked anew: who is a student no more goes on at the price for all."""

from datetime import datetime, timedelta

import pytest

from billing.subscriptions import rechecking
from billing.subscriptions.refusals import PriceNotForYou
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from coalition.members import standings
from tests.billing.memberships.world import Club, make_club

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)


async def student(club: Club, name: str, until: datetime) -> MemberId:
    """Return a member who has ordered Plus as a student, and is one until then."""
    member = await club.enrol(name)
    async with transaction() as connection:
        await standings.grant(
            connection,
            member=member,
            kind="segment",
            value="student",
            valid_from=club.now(),
            valid_until=until,
            source="staff:anna",
            at=club.now(),
        )
    await club.join(member, eligibility="student", card="4242424242424242")
    return member


async def test_who_is_a_student_no_more_goes_on_at_the_price_for_all(at: datetime) -> None:
    club = await make_club(at)
    leaving = await student(club, "anna", at + 20 * DAY)
    staying = await student(club, "bo", at + 200 * DAY)
    house = club.memberships.house
    assert await rechecking.recheck(house, club.now()) == 0
    await club.advance(21 * DAY)
    assert await rechecking.recheck(house, club.now()) == 1
    assert await rechecking.recheck(house, club.now()) == 0
    seen = await club.view(leaving)
    assert (seen.price, seen.next_plan, seen.changes_at) == (
        Money(3_900, "SEK"),
        "plus",
        seen.period_end,
    )
    with pytest.raises(PriceNotForYou):
        await club.memberships.keep_plan(leaving, key=club.key(), at=club.now())
    await club.advance(12 * DAY)
    assert (await club.view(leaving)).price == Money(7_900, "SEK")
    assert (await club.view(staying)).price == Money(3_900, "SEK")
    async with transaction() as connection:
        told = await connection.fetchval(
            "SELECT count(*) FROM outbox WHERE kind = 'membership.eligibility_ended'"
        )
    assert told == 1
