"""Money of gifts is booked for who bought them; what was given ends and rests with it."""

from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from billing.benefits import entitlement_rows
from billing.subscriptions import arrivals, entries, gift_audit, reconciling, register
from billing.subscriptions.refusals import UnknownGift
from billing.subscriptions.views import GiftState, MembershipState
from coalition.kernel.database import transaction
from coalition.kernel.money import Money
from server.proof import prove
from tests.billing.memberships.gifted import (
    IN_EUROS,
    PLUS,
    decide,
    dispute,
    give,
    ledger,
    points,
    refund,
    row_of,
)
from tests.billing.memberships.world import make_club

pytestmark = pytest.mark.usefixtures("database")

DISPUTED_AT_ONCE = "4000000000000259"
DAY = timedelta(days=1)
PRICE = 3 * 7_900


async def test_a_gift_is_booked_for_who_bought_it_also_without_a_membership(at: datetime) -> None:
    club = await make_club(at, IN_EUROS)
    giver = await club.enrol("giver")
    gift = await give(club, giver)
    await club.advance(DAY)
    await give(club, giver, 1, currency="EUR")
    await refund(club, giver, 900)
    await club.hear()
    await club.hear()
    assert await ledger(giver) == [
        ("payment", PRICE, "SEK"),
        ("payment", 7_900, "EUR"),
        ("refund", -900, "EUR"),
    ]
    async with transaction() as connection:
        assert await entries.net(connection, giver) == {"SEK": PRICE, "EUR": 7_000}
        (first, *_) = await entries.of_member(connection, giver)
    assert (first.gift_id, first.membership_id, first.period_start) == (gift.gift_id, None, None)
    seen = await club.memberships.gifts(giver, at=club.now())
    assert [(one.state, one.refunded) for one in seen] == [
        (GiftState.PAID, Money(900, "EUR")),
        (GiftState.PAID, None),
    ]
    assert (await prove()).breaches == []


async def test_a_code_rests_while_its_payment_is_disputed_and_dies_with_it(at: datetime) -> None:
    club = await make_club(at, PLUS)
    giver, member = await club.enrol("giver"), await club.enrol()
    for is_won in (True, False):
        gift = await give(club, giver)
        assert gift.code is not None
        await dispute(club)
        await club.hear()
        (disputed, *_) = await club.memberships.gifts(giver, at=club.now())
        assert (disputed.state, disputed.code) == (GiftState.DISPUTED, None)
        with pytest.raises(UnknownGift):
            await club.memberships.redeem_gift(member, gift.code, key=club.key(), at=club.now())
        await decide(club, is_won=is_won)
        await club.hear()
        (after, *_) = await club.memberships.gifts(giver, at=club.now())
        assert after.state is (GiftState.PAID if is_won else GiftState.LOST)
        if is_won:
            await club.memberships.redeem_gift(member, gift.code, key=club.key(), at=club.now())
        await club.advance(timedelta(minutes=1))
    kinds = [kind for kind, _, _ in await ledger(giver)]
    assert sorted(kinds) == ["dispute", "dispute", "dispute_won", "payment", "payment"]
    async with transaction() as connection:
        assert await entries.net(connection, giver) == {"SEK": PRICE}
    assert (await prove()).breaches == []


@pytest.mark.parametrize("is_won", [True, False], ids=["won", "lost"])
async def test_months_of_a_gift_rest_in_a_dispute_and_end_with_its_money(
    at: datetime, *, is_won: bool
) -> None:
    club = await make_club(at, PLUS)
    giver, member = await club.enrol("giver"), await club.enrol()
    gift = await give(club, giver)
    await club.memberships.redeem_gift(member, gift.code or "", key="r", at=club.now())
    assert await points(club, member) == 100
    await club.advance(10 * DAY)
    await dispute(club)
    await club.hear()
    resting = await club.view(member)
    assert (resting.state, resting.entitled_until) == (MembershipState.ENDED, None)
    # Nothing is taken for good before it is decided.
    assert await points(club, member) == 100
    await club.advance(DAY)
    await decide(club, is_won=is_won)
    await club.hear()
    seen = await club.view(member)
    if is_won:
        assert (seen.state, seen.entitled_until) == (
            MembershipState.GIVEN,
            at.replace(year=2027, month=2),
        )
    else:
        assert (seen.state, seen.ends_at) == (MembershipState.ENDED, at + 10 * DAY)
    assert await points(club, member) == (100 if is_won else 0)
    assert (await row_of(giver)).state is (GiftState.REDEEMED if is_won else GiftState.LOST)
    assert (await prove()).breaches == []


