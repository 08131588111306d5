"""Consents told to the staff: what holds, in which order, and what is refused."""

from datetime import datetime, timedelta

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.members import closing, consents
from coalition.members.consents import Channel, Given
from coalition.members.refusals import InvalidConsent, MemberIsClosed, UnknownMember
from tests.members.world import ANNA, enrolled

pytestmark = pytest.mark.usefixtures("database")

MAILS = Given(purpose="marketing", channel=Channel.EMAIL, granted=True, text_version="1")
SHARING = Given(purpose="sharing", granted=True, text_version="1")


async def test_of_words_of_one_instant_the_one_written_last_holds(at: datetime) -> None:
    member = await enrolled(at, card="TWICE")
    for granted in (True, False):
        given = Given(
            purpose="profiling", granted=granted, text_version="1", given_at=at - timedelta(days=1)
        )
        await consents.give_by_staff(member, given, actor=ANNA, at=at)
    async with transaction() as connection:
        (held,) = await consents.current(connection, member, partner_no=1)
    assert (held.granted, held.channel, held.given_at) == (False, None, at - timedelta(days=1))


async def test_a_clock_that_is_a_little_ahead_is_put_right(at: datetime) -> None:
    member = await enrolled(at, card="AHEAD")
    given = Given(
        purpose="profiling", granted=True, text_version="1", given_at=at + timedelta(minutes=4)
    )
    await consents.give_by_staff(member, given, actor=ANNA, at=at)
    async with transaction() as connection:
        (kept,) = await consents.history(connection, member)
    assert kept.given_at == at


async def test_sharing_and_sharing_alone_names_a_partner_that_there_is(at: datetime) -> None:
    member = await enrolled(at, card="SHARING")
    for given, recipient_no in ((SHARING, None), (MAILS, 1), (SHARING, 99)):
        with pytest.raises(InvalidConsent):
            await consents.give_by_staff(
                member, given, recipient_no=recipient_no, actor=ANNA, at=at
            )
    async with transaction() as connection:
        assert await consents.history(connection, member) == []


async def test_nobody_unknown_or_gone_agrees_to_anything(at: datetime) -> None:
    with pytest.raises(UnknownMember):
        await consents.give_by_staff(MemberId(random_id()), MAILS, actor=ANNA, at=at)
    member = await enrolled(at, card="GONE")
    await closing.close(member, actor=ANNA, at=at)
    with pytest.raises(MemberIsClosed):
        await consents.give_by_staff(member, MAILS, actor=ANNA, at=at)
