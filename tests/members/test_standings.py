"""Standings: what holds at an instant, what lies beneath, what ends early, what is refused."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from coalition.federation import service as federation
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.members import closing, service, standings, suspending
from coalition.members.personal import Enrolment
from coalition.members.refusals import (
    InvalidStanding,
    MemberIsClosed,
    StandingNotHeld,
    UnknownMember,
)
from coalition.members.sealing import MemberKeys
from coalition.members.standings import Kind, Standings

pytestmark = pytest.mark.usefixtures("database")

YEAR = timedelta(days=365)
HOUR = timedelta(hours=1)


async def a_member(card: str, keys: MemberKeys, at: datetime) -> MemberId:
    enrolment = Enrolment(card=card)
    return (await service.enrol(enrolment, partner_no=1, keys=keys, at=at)).member_id


async def granted(
    member: MemberId, kind: Kind, value: str, begin: datetime, end: datetime | None = None
) -> None:
    async with transaction() as connection:
        await standings.grant(
            connection,
            member=member,
            kind=kind,
            value=value,
            valid_from=begin,
            valid_until=end,
            source="staff:anna",
            at=begin,
        )


async def ended(member: MemberId, kind: Kind, value: str, ends_at: datetime) -> None:
    async with transaction() as connection:
        await standings.end(
            connection,
            member=member,
            kind=kind,
            value=value,
            ends_at=ends_at,
            source="staff:anna",
            at=ends_at,
        )


async def seen(member: MemberId, at: datetime) -> Standings | None:
    async with transaction() as connection:
        return (await standings.read(connection, [member], at)).get(member)


async def test_a_standing_holds_from_its_first_instant_until_its_last(
    keys: MemberKeys, at: datetime
) -> None:
    member = await a_member("GOLDEN", keys, at)
    await granted(member, "tier", "gold", at, at + YEAR)
    await granted(member, "flag", "staff", at)
    await granted(member, "segment", "families", at, at + HOUR)
    await granted(member, "segment", "gardeners", at)
    await granted(member, "plan", "plus", at + HOUR)
    assert await seen(member, at - HOUR) is None
    assert await seen(member, at) == Standings(
        "gold", None, frozenset({"families", "gardeners"}), frozenset({"staff"})
    )
    later = Standings("gold", "plus", frozenset({"gardeners"}), frozenset({"staff"}))
    assert await seen(member, at + HOUR) == later
    assert await seen(member, at + YEAR) == Standings(
        None, "plus", frozenset({"gardeners"}), frozenset({"staff"})
    )


async def test_the_tier_beneath_shows_again_when_the_one_above_is_over_or_ended_early(
    keys: MemberKeys, at: datetime
) -> None:
    member = await a_member("LAYERS", keys, at)
    await granted(member, "tier", "silver", at)
    await granted(member, "tier", "gold", at, at + YEAR)
    assert await seen(member, at) == Standings("gold")
    assert await seen(member, at + YEAR) == Standings("silver")
    await ended(member, "tier", "gold", at + HOUR)
    assert await seen(member, at) == Standings("gold")
    assert await seen(member, at + HOUR) == Standings("silver")
    await ended(member, "tier", "silver", at + 2 * HOUR)
    assert await seen(member, at + 2 * HOUR) is None


async def test_the_last_grant_counts_and_repeating_it_adds_no_fact(
    keys: MemberKeys, at: datetime
) -> None:
    member = await a_member("AGAIN", keys, at)
    for tier in ("silver", "silver", "gold", "gold", "silver"):
        await granted(member, "tier", tier, at)
    for segment in ("a", "b", "a"):
        await granted(member, "segment", segment, at)
    assert await seen(member, at) == Standings("silver", None, frozenset({"a", "b"}))
    async with transaction() as connection:
        kept = await standings.history(connection, member)
    values = [(fact.kind.value, fact.value) for fact in kept]
    assert values == [
        ("tier", "silver"),
        ("tier", "gold"),
        ("tier", "silver"),
        ("segment", "a"),
        ("segment", "b"),
    ]


async def test_an_instant_that_has_no_time_in_utc_is_asked_about_like_any_other(
    keys: MemberKeys, at: datetime
) -> None:
    member = await a_member("FOREVER", keys, at)
    await granted(member, "tier", "gold", at)
    last = datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-14 * HOUR))
    assert await seen(member, last) == Standings("gold")


async def test_many_members_are_read_at_once_and_who_is_nothing_is_left_out(
    keys: MemberKeys, at: datetime
) -> None:
    members = [await a_member(f"CARD{number}", keys, at) for number in range(4)]
    for number, member in enumerate(members[:3]):
        await granted(member, "tier", f"tier {number}", at)
    async with transaction() as connection:
        found = await standings.read(connection, members, at)
        nobody = await standings.read(connection, [], at)
    assert found == {
        member: Standings(f"tier {number}") for number, member in enumerate(members[:3])
    }
    assert nobody == {}


async def suspended(member: MemberId) -> date | None:
    async with transaction() as connection:
        found = await connection.fetchval(
            "SELECT expiry_suspended_until FROM holder WHERE id = $1", member
        )
        assert found is None or isinstance(found, date)
        return found


async def test_tiers_of_the_coalition_s_choice_suspend_expiry_until_the_last_of_them_ends(
    keys: MemberKeys, at: datetime
) -> None:
    await federation.create_coalition(
        name="Points", timezone="Europe/Stockholm", actor="staff:anna", at=at
    )
    async with transaction() as connection:
        await connection.execute("UPDATE coalition SET expiry_suspended_tiers = '{gold,platinum}'")
    member = await a_member("PATIENT", keys, at)
    await granted(member, "tier", "silver", at)
    await granted(member, "segment", "gold", at)
    assert await suspended(member) is None
    await granted(member, "tier", "gold", at, datetime(2027, 6, 30, 22, tzinfo=UTC))
    assert await suspended(member) == date(2027, 6, 30), "midnight in Stockholm ends the day before"
    await granted(member, "tier", "gold", at, at + HOUR)
    assert await suspended(member) == date(2027, 6, 30), "the earlier grant still holds"
    await granted(member, "tier", "platinum", at)
    assert await suspended(member) == date(9999, 12, 31)
    await ended(member, "tier", "platinum", at + 30 * 24 * HOUR)
    assert await suspended(member) == date(2027, 6, 30)
    await ended(member, "tier", "gold", at + HOUR)
    assert await suspended(member) == (at + 30 * 24 * HOUR).date()


async def test_a_tier_that_is_named_later_suspends_expiry_of_those_who_have_it_already(
    keys: MemberKeys, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspending, "MEMBERS_AT_ONCE", 2)
    await federation.create_coalition(
        name="Points", timezone="Europe/Stockholm", actor="staff:anna", at=at
    )
    forever, once, later, gone, silver = [
        await a_member(f"EARLY{number}", keys, at) for number in range(5)
    ]
    await granted(forever, "tier", "gold", at)
    await granted(once, "tier", "gold", at - 2 * YEAR, at)
    await granted(later, "tier", "platinum", at + YEAR, datetime(2028, 6, 30, 22, tzinfo=UTC))
    await granted(gone, "tier", "gold", at)
    await ended(gone, "tier", "gold", at + HOUR)
    await granted(silver, "tier", "silver", at)
    await granted(silver, "segment", "gold", at)
    assert await suspending.suspend_for(("gold", "platinum"), at) == 3
    assert [await suspended(one) for one in (forever, once, later, gone, silver)] == [
        date(9999, 12, 31),
        None,
        date(2028, 6, 30),
        at.date(),
        None,
    ]
    assert await suspending.suspend_for((), at) == 0


async def test_what_a_member_is_not_from_then_on_cannot_end(keys: MemberKeys, at: datetime) -> None:
    member = await a_member("NEVER", keys, at)
    await granted(member, "tier", "gold", at, at + HOUR)
    await granted(member, "segment", "silver", at)
    for kind, value, ends_at in (
        ("tier", "silver", at),
        ("tier", "platinum", at),
        ("plan", "gold", at),
        ("tier", "gold", at + HOUR),
    ):
        with pytest.raises(StandingNotHeld):
            await ended(member, kind, value, ends_at)  # type: ignore[arg-type]  # plain texts
    async with transaction() as connection:
        assert len(await standings.history(connection, member)) == 2
    await ended(member, "tier", "gold", at + HOUR / 2)
    assert await seen(member, at + HOUR / 2) == Standings(None, None, frozenset({"silver"}))


@pytest.mark.parametrize("value", ["", " gold", "x" * 61, "go\nld"])
async def test_a_value_that_nobody_could_type_again_is_refused(
    value: str, keys: MemberKeys, at: datetime
) -> None:
    member = await a_member("STRANGE", keys, at)
    with pytest.raises(InvalidStanding):
        await granted(member, "tier", value, at)


async def test_a_standing_that_ends_before_it_begins_is_refused(
    keys: MemberKeys, at: datetime
) -> None:
    member = await a_member("BACKWARD", keys, at)
    with pytest.raises(InvalidStanding):
        await granted(member, "tier", "gold", at, at)


async def test_nobody_unknown_and_nobody_closed_is_granted_anything(
    keys: MemberKeys, at: datetime
) -> None:
    with pytest.raises(UnknownMember):
        await granted(MemberId(random_id()), "tier", "gold", at)
    member = await a_member("CLOSED", keys, at)
    await closing.close(member, actor="staff:anna", at=at)
    with pytest.raises(MemberIsClosed):
        await granted(member, "tier", "gold", at)