async def test_a_gift_whose_dispute_is_won_holds_beside_what_was_begun_meanwhile(
    at: datetime,
) -> None:
    club = await make_club(at, PLUS)
    giver, member = await club.enrol("giver"), await club.enrol()
    gift = await give(club, giver)
    await club.memberships.redeem_gift(member, gift.code or "", key="r", at=club.now())
    await club.advance(10 * DAY)
    await dispute(club)
    await club.hear()
    await club.join(member)
    await club.advance(DAY)
    await decide(club, is_won=True)
    await club.hear()
    async with transaction() as connection:
        begun, given = await register.of_member(connection, member)
        held = await entitlement_rows.read(connection, member)
    assert (begun.state, begun.ended_at, given.ended_at) == ("active", None, at + 10 * DAY)
    until = max(one.entitlement.ends for one in held if one.membership_id == given.id)
    assert until == at.replace(year=2027, month=2)
    assert (await prove()).breaches == []


async def test_a_gift_whose_dispute_is_won_when_its_months_are_over_ended_when_it_was_told(
    at: datetime,
) -> None:
    club = await make_club(at, PLUS)
    giver, member = await club.enrol("giver"), await club.enrol()
    gift = await give(club, giver, months=1)
    await club.memberships.redeem_gift(member, gift.code or "", key="r", at=club.now())
    await club.advance(28 * DAY)
    await dispute(club)
    await club.hear()
    await club.advance(5 * DAY)
    await decide(club, is_won=True)
    await club.hear()
    async with transaction() as connection:
        (ended,) = await register.of_member(connection, member)
        (held,) = await entitlement_rows.read(connection, member)
    assert (ended.ended_at, held.entitlement.ends) == (at + 28 * DAY, at + 30 * DAY)
    assert (await prove()).breaches == []


async def test_a_gift_that_is_given_back_ends_when_the_money_went(at: datetime) -> None:
    club = await make_club(at, PLUS)
    giver, member = await club.enrol("giver"), await club.enrol()
    gift = await give(club, giver)
    await club.memberships.redeem_gift(member, gift.code or "", key="r", at=club.now())
    await club.advance(40 * DAY)
    assert await points(club, member) == 200
    await refund(club, giver, 7_900)
    await club.hear()
    assert (await club.view(member)).state is MembershipState.GIVEN
    await refund(club, giver, PRICE - 7_900)
    back_at = club.now()
    # The event comes a day late: the months have ended when the money went.
    await club.sandbox.advance(club.now() + DAY)
    await club.hear()
    seen = await club.view(member)
    assert (seen.state, seen.ends_at) == (MembershipState.ENDED, back_at)
    assert await points(club, member) == 0
    assert [kind for kind, _, _ in await ledger(giver)] == ["payment", "refund", "refund"]
    assert (await prove()).breaches == []


async def test_bought_redeemed_and_given_back_in_one_second_nothing_is_left(at: datetime) -> None:
    club = await make_club(at, PLUS)
    giver, member = await club.enrol("giver"), await club.enrol()
    gift = await give(club, giver)
    await club.memberships.redeem_gift(member, gift.code or "", key="r", at=club.now())
    assert await points(club, member) == 100
    await refund(club, giver, PRICE)
    await club.hear()
    assert (await club.view(member)).state is MembershipState.ENDED
    assert await points(club, member) == 0
    assert (await prove()).breaches == []


