"""Points go from one holder to another, lot by lot, and keep where they came from."""

from datetime import datetime, timedelta

import msgspec
import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import random_id
from coalition.kernel.money import POINTS_MAX
from coalition.ledger import audit, holders
from coalition.ledger.accounts import HolderState, Kind
from coalition.ledger.drafts import Held, Owed, Posted, Transferred
from coalition.ledger.refusals import (
    CaptureExceedsHold,
    HolderMerged,
    HolderNotActive,
    HoldResolved,
    NotEnoughPoints,
    PointsAlreadySpent,
    TransferToItself,
    UnknownHold,
    UnknownHolder,
)
from coalition.ledger.selecting import KEEP, LotFilter, NewEnd, TakingOrder
from tests.ledger.transfer_world import (
    ends_of,
    lots_of,
    merge,
    moved,
    one,
    points_by_issuer,
    postings_of,
    reserve,
    transfer,
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


@pytest.mark.usefixtures("database")
async def test_points_move_and_keep_their_issuer(at: datetime) -> None:
    sender, receiver = await open_holder(at), await open_holder(at)
    await post([issue(sender, 100, at), issue(sender, 50, at, partner_no=FUEL)], at)
    made = await moved(transfer(sender, receiver, 120, at), at)
    assert (await balance(sender, at), await balance(receiver, at)) == (30, 120)
    kept, gone = await points_by_issuer(sender), await points_by_issuer(receiver)
    assert {no: kept.get(no, 0) + gone.get(no, 0) for no in (GROCER, FUEL)} == {
        GROCER: 100,
        FUEL: 50,
    }
    assert sum(leg.points for leg in made.legs) == 120
    assert (made.holder, made.receiver, made.fee_posting) == (sender, receiver, None)
    assert await postings_of(receiver) == [(Kind.TRANSFER, 120)]
    assert (await audit.run()).ok


@pytest.mark.usefixtures("database")
async def test_a_transfer_is_covered_whole_or_leaves_nothing(at: datetime) -> None:
    sender, receiver = await open_holder(at), await open_holder(at)
    await post([issue(sender, 100, at)], at)
    refused = await one(transfer(sender, receiver, 101, at), at)
    assert isinstance(refused, NotEnoughPoints)
    assert refused.facts == {"points": 101, "balance": 100}
    without_fee = await one(transfer(sender, receiver, 100, at, fee=1), at)
    assert isinstance(without_fee, NotEnoughPoints)
    assert without_fee.facts == {"points": 101, "balance": 100}
    assert await balance(sender, at) == 100
    assert await lots_of(receiver) == []
    assert (await audit.run()).ok


@pytest.mark.usefixtures("database")
async def test_a_fee_in_points_is_a_posting_beside_it(at: datetime) -> None:
    sender, receiver = await open_holder(at), await open_holder(at)
    await post([issue(sender, 100, at)], at)
    made = await moved(transfer(sender, receiver, 80, at, fee=5), at)
    assert made.fee_posting is not None
    assert await postings_of(sender) == [(Kind.ISSUE, 100), (Kind.TRANSFER, -80), (Kind.FEE, -5)]
    assert (await balance(sender, at), await balance(receiver, at)) == (15, 80)
    assert (await audit.run()).ok


@pytest.mark.usefixtures("database")
async def test_points_that_end_first_go_first_unless_the_oldest_are_asked_for(
    at: datetime,
) -> None:
    sender, receiver = await open_holder(at), await open_holder(at)
    soon, late = at.date() + timedelta(days=30), at.date() + timedelta(days=60)
    early = issue(sender, 10, at, expires_on=late)
    provenance = early.grants[0].provenance._replace(earned_month=202601)
    (grant,) = (msgspec.structs.replace(one, provenance=provenance) for one in early.grants)
    old = type(early)(sender, early.till, (grant,))
    await post([issue(sender, 10, at, expires_on=soon), old], at)
    await moved(transfer(sender, receiver, 4, at), at)
    assert await ends_of(receiver) == {soon: 4}
    await moved(transfer(sender, receiver, 5, at, order=TakingOrder.OLDEST_EARNED), at)
    assert await ends_of(receiver) == {soon: 4, late: 5}
    assert (await audit.run()).ok


@pytest.mark.usefixtures("database")
async def test_drafts_of_one_batch_chain_in_their_order(at: datetime) -> None:
    first, second, third = [await open_holder(at) for _ in range(3)]
    outcomes = await post(
        [
            transfer(second, third, 1, at),
            issue(first, 100, at),
            transfer(first, second, 60, at),
            transfer(second, third, 40, at),
            transfer(third, first, 41, at),
            transfer(first, third, 30, at),
            redeem(third, 60, at),
            transfer(third, second, 10, at),
        ],
        at,
    )
    refused = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, NotEnoughPoints)]
    assert refused == [0, 4]
    assert [await balance(who, at) for who in (first, second, third)] == [10, 30, 0]
    assert (await audit.run()).ok


