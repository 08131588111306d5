"""Points go from one holder to another, lot by lot, and keep where they came from."""

from datetime import date, datetime, timedelta

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import random_id
from coalition.ledger import audit, holders
from coalition.ledger.accounts import HolderState, Kind
from coalition.ledger.drafts import (
    KEEP,
    Held,
    LotFilter,
    NewEnd,
    Posted,
    TakingOrder,
    Transferred,
)
from coalition.ledger.refusals import (
    CaptureExceedsHold,
    HolderMerged,
    HolderNotActive,
    HoldResolved,
    NotEnoughPoints,
    TransferToItself,
    UnknownHold,
    UnknownHolder,
)
from tests.ledger.transfer_world import (
    ends_of,
    lots_of,
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
    (grant,) = (one._replace(provenance=provenance) for one in early.grants)
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
