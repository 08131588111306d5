"""The snapshot that the hot path asks: which contract holds when, and when a new one is loaded."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.federation import catalogue, service
from coalition.federation.catalogue import Catalogue, beginning
from coalition.federation.refusals import NoContract, UnknownPartner, UnknownStore
from coalition.federation.terms import Contract, ExpiryRule
from coalition.kernel.database import Engine, transaction
from tests.federation.world import load_catalogue, make_coalition, make_partner

# Zones that skip midnight, skip a whole day, repeat midnight, and lie far to either side.
ZONES = (
    *("Europe/Stockholm", "America/Sao_Paulo", "Africa/Cairo", "Pacific/Apia", "America/Havana"),
    *("Pacific/Kiritimati", "Pacific/Pago_Pago"),
)

days = st.dates(date(2005, 1, 1), date(2030, 12, 31))
instants = st.datetimes(datetime(2004, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


def version_of(no: int, valid_from: date, timezone: str) -> Contract:
    return Contract(
        no=no,
        partner_no=1,
        version=no,
        valid_from=valid_from,
        timezone=timezone,
        currency="EUR",
        issue_price=Decimal(no),
        redemption_price=Decimal(no),
        prefunded_share=Decimal(1),
        expiry_rule=ExpiryRule.NEVER,
        signed_at=datetime(2026, 1, 1, tzinfo=UTC),
        prepared_by="a",
        approved_by="b",
    )


def snapshot(*contracts: Contract) -> Catalogue:
    return Catalogue(version=1, coalition=None, contracts=contracts)


@given(
    starts=st.lists(days, min_size=1, max_size=6, unique=True),
    timezone=st.sampled_from(ZONES),
    near=st.integers(0, 5),
    offset_s=st.integers(-100_000, 100_000),
)
def test_the_version_of_the_latest_day_begun_in_its_zone_holds(
    starts: list[date], timezone: str, near: int, offset_s: int
) -> None:
    contracts = [version_of(no, day, timezone) for no, day in enumerate(starts, start=1)]
    instant = beginning(contracts[near % len(contracts)]) + timedelta(seconds=offset_s)
    today = instant.astimezone(ZoneInfo(timezone)).date()
    begun = [contract for contract in contracts if contract.valid_from <= today]
    if begun:
        expected = max(begun, key=lambda contract: contract.valid_from)
        assert snapshot(*contracts).contract_at(1, instant) == expected
        local = instant.astimezone(ZoneInfo(timezone))
        assert snapshot(*contracts).contract_at(1, local) == expected
    else:
        with pytest.raises(NoContract):
            snapshot(*contracts).contract_at(1, instant)


@given(
    versions=st.lists(st.tuples(days, st.sampled_from(ZONES)), min_size=1, max_size=6),
    instant=instants,
)
def test_in_mixed_zones_the_version_that_began_last_holds(
    versions: list[tuple[date, str]], instant: datetime
) -> None:
    contracts = [version_of(no, *version) for no, version in enumerate(versions, start=1)]
    begun = [contract for contract in contracts if beginning(contract) <= instant]
    if begun:
        expected = max(begun, key=lambda contract: (beginning(contract), contract.version))
        assert snapshot(*contracts).contract_at(1, instant) == expected
    else:
        with pytest.raises(NoContract):
            snapshot(*contracts).contract_at(1, instant)


@pytest.mark.parametrize(
    ("valid_from", "timezone", "begins"),
    [
        (date(2027, 1, 1), "Europe/Stockholm", "2026-12-31T23:00Z"),
        (date(2026, 7, 1), "Europe/Stockholm", "2026-06-30T22:00Z"),
        (date(2018, 11, 4), "America/Sao_Paulo", "2018-11-04T03:00Z"),
        (date(2026, 11, 1), "America/Havana", "2026-11-01T04:00Z"),
        (date(2011, 12, 30), "Pacific/Apia", "2011-12-30T10:00Z"),
    ],
    ids=["winter", "summer", "midnight skipped", "midnight repeated", "day skipped"],
)
def test_a_day_begins_at_its_first_instant(valid_from: date, timezone: str, begins: str) -> None:
    assert beginning(version_of(1, valid_from, timezone)) == datetime.fromisoformat(begins)


def test_a_partner_without_contract_and_an_unknown_partner_are_told_apart() -> None:
    empty = snapshot()
    with pytest.raises(NoContract, match="sign one first"):
        empty.contract_at(1, datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(UnknownPartner):
        empty.partner(1)
    with pytest.raises(UnknownStore):
        empty.store(1, "1")
    assert empty.contracts_of(1) == ()


async def test_a_change_moves_the_version_of_the_catalogue(database: Engine, at: datetime) -> None:
    await make_coalition(at)
    held = await load_catalogue()
    async with transaction() as connection:
        assert await catalogue.version(connection) == held.version
    made = await make_partner(at)
    moved = await load_catalogue()
    assert moved.version > held.version
    assert moved.partners == (made.partner,)
    assert moved.zone == ZoneInfo("Europe/Stockholm")


async def test_a_tenant_sees_its_own_company_only(database: Engine, at: datetime) -> None:
    await make_partner(at, name="Grocer")
    fuel = (await make_partner(at, name="Fuel")).partner
    async with transaction(role="coalition_tenant", partner_no=fuel.no) as connection:
        partners = await connection.fetch("SELECT no FROM partner")
        contracts = await connection.fetch("SELECT partner_no FROM contract")
        rates = await connection.fetch("SELECT from_currency, rate, valid_from FROM money_rate")
    assert [row[0] for row in partners] == [row[0] for row in contracts] == [fuel.no]
    assert rates == []


@pytest.mark.parametrize("table", ["exchange_rate", "money_rate"])
async def test_a_tenant_reads_rates_and_not_who_agreed_on_them(
    database: Engine, at: datetime, table: str
) -> None:
    partner = (await make_partner(at)).partner
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(role="coalition_tenant", partner_no=partner.no) as connection:
            await connection.fetch(f"SELECT approved_by FROM {table}")


async def test_a_tenant_changes_nothing_of_the_federation(database: Engine, at: datetime) -> None:
    partner = (await make_partner(at)).partner
    for statement in (
        "UPDATE partner SET name = 'Mine'",
        "DELETE FROM store",
        "UPDATE contract SET issue_price = 0",
        "UPDATE catalogue_version SET version = 0",
        "UPDATE coalition SET name = 'Mine'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(role="coalition_tenant", partner_no=partner.no) as connection:
                await connection.execute(statement)


async def test_the_coalition_may_live_far_from_its_partners(database: Engine, at: datetime) -> None:
    await make_coalition(at)
    made = await service.create_partner(
        name="Far",
        terms=(await make_partner(at)).contract,
        actor="test",
        at=at,
        timezone="Pacific/Kiritimati",
    )
    assert made.contract.valid_from == date(2026, 11, 22)
