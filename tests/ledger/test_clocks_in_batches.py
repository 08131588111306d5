"""Clocks amid a batch: what comes later in it sees what came before."""

from datetime import datetime, timedelta

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import clocks, posting
from coalition.ledger.drafts import Draft, Grant, Issue, Posted
from coalition.ledger.partitions import ensure_partition
from tests.support.ledger import GROCER, balance, open_holder, provenance, redeem, till

pytestmark = pytest.mark.usefixtures("database")


async def test_points_under_a_clock_that_had_run_out_can_be_spent_in_the_same_batch(
    at: datetime,
) -> None:
    anna = await open_holder(at)
    async with transaction() as connection:
        clock_no = await clocks.register(connection, months=1)
        registered = await clocks.registered(connection)
    source = provenance()._replace(clock_no=clock_no)
    late = at + timedelta(days=60)
    batches: list[tuple[datetime, list[Draft]]] = [
        (at, [Issue(anna, till(GROCER, at), (Grant(source, 10),))]),
        (late, [Issue(anna, till(GROCER, late), (Grant(source, 7),)), redeem(anna, 5, late)]),
    ]
    for when, drafts in batches:
        await ensure_partition(when)
        async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
            _, outcomes = await posting.post(
                connection, drafts, at=when, today=when.date(), clocks=registered
            )
        assert all(isinstance(outcome, Posted) for outcome in outcomes)
    assert await balance(anna, late) == 2
