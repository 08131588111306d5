"""From a posting to its charges: found in the drain's blocks, or priced while it waits."""

from decimal import Decimal
from uuid import UUID

from coalition.kernel.database import transaction
from coalition.kernel.database.transactions import TENANT_ROLE
from coalition.kernel.ids import uuid7
from partners.settlement import draining, passport, periods
from partners.settlement.kinds import ChargeKind
from partners.settlement.passport import Charged, Posted
from tests.support.http import Coalition

Short = tuple[int, ChargeKind, int, Decimal]


def short(charges: list[Charged]) -> list[Short]:
    """Return whom a charge hits, for what, with points and amount."""
    return [(one.charge.partner_no, one.charge.kind, one.points, one.amount) for one in charges]


async def found(posting: UUID) -> Posted:
    async with transaction() as connection:
        posted = await passport.find(connection, posting)
    assert posted is not None
    return posted


async def redeemed(coalition: Coalition) -> UUID:
    """Let the grocer give 100 points and the fuel station take 30 of them."""
    member = await coalition.grocer.new_member()
    await coalition.grocer.issue(member, 100)
    paid = await coalition.fuel.post("/v1/points/redeem", coalition.fuel.payment(member, 30))
    return UUID(paid.json()["posting_id"])


async def test_a_posting_that_waits_is_charged_as_its_drain_charges_it(
    coalition: Coalition,
) -> None:
    posting, at = await redeemed(coalition), coalition.clock.now()
    await periods.ensure(at)
    waiting = await found(posting)
    assert waiting.drain is None
    async with transaction() as connection:
        book = await passport.read_book(connection)
        awaited = await passport.awaited(connection, waiting, book)
    await draining.drain_all(at)
    done = await found(posting)
    assert done.drain is not None
    assert done.drained_at == at
    async with transaction() as connection:
        settled = await passport.settled(connection, posting, done.drain)
    fuel = coalition.fuel.partner.no
    assert short(settled) == [(fuel, ChargeKind.REDEMPTION, 30, Decimal("-0.3"))]
    assert settled == awaited
    assert settled[0].booking.period == "2026-11"


async def test_each_leg_says_whose_points_they_were_and_who_pays(coalition: Coalition) -> None:
    member = await coalition.grocer.new_member()
    await coalition.grocer.issue(member, 20)
    await coalition.fuel.issue(member, 50)
    paid = await coalition.fuel.post("/v1/points/redeem", coalition.fuel.payment(member, 60))
    await periods.ensure(coalition.clock.now())
    posted = await found(UUID(paid.json()["posting_id"]))
    async with transaction() as connection:
        legs = await passport.legs(connection, posted, await passport.read_book(connection))
    issuers = {leg.move.issuer_no: leg.move.points for leg in legs}
    assert issuers.keys() == {coalition.grocer.partner.no, coalition.fuel.partner.no}
    assert sum(issuers.values()) == 60
    for leg in legs:
        assert sum(side.unit for side in leg.priced.sides) == 0


async def test_a_tenant_sees_of_a_posting_only_what_it_is_charged_itself(
    coalition: Coalition,
) -> None:
    posting = await redeemed(coalition)
    await draining.drain_all(coalition.clock.now())
    drain = (await found(posting)).drain
    assert drain is not None
    for partner_no, number in ((coalition.fuel.partner.no, 1), (coalition.grocer.partner.no, 0)):
        async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
            assert len(await passport.settled(connection, posting, drain)) == number


async def test_a_posting_that_nobody_made_has_no_passport(coalition: Coalition) -> None:
    async with transaction() as connection:
        assert await passport.find(connection, uuid7(coalition.clock.now())) is None