@pytest.mark.usefixtures("database")
async def test_several_that_send_to_one_and_one_that_sends_to_several_go_together(
    at: datetime,
) -> None:
    head, *members = [await open_holder(at) for _ in range(4)]
    await post([issue(one, 100, at) for one in members], at)
    sent = [transfer(one, head, 100, at) for one in members]
    shares = [transfer(head, one, 101, at) for one in members]
    outcomes = await post([*sent, *shares], at)
    assert [type(outcome) for outcome in outcomes] == [Transferred] * 5 + [NotEnoughPoints]
    assert [await balance(who, at) for who in (head, *members)] == [98, 101, 101, 0]
    assert (await audit.run()).ok


@pytest.mark.usefixtures("database")
class TestHolds:
    """A transfer that waited takes what was reserved for it."""

    async def test_exactly_the_held_points_move_and_the_rest_is_released(
        self, at: datetime
    ) -> None:
        sender, receiver = await open_holder(at), await open_holder(at)
        soon = at.date() + timedelta(days=30)
        await post([issue(sender, 50, at, expires_on=soon), issue(sender, 100, at)], at)
        (held,) = await post([reserve(sender, 60, at)], at)
        assert isinstance(held, Held)
        await post([issue(sender, 20, at, expires_on=at.date())], at)
        made = await moved(transfer(sender, receiver, 52, at, hold=held.hold, fee=3), at)
        assert await ends_of(receiver) == {soon: 50, None: 2}
        assert await balance(sender, at) == 115
        async with transaction() as connection:
            row = await connection.fetchrow("SELECT state, posting FROM hold")
        assert tuple(row or ()) == (2, made.posting)
        assert (await audit.run()).ok

    async def test_a_hold_is_taken_once(self, at: datetime) -> None:
        sender, receiver = await open_holder(at), await open_holder(at)
        await post([issue(sender, 100, at)], at)
        (held,) = await post([reserve(sender, 60, at)], at)
        assert isinstance(held, Held)
        draft = transfer(sender, receiver, 60, at, hold=held.hold)
        outcomes = await post([draft, draft], at)
        assert [type(outcome) for outcome in outcomes] == [Transferred, HoldResolved]
        assert isinstance(await one(draft, at), HoldResolved)
        assert await balance(receiver, at) == 60
        assert (await audit.run()).ok

    async def test_a_hold_that_has_run_out_moves_nothing(self, at: datetime) -> None:
        sender, receiver = await open_holder(at), await open_holder(at)
        await post([issue(sender, 100, at)], at)
        (held,) = await post([reserve(sender, 60, at)], at)
        assert isinstance(held, Held)
        later = at + timedelta(days=2)
        refused = await one(transfer(sender, receiver, 60, later, hold=held.hold), later)
        assert isinstance(refused, HoldResolved)

    @pytest.mark.parametrize(("points", "fee"), [(61, 0), (60, 1)])
    async def test_it_takes_no_more_than_is_held(self, at: datetime, points: int, fee: int) -> None:
        sender, receiver = await open_holder(at), await open_holder(at)
        await post([issue(sender, 100, at)], at)
        (held,) = await post([reserve(sender, 60, at)], at)
        assert isinstance(held, Held)
        draft = transfer(sender, receiver, points, at, hold=held.hold, fee=fee)
        refused = await one(draft, at)
        assert isinstance(refused, CaptureExceedsHold)
        assert refused.facts == {"limit": 60}
        assert await balance(sender, at) == 40

    async def test_a_hold_of_somebody_else_is_not_found(self, at: datetime) -> None:
        sender, receiver = await open_holder(at), await open_holder(at)
        await post([issue(sender, 100, at), issue(receiver, 100, at)], at)
        of_other, of_partner = await post(
            [reserve(receiver, 60, at), reserve(sender, 60, at, partner_no=FUEL)], at
        )
        assert isinstance(of_other, Held)
        assert isinstance(of_partner, Held)
        for hold in (of_other.hold, of_partner.hold, random_id()):
            refused = await one(transfer(sender, receiver, 60, at, hold=hold), at)
            assert isinstance(refused, UnknownHold)


