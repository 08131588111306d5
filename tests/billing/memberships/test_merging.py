"""Merges of members whose payments were disputed: nothing paid is lost, no points are kept."""

from datetime import datetime, timedelta

import pytest

from billing.benefits.refusals import PlanOfMerged
from billing.subscriptions import entries
from billing.subscriptions.views import MembershipState
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.ledger.partitions import ensure_partition
from coalition.members import merging
from server.people import FOLLOWERS
from server.proof import prove
from tests.billing.memberships.gifted import PLUS, decide, dispute, give, ledger, points, refund
from tests.billing.memberships.world import Club, make_club

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)


async def merge(club: Club, gone: MemberId, kept: MemberId) -> None:
    """Merge one member into another, as two persons agreed."""
    await ensure_partition(club.now())
    async with transaction() as connection:
        await merging.merge(
            connection,
            from_id=gone,
            into_id=kept,
            keys=club.keys,
            followers=FOLLOWERS,
            actor="staff:anna",
            at=club.now(),
        )


async def test_nobody_is_merged_away_while_a_bank_decides_or_a_subscription_goes_on(
    at: datetime,
) -> None:
    club = await make_club(at, PLUS)
    gone, kept = await club.joined(), await club.enrol("kept")
    await dispute(club)
    await club.hear()
    assert (await club.view(gone)).entitled_until is None
    with pytest.raises(PlanOfMerged):
        await merge(club, gone, kept)
    await club.memberships.cancel(gone, key="c", at=club.now())
    await club.advance(32 * DAY)
    # Unanswered for a week it was lost; what was given for it has gone back.
    assert (await club.view(gone)).state is MembershipState.ENDED
    assert await points(club, gone) == 0
    await merge(club, gone, kept)
    assert (await prove()).breaches == []


async def test_points_of_a_payment_that_is_lost_after_a_merge_are_taken_of_the_survivor(
    at: datetime,
) -> None:
    club = await make_club(at, PLUS)
    gone, kept = await club.joined(), await club.enrol("kept")
    assert await points(club, gone) == 100
    await club.memberships.cancel(gone, key="c", at=club.now())
    await club.advance(32 * DAY)
    await merge(club, gone, kept)
    assert await points(club, kept) == 100
    # Banks take weeks: what was paid for has passed.
    await dispute(club)
    await club.hear()
    assert await points(club, kept) == 100
    await decide(club, is_won=False)
    for _ in range(2):
        await club.hear()
        assert await points(club, kept) == 0
    assert await ledger(gone) == [("payment", 7_900, "SEK"), ("dispute", -7_900, "SEK")]
    assert (await prove()).breaches == []


async def test_an_order_of_who_is_merged_can_be_paid_no_more_and_a_trial_is_had_once(
    at: datetime,
) -> None:
    club = await make_club(at)
    gone, kept = await club.joined(), await club.enrol("kept")
    await club.memberships.cancel(gone, key="c", at=club.now())
    await club.advance(32 * DAY)
    await club.memberships.checkout(gone, await club.order(), key="k", at=club.now())
    await merge(club, gone, kept)
    async with transaction() as connection:
        states = await connection.fetch("SELECT state FROM membership_order ORDER BY begun_at")
    assert [row["state"] for row in states] == ["complete", "expired"]
    opened = await club.memberships.checkout(kept, await club.order(), key="t", at=club.now())
    assert opened.trial_days == 0


async def test_the_survivor_has_the_gifts_and_sees_the_payments_of_who_was_merged(
    at: datetime,
) -> None:
    club = await make_club(at, PLUS)
    gone, kept = await club.enrol("gone"), await club.enrol("kept")
    bought = await give(club, gone)
    await merge(club, gone, kept)
    assert await club.memberships.gifts(kept, at=club.now()) == (bought,)
    async with transaction() as connection:
        found = await entries.of_person(connection, kept)
    assert [(one.kind, one.gift_id) for one in found] == [("payment", bought.gift_id)]
    # Given back after the merge it is booked where it was paid, once.
    await refund(club, gone, 900)
    await club.hear()
    assert [kind for kind, _, _ in await ledger(gone)] == ["payment", "refund"]
    assert await ledger(kept) == []
