"""A plan is shared with the family: as many as it has seats, and no longer than it holds."""

import asyncio
from datetime import datetime, timedelta

import pytest

from billing.benefits import entitlement_rows
from billing.benefits.entitlements import Pool
from billing.subscriptions import keeping, recovering
from billing.subscriptions.refusals import AlreadyMember
from billing.subscriptions.seats import sharing
from billing.subscriptions.seats.refusals import (
    HasAPlan,
    NoSeats,
    NotOfYourFamily,
    SeatsTaken,
    UnknownSeat,
)
from billing.subscriptions.views import MembershipState
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from tests.billing.memberships.world import make_club
from tests.billing.plans.written import MONTHLY, plan
from tests.billing.seats.home import Home

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)
SHARED = plan("plus", seats=2)
ALONE = plan("solo", rank=5, prices=[MONTHLY | {"amount_minor": 4_900}])
LARGE = plan("premium", rank=20, prices=[MONTHLY | {"amount_minor": 14_900}], seats=1)


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
    payers = await club.view(anna)
    assert shown.entitled_until == payers.entitled_until
    async with transaction() as connection:
        held = await entitlement_rows.read(connection, first)
    assert {one.pool for _, one in held} == {Pool(anna, payers.membership_id or anna)}
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