@pytest.mark.usefixtures("database")
class TestLots:
    """Which lots are taken, and what they are where they arrive."""

    async def test_only_lots_that_pass_the_filter_move(self, at: datetime) -> None:
        sender, receiver = await open_holder(at), await open_holder(at)
        await post([issue(sender, 100, at), issue(sender, 50, at, partner_no=FUEL)], at)
        only_fuel = LotFilter(issuer_nos=frozenset({FUEL}))
        refused = await one(transfer(sender, receiver, 51, at, lots=only_fuel), at)
        assert isinstance(refused, NotEnoughPoints)
        assert refused.facts["balance"] == 50
        # The fee may come out of any points.
        await moved(transfer(sender, receiver, 50, at, lots=only_fuel, fee=1), at)
        assert await points_by_issuer(receiver) == {FUEL: 50}
        for nothing in (
            LotFilter(class_nos=frozenset({7})),
            LotFilter(contributor=receiver),
            LotFilter(earned_since=202612),
        ):
            refused = await one(transfer(sender, receiver, 1, at, lots=nothing), at)
            assert isinstance(refused, NotEnoughPoints)
        everything = LotFilter(
            issuer_nos=frozenset({GROCER}),
            class_nos=frozenset({0}),
            contributor=sender,
            earned_since=202611,
        )
        await moved(transfer(sender, receiver, 99, at, lots=everything), at)
        assert (await audit.run()).ok

    async def test_who_brought_points_into_a_pool_stays_known_there(self, at: datetime) -> None:
        anna, bo, pool = [await open_holder(at) for _ in range(3)]
        await post([issue(anna, 100, at), issue(bo, 100, at)], at)
        await post(
            [
                transfer(anna, pool, 60, at, contributor=anna),
                transfer(bo, pool, 40, at, contributor=KEEP),
            ],
            at,
        )
        found = {row["contributor"]: row["points"] for row in await lots_of(pool)}
        assert found == {anna: 60, bo: 40}
        of_anna = LotFilter(contributor=anna)
        refused = await one(transfer(pool, anna, 61, at, lots=of_anna), at)
        assert isinstance(refused, NotEnoughPoints)
        await moved(transfer(pool, anna, 60, at, lots=of_anna, contributor=KEEP), at)
        await moved(transfer(pool, anna, 10, at, contributor=KEEP), at)
        assert {row["contributor"]: row["points"] for row in await lots_of(anna)} == {
            None: 100,
            bo: 10,
        }
        await moved(transfer(anna, pool, 10, at, lots=LotFilter(contributor=bo)), at)
        assert {row["contributor"] for row in await lots_of(pool)} == {bo, None}
        assert (await audit.run()).ok

    async def test_points_may_get_another_end_and_another_class(self, at: datetime) -> None:
        sender, receiver = await open_holder(at), await open_holder(at)
        soon, late = at.date() + timedelta(days=3), at.date() + timedelta(days=300)
        await post(
            [
                issue(sender, 10, at, expires_on=soon),
                issue(sender, 20, at),
                issue(sender, 40, at, partner_no=FUEL),
            ],
            at,
        )
        draft = transfer(
            sender, receiver, 70, at, endings={GROCER * 10: NewEnd(late)}, classes={0: 1}
        )
        made = await moved(draft, at)
        assert await ends_of(receiver) == {late: 30, None: 40}
        assert {row["class_no"] for row in await lots_of(receiver)} == {1}
        assert len(made.legs) == 3
        assert len({leg.into_lot for leg in made.legs}) == 2
        assert (await audit.run()).ok

    async def test_points_that_would_arrive_ended_stay(self, at: datetime) -> None:
        sender, receiver = await open_holder(at), await open_holder(at)
        await post([issue(sender, 10, at, expires_on=at.date()), issue(sender, 5, at)], at)
        async with transaction() as connection:
            await holders.suspend_expiry(connection, sender, None)
        later = at + timedelta(days=5)
        assert await balance(sender, later) == 15
        refused = await one(transfer(sender, receiver, 6, later), later)
        assert isinstance(refused, NotEnoughPoints)
        assert refused.facts["balance"] == 5
        past = {GROCER * 10: NewEnd(at.date())}
        refused = await one(transfer(sender, receiver, 1, later, endings=past), later)
        assert isinstance(refused, NotEnoughPoints)
        await moved(transfer(sender, receiver, 5, later, fee=10), later)
        assert await balance(sender, later) == 0

    async def test_an_amount_as_large_as_a_posting_carries_moves(self, at: datetime) -> None:
        sender, receiver = await open_holder(at), await open_holder(at)
        await post([issue(sender, POINTS_MAX, at), issue(sender, 9, at)], at)
        await moved(transfer(sender, receiver, POINTS_MAX, at, fee=9), at)
        assert await balance(receiver, at) == POINTS_MAX
        assert (await audit.run()).ok