async def test_the_proof_finds_gifts_that_are_not_as_they_were_paid(at: datetime) -> None:
    club = await make_club(at, PLUS)
    giver, member = await club.enrol("giver"), await club.enrol()
    gift = await give(club, giver)
    await club.memberships.redeem_gift(member, gift.code or "", key="r", at=club.now())
    await club.hear()
    for damage in (
        "DELETE FROM membership_entry WHERE gift_id IS NOT NULL",
        "UPDATE membership_entry SET occurred_at = occurred_at - interval '40 days'",
        "UPDATE gift SET state = 'paid'",
        "UPDATE membership_ground SET unpaid_from = begins + interval '1 day'",
    ):
        with suppress(ZeroDivisionError):
            async with transaction() as connection:
                await connection.execute("GRANT UPDATE, DELETE ON membership_entry TO CURRENT_USER")
                await connection.execute(damage)
                assert len(await gift_audit.WALK.find(connection)) == 1, damage
                raise ZeroDivisionError  # The damage is undone.


async def test_a_payment_that_is_disputed_before_it_is_known_gives_no_code(at: datetime) -> None:
    club = await make_club(at, PLUS)
    giver = await club.enrol("giver")
    gift = await give(club, giver, card=DISPUTED_AT_ONCE)
    await club.advance(timedelta(minutes=1))
    (seen,) = await club.memberships.gifts(giver, at=club.now())
    assert (gift.gift_id, seen.state, seen.code) == (seen.gift_id, GiftState.DISPUTED, None)
    assert [kind for kind, _, _ in await ledger(giver)] == ["payment", "dispute"]


async def test_what_was_never_told_of_a_gift_is_seen_as_drift(at: datetime) -> None:
    club = await make_club(at, PLUS)
    giver = await club.enrol("giver")
    await give(club, giver)
    club.loses_webhooks = True
    await refund(club, giver, 900)
    await club.hear()
    # Stripe lists events for a month: this one is known to no list any more.
    await club.advance(32 * DAY)
    handler = arrivals.handler(club.memberships.house)
    shown = await club.gateway.payment(str((await row_of(giver)).payment))
    assert shown is not None
    refunded = shown.refunds[0].id
    for is_dry, found in ((True, 1), (False, 1), (False, 0)):
        report = await reconciling.reconcile(handler, club.now(), whole=True, dry_run=is_dry)
        assert (report.drifted, report.repaired) == (found, found * (not is_dry)), report
        if found:
            assert report.drifts[0].differences == (
                f"refund {refunded} is missing here",
                f"the ledger lacks -900 SEK of {refunded}",
            )
    assert [kind for kind, _, _ in await ledger(giver)] == ["payment", "refund"]


async def test_what_is_not_booked_of_a_gift_is_repaired_and_what_is_too_much_is_told(
    at: datetime,
) -> None:
    club = await make_club(at, PLUS)
    giver = await club.enrol("giver")
    await give(club, giver)
    await refund(club, giver, 900)
    await club.hear()
    payment = str((await row_of(giver)).payment)
    damages = (
        """
        INSERT INTO membership_entry
        SELECT bucket, member_id, NULL, 're_nobodys', 1, 'refund', -500, 0, currency, NULL, NULL,
               payment, occurred_at, booked_at, gift_id
        FROM membership_entry WHERE kind = 'payment'
        """,
        "DELETE FROM membership_entry WHERE kind = 'payment'",
        "UPDATE gift SET state = 'lost'",
    )
    async with transaction() as connection:
        await connection.execute("GRANT DELETE ON membership_entry TO CURRENT_USER")
        for damage in damages:
            await connection.execute(damage)
    handler = arrivals.handler(club.memberships.house)
    report = await reconciling.reconcile(handler, club.now(), whole=True)
    assert [(one.subscription, one.differences) for one in report.drifts] == [
        (
            payment,
            (
                "state: lost here, and its payment says otherwise",
                f"the ledger lacks {PRICE} SEK of {payment}",
            ),
        )
    ]
    assert [(one.id, one.told) for one in report.unexplained] == [
        ("re_nobodys", "the ledger has -500 SEK that Stripe has not")
    ]
    assert (await row_of(giver)).state is GiftState.PAID
    again = await reconciling.reconcile(handler, club.now() + timedelta(minutes=1), whole=True)
    assert (again.drifts, again.unexplained_count) == ((), 1)
