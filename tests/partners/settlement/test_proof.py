"""The fund proof holds before, amid and after drains, in every mode and currency."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from coalition.federation import service
from coalition.federation.terms import ContractTerms, Mode
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.ledger import expiry
from coalition.ledger.money import Balance, MoneyAccount
from coalition.points.commands import IssueBody, RedeemBody, ReverseBody
from partners.settlement import draining, proof
from partners.settlement.proof import FundProof
from tests.points.world import ACTOR, World, make_world, receipt

pytestmark = pytest.mark.usefixtures("database")

FUNDED = ContractTerms(
    currency="SEK",
    issue_price=Decimal("0.0123"),
    redemption_price=Decimal("0.0085"),
    service_fee_per_point=Decimal("0.0007"),
    expiry_months=12,
)


async def made(world: World, command: object, **given: object) -> UUID:
    answer = await world.ask(command, **given)  # type: ignore[arg-type]  # the bodies below
    assert not isinstance(answer, Refused), answer
    return UUID(answer["posting_id"])


async def issue(world: World, member: UUID, points: int, partner_no: int | None = None) -> UUID:
    body = IssueBody(receipt(), world.at, member_id=member, points=points)
    return await made(world, body, partner_no=partner_no)


async def redeem(world: World, member: UUID, points: int, partner_no: int) -> UUID:
    body = RedeemBody(receipt(), world.at, points, member_id=member)
    return await made(world, body, partner_no=partner_no)


async def prove(world: World) -> dict[str, FundProof]:
    """Return the proofs by currency, of which every one holds."""
    proofs = await proof.prove(world.at)
    assert [one.difference for one in proofs] == [0] * len(proofs)
    for one in proofs:
        assert one.cash + one.receivables - one.payables == one.fund + one.own
    return {one.currency: one for one in proofs}


async def test_without_a_coalition_there_is_nothing_to_prove(at: datetime) -> None:
    assert await proof.prove(at) == []


async def test_what_was_paid_in_is_what_unspent_points_are_worth(at: datetime) -> None:
    world = await make_world(at, terms=FUNDED)
    member = await world.member()
    await issue(world, member, 1000)

    waiting = (await prove(world))["SEK"]
    await draining.drain_all(at)
    drained = (await prove(world))["SEK"]

    assert waiting.fund == drained.queued == 0
    assert (
        waiting.queued == waiting.liability == drained.fund == drained.liability == Decimal("12.3")
    )
    assert (drained.receivables, drained.own) == (Decimal(13), Decimal("0.7"))


async def test_the_fund_keeps_the_margin_of_spent_points_until_it_is_released(at: datetime) -> None:
    world = await make_world(at, terms=FUNDED)
    member = await world.member()
    await issue(world, member, 1000)
    paid = await redeem(world, member, 600, world.fuel)
    await draining.drain_all(at)

    spent = (await prove(world))["SEK"]
    assert spent.liability == Decimal("4.92")
    assert spent.unreleased_margin == Decimal("2.28")
    assert spent.fund == Decimal("7.2")
    assert (spent.receivables, spent.payables) == (Decimal(13), Decimal("5.1"))

    await made(world, ReverseBody(points=250), partner_no=world.fuel, target=paid)
    taken_back = (await prove(world))["SEK"]
    assert taken_back.queued == Decimal("2.125")
    assert taken_back.unreleased_margin == Decimal("1.33")
    await draining.drain_all(at)
    await prove(world)


async def _third(at: datetime, terms: ContractTerms) -> int:
    made_ = await service.create_partner(
        name="Third",
        terms=terms,
        actor=ACTOR,
        at=at,
        valid_from=(at - timedelta(days=500)).date(),
    )
    return made_.partner.no


@pytest.mark.parametrize(
    ("mode", "share"),
    [
        (Mode.OPERATOR_FUND, None),
        (Mode.ISSUER_ON_REDEMPTION, None),
        (Mode.HYBRID, Decimal("0.35")),
    ],
    ids=str,
)
async def test_it_holds_in_every_mode_with_issuers_of_two_currencies(
    at: datetime, mode: Mode, share: Decimal | None
) -> None:
    world = await make_world(at, terms=FUNDED)
    third = await _third(
        at,
        ContractTerms(
            currency="EUR",
            issue_price=Decimal("0.0009"),
            redemption_price=Decimal("0.0011"),
            mode=mode,
            prefunded_share=share,
            expiry_months=1,
        ),
    )
    member = await world.member()
    first = await issue(world, member, 800)
    await issue(world, member, 700, third)
    await issue(world, member, 300, world.fuel)
    for partner_no in (world.fuel, third, world.grocer):
        await redeem(world, member, 333, partner_no)
        await prove(world)
    await made(world, ReverseBody(points=100), target=first)
    await draining.drain_all(at)
    proofs = await prove(world)

    assert proofs.keys() == {"SEK", "EUR"}
    async with transaction() as connection:
        drained = await connection.fetchval("SELECT count(*) FROM drain")
    assert drained >= 1


async def test_it_holds_when_points_expire(at: datetime) -> None:
    world = await make_world(at, terms=FUNDED)
    third = await _third(
        at,
        ContractTerms(
            currency="SEK",
            issue_price=Decimal("0.02"),
            redemption_price=Decimal("0.01"),
            mode=Mode.HYBRID,
            prefunded_share=Decimal("0.25"),
            breakage_share=Decimal("0.4"),
            expiry_months=1,
        ),
    )
    member = await world.member()
    await issue(world, member, 400, third)
    before = (await prove(world))["SEK"]
    later = world.clock.advance(timedelta(days=90))
    await expiry.expire(later, later.date())

    waiting = (await prove(world))["SEK"]
    await draining.drain_all(later)
    after = (await prove(world))["SEK"]

    assert before.liability == Decimal(2)
    assert waiting.liability == after.liability == after.fund == after.queued == 0
    assert after.own == Decimal("1.2")


def test_sides_are_told_apart_by_account_and_sign() -> None:
    balances = [
        Balance(MoneyAccount.PARTNER, 1, "SEK", Decimal("9.5")),
        Balance(MoneyAccount.PARTNER, 2, "SEK", Decimal(-4)),
        Balance(MoneyAccount.FUND, 0, "SEK", Decimal(-7)),
        Balance(MoneyAccount.CASH, 0, "SEK", Decimal(3)),
        Balance(MoneyAccount.FEE, 0, "SEK", Decimal(-2)),
        Balance(MoneyAccount.PROMOTION, 0, "SEK", Decimal("0.5")),
    ]
    assert proof.sides_of(balances) == {
        "fund": Decimal(7),
        "cash": Decimal(3),
        "receivables": Decimal("9.5"),
        "payables": Decimal(4),
        "own": Decimal("1.5"),
    }


async def test_it_holds_at_any_instant_while_tills_post_and_drains_run(at: datetime) -> None:
    world = await make_world(at, terms=FUNDED)
    members = [await world.member() for _ in range(4)]
    for member in members:
        await issue(world, member, 5000)

    async def trade(member: UUID) -> None:
        for points in (700, 11, 1300):
            paid = await redeem(world, member, points, world.fuel)
            await made(world, ReverseBody(points=10), partner_no=world.fuel, target=paid)
            await issue(world, member, points)

    async def drain() -> None:
        for _ in range(3):
            await draining.drain_all(at)

    async def look() -> None:
        for _ in range(6):
            await prove(world)

    await asyncio.gather(*(trade(member) for member in members), drain(), look())
    await draining.drain_all(at)
    assert (await prove(world))["SEK"].queued == 0
