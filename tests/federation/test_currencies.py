"""Point currencies and the rates between them: agreed by two persons, dated, never changed."""

from datetime import datetime, timedelta

import msgspec
import pytest

from coalition.federation import contracts, currencies, rates
from coalition.federation.refusals import (
    ExchangeRateRetroactive,
    ExchangeRateTaken,
    InvalidExchangeRate,
    InvalidPointCurrency,
    InvalidTerms,
    NoExchangeRate,
    PointCurrencyTaken,
    UnknownPartner,
    UnknownPointCurrency,
)
from coalition.federation.terms import ExchangeRate, PointCurrency
from coalition.kernel.database import transaction
from coalition.oversight.refusals import SecondPersonNeeded
from tests.federation.world import TERMS, load_catalogue, make_partner

pytestmark = pytest.mark.usefixtures("database")


async def make_currency(at: datetime, code: str, partner_no: int | None = None) -> PointCurrency:
    return await currencies.create_currency(
        code=code, name=f"{code} points", partner_no=partner_no, actor="test", at=at
    )


async def agree(
    at: datetime, from_points: int, to_points: int, valid_from: datetime | None = None
) -> ExchangeRate:
    approval = await rates.prepare(
        from_code="POINT",
        to_code="MILES",
        from_points=from_points,
        to_points=to_points,
        prepared_by="staff:anna",
        at=at,
        valid_from=valid_from,
    )
    return await rates.approve(approval, approved_by="staff:bo", at=at)


async def test_a_partner_has_a_point_currency_of_its_own(at: datetime) -> None:
    await make_partner(at)
    made = await make_currency(at, "MILES", 1)
    known = await load_catalogue()
    assert known.currency("MILES") == known.currency_by_no(2) == made
    assert (known.currency_no(None), known.currency_no("MILES")) == (1, 2)
    assert [one.code for one in known.currencies] == ["POINT", "MILES"]
    with pytest.raises(UnknownPointCurrency):
        known.currency("STARS")


async def test_point_currencies_that_cannot_be_are_refused(at: datetime) -> None:
    await make_partner(at)
    await make_currency(at, "MILES")
    with pytest.raises(PointCurrencyTaken):
        await make_currency(at, "MILES")
    with pytest.raises(InvalidPointCurrency):
        await make_currency(at, "miles")
    with pytest.raises(UnknownPartner):
        await make_currency(at, "STARS", 9)


async def test_a_rate_holds_from_its_time_until_the_next_begins(at: datetime) -> None:
    await make_partner(at)
    await make_currency(at, "MILES")
    tomorrow = at + timedelta(days=1)
    first, second = await agree(at, 10, 4), await agree(at, 3, 1, tomorrow)
    assert (first.from_points, first.to_points) == (5, 2)
    known = await load_catalogue()
    assert known.rate_at(1, 2, at) == first
    assert known.rate_at(1, 2, tomorrow) == second
    for pair, instant in (((1, 2), at - timedelta(seconds=1)), ((2, 1), at)):
        with pytest.raises(NoExchangeRate):
            known.rate_at(*pair, instant)


async def test_a_rate_takes_two_persons(at: datetime) -> None:
    await make_partner(at)
    await make_currency(at, "MILES")
    approval = await rates.prepare(
        from_code="POINT",
        to_code="MILES",
        from_points=1,
        to_points=1,
        prepared_by="staff:anna",
        at=at,
    )
    with pytest.raises(SecondPersonNeeded):
        await rates.approve(approval, approved_by="staff:anna", at=at)
    assert (await load_catalogue()).rates == ()


async def test_rates_that_cannot_be_are_refused(at: datetime) -> None:
    await make_partner(at)
    with pytest.raises(UnknownPointCurrency):
        await agree(at, 1, 1)
    await make_currency(at, "MILES")
    for points in ((0, 1), (1, 0), (-1, -1), (1, 1_000_001)):
        with pytest.raises(InvalidExchangeRate):
            await agree(at, *points)
    with pytest.raises(ExchangeRateRetroactive):
        await agree(at, 1, 1, at - timedelta(microseconds=1))
    await agree(at, 1, 1)
    with pytest.raises(ExchangeRateTaken):
        await agree(at, 2, 1, at)
    with pytest.raises(InvalidExchangeRate):
        await rates.prepare(
            from_code="MILES",
            to_code="MILES",
            from_points=1,
            to_points=1,
            prepared_by="staff:anna",
            at=at,
        )


async def test_a_partner_issues_in_its_own_currency_and_in_no_other_partner_s(
    at: datetime,
) -> None:
    first = (await make_partner(at)).contract
    await make_partner(at, name="Fuel")
    own, other = await make_currency(at, "MILES", 1), await make_currency(at, "STARS", 2)
    for number in (other.no, 99):
        with pytest.raises(InvalidTerms) as refusal:
            await contracts.prepare(
                partner_no=1,
                terms=msgspec.structs.replace(TERMS, point_currency_no=number),
                valid_from=first.valid_from + timedelta(days=1),
                prepared_by="staff:anna",
                at=at,
            )
        assert "/point_currency_no" in str(refusal.value.facts["errors"])
    approval = await contracts.prepare(
        partner_no=1,
        terms=msgspec.structs.replace(TERMS, point_currency_no=own.no),
        valid_from=first.valid_from + timedelta(days=1),
        prepared_by="staff:anna",
        at=at,
    )
    signed = await contracts.sign(approval, approved_by="staff:bo", at=at)
    assert signed.point_currency_no == own.no


async def test_signing_registers_the_clock_once(at: datetime) -> None:
    first = (await make_partner(at)).contract
    assert first.clock_no == 0
    for number, months in ((1, 12), (2, 6), (3, 12)):
        approval = await contracts.prepare(
            partner_no=1,
            terms=msgspec.structs.replace(TERMS, inactivity_months=months),
            valid_from=first.valid_from + timedelta(days=number),
            prepared_by="staff:anna",
            at=at,
        )
        await contracts.sign(approval, approved_by="staff:bo", at=at)
    known = await load_catalogue()
    assert [one.clock_no for one in known.contracts] == [0, 1, 2, 1]
    assert [(clock.no, clock.months) for clock in known.clocks] == [(1, 12), (2, 6)]
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM expiry_clock") == 2
