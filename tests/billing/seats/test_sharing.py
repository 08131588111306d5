"""A plan is shared with the family: as many as it has seats, and no longer than it holds."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from billing.benefits import entitlement_rows
from billing.subscriptions import audit_checks, keeping, recovering
from billing.subscriptions.refusals import AlreadyMember
from billing.subscriptions.seats import sharing
from billing.subscriptions.seats.refusals import (
    HasAPlan,
    NoSeats,
    NotOfYourFamily,
    SeatsTaken,
    UnknownSeat,
)
from billing.subscriptions.views import MembershipState, SeatsView
from coalition.families.groups import forming, leaving
from coalition.families.groups.entering import Newcomer
from coalition.families.groups.groups import Groups
from coalition.families.kin.speaking import By
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.outbox import Delivery
from tests.billing.memberships.world import Club, make_club
from tests.billing.plans.written import MONTHLY, plan
from tests.families.registered import activated, bound, written

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)
SHARED = plan("plus", seats=2)
ALONE = plan("solo", rank=5, prices=[MONTHLY | {"amount_minor": 4_900}])
LARGE = plan("premium", rank=20, prices=[MONTHLY | {"amount_minor": 14_900}], seats=1)


class Home:
    """A club with one family in it, whose head is Anna."""

    def __init__(self, club: Club) -> None:
        self.club, self.groups = club, Groups(keys=club.keys)

    async def family(self, head: MemberId, *others: MemberId) -> UUID:
        """Return a family of a head and others."""
        at = self.club.now()
        await activated("pull", written("head_pull"), at)
        await bound("pull", "pull", at)
        founders = [Newcomer(member=one, role="spouse") for one in others]
        made = await self.groups.do(
            lambda c, b: forming.form(c, "pull", head, b, founders=founders), at
        )
        return made.id

    async def leave(self, group: UUID, member: MemberId) -> None:
        """Let a member leave the family, and whoever heard of it do its part."""
        at = self.club.now()
        await self.groups.do(lambda c, b: leaving.leave(c, group, member, b, by=By.of(member)), at)
        async with transaction() as connection:
            row = await connection.fetchrow(
                "SELECT id, kind, payload, occurred_at, committed_at FROM outbox"
                " WHERE kind = 'families.left' ORDER BY id DESC LIMIT 1"
            )
        assert row is not None
        told = Delivery(**dict(row) | {"payload": msgspec.json.decode(row["payload"])})
        await sharing.SUBSCRIBER.handle(told, at)

    async def add(self, member: MemberId, other: MemberId) -> SeatsView:
        """Share a plan with another."""
        return await self.club.memberships.add_seat(member, other, at=self.club.now())

    async def until(self, member: MemberId) -> datetime | None:
        """Return until when a member is entitled to anything."""
        async with transaction() as connection:
            held = await entitlement_rows.read(connection, member)
        return max((one.entitlement.ends for one in held), default=None)

    async def is_sound(self) -> None:
        """Demand that all memberships stand as derived."""
        async with transaction() as connection:
            for walk in audit_checks.WALKS:
                assert await walk.find(connection) == []


async def test_a_shared_plan_holds_as_long_as_the_payers_to_the_instant(at: datetime) -> None:
    club = await make_club(at, SHARED, ALONE, LARGE)
    home = Home(club)
    anna = await club.joined("plus", name="anna")
    bo, cy, di, ed = [await club.enrol(name) for name in ("bo", "cy", "di", "ed")]
    group = await home.family(anna, bo, cy, di)

    with pytest.raises(NotOfYourFamily):
        await home.add(anna, ed)
    with pytest.raises(NotOfYourFamily):
        await home.add(anna, anna)
    with pytest.raises(NoSeats):
        await home.add(bo, anna)
    answers = await asyncio.gather(
        *(home.add(anna, one) for one in (bo, cy, di, bo)), return_exceptions=True
    )
    assert [type(one) for one in answers].count(SeatsTaken) >= 1
    seen = await club.memberships.seats(anna, at=club.now())
    sharers = [MemberId(one.member_id) for one in seen.items]
    assert (seen.seats, len(set(sharers))) == (2, 2)
    first, second = sharers
    shown = await club.view(first)
    assert (shown.state, shown.plan, shown.ground) == (MembershipState.GIVEN, "plus", "shared")
    assert shown.entitled_until == (await club.view(anna)).entitled_until
    with pytest.raises(AlreadyMember):
        await club.join(first)
    assert (await club.memberships.seats(first, at=club.now())).shared_by == anna
    with pytest.raises(NoSeats):
        await home.add(first, di)

    await club.advance(35 * DAY)
    assert await home.until(first) == await home.until(anna) != shown.entitled_until
    await home.is_sound()

    (third,) = {bo, cy, di} - {first, second}
    await club.memberships.remove_seat(anna, second, at=club.now())
    assert (await club.view(second)).state is MembershipState.ENDED
    with pytest.raises(UnknownSeat):
        await club.memberships.remove_seat(anna, second, at=club.now())
    await home.add(anna, third)
    await home.leave(group, third)
    assert (await club.view(third)).state is MembershipState.ENDED
    assert await sharing.check_all(club.now()) == 0
    await club.join(third, "solo")
    await home.add(anna, second)


async def test_a_plan_with_fewer_seats_lets_the_last_rest_and_its_end_is_everybodys(
    at: datetime,
) -> None:
    club = await make_club(at, SHARED, LARGE)
    home = Home(club)
    anna = await club.joined("plus", name="anna")
    first, second = [await club.enrol(name) for name in ("bo", "cy")]
    await home.family(anna, first, second)
    await home.add(anna, first)
    await home.add(anna, second)
    premium = await club.price_no("premium")
    said = await club.memberships.preview(anna, premium, at=club.now())
    await club.memberships.change(
        anna, premium, previewed_at=said.previewed_at, key="up", at=club.now()
    )
    assert (await club.view(first)).plan == "premium"
    assert (await club.view(second)).state is MembershipState.ENDED, "it has one seat alone"

    await club.memberships.cancel(anna, key="bye", at=club.now())
    ends = (await club.view(anna)).ends_at
    await club.hear()
    assert (await club.view(first)).entitled_until == ends
    await club.advance(31 * DAY)
    assert (await club.view(first)).state is MembershipState.ENDED
    await home.is_sound()


async def test_a_refund_ends_what_was_shared_and_a_plan_of_its_own_is_in_the_way(
    at: datetime,
) -> None:
    club = await make_club(at, SHARED, ALONE)
    home = Home(club)
    anna, bo = await club.joined("plus", name="anna"), await club.joined("solo", name="bo")
    cy = await club.enrol("cy")
    await home.family(anna, bo, cy)
    with pytest.raises(HasAPlan):
        await home.add(anna, bo)
    await home.add(anna, cy)
    await club.advance(3 * DAY)
    declared = await club.memberships.declare_withdrawal(anna, at=club.now())
    await club.memberships.confirm_withdrawal(
        declared.withdrawal_id, member=anna, key="w", at=club.now()
    )
    await club.hear()
    over = await home.until(cy)
    assert over is not None
    assert over <= club.now()
    assert (await club.view(cy)).state is MembershipState.ENDED
    await home.is_sound()


async def test_whoever_leaves_the_coalition_shares_nothing_more(at: datetime) -> None:
    club = await make_club(at, SHARED)
    home = Home(club)
    anna, bo = await club.joined("plus", name="anna"), await club.enrol("bo")
    await home.family(anna, bo)
    await home.add(anna, bo)
    await club.memberships.remove_seat(bo, bo, at=club.now())
    await home.add(anna, bo)
    async with transaction() as connection:
        await keeping.leave(connection, anna, club.now())
    assert (await club.view(bo)).state is MembershipState.ENDED
    later = await club.advance(timedelta(minutes=5))
    assert await recovering.recover(club.gateway, later) == 1
    await club.hear()
    await home.is_sound()
