"""Transfers at once, and at random: nobody waits in a circle, and no point is lost or made."""

import asyncio
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coalition.ledger import audit
from coalition.ledger.drafts import Grant, Issue, Transferred
from coalition.ledger.refusals import NotEnoughPoints
from coalition.ledger.selecting import TakingOrder
from tests.ledger.transfer_world import ends_of, one, points_by_issuer, transfer
from tests.support.ledger import (
    FUEL,
    GROCER,
    balance,
    issue,
    open_holder,
    post,
    provenance,
    till,
)


@pytest.mark.usefixtures("database")
async def test_two_that_send_to_each_other_at_once_do_not_wait_in_a_circle(at: datetime) -> None:
    anna, bo = await open_holder(at), await open_holder(at)
    await post([issue(anna, 100, at), issue(bo, 100, at)], at)
    outcomes = await asyncio.gather(
        *(one(transfer(*way, 10, at), at) for _ in range(10) for way in ((anna, bo), (bo, anna)))
    )
    assert {type(outcome) for outcome in outcomes} == {Transferred}
    assert (await balance(anna, at), await balance(bo, at)) == (100, 100)
    assert (await audit.run()).ok


@pytest.mark.usefixtures("database")
async def test_twenty_gifts_at_once_send_no_more_than_there_is(at: datetime) -> None:
    sender, receiver = await open_holder(at), await open_holder(at)
    await post([issue(sender, 100, at)], at)
    draft = transfer(sender, receiver, 100, at)
    outcomes = await asyncio.gather(*(one(draft, at) for _ in range(20)))
    assert sorted(type(outcome).__name__ for outcome in outcomes).count("Transferred") == 1
    assert (await balance(sender, at), await balance(receiver, at)) == (0, 100)


moves = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(1, 60), st.integers(0, 5)),
    min_size=1,
    max_size=12,
)


@pytest.mark.usefixtures("database")
def test_random_transfers_conserve_the_points_of_each_issuer(
    runner: asyncio.Runner, at: datetime
) -> None:
    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(batches=st.lists(moves, min_size=1, max_size=3), order=st.sampled_from(TakingOrder))
    def conserve(batches: list[list[tuple[int, int, int, int]]], order: TakingOrder) -> None:
        runner.run(_send_at_random(batches, order, at))

    conserve()


async def _send_at_random(
    batches: list[list[tuple[int, int, int, int]]], order: TakingOrder, at: datetime
) -> None:
    members = [await open_holder(at) for _ in range(4)]
    for member in members:
        await post([issue(member, 40, at), issue(member, 30, at, partner_no=FUEL)], at)
    fees = 0
    for batch in batches:
        # As a model that knows nothing of lots has it.
        known = [await balance(member, at) for member in members]
        drafts, expected = [], []
        for giver, step, points, fee in batch:
            taker = (giver + step) % 4
            is_covered = known[giver] >= points + fee
            expected.append(Transferred if is_covered else NotEnoughPoints)
            if is_covered:
                known[giver] -= points + fee
                known[taker] += points
                fees += fee
            drafts.append(
                transfer(members[giver], members[taker], points, at, fee=fee, order=order)
            )
        outcomes = await post(drafts, at)
        assert [type(outcome) for outcome in outcomes] == expected
        assert [await balance(member, at) for member in members] == known
    per_issuer = [await points_by_issuer(member) for member in members]
    total = {no: sum(one.get(no, 0) for one in per_issuer) for no in (GROCER, FUEL)}
    assert sum(total.values()) == 280 - fees
    assert total[GROCER] <= 160
    assert total[FUEL] <= 120
    assert fees or total == {GROCER: 160, FUEL: 120}
    assert (await audit.run()).ok


@pytest.mark.usefixtures("database")
async def test_each_of_a_senders_transfers_in_one_batch_takes_in_its_own_order(
    at: datetime,
) -> None:
    sender, receiver = await open_holder(at), await open_holder(at)
    soon, late = at.date() + timedelta(days=5), at.date() + timedelta(days=50)
    old = provenance(FUEL, expires_on=late, earned_month=202601)
    await post(
        [
            issue(sender, 10, at, expires_on=soon),
            Issue(sender, till(FUEL, at), (Grant(old, 10),)),
        ],
        at,
    )
    drafts = [
        transfer(sender, receiver, 3, at),
        transfer(sender, receiver, 4, at, order=TakingOrder.OLDEST_EARNED),
        transfer(sender, receiver, 2, at),
        transfer(sender, receiver, 12, at),
    ]
    *done, refused = await post(drafts, at)
    assert [type(outcome) for outcome in done] == [Transferred] * 3
    assert isinstance(refused, NotEnoughPoints)
    assert await ends_of(sender) == {soon: 5, late: 6}
    assert await ends_of(receiver) == {soon: 5, late: 4}
