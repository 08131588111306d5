"""Journey 7: withdrawn from on day 13, refused on day 15; disputed, and lost or won."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.subscriptions.refusals import WithdrawalTooLate
from billing.subscriptions.views import MembershipState
from partners.settlement import draining
from tests.billing.journeys.club import DAY, SECOND, Books, Club
from tests.partners.settlement.world import book

DISPUTED = "4000000000000259"
SHIPPING_MINOR = 4_900


async def test_on_day_thirteen_what_is_left_goes_back_and_who_funded_pays_nothing(
    club: Club,
) -> None:
    begins = club.now()
    member = await club.bought("premium")
    await draining.drain_all(club.now())
    fuel, grocer = ("partner", club.world.fuel), ("partner", club.world.grocer)
    # 250 points at 0.01: who gives them owes them to the coalition.
    assert (await book())[fuel] == Decimal("2.5")

    # By day 13 the benefit was used for more than the days come to: that much is kept.
    await club.advance(12 * DAY - timedelta(hours=1))
    for number in range(2):
        await club.ship(member, f"R-{number}", SHIPPING_MINOR)
    ends = await club.advance(timedelta(minutes=10))
    back = await club.withdraw(member)
    assert back == 14_900 - 2 * SHIPPING_MINOR
    assert await club.books(member) == Books(
        state=MembershipState.ENDED,
        held=[("premium", "paid", begins, ends)],
        paid=[("payment", 14_900), ("refund", -back)],
        points=0,
        told={"started", "refunded", "ended"},
    )
    assert (await club.at_the_till(member)).plan is None
    await draining.drain_all(club.now())
    settled = await book()
    # The points are taken back from who funded them; what was shipped stays paid for.
    assert settled[fuel] == Decimal(2 * SHIPPING_MINOR) / 100
    assert settled[grocer] == -settled[fuel]
    await club.check()


async def test_what_is_used_between_the_two_steps_is_kept_too(club: Club) -> None:
    member = await club.bought("premium")
    declared = await club.memberships.declare_withdrawal(member, at=club.now())
    assert declared.refund.amount_minor == 14_900
    for number in range(2):
        await club.ship(member, f"R-{number}", SHIPPING_MINOR)
    await club.advance(timedelta(minutes=10))
    receipt = await club.memberships.confirm_withdrawal(
        declared.withdrawal_id, member=member, key=club.key(), at=club.now()
    )
    assert receipt.refund is not None
    assert receipt.refund.amount_minor == 14_900 - 2 * SHIPPING_MINOR
    await club.check()


async def test_on_day_fifteen_a_withdrawal_is_refused_and_nothing_changes(club: Club) -> None:
    member = await club.bought()
    await club.advance(15 * DAY)
    before = await club.books(member)
    with pytest.raises(WithdrawalTooLate):
        await club.withdraw(member)
    await club.hear()
    assert await club.books(member) == before
    await club.check()


@pytest.mark.parametrize("is_won", [True, False], ids=["won", "lost"])
async def test_a_dispute_freezes_and_then_restores_or_takes_back(
    club: Club, *, is_won: bool
) -> None:
    begins = club.now()
    member = await club.bought("premium", "year")
    disputed = await club.advance(5 * DAY)
    await club.dispute()
    frozen = await club.books(member)
    assert (frozen.state, frozen.paid, frozen.told) == (
        MembershipState.PAST_DUE,
        [("payment", 149_000), ("dispute", -149_000)],
        {"started", "disputed", "suspended"},
    )
    assert (await club.view(member)).is_disputed
    assert await club.plans_at(member, disputed - SECOND, disputed) == ["premium", None]
    # Nothing is taken for good before it is decided.
    assert frozen.points == 250

    await club.advance(3 * DAY)
    await club.decide_dispute(is_won=is_won)
    await draining.drain_all(club.now())
    found = await club.books(member)
    settled = (await book()).get(("partner", club.world.fuel), Decimal(0))
    till = await club.at_the_till(member)
    if is_won:
        assert (till.plan, found.points, settled) == ("premium", 250, Decimal("2.5"))
        assert found.held[0][2:] == (begins, begins.replace(year=begins.year + 1))
        assert found.paid == [*frozen.paid, ("dispute_won", 149_000)]
    else:
        assert (till.plan, found.points, settled) == (None, 0, Decimal(0))
        assert (found.held, found.paid) == (frozen.held, frozen.paid)
    await club.check()


@pytest.mark.parametrize("restores", [True, False], ids=["restored", "left"])
async def test_after_a_lost_dispute_nothing_is_charged_unless_its_member_restores_it(
    club: Club, *, restores: bool
) -> None:
    member = await club.bought()
    await club.dispute()
    await club.advance(2 * DAY)
    await club.decide_dispute(is_won=False)
    await club.advance(timedelta(minutes=10))
    assert (await club.view(member)).renews_at is None
    paid = [("payment", 7_900), ("dispute", -7_900)]
    if restores:
        await club.memberships.uncancel(member, key="again", at=club.now())
        paid.append(("payment", 7_900))
    await club.advance(35 * DAY)
    found = await club.books(member)
    assert found.paid == paid
    assert found.state is (MembershipState.ACTIVE if restores else MembershipState.ENDED)
    await club.check()


async def test_a_card_whose_payment_is_disputed_at_once_gives_nothing(club: Club) -> None:
    member = await club.bought(card=DISPUTED)
    await club.advance(timedelta(minutes=1))
    assert (await club.at_the_till(member)).plan is None
    found = await club.books(member)
    assert (found.points, sum(minor for _, minor in found.paid)) == (0, 0)
    await club.check()
