"""Credit limits: what is owed as of the last drain, who is told, and who issues no more."""

import asyncio
from datetime import date, datetime

import msgspec
import pytest

from coalition.federation import catalogue, contracts
from coalition.federation.service import create_partner
from coalition.federation.terms import ContractTerms, CreditMode
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.ledger import audit
from partners.settlement import credit, periods
from tests.partners.settlement.credit_world import TERMS, code, credit_world, told

pytestmark = pytest.mark.usefixtures("database")


async def version() -> int:
    async with transaction() as connection:
        return await catalogue.version(connection)


async def test_who_owes_as_much_as_the_limit_issues_no_more_and_still_takes_points(
    at: datetime,
) -> None:
    world = await credit_world(at, CreditMode.BLOCK, limit_minor=1_000)
    assert code(await world.issue(90_000)) == "done"
    # The exposure is that of the last drain: until then the limit may be overshot.
    assert code(await world.issue(10_000)) == "done"
    assert await world.judged() == 2
    refused = await world.issue(1)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.status) == ("credit_limit_reached", 409)
    assert refused.facts == {"limit_minor": 1_000, "exposure_minor": 125_000, "currency": "SEK"}
    assert code(await world.redeem(100)) == "done"
    assert code(await world.issue(1, partner_no=world.points.fuel)) == "done"
    assert (await audit.run()).breaches == []


async def test_redemptions_pay_debts_and_release(at: datetime) -> None:
    world = await credit_world(at, CreditMode.BLOCK, limit_minor=1_000)
    await world.issue(1_000)
    await world.judged()
    assert code(await world.issue(1)) == "credit_limit_reached"
    # Points pay 10 öre each at the grocer: 500 of them are worth 50 kronor to it.
    await world.redeem(500)
    before = await version()
    assert await world.judged() == 1
    assert await version() == before + 1
    assert (await world.standing()).exposure_minor == 1_250 - 5_000
    assert code(await world.issue(1)) == "done"
    assert await told() == ["credit.limit_reached", "credit.released"]


async def test_a_limit_that_only_warns_is_told_of_once_and_stops_nobody(at: datetime) -> None:
    world = await credit_world(at, CreditMode.WARN, limit_minor=1_000, low_water_minor=500)
    await periods.ensure(at)
    before = await version()
    await world.issue(300)
    await world.judged()
    assert await told() == []
    await world.issue(101)
    await world.judged()
    assert await told() == ["credit.low_water"]
    await world.issue(1_000)
    for _ in range(3):
        await world.judged()
        await world.issue(10)
    assert await told() == ["credit.limit_reached", "credit.low_water"]
    assert await version() == before
    standing = await world.standing()
    assert (standing.is_low, standing.is_reached, standing.blocked) == (True, True, False)
    assert standing.left_minor == 1_000 - standing.exposure_minor


async def test_low_water_is_told_of_at_each_crossing(at: datetime) -> None:
    world = await credit_world(at, CreditMode.WARN, limit_minor=10_000, low_water_minor=9_000)
    for _ in range(2):
        await world.issue(1_000)
        await world.judged()
        await world.redeem(100)
        await world.judged()
    assert await told() == ["credit.low_water"] * 2


async def test_the_catalogue_moves_only_when_somebody_is_blocked_or_released(at: datetime) -> None:
    world = await credit_world(at, CreditMode.BLOCK, limit_minor=1_000)
    await world.judged()
    before = await version()
    await world.issue(100)
    assert await world.judged() == 1
    assert await world.judged() == 0
    assert await version() == before
    await world.issue(1_000)
    assert await world.judged() == 1
    assert await version() == before + 1


async def test_partners_without_credit_terms_are_left_alone(at: datetime) -> None:
    world = await credit_world(at, CreditMode.NONE)
    await world.issue(1_000_000)
    assert await world.judged() == 0
    async with transaction() as connection:
        assert await credit.standings(connection, world.at) == []
        assert await credit.standing(connection, world.points.grocer, world.at) is None


async def test_judging_at_once_counts_everything_once(at: datetime) -> None:
    world = await credit_world(at, CreditMode.WARN, limit_minor=1_000)
    judge = credit.Judge()
    for _ in range(3):
        await world.issue(1_000)
        await asyncio.gather(world.judged(), world.judged(), judge.judge(world.at))
    await world.judged()
    assert (await world.standing()).exposure_minor == 3 * 1_250
    async with transaction() as connection:
        booked = await connection.fetchval(
            "SELECT sum(amount) FROM money_entry WHERE account = 1 AND partner_no = $1",
            world.points.grocer,
        )
        assert (
            await connection.fetchval(
                "SELECT amount FROM money_balance WHERE partner_no = $1", world.points.grocer
            )
            == booked
        )
    assert await told() == ["credit.limit_reached"]


async def signed(at: datetime, partner_no: int, terms: ContractTerms) -> None:
    """Sign a version that holds from today."""
    approval = await contracts.prepare(
        partner_no=partner_no, terms=terms, valid_from=at.date(), prepared_by="anna", at=at
    )
    await contracts.sign(approval, approved_by="bo", at=at)


async def test_a_partner_is_judged_by_the_contract_of_now(at: datetime) -> None:
    world = await credit_world(at, CreditMode.BLOCK, limit_minor=1_000)
    await create_partner(
        name="Bakery", terms=TERMS, actor="staff:kim", at=at, valid_from=date(2027, 1, 1)
    )
    await world.issue(1_000)
    await world.judged()
    assert code(await world.issue(1)) == "credit_limit_reached"
    await signed(at, world.points.grocer, TERMS)
    await world.judged()
    assert code(await world.issue(1)) == "done"
    standing = await world.standing()
    assert (standing.mode, standing.left_minor, standing.blocked) == (CreditMode.NONE, None, False)
    assert standing.exposure_minor == 1_250


async def test_credit_is_counted_in_the_currency_of_the_contract(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    await world.prepay(1_250, "bank-1")
    await world.issue(1_000)
    await world.judged()
    euros = msgspec.structs.replace(TERMS, currency="EUR", credit_mode=CreditMode.PREPAID)
    await signed(at, world.points.grocer, euros)
    await world.judged()
    standing = await world.standing()
    # What was paid in in crowns is still in the books, and no cover for euros.
    assert (standing.currency, standing.prepaid_minor, standing.left_minor) == ("EUR", 0, 0)
    await world.prepay(100, "bank-2", "EUR")
    assert (await world.standing()).left_minor == 100
    assert code(await world.issue(80)) == "done"
    assert code(await world.issue(1)) == "prepaid_exhausted"
