"""Members are told of everything that concerns their membership, once, in the inbox."""

from datetime import datetime, timedelta

import pytest

from billing.plans.countries import shipped
from billing.subscriptions import noticing, syncing
from billing.subscriptions.telling import of_fees, tongue
from billing.subscriptions.views import GiftOrder
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.kernel.outbox import Delivery
from coalition.messages import inbox, tongues
from coalition.messages.inbox import Message
from tests.billing.campaigns.world import rising, run
from tests.billing.memberships.world import TRIED, Club, make_club
from tests.billing.plans.written import plan
from tests.billing.seats.home import Home

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)
FAILS = "pm_card_chargeCustomerFail"


async def told(club: Club, member: MemberId) -> list[Message]:
    """Return what a member was told, the first first."""
    del club
    async with transaction() as connection:
        found = await inbox.page(connection, member, before=None, limit=100)
    return sorted(found, key=lambda one: (one.said_at, one.message_id))


async def kinds(club: Club, member: MemberId) -> list[str]:
    """Return the kinds of what a member was told, in order."""
    return [one.kind for one in await told(club, member)]


async def test_a_trial_is_confirmed_its_end_told_and_a_payment_that_fails_until_the_end(
    at: datetime,
) -> None:
    club = await make_club(at, TRIED)
    member = await club.joined("tried")
    (order,) = await told(club, member)
    terms = shipped().of("SE")
    assert order.subject.startswith("Your order of ")
    assert terms.disclosure("en") in order.body
    assert f"(version {terms.disclosure_version})" in order.body
    assert "SEK\u00a079.00 a month" in order.body
    assert "It is free until 5 December 2026" in order.body
    assert "until the end of 5 December 2026" in order.body

    await club.advance(11 * DAY)
    for _ in range(2):
        await noticing.tell(shipped(), club.now())
    assert await kinds(club, member) == ["order", "trial_ends"]

    await club.replace_card(member, FAILS)
    await club.advance(3 * DAY + timedelta(hours=2))
    *_, failed = await told(club, member)
    assert failed.kind == "payment_failed"
    assert "A payment of SEK\u00a079.00" in failed.body
    view = await club.view(member)
    assert view.entitled_until is not None
    await club.advance(40 * DAY)
    assert (await kinds(club, member))[-1] == "ended"
    assert len(set(await kinds(club, member))) == len(await kinds(club, member))


