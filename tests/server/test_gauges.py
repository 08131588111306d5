"""What an operator sees at /metrics: read seldom, right, and never in the way."""

import asyncio
import math
from datetime import datetime, timedelta

import pytest
from msgspec import structs

from coalition.federation import service
from coalition.kernel import outbox
from coalition.kernel.clock import FixedClock, SystemClock
from coalition.kernel.database import Engine, transaction
from coalition.kernel.ids import random_id, uuid7
from coalition.kernel.jobs import JobRequest, enqueue
from coalition.kernel.outbox import Event
from coalition.kernel.web.metrics import Metrics
from coalition.ledger.drafts import Posted
from server import gauges, upkeep
from server.gauges import Watch
from server.upkeep import AuditBreachError
from tests.billing.gateway.webhooks import Door, event
from tests.support.ledger import GROCER, issue, open_holder, post, redeem, reverse


@pytest.fixture
def clock(database: Engine, runner: asyncio.Runner, at: datetime) -> FixedClock:
    """Set a coalition up, and return its clock."""
    runner.run(service.create_coalition(name="Norr", timezone="UTC", actor="test", at=at))
    return FixedClock(at)


@pytest.fixture
def read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing that was read be told again."""
    monkeypatch.setattr(gauges, "KEPT_S", 0.0)


async def shown(watch: Watch) -> dict[str, float]:
    """Return what a scrape shows of a watch, by name and labels."""
    metrics = Metrics()
    watch.register(metrics)
    lines = (await metrics.exposition()).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


@pytest.mark.usefixtures("read_at_once")
async def test_what_waits_and_what_is_owed_is_shown(clock: FixedClock, at: datetime) -> None:
    holder = await open_holder(at)
    made, _ = await post([issue(holder, 100, at), redeem(holder, 30, at)], at)
    assert isinstance(made, Posted)
    back = reverse(made.posting, at, partner_no=GROCER)
    await post([structs.replace(back, debts={GROCER * 10: 0})], at)
    await post([issue(holder, 70, at)], at)
    async with transaction() as connection:
        waiting = [Event("points.posted", {}), Event("points.posted", {})]
        await outbox.append(connection, waiting, at)
        await enqueue(connection, [JobRequest("ledger.holds")])
    clock.advance(timedelta(hours=1))

    before = await shown(Watch(clock))
    await upkeep.tidy(at)
    after = await shown(Watch(clock))

    assert before["coalition_outbox_events"] == 2
    assert before["coalition_outbox_oldest_seconds"] == 3600
    assert (before["coalition_jobs_open"], before["coalition_jobs_failed"]) == (1, 0)
    assert before["coalition_unsettled_oldest_seconds"] == 3600
    assert before["coalition_unsettled_postings"] == 4
    assert before["coalition_points_in_debt"] == 30
    assert before["coalition_database_connections_max"] >= 1
    assert before['coalition_points_unspent{currency_no="1"}'] == 70
    assert after['coalition_points_unspent{currency_no="1"}'] == 70


@pytest.mark.usefixtures("read_at_once", "clock")
async def test_how_late_a_job_is_does_not_change_with_the_time_of_the_house() -> None:
    name, now = "coalition_jobs_oldest_due_seconds", SystemClock().now()
    for moved in (timedelta(), timedelta(days=400)):
        watch = Watch(FixedClock(now + moved))
        async with transaction() as connection:
            await connection.execute("DELETE FROM pgqueuer")
            await enqueue(connection, [JobRequest("ledger.holds")])
        assert (await shown(watch))[name] < 300
        async with transaction() as connection:
            await connection.execute(
                "UPDATE pgqueuer SET execute_after = $1", now - timedelta(hours=1)
            )
        assert 3600 <= (await shown(watch))[name] < 3900
        async with transaction() as connection:
            delay = timedelta(days=40)
            await connection.execute("UPDATE pgqueuer SET execute_after = $1", now + delay)
        assert (await shown(watch))[name] == 0


@pytest.mark.usefixtures("read_at_once")
async def test_age_and_result_of_the_nights_audit_are_shown(
    clock: FixedClock, at: datetime
) -> None:
    age, breaches = "coalition_audit_age_seconds", "coalition_audit_breaches"
    watch = Watch(clock)
    assert math.isnan((await shown(watch))[age])
    await post([issue(await open_holder(at), 100, at)], at)
    await upkeep.prove(at)
    clock.advance(timedelta(days=1))
    assert {age: 86400.0, breaches: 0.0}.items() <= (await shown(watch)).items()
    async with transaction() as connection:
        await connection.execute("UPDATE lot SET points_in = points_in + 1")
    with pytest.raises(AuditBreachError):
        await upkeep.prove(clock.now())
    seen = await shown(watch)
    assert seen[age] == 0
    assert seen[breaches] >= 1


@pytest.mark.usefixtures("read_at_once")
async def test_what_settlement_has_still_to_do_is_shown(clock: FixedClock, at: datetime) -> None:
    ago = timedelta(days=1)
    async with transaction() as connection:
        for no, state in ((1, "provisional"), (2, "cut_off"), (3, None), (4, None)):
            ends = at - ago * (3 - no)
            await connection.execute(
                "INSERT INTO settlement_period VALUES (7, $1, $2, $3, $4, $4, 'daily', 'UTC')",
                *(no, f"day {no}", ends - ago, ends),
            )
            if state is not None:
                await connection.execute(
                    "INSERT INTO statement (id, partner_no, period_no, state)"
                    " VALUES ($1, 7, $2, $3)",
                    *(random_id(), no, state),
                )
        first, last = uuid7(at - ago), uuid7(at)
        await connection.execute(
            "INSERT INTO drain VALUES ($1, 3, $2, 9), ($3, 1, $4, 9)",
            *(first, at - ago, last, at),
        )
    clock.advance(timedelta(hours=2))
    seen = await shown(Watch(clock))
    assert seen["coalition_unsettled_postings"] == 0
    assert seen["coalition_settlement_drain_age_seconds"] == 7200
    assert seen["coalition_settlement_periods_unsealed"] == 2
    assert seen["coalition_settlement_statements_provisional"] == 1


@pytest.mark.usefixtures("read_at_once")
async def test_a_money_book_out_of_balance_is_seen_and_read_seldom(
    clock: FixedClock, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "coalition_money_out_of_balance"
    watch = Watch(clock)
    assert (await shown(watch))[name] == 0
    posting = uuid7(at)
    async with transaction() as connection:
        await connection.execute("INSERT INTO money_posting VALUES ($1, 1, $2, 'x')", posting, at)
        await connection.execute(
            "INSERT INTO money_entry VALUES ($1, 0, 1, 1, 'SEK', 3), ($1, 1, 2, 0, 'EUR', -2)",
            posting,
        )
    assert (await shown(watch))[name] == 0
    monkeypatch.setattr(gauges, "SELDOM_KEPT_S", 0.0)
    assert (await shown(Watch(clock)))[name] == 5
    clock.advance(timedelta(hours=2))
    assert (await shown(Watch(clock)))[name] == 0, "the nightly audit reads what is older"


async def test_figures_are_kept_for_some_seconds(clock: FixedClock, at: datetime) -> None:
    watch = Watch(clock)
    await shown(watch)
    async with transaction() as connection:
        await outbox.append(connection, [Event("points.posted", {})], at)
    assert (await shown(watch))["coalition_outbox_events"] == 0


@pytest.mark.usefixtures("read_at_once")
async def test_a_figure_that_cannot_be_read_hides_no_other(clock: FixedClock) -> None:
    async with transaction() as connection:
        await connection.execute("ALTER TABLE outbox RENAME TO elsewhere")
        await connection.execute("ALTER TABLE partner_delta RENAME TO elsewhere_too")
    seen = await shown(Watch(clock))
    assert math.isnan(seen["coalition_outbox_events"])
    assert seen["coalition_jobs_open"] == 0
    assert 'coalition_points_unspent{currency_no="1"}' not in seen


async def test_without_a_database_a_scrape_is_answered(clock: FixedClock, database: Engine) -> None:
    await database.close()
    seen = await shown(Watch(clock))
    assert math.isnan(seen["coalition_jobs_open"])


@pytest.mark.usefixtures("read_at_once")
async def test_what_waits_of_stripe_is_shown(clock: FixedClock, at: datetime) -> None:
    await Door(at).send(event())
    clock.advance(timedelta(minutes=1))
    seen = await shown(Watch(clock))
    assert seen["coalition_stripe_events_waiting"] == 1
    assert seen["coalition_stripe_events_failed"] == 0
    assert seen["coalition_stripe_lag_seconds"] == 60
    assert math.isnan(seen["coalition_stripe_drifted"])
    async with transaction() as connection:
        await connection.execute(
            "INSERT INTO membership_reconciliation VALUES ($1, $2, false, 9, 3, 3, '{}')",
            *(random_id(), at),
        )
    assert (await shown(Watch(clock)))["coalition_stripe_drifted"] == 3
