"""Changing the plan: upgrades charge their preview, downgrades wait, failed cards keep the plan."""

from datetime import datetime, timedelta

import pytest

from billing.subscriptions import entries
from billing.subscriptions.refusals import (
    ChangeNotPossible,
    NotAMember,
    NothingToChange,
    PreviewOutdated,
)
from billing.subscriptions.views import ChangeKind, MembershipState
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from tests.billing.memberships.world import PREMIUM, TRIED, Club, make_club

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)


async def net(member: MemberId) -> int:
    """Return what the member has paid in all, in öre."""
    async with transaction() as connection:
        return (await entries.net(connection, member)).get("SEK", 0)


async def changed(club: Club, member: MemberId, price_no: int) -> None:
    """Preview a change and confirm it."""
    said = await club.memberships.preview(member, price_no, at=club.now())
    await club.memberships.change(
        member, price_no, previewed_at=said.previewed_at, key=club.key(), at=club.now()
    )


async def test_an_upgrade_charges_its_preview_and_holds_at_once(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    await club.advance(10 * DAY)
    paid = await net(member)
    premium = await club.price_no("premium")

    said = await club.memberships.preview(member, premium, at=club.now())
    assert (said.kind, said.plan, said.price) == (
        ChangeKind.UPGRADE,
        "premium",
        Money(14_900, "SEK"),
    )
    later = await club.advance(timedelta(minutes=7))
    seen = await club.memberships.change(
        member, premium, previewed_at=said.previewed_at, key="up", at=later
    )

    assert (seen.plan, seen.price_no, seen.has_pending_change) == ("premium", premium, False)
    assert 0 < said.due_now.amount_minor < 7_000
    assert await net(member) - paid == said.due_now.amount_minor
    again = await club.memberships.change(
        member, premium, previewed_at=said.previewed_at, key="up", at=later
    )
    assert again == seen
    assert await net(member) - paid == said.due_now.amount_minor


async def test_a_downgrade_waits_for_the_end_of_what_is_paid_and_can_be_taken_back(
    at: datetime,
) -> None:
    club = await make_club(at)
    member = await club.joined("premium")
    plus = await club.price_no("plus")
    said = await club.memberships.preview(member, plus, at=club.now())
    assert (said.kind, said.due_now) == (ChangeKind.DOWNGRADE, Money(0, "SEK"))
    await changed(club, member, plus)
    seen = await club.view(member)
    assert (seen.plan, seen.next_plan, seen.changes_at) == ("premium", "plus", seen.period_end)

    kept = await club.memberships.keep_plan(member, key=club.key(), at=club.now())
    assert kept.next_plan is None
    await changed(club, member, plus)
    await club.advance(31 * DAY)
    seen = await club.view(member)
    assert (seen.plan, seen.next_plan, seen.price) == ("plus", None, Money(7_900, "SEK"))


async def test_to_the_year_is_at_once_and_back_to_the_month_at_its_end(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    year, month = await club.price_no("plus", "year"), await club.price_no("plus", "month")
    await club.advance(15 * DAY)
    await changed(club, member, year)
    seen = await club.view(member)
    assert (seen.interval, seen.plan) == ("year", "plus")
    assert await net(member) == 79_000 + 7_900 - 7_900 // 2
    said = await club.memberships.preview(member, month, at=club.now())
    assert (said.kind, said.takes_effect_at) == (ChangeKind.DOWNGRADE, seen.period_end)


async def test_a_card_that_fails_keeps_the_plan_while_the_change_waits(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    await club.replace_card(member, "pm_card_chargeCustomerFail")
    paid, premium = await net(member), await club.price_no("premium")
    said = await club.memberships.preview(member, premium, at=club.now())
    seen = await club.memberships.change(
        member, premium, previewed_at=said.previewed_at, key="up", at=club.now()
    )
    assert (seen.plan, seen.has_pending_change, seen.state) == (
        "plus",
        True,
        MembershipState.ACTIVE,
    )
    assert seen.payment_url is not None
    assert await net(member) == paid
    with pytest.raises(ChangeNotPossible):
        await club.memberships.preview(member, premium, at=club.now())


async def test_up_and_down_in_a_loop_costs_and_gives_nothing_twice(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    plus, premium = await club.price_no("plus"), await club.price_no("premium")
    await changed(club, member, premium)
    paid = await net(member)
    for _ in range(2):
        await changed(club, member, plus)
        await club.memberships.keep_plan(member, key=club.key(), at=club.now())
    assert await net(member) == paid
    assert (await club.view(member)).plan == "premium"


async def test_an_upgrade_in_a_trial_costs_nothing_and_holds_after_it(at: datetime) -> None:
    club = await make_club(at, TRIED, PREMIUM)
    member = await club.joined("tried")
    ends = (await club.view(member)).trial_ends_at
    await changed(club, member, await club.price_no("premium"))
    seen = await club.view(member)
    assert (seen.state, seen.plan, seen.trial_ends_at) == (
        MembershipState.TRIALING,
        "tried",
        ends,
    )
    assert (seen.next_plan, seen.changes_at) == ("premium", ends)
    assert await net(member) == 0
    await club.advance(15 * DAY)
    seen = await club.view(member)
    assert (seen.plan, seen.next_plan, await net(member)) == ("premium", None, 14_900)


async def test_what_cannot_be_changed_is_refused(at: datetime) -> None:
    club = await make_club(at)
    plus, premium = await club.price_no("plus"), await club.price_no("premium")
    with pytest.raises(NotAMember):
        await club.memberships.preview(await club.enrol("bo"), plus, at=at)
    member = await club.joined()
    with pytest.raises(NothingToChange):
        await club.memberships.preview(member, plus, at=club.now())
    said = await club.memberships.preview(member, premium, at=club.now())
    late = await club.advance(timedelta(minutes=16))
    with pytest.raises(PreviewOutdated):
        await club.memberships.change(
            member, premium, previewed_at=said.previewed_at, key="k", at=late
        )
    await club.memberships.cancel(member, key=club.key(), at=club.now())
    with pytest.raises(ChangeNotPossible):
        await club.memberships.preview(member, premium, at=club.now())
