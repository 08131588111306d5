"""Rates between currencies of money: agreed by two persons, dated, never changed, both ways."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest

from coalition.federation import money_rates
from coalition.federation.catalogue import Catalogue
from coalition.federation.refusals import InvalidMoneyRate, MoneyRateRetroactive, MoneyRateTaken
from coalition.federation.terms import MoneyRate
from coalition.kernel.database import Engine, transaction
from coalition.kernel.money import UnknownCurrency
from coalition.oversight import approvals
from coalition.oversight.refusals import SecondPersonNeeded
from tests.federation.world import load_catalogue, make_partner

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


def rate_of(pair: str, rate: str, valid_from: datetime, no: int = 1) -> MoneyRate:
    from_currency, to_currency = pair.split("/")
    return MoneyRate(
        no=no,
        from_currency=from_currency,
        to_currency=to_currency,
        rate=Decimal(rate),
        valid_from=valid_from,
        made_at=valid_from,
        prepared_by="a",
        approved_by="b",
    )


def known_by(*rates: MoneyRate) -> Catalogue:
    return Catalogue(version=1, coalition=None, money_rates=rates)


async def agree(
    at: datetime, rate: str, valid_from: datetime | None = None, pair: str = "EUR/SEK"
) -> MoneyRate:
    from_currency, to_currency = pair.split("/")
    approval = await money_rates.prepare(
        from_currency=from_currency,
        to_currency=to_currency,
        rate=Decimal(rate),
        prepared_by="staff:anna",
        at=at,
        valid_from=valid_from,
    )
    return await money_rates.approve(approval, approved_by="staff:bo", at=at)


def test_the_rate_that_began_last_holds() -> None:
    later = NEW_YEAR + timedelta(days=1)
    known = known_by(
        rate_of("EUR/SEK", "11.2", later, 1),
        rate_of("EUR/SEK", "11.4", NEW_YEAR, 2),
    )
    assert known.money_rate_at("EUR", "SEK", NEW_YEAR - timedelta(microseconds=1)) is None
    assert known.money_rate_at("EUR", "SEK", NEW_YEAR) == Decimal("11.4")
    assert known.money_rate_at("EUR", "SEK", later) == Decimal("11.2")


def test_the_other_way_round_is_the_inverse_at_twelve_places() -> None:
    known = known_by(rate_of("EUR/SEK", "11.25", NEW_YEAR))
    assert str(known.money_rate_at("SEK", "EUR", NEW_YEAR)) == "0.088888888889"
    assert known.money_rate_at("SEK", "EUR", NEW_YEAR - timedelta(days=1)) is None


def test_a_rate_of_the_direction_itself_comes_before_the_inverse_of_the_other() -> None:
    known = known_by(
        rate_of("EUR/SEK", "10", NEW_YEAR),
        rate_of("SEK/EUR", "0.09", NEW_YEAR + timedelta(days=1), 2),
        rate_of("EUR/SEK", "12.5", NEW_YEAR + timedelta(days=2), 3),
    )
    found = [
        known.money_rate_at("SEK", "EUR", NEW_YEAR + timedelta(days=days)) for days in (0, 1, 2)
    ]
    assert found == [Decimal("0.1"), Decimal("0.09"), Decimal("0.09")]


def test_money_is_worth_itself_and_nothing_in_a_currency_without_a_rate() -> None:
    known = known_by(rate_of("EUR/SEK", "11", NEW_YEAR))
    assert known.money_rate_at("NOK", "NOK", NEW_YEAR) == 1
    assert known.money_rate_at("EUR", "NOK", NEW_YEAR) is None


async def test_a_rate_that_was_agreed_is_in_the_catalogue_and_in_the_audit_log(
    database: Engine, at: datetime
) -> None:
    await make_partner(at)
    before = await load_catalogue()
    first = await agree(at, "11.25")
    second = await agree(at, "11.3", NEW_YEAR)
    known = await load_catalogue()
    assert known.money_rates == (first, second)
    assert known.version == before.version + 2
    assert known.money_rate_at("EUR", "SEK", at) == Decimal("11.25")
    assert (first.valid_from, first.prepared_by, first.approved_by) == (
        at,
        "staff:anna",
        "staff:bo",
    )
    async with transaction() as connection:
        actions = await connection.fetch("SELECT action FROM audit_log ORDER BY no DESC LIMIT 2")
    assert [row["action"] for row in actions] == ["approval.applied", "money_rate.agreed"]


async def test_a_rate_of_money_takes_two_persons(database: Engine, at: datetime) -> None:
    await make_partner(at)
    approval = await money_rates.prepare(
        from_currency="EUR",
        to_currency="SEK",
        rate=Decimal(11),
        prepared_by="staff:anna",
        at=at,
    )
    with pytest.raises(SecondPersonNeeded):
        await money_rates.approve(approval, approved_by="staff:anna", at=at)
    assert (await load_catalogue()).money_rates == ()


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "Infinity", "0.0000000001", "1000000000"])
async def test_what_is_no_rate_is_refused(database: Engine, at: datetime, rate: str) -> None:
    with pytest.raises(InvalidMoneyRate):
        await agree(at, rate)


async def test_a_rate_between_one_currency_or_unknown_ones_is_refused(
    database: Engine, at: datetime
) -> None:
    with pytest.raises(InvalidMoneyRate):
        await agree(at, "1", pair="EUR/EUR")
    for pair in ("EUR/XXX", "eur/SEK"):
        with pytest.raises(UnknownCurrency):
            await agree(at, "1", pair=pair)


async def test_a_rate_of_the_past_and_one_of_a_taken_time_are_refused(
    database: Engine, at: datetime
) -> None:
    await make_partner(at)
    with pytest.raises(MoneyRateRetroactive):
        await agree(at, "11", at - timedelta(microseconds=1))
    await agree(at, "11", NEW_YEAR)
    with pytest.raises(MoneyRateTaken):
        await agree(at, "12", NEW_YEAR)
    await agree(at, "0.09", NEW_YEAR, pair="SEK/EUR")


async def test_a_rate_that_was_approved_too_late_is_refused_and_still_waits(
    database: Engine, at: datetime
) -> None:
    await make_partner(at)
    approval = await money_rates.prepare(
        from_currency="EUR",
        to_currency="SEK",
        rate=Decimal(11),
        prepared_by="staff:anna",
        at=at,
        valid_from=at,
    )
    later = at + timedelta(hours=1)
    with pytest.raises(MoneyRateRetroactive):
        await money_rates.approve(approval, approved_by="staff:bo", at=later)
    assert [one.id for one in await approvals.waiting(at=later)] == [approval]


async def execute_as_owner(statement: str) -> None:
    """Run a statement as the table's owner who, unlike the tests' own role, is no superuser."""
    async with transaction() as connection:
        await connection.execute("ALTER TABLE money_rate OWNER TO coalition_tenant")
        await connection.execute("SET LOCAL ROLE coalition_tenant")
        await connection.execute(statement)


@pytest.mark.parametrize("statement", ["UPDATE money_rate SET rate = 12", "DELETE FROM money_rate"])
async def test_even_the_owner_cannot_change_a_rate_of_money(
    database: Engine, at: datetime, statement: str
) -> None:
    await make_partner(at)
    await agree(at, "11")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await execute_as_owner(statement)
