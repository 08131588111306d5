"""Journey 5: an upgrade costs its preview, a failed card keeps the plan, loops give once."""

import pytest

from billing.subscriptions.refusals import ChangeNotPossible
from billing.subscriptions.views import MembershipState
from tests.billing.journeys.club import DAY, Books, Club

FAILS = "pm_card_chargeCustomerFail"


async def test_an_upgrade_charges_its_preview_to_the_minor_unit(club: Club) -> None:
    begins = club.now()
    member = await club.bought()
    changes = await club.advance(11 * DAY)
    premium = await club.price_no("premium")
    said = await club.memberships.preview(member, premium, at=club.now())
    seen = await club.change(member, "premium")
    assert (seen.plan, seen.has_pending_change) == ("premium", False)
    # 20 of 31 days of the dearer plan, less 20 of the cheaper.
    due = round(14_900 * 20 / 31) - round(7_900 * 20 / 31)
    assert said.due_now.amount_minor == due
    until = begins.replace(month=2)
    assert await club.books(member) == Books(
        state=MembershipState.ACTIVE,
        held=[
            ("plus", "paid", begins, changes),
            ("premium", "paid", changes, until),
            ("premium", "grace", until, until + 7 * DAY),
        ],
        paid=[("payment", 7_900), ("payment", due)],
        points=250,
        told={"started", "changed"},
    )
    await club.until(until + DAY)
    found = await club.books(member)
    assert (found.paid[-1], found.points) == (("payment", 14_900), 500)
    await club.check()


async def test_a_card_that_fails_keeps_the_plan_until_another_pays_or_a_day_is_over(
    club: Club,
) -> None:
    member = await club.bought()
    await club.replace_card(member, FAILS)
    seen = await club.change(member, "premium")
    assert (seen.plan, seen.has_pending_change) == ("plus", True)
    assert (await club.at_the_till(member)).plan == "plus"
    with pytest.raises(ChangeNotPossible):
        await club.change(member, "premium")
    before = await club.books(member)
    assert (before.paid, before.points) == ([("payment", 7_900)], 100)

    await club.advance(2 * DAY)
    assert await club.books(member) == before
    assert (await club.view(member)).has_pending_change is False
    await club.replace_card(member, "pm_card_visa")
    assert (await club.change(member, "premium")).plan == "premium"
    await club.check()


async def test_up_and_down_in_loops_costs_and_gives_nothing_twice(club: Club) -> None:
    begins = club.now()
    member = await club.bought()
    await club.change(member, "premium")
    once = await club.books(member)
    assert once.points == 250
    for _ in range(3):
        await club.change(member, "plus")
        await club.advance(DAY)
        await club.memberships.keep_plan(member, key=club.key(), at=club.now())
        await club.hear()
    assert await club.books(member) == once

    # Down with the next month, up again in it: that month gives what the higher plan does, once.
    renews = begins.replace(month=2)
    await club.change(member, "plus")
    await club.until(renews + DAY)
    assert (await club.view(member)).plan == "plus"
    assert (await club.books(member)).points == 350
    await club.change(member, "premium")
    await club.change(member, "plus")
    await club.memberships.keep_plan(member, key=club.key(), at=club.now())
    await club.hear()
    found = await club.books(member)
    assert (found.points, found.held[-1][:2]) == (500, ("premium", "grace"))
    await club.check()
