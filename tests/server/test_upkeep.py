"""What the worker does by the clock, and how it ends."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from coalition.federation import service
from coalition.federation.terms import ContractTerms
from coalition.kernel import outbox
from coalition.kernel.database import Engine, transaction
from coalition.kernel.idempotency import Claim, find, store
from coalition.kernel.idempotency.claims import Answer
from coalition.kernel.outbox import Event
from coalition.ledger import merging
from coalition.ledger.drafts import Hold
from partners.settlement import figures
from server import upkeep, worker
from server.upkeep import AuditBreachError
from tests.partners.settlement.world import OCTOBER, make_world
from tests.support.http import SETTINGS
from tests.support.ledger import balance, issue, open_holder, post, till


@pytest.fixture
def coalition(database: Engine, runner: asyncio.Runner, at: datetime) -> None:
    """Set a coalition up, whose days begin at midnight UTC."""
    runner.run(service.create_coalition(name="Norr", timezone="UTC", actor="test", at=at))


async def test_holds_are_let_go_when_their_time_is_over(coalition: None, at: datetime) -> None:
    holder = await open_holder(at)
    ends = at + timedelta(minutes=15)
    await post([issue(holder, 100, at)], at)
    await post([Hold(holder, till(1, at, "r"), 1, 80, ends)], at)
    assert await balance(holder, at) == 20
    assert await upkeep.let_holds_go(ends - timedelta(seconds=1)) == 0
    assert await upkeep.let_holds_go(ends) == 1
    assert await balance(holder, ends) == 100


async def test_points_are_booked_as_expired_once(coalition: None, at: datetime) -> None:
    holder = await open_holder(at)
    await post([issue(holder, 100, at, expires_on=at.date())], at)
    assert await upkeep.expire_points(at) == 0
    assert await upkeep.expire_points(at + timedelta(days=1)) == 100
    assert await upkeep.expire_points(at + timedelta(days=2)) == 0
    await upkeep.prove(at)


async def test_nothing_expires_where_there_is_no_coalition_yet(
    database: Engine, at: datetime
) -> None:
    assert await upkeep.expire_points(at) == 0
    assert await upkeep.let_holds_go(at) == 0


async def test_answers_are_forgotten_after_two_days(coalition: None, at: datetime) -> None:
    claim = Claim.of(1, "key", "issue", b"body")
    async with transaction() as connection:
        await store(connection, [(claim, Answer(201, "application/json", b"{}"))], at)
    for hours, known in ((47, 1), (49, 0)):
        await upkeep.tidy(at + timedelta(hours=hours))
        async with transaction() as connection:
            assert len(await find(connection, [claim])) == known


async def test_a_broken_ledger_fails_the_nights_proof(coalition: None, at: datetime) -> None:
    holder = await open_holder(at)
    await post([issue(holder, 100, at)], at)
    await upkeep.prove(at)
    async with transaction() as connection:
        await connection.execute("UPDATE lot SET points_in = points_in + 1")
    with pytest.raises(AuditBreachError, match="I2"):
        await upkeep.prove(at)


async def test_the_worker_hands_events_over_and_ends_when_told(
    coalition: None, at: datetime
) -> None:
    async with transaction() as connection:
        await outbox.append(connection, [Event("points.posted", {"postings": 1})], at)
    stop = asyncio.Event()
    working = asyncio.create_task(worker.work(SETTINGS, stop))
    async with asyncio.timeout(20):
        while await _waiting(at):
            await asyncio.wait({working}, timeout=0.05)
            assert not working.done(), working.result()
        stop.set()
        await working


async def test_the_worker_drains_what_was_posted_into_money(database: Engine) -> None:
    world = await make_world({"A": {}})
    await world.issue("A", 100, OCTOBER)
    stop = asyncio.Event()
    working = asyncio.create_task(worker.work(SETTINGS, stop))
    async with asyncio.timeout(20):
        while await _queued():
            await asyncio.wait({working}, timeout=0.05)
            assert not working.done(), working.result()
        stop.set()
        await working


async def _queued() -> int:
    async with transaction() as connection:
        return (await figures.progress(connection, OCTOBER)).queued_postings


async def _waiting(at: datetime) -> int:
    async with transaction() as connection:
        return (await outbox.waiting(connection, at))[0]


async def test_members_are_told_of_points_that_end_and_late_points_move_on(
    coalition: None, at: datetime
) -> None:
    assert await upkeep.tell_of_expiry(at) == 0
    anna, double = await open_holder(at), await open_holder(at)
    async with transaction() as connection:
        await merging.merge(
            connection, from_holder=double, into_holder=anna, at=at, today=at.date()
        )
        # As an issue would leave it that was under way while the two were merged.
        await connection.execute(
            "UPDATE holder SET state = 1, merged_into = NULL WHERE id = $1", double
        )
    await post([issue(double, 100, at)], at)
    async with transaction() as connection:
        await connection.execute(
            "UPDATE holder SET state = 3, merged_into = $2 WHERE id = $1", double, anna
        )
    assert await upkeep.move_on(at) == 100
    assert await upkeep.move_on(at) == 0
    assert await balance(anna, at) == 100
    await upkeep.prove(at)


async def test_nobody_is_told_anything_where_there_is_no_coalition_yet(
    database: Engine, at: datetime
) -> None:
    assert await upkeep.tell_of_expiry(at) == 0
    assert await upkeep.move_on(at) == 0


async def test_periods_are_sealed_when_their_cut_off_has_come(
    coalition: None, at: datetime
) -> None:
    assert await upkeep.seal(at) == 0
    terms = ContractTerms(
        currency="SEK",
        issue_price=Decimal("0.01"),
        redemption_price=Decimal("0.01"),
        cut_off_grace_hours=24,
    )
    await service.create_partner(
        name="Grocer", terms=terms, actor="test", at=at, valid_from=date(2026, 10, 1)
    )
    ends = datetime(2026, 11, 1, tzinfo=UTC)
    # The operator's month has no grace, the partner's has a day.
    for hours, sealed in ((-1, 0), (0, 1), (23, 0), (24, 1), (25, 0)):
        assert await upkeep.seal(ends + timedelta(hours=hours)) == sealed
