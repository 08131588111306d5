"""Periods in the database: made ahead by the contract in force, once, however many make them."""

import asyncio
from contextvars import Context
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest

from coalition.federation import contracts
from coalition.federation.terms import Calendar
from coalition.kernel.database import Engine, transaction
from coalition.oversight import approvals
from partners.settlement import periods
from partners.settlement.calendars import Period
from partners.settlement.kinds import OPERATOR
from partners.settlement.refusals import UnknownPeriod
from tests.federation.world import TERMS, make_coalition, make_partner

_WAITS_FOR_US = """
SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""
START = datetime(2026, 1, 12, 9, tzinfo=UTC)


async def names(partner_no: int) -> list[str]:
    return [period.name for period in await of(partner_no)]


async def of(partner_no: int) -> list[Period]:
    async with transaction() as connection:
        return (await periods.load(connection)).get(partner_no, [])


async def change_calendar(
    partner_no: int, calendar: Calendar, day: str, at: datetime, timezone: str | None = None
) -> None:
    approval = await contracts.prepare(
        partner_no=partner_no,
        terms=msgspec.structs.replace(TERMS, calendar=calendar),
        valid_from=date.fromisoformat(day),
        timezone=timezone,
        prepared_by="staff:anna",
        at=at,
    )
    await contracts.sign(approval, approved_by="staff:bo", at=at)


async def test_without_a_partner_there_are_no_periods(database: Engine) -> None:
    await make_coalition(START)
    await periods.ensure(START)
    assert await of(OPERATOR) == []


async def test_the_first_period_begins_with_the_first_contract(database: Engine) -> None:
    made = await make_partner(START, valid_from=date(2025, 11, 20))
    await periods.ensure(START)
    held = await of(made.partner.no)
    assert [period.name for period in held] == ["2025-11", "2025-12", "2026-01"]
    assert held[0].starts_at == datetime(2025, 11, 19, 23, tzinfo=UTC)
    assert [period.no for period in held] == [1, 2, 3]


async def test_the_operator_has_months_from_the_earliest_contract(database: Engine) -> None:
    await make_partner(START, valid_from=date(2025, 12, 3))
    await make_partner(START, name="Fuel", valid_from=date(2025, 11, 20))
    await periods.ensure(START)
    assert await names(OPERATOR) == ["2025-11", "2025-12", "2026-01"]


async def test_periods_reach_a_little_beyond_the_present(database: Engine) -> None:
    made = await make_partner(START)
    end = datetime(2026, 1, 31, 23, tzinfo=UTC)
    await periods.ensure(end - timedelta(hours=2))
    assert await names(made.partner.no) == ["2026-01"]
    await periods.ensure(end - timedelta(minutes=30))
    assert await names(made.partner.no) == ["2026-01", "2026-02"]


async def test_a_partner_that_joins_later_gets_its_own_periods(database: Engine) -> None:
    await make_partner(START)
    await periods.ensure(START)
    made = await make_partner(START, name="Fuel", valid_from=date(2026, 3, 2))
    await periods.ensure(START)
    assert await names(made.partner.no) == ["2026-03"]


async def test_a_new_calendar_takes_effect_with_the_next_period(database: Engine) -> None:
    made = await make_partner(START, valid_from=date(2026, 1, 1))
    await periods.ensure(START)
    await change_calendar(made.partner.no, Calendar.WEEKLY, "2026-01-20", START)
    await periods.ensure(datetime(2026, 2, 4, 12, tzinfo=UTC))
    assert await names(made.partner.no) == ["2026-01", "2026-W05", "2026-W06"]


async def test_a_new_zone_takes_effect_with_the_next_period(database: Engine) -> None:
    made = await make_partner(START, valid_from=date(2026, 1, 1))
    await change_calendar(
        made.partner.no, Calendar.MONTHLY, "2026-01-20", START, "America/New_York"
    )
    await periods.ensure(datetime(2026, 2, 4, 12, tzinfo=UTC))
    january, february = await of(made.partner.no)
    assert january.ends_at == february.starts_at == datetime(2026, 1, 31, 23, tzinfo=UTC)
    assert february.ends_at == datetime(2026, 3, 1, 5, tzinfo=UTC)
    assert february.name == "2026-02"


async def test_many_that_make_periods_at_once_make_each_once(database: Engine) -> None:
    made = await make_partner(START, valid_from=date(2024, 1, 1))
    await asyncio.gather(*(periods.ensure(START + timedelta(days=30 * n)) for n in range(8)))
    held = await of(made.partner.no)
    assert [period.no for period in held] == list(range(1, len(held) + 1))
    assert all(one.ends_at == other.starts_at for one, other in pairwise(held))


async def test_whoever_makes_periods_waits_for_a_contract_that_is_being_signed(
    database: Engine,
) -> None:
    made = await make_partner(START, valid_from=date(2026, 1, 1))
    later = datetime(2026, 2, 4, 12, tzinfo=UTC)
    approval = await contracts.prepare(
        partner_no=made.partner.no,
        terms=msgspec.structs.replace(TERMS, calendar=Calendar.DAILY),
        valid_from=date(2026, 2, 1),
        prepared_by="staff:anna",
        at=START,
    )
    async with transaction() as connection:
        await approvals.approve(approval, approved_by="staff:bo", at=START)
        making = asyncio.create_task(periods.ensure(later), context=Context())
        blocked = False
        while not (blocked or making.done()):
            await connection.execute("SELECT pg_stat_clear_snapshot()")
            blocked = await connection.fetchval(_WAITS_FOR_US)
    await making
    assert blocked
    assert await names(made.partner.no) == [
        *("2026-01", "2026-02-01", "2026-02-02", "2026-02-03", "2026-02-04"),
    ]


async def test_a_period_is_found_by_number_and_by_name(database: Engine) -> None:
    made = await make_partner(START, valid_from=date(2025, 12, 3))
    await periods.ensure(START)
    async with transaction() as connection:
        january = await periods.named(connection, made.partner.no, "2026-01")
        assert january == await periods.find(connection, made.partner.no, january.no)
        both = await periods.all_named(connection, "2026-01")
        assert [period.partner_no for period in both] == [OPERATOR, made.partner.no]


async def test_a_period_that_is_not_there_is_refused(database: Engine) -> None:
    await make_partner(START)
    await periods.ensure(START)
    async with transaction() as connection:
        with pytest.raises(UnknownPeriod):
            await periods.named(connection, 1, "2031-01")
        with pytest.raises(UnknownPeriod):
            await periods.find(connection, 1, 99)
        with pytest.raises(UnknownPeriod):
            await periods.all_named(connection, "soon")