async def test_who_cancels_what_is_unpaid_is_told_by_the_receipt_alone(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    # What was cancelled and taken back is no end that the member asked for.
    await club.memberships.cancel(member, key=club.key(), at=club.now())
    await club.memberships.uncancel(member, key=club.key(), at=club.now())
    other = await club.joined(name="bo", card="5555555555554444")
    await club.memberships.cancel(other, key=club.key(), at=club.now())
    await club.memberships.uncancel(other, key=club.key(), at=club.now())
    for one in (member, other):
        await club.replace_card(one, FAILS)
    await club.advance(31 * DAY + timedelta(hours=2))
    assert (await kinds(club, member))[-1] == "payment_failed"
    await club.memberships.cancel(member, key=club.key(), at=club.now())
    await club.advance(40 * DAY)
    assert (await kinds(club, member))[-2:] == ["payment_failed", "cancelled_now"]
    assert (await kinds(club, other))[-2:] == ["payment_failed", "ended"]


async def test_what_a_member_does_is_confirmed_once_in_its_own_language(at: datetime) -> None:
    club = await make_club(at)
    member = await club.enrol()
    async with transaction() as connection:
        await tongues.choose(connection, member, "sv", at)
    await club.join(member)
    acts, key = club.memberships, club.key()
    for _ in range(2):
        await acts.cancel(member, key=key, at=club.now())
    await acts.uncancel(member, key=club.key(), at=club.now())
    await acts.pause(member, months=1, key=club.key(), at=club.now())
    await acts.resume(member, key=club.key(), at=club.now())
    declared = await acts.declare_withdrawal(member, at=club.now())
    await acts.confirm_withdrawal(
        declared.withdrawal_id, member=member, key=club.key(), at=club.now()
    )
    said = await told(club, member)
    assert sorted(one.kind for one in said) == [
        *("cancelled", "order", "paused", "resumed", "uncancelled", "withdrawn")
    ]
    by_kind = {one.kind: one for one in said}
    assert "slutar den 21 december 2026" in by_kind["cancelled"].body
    assert "den 21 november 2026 13:00" in by_kind["cancelled"].body
    assert "Du får tillbaka 79,00\u00a0kr" in by_kind["withdrawn"].body


async def test_a_new_price_is_told_with_the_old_one_and_the_day(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    asked = await club.joined(name="bo", country="DE", card="5555555555554444")
    await rising(club)
    for _ in range(2):
        await run(club)
    *_, notice = await told(club, member)
    assert notice.kind == "price_notice"
    assert "Until now: SEK\u00a079.00 a month" in notice.body
    assert "From 21 January 2027: SEK\u00a099.00 a month" in notice.body
    assert "cancel before" in notice.body
    assert (await kinds(club, member)).count("price_notice") == 1
    assert (await kinds(club, asked))[-1].startswith("price_asked_")


async def test_a_gift_is_told_to_who_bought_it_and_to_who_has_it_without_its_code(
    at: datetime,
) -> None:
    club = await make_club(at)
    giver, member = await club.enrol("giver"), await club.enrol()
    order = GiftOrder(plan="plus", months=3, currency="SEK")
    gift = await club.memberships.buy_gift(giver, order, key=club.key(), at=club.now())
    assert gift.url is not None
    await club.pay(gift.url)
    (paid,) = await club.memberships.gifts(giver, at=club.now())
    assert paid.code is not None
    await club.memberships.redeem_gift(member, paid.code, key=club.key(), at=club.now())
    assert sorted(await kinds(club, giver)) == ["gift_paid", "gift_redeemed"]
    (received,) = await told(club, member)
    assert "from 21 November 2026 until 21 February 2027" in received.body
    for said in [*await told(club, giver), received]:
        assert paid.code not in said.body


async def test_a_seat_is_told_to_who_has_it_without_a_name_and_its_end_to_who_did_not_end_it(
    at: datetime,
) -> None:
    club = await make_club(at, plan("plus", seats=2))
    home = Home(club)
    anna = await club.joined("plus", name="anna")
    bo, cy = await club.enrol("bo"), await club.enrol("cy")
    ordered = await club.joined("plus", name="dan", card="5555555555554444")
    await tongues.speak("sv", actor="staff:test", at=at)
    async with transaction() as connection:
        await tongues.choose(connection, anna, "nb", at)
    await home.family(anna, bo, cy)
    await home.add(anna, bo)
    await home.add(anna, cy)
    (given,) = await told(club, bo)
    # Of Bo no language is known: it is spoken to as Anna, who pays.
    assert (given.kind, given.language) == ("seat_given", "nb")
    async with transaction() as connection:
        asked = [anna, bo, ordered]
        # As packages below ask, for many at once: the choice, else the language of the last order.
        assert await tongue.languages_of(connection, asked) == {anna: "nb", ordered: "en"}
        # Of whom nothing is known, and nobody close is, the coalition's own language is right.
        assert (await tongue.wording_for(connection, cy)).language == "sv"
    await club.memberships.remove_seat(bo, bo, at=club.now())
    assert await kinds(club, bo) == ["seat_given"]
    # Both of one millisecond, so their ids may come in either order.
    assert sorted(await kinds(club, anna)) == ["order", "seat_given_up"]

    await club.memberships.cancel(anna, key=club.key(), at=club.now())
    await club.advance(31 * DAY)
    await syncing.turn(club.now())
    assert await kinds(club, cy) == ["seat_given", "seat_ended"]


@pytest.mark.parametrize("what", ["transfer_id", "act_id"])
async def test_whoever_is_to_pay_a_fee_is_told_how_much(at: datetime, what: str) -> None:
    club = await make_club(at)
    member, about = await club.enrol(), random_id()
    money = {"amount_minor": 5_000, "currency": "SEK"}
    payloads: dict[str, dict[str, object]] = {
        "transfer_id": {"transfer_id": str(about), "sender": str(member), "fee": money},
        "act_id": {"act_id": str(about), "member_id": str(member), **money},
    }
    due = Delivery(
        id=about, kind="families.fee_due", payload=payloads[what], occurred_at=at, committed_at=at
    )
    for _ in range(2):
        await of_fees.SUBSCRIBER.handle(due, at)
    (said,) = await told(club, member)
    assert (said.subject, said.path) == ("A fee of SEK\u00a050.00 waits for you", "/fees")
