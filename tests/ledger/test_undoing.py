"""A transfer is undone whole and once: what was received and not spent goes back."""

import asyncio
from datetime import datetime, timedelta

import msgspec
import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import random_id
from coalition.ledger import audit, expiry, holders, upkeep
from coalition.ledger.accounts import HolderState, Kind
from coalition.ledger.drafts import Posted, Transferred
from coalition.ledger.refusals import (
    HolderNotActive,
    NotReversible,
    PointsAlreadySpent,
    ReversalExceedsOriginal,
    UnknownPosting,
)
from coalition.ledger.selecting import NewEnd
from tests.ledger.transfer_world import (
    ends_of,
    lots_of,
    merge,
    moved,
    one,
    points_by_issuer,
    postings_of,
    transfer,
    undo,
)
from tests.support.ledger import (
    FUEL,
    GROCER,
    balance,
    issue,
    open_holder,
    post,
    redeem,
    reverse,
)

pytestmark = pytest.mark.usefixtures("database")


async def test_points_go_back_into_the_lots_that_they_came_from(at: datetime) -> None:
    sender, receiver = await open_holder(at), await open_holder(at)
    soon = at.date() + timedelta(days=30)
    await post(
        [issue(sender, 100, at, expires_on=soon), issue(sender, 50, at, partner_no=FUEL)], at
    )
    before = await lots_of(sender)
    late = {GROCER * 10: NewEnd(soon + timedelta(days=90)), FUEL * 10: NewEnd(soon)}
    made = await moved(transfer(sender, receiver, 120, at, endings=late, fee=5), at)
    back = await moved(undo(made, at), at)
    assert (back.holder, back.receiver, back.points) == (receiver, sender, 120)
    # The fee stays taken.
    assert sum(row["points"] for row in await lots_of(sender)) == 145
    assert [row["expires_on"] for row in await lots_of(sender)] == [
        row["expires_on"] for row in before
    ]
    assert await lots_of(receiver) == []
    assert await postings_of(receiver) == [(Kind.REVERSAL, -120), (Kind.TRANSFER, 120)]
    assert (await audit.run()).ok


async def test_it_is_undone_once_also_when_asked_twice_at_once(at: datetime) -> None:
    sender, receiver = await open_holder(at), await open_holder(at)
    await post([issue(sender, 100, at), issue(receiver, 500, at)], at)
    made = await moved(transfer(sender, receiver, 60, at), at)
    first, second = await post([undo(made, at), undo(made, at)], at)
    assert isinstance(first, Transferred)
    assert isinstance(second, ReversalExceedsOriginal)
    assert second.facts == {"limit": 60, "remaining": 0}
    again = await moved(transfer(sender, receiver, 60, at), at)
    outcomes = await asyncio.gather(*(one(undo(again, at), at) for _ in range(8)))
    assert [type(outcome) for outcome in outcomes].count(Transferred) == 1
    assert (await balance(sender, at), await balance(receiver, at)) == (100, 500)
    assert (await audit.run()).ok


async def test_all_goes_back_or_nothing(at: datetime) -> None:
    sender, receiver = await open_holder(at), await open_holder(at)
    await post([issue(sender, 100, at), issue(receiver, 500, at, partner_no=FUEL)], at)
    made = await moved(transfer(sender, receiver, 60, at), at)
    # Points of another issuer do not stand in for those that came.
    soon = at.date() + timedelta(days=2)
    await post([issue(receiver, 500, at, partner_no=FUEL, expires_on=soon)], at)
    await post([redeem(receiver, 1001, at)], at)
    refused = await one(undo(made, at), at)
    assert isinstance(refused, PointsAlreadySpent)
    assert refused.facts == {"points": 60, "remaining": 59}
    assert await points_by_issuer(receiver) == {GROCER: 59}
    assert await balance(sender, at) == 40
    assert (await audit.run()).ok


async def test_other_points_of_the_same_lot_cover_what_was_spent(at: datetime) -> None:
    sender, receiver = await open_holder(at), await open_holder(at)
    await post([issue(sender, 100, at), issue(receiver, 30, at)], at)
    made = await moved(transfer(sender, receiver, 60, at), at)
    await post([redeem(receiver, 30, at)], at)
    await moved(undo(made, at), at)
    assert (await balance(sender, at), await balance(receiver, at)) == (100, 0)


async def test_what_has_ended_at_the_receiver_is_gone(at: datetime) -> None:
    sender, receiver = await open_holder(at), await open_holder(at)
    await post([issue(sender, 100, at, expires_on=at.date())], at)
    made = await moved(transfer(sender, receiver, 60, at), at)
    tomorrow = at + timedelta(days=1)
    refused = await one(undo(made, tomorrow), tomorrow)
    assert isinstance(refused, PointsAlreadySpent)
    assert refused.facts["remaining"] == 0
    assert await expiry.expire(tomorrow, tomorrow.date()) == 100
    assert isinstance(await one(undo(made, tomorrow), tomorrow), PointsAlreadySpent)
    assert (await audit.run()).ok