@pytest.mark.usefixtures("database")
class TestRefusals:
    """Between whom nothing moves, and because of whom."""

    async def test_nobody_sends_to_itself(self, at: datetime) -> None:
        sender = await open_holder(at)
        await post([issue(sender, 100, at)], at)
        assert isinstance(await one(transfer(sender, sender, 10, at), at), TransferToItself)

    @pytest.mark.parametrize("party", ["sender", "receiver"])
    async def test_a_frozen_member_neither_sends_nor_receives(
        self, at: datetime, party: str
    ) -> None:
        both = {"sender": await open_holder(at), "receiver": await open_holder(at)}
        await post([issue(both["sender"], 100, at)], at)
        async with transaction() as connection:
            await holders.set_state(connection, both[party], HolderState.FROZEN)
        refused = await one(transfer(both["sender"], both["receiver"], 10, at), at)
        assert isinstance(refused, HolderNotActive)
        assert refused.facts == {"party": party}

    async def test_who_was_merged_is_named_with_who_took_over(self, at: datetime) -> None:
        sender, gone, kept = [await open_holder(at) for _ in range(3)]
        await post([issue(sender, 100, at)], at)
        await merge(gone, kept, at)
        refused = await one(transfer(sender, gone, 10, at), at)
        assert isinstance(refused, HolderMerged)
        assert refused.facts == {"party": "receiver", "merged_into": str(kept)}
        unknown = await one(transfer(sender, random_id(), 10, at), at)
        assert isinstance(unknown, UnknownHolder)
        assert unknown.facts == {"party": "receiver"}


@pytest.mark.usefixtures("database")
class TestDebts:
    """What is owed neither keeps anybody from sending nor is paid by points received."""

    async def test_who_owes_may_send_and_receive_and_owes_as_before(self, at: datetime) -> None:
        owing, other = await open_holder(at), await open_holder(at)
        (issued,) = await post([issue(owing, 100, at)], at)
        assert isinstance(issued, Posted)
        await post([redeem(owing, 100, at), issue(other, 70, at)], at)
        back = msgspec.structs.replace(
            reverse(issued.posting, at, partner_no=GROCER), debts={GROCER * 10: 100}
        )
        assert await post([back], at) == [Owed(owing, 100)]
        await moved(transfer(other, owing, 70, at), at)
        assert await balance(owing, at) == 70
        await moved(transfer(owing, other, 30, at), at)
        async with transaction() as connection:
            states = await holders.read_states(connection, [owing])
        assert states[owing].owes == 100
        assert (await audit.run()).ok

    async def test_points_sent_count_as_spent_when_their_issue_is_reversed(
        self, at: datetime
    ) -> None:
        sender, receiver = await open_holder(at), await open_holder(at)
        (issued,) = await post([issue(sender, 100, at)], at)
        assert isinstance(issued, Posted)
        await moved(transfer(sender, receiver, 80, at), at)
        (refused,) = await post([reverse(issued.posting, at, partner_no=GROCER)], at)
        assert isinstance(refused, PointsAlreadySpent)
        assert refused.facts["remaining"] == 20
        assert await balance(receiver, at) == 80