async def test_a_lot_of_the_sender_that_has_ended_is_replaced_with_days_of_grace(
    at: datetime,
) -> None:
    sender, receiver = await open_holder(at), await open_holder(at)
    await post([issue(sender, 60, at, expires_on=at.date()), issue(sender, 40, at)], at)
    late = {GROCER * 10: NewEnd(at.date() + timedelta(days=365))}
    made = await moved(transfer(sender, receiver, 100, at, endings=late), at)
    await upkeep.sweep()
    later = at + timedelta(days=5)
    await moved(undo(made, later), later)
    assert await ends_of(sender) == {later.date() + timedelta(days=30): 60, None: 40}
    assert await balance(sender, later) == 100
    assert isinstance(await one(undo(made, later), later), ReversalExceedsOriginal)
    await upkeep.sweep()
    assert (await audit.run()).ok


async def test_only_the_half_that_left_names_a_transfer(at: datetime) -> None:
    sender, receiver = await open_holder(at), await open_holder(at)
    (issued,) = await post([issue(sender, 100, at)], at)
    assert isinstance(issued, Posted)
    made = await moved(transfer(sender, receiver, 60, at), at)
    for posting in (issued.posting, made.into_posting, random_id()):
        wrong = msgspec.structs.replace(undo(made, at), posting=posting)
        assert isinstance(await one(wrong, at), UnknownPosting)
    reversal = reverse(made.posting, at, partner_no=0)
    assert isinstance((await post([reversal], at))[0], NotReversible)


@pytest.mark.parametrize("party", ["sender", "receiver"])
async def test_a_frozen_member_stands_in_the_way(at: datetime, party: str) -> None:
    both = {"sender": await open_holder(at), "receiver": await open_holder(at)}
    await post([issue(both["sender"], 100, at)], at)
    made = await moved(transfer(both["sender"], both["receiver"], 60, at), at)
    async with transaction() as connection:
        await holders.set_state(connection, both[party], HolderState.FROZEN)
    refused = await one(undo(made, at), at)
    assert isinstance(refused, HolderNotActive)
    assert refused.facts == {"party": party}


class TestMerged:
    """Whoever has taken over from a side stands in for it."""

    async def test_points_come_from_and_go_to_those_who_took_over(self, at: datetime) -> None:
        sender, receiver, heir, other = [await open_holder(at) for _ in range(4)]
        soon = at.date() + timedelta(days=30)
        await post([issue(sender, 50, at, expires_on=soon), issue(sender, 50, at)], at)
        made = await moved(transfer(sender, receiver, 80, at), at)
        await merge(sender, heir, at)
        await merge(receiver, other, at)
        back = await moved(undo(made, at), at)
        assert (back.holder, back.receiver) == (other, heir)
        assert await ends_of(heir) == {soon: 50, None: 50}
        assert await lots_of(other) == []
        assert await lots_of(sender) == []
        assert await lots_of(receiver) == []
        assert isinstance(await one(undo(made, at), at), ReversalExceedsOriginal)
        assert (await audit.run()).ok

    async def test_what_the_one_who_took_over_has_spent_is_spent(self, at: datetime) -> None:
        sender, receiver, heir = [await open_holder(at) for _ in range(3)]
        await post([issue(sender, 100, at)], at)
        made = await moved(transfer(sender, receiver, 80, at), at)
        await merge(receiver, heir, at)
        await post([redeem(heir, 1, at)], at)
        refused = await one(undo(made, at), at)
        assert isinstance(refused, PointsAlreadySpent)
        assert refused.facts["remaining"] == 79

    async def test_a_lot_that_has_ended_gets_grace_with_who_took_over(self, at: datetime) -> None:
        sender, receiver, heir = [await open_holder(at) for _ in range(3)]
        await post([issue(sender, 100, at, expires_on=at.date())], at)
        late = {GROCER * 10: NewEnd(None)}
        made = await moved(transfer(sender, receiver, 80, at, endings=late), at)
        await merge(sender, heir, at)
        later = at + timedelta(days=3)
        await moved(undo(made, later), later)
        assert await balance(heir, later) == 80
        assert (await audit.run()).ok

    async def test_between_two_that_are_one_nothing_is_undone(self, at: datetime) -> None:
        sender, receiver = await open_holder(at), await open_holder(at)
        await post([issue(sender, 100, at)], at)
        made = await moved(transfer(sender, receiver, 80, at), at)
        await merge(receiver, sender, at)
        assert isinstance(await one(undo(made, at), at), NotReversible)
        assert await balance(sender, at) == 100
        assert (await audit.run()).ok

    async def test_who_took_over_and_was_frozen_stands_in_the_way(self, at: datetime) -> None:
        sender, receiver, heir = [await open_holder(at) for _ in range(3)]
        await post([issue(sender, 100, at)], at)
        made = await moved(transfer(sender, receiver, 80, at), at)
        await merge(sender, heir, at)
        async with transaction() as connection:
            await holders.set_state(connection, heir, HolderState.FROZEN)
        refused = await one(undo(made, at), at)
        assert isinstance(refused, HolderNotActive)
        assert refused.facts == {"party": "sender"}
