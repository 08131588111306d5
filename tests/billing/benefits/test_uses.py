"""Benefits in money at tills: counted by the period, once a receipt, paid by who promised them."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from billing.benefits import audit_checks as promised
from billing.benefits import held_now, keeping, returning, uses
from billing.benefits.entitlements import Ground, Pool
from billing.benefits.refusals import (
    BenefitNotHeld,
    BenefitUsedUp,
    InvalidSaving,
    ReceiptUsedOtherwise,
    ReturnsTooMuch,
    SavingInOtherCurrency,
    UnknownUse,
)
from billing.benefits.returning import Returned, UseKey
from billing.benefits.uses import Used, Wanted
from coalition.federation import catalogue
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.kernel.money import Money
from coalition.ledger import audit
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import HolderMerged
from coalition.members import merging
from coalition.points import merging as points
from partners.settlement import audit_checks as settled
from partners.settlement import draining, statements
from tests.billing.benefits.world import SHIPPING, Club, day, make_club, plan
from tests.points.world import KEYS

pytestmark = pytest.mark.usefixtures("database")

TWICE = {**SHIPPING, "uses_per_period": 2, "funding": {"Fuel": 3, "operator": 1}}
DISCOUNT = {
    "benefit": "partner_discount",
    "code": "five-percent",
    "partner": "Grocer",
    "basis_points": 500,
    "currency": "SEK",
    "funding": {"Grocer": 1, "operator": 1},
}
MINUTE = timedelta(minutes=1)


async def club(at: datetime, *benefits: dict[str, Any]) -> Club:
    anna = await make_club(at, plan("plus", *(benefits or (TWICE, DISCOUNT))))
    await anna.apply(anna.entitled(day(1), day(1, 12)), at=at)
    return anna


async def use(
    club: Club,
    at: datetime,
    receipt: str = "R-1",
    *,
    saved: int = 4_900,
    benefit: str = "shipping",
    currency: str = "SEK",
    **fields: Any,
) -> Used:
    wanted = Wanted(
        **{
            "member": club.member,
            "partner_no": club.world.grocer,
            "store_no": None,
            "benefit": benefit,
            "receipt": receipt,
            "saved": Money(saved, currency),
            "price": None,
            "used_at": at,
            **fields,
        }
    )
    async with transaction() as connection:
        known = await catalogue.load(connection)
        return await uses.use(connection, wanted, plans=club.plans, known=known, at=at)


async def give_back(
    club: Club, at: datetime, receipt: str = "R-1", amount: Money | None = None
) -> Returned:
    key = UseKey(club.member, club.world.grocer, receipt, "shipping")
    async with transaction() as connection:
        return await returning.give_back(connection, key, amount=amount, at=at)


def sek(amount_minor: int) -> Money:
    return Money(amount_minor, "SEK")


async def net(club: Club, at: datetime) -> tuple[int, int]:
    """Return what the grocer and the fuel chain owe, in minor units."""
    await draining.drain_all(at)
    grocer = await statements.live(club.world.grocer, at)
    fuel = await statements.live(club.world.fuel, at)
    return grocer.net_minor.get("SEK", 0), fuel.net_minor.get("SEK", 0)


async def test_a_use_is_paid_for_by_its_funders_and_goes_back_with_its_purchase(
    at: datetime,
) -> None:
    anna = await club(at)
    assert (await use(anna, at)).remaining == 1
    assert await net(anna, at) == (-4_900, 3_675)
    assert await give_back(anna, at + MINUTE) == Returned(at + MINUTE, sek(0))
    assert await give_back(anna, at + 2 * MINUTE) == Returned(at + MINUTE, sek(0))
    assert await net(anna, at + MINUTE) == (0, 0)
    # It counts no longer.
    assert (await use(anna, at, "R-2")).remaining == 1
    report = await audit.run((*settled.CHECKS, *promised.CHECKS))
    assert report.breaches == []


async def test_what_a_member_used_who_was_merged_since_goes_back_of_the_survivor(
    at: datetime,
) -> None:
    anna = await club(at)
    await use(anna, at)
    gone, kept = anna.member, MemberId(await anna.world.member())
    later = day(1, 12) + MINUTE
    await ensure_partition(later)
    async with transaction() as connection:
        await merging.merge(
            connection,
            from_id=gone,
            into_id=kept,
            keys=KEYS,
            followers=(points.take_over, keeping.take_over),
            actor="staff:anna",
            at=later,
        )
    with pytest.raises(HolderMerged):
        await give_back(anna, later)
    anna.member = kept
    assert await give_back(anna, later, amount=sek(900)) == Returned(later, sek(4_000))
    assert await give_back(anna, later) == Returned(later, sek(0))
    assert await net(anna, later) == (0, 0)
    with pytest.raises(UnknownUse):
        await give_back(anna, later, receipt="R-2")
    report = await audit.run((*settled.CHECKS, *promised.CHECKS))
    assert report.breaches == []


async def test_a_use_goes_back_in_parts_and_every_part_is_exact(at: datetime) -> None:
    anna = await club(at)
    await use(anna, at, saved=1_001)
    # Fuel pays three quarters of 1,001, rounded up for what was left over.
    assert await net(anna, at) == (-1_001, 751)
    part = await give_back(anna, at + MINUTE, amount=sek(334))
    assert part == Returned(at + MINUTE, sek(667))
    # 334 * 751 / 1001 is 250.58, so 251 go back to Fuel and 83 to the operator.
    assert await net(anna, at + MINUTE) == (-667, 500)
    # It counts on, and is told with what is left of it.
    again = await use(anna, at, saved=1_001)
    assert (again.saved, again.left, again.remaining) == (sek(1_001), sek(667), 1)
    with pytest.raises(ReturnsTooMuch) as refused:
        await give_back(anna, at + MINUTE, amount=sek(668))
    assert refused.value.facts == {"left_minor": 667, "currency": "SEK"}
    with pytest.raises(SavingInOtherCurrency, match="say in SEK"):
        await give_back(anna, at + MINUTE, amount=Money(1, "EUR"))
    await give_back(anna, at + 2 * MINUTE, amount=sek(1))
    report = await audit.run((*settled.CHECKS, *promised.CHECKS))
    assert report.breaches == []
    assert await give_back(anna, at + 3 * MINUTE, amount=sek(666)) == Returned(
        at + 3 * MINUTE, sek(0)
    )
    assert await net(anna, at + 3 * MINUTE) == (0, 0)
    assert (await use(anna, at, "R-2")).remaining == 1
    report = await audit.run((*settled.CHECKS, *promised.CHECKS))
    assert report.breaches == []


async def test_who_shares_a_plan_has_its_uses_together_with_who_pays(at: datetime) -> None:
    anna = await club(at)
    bo, bos = MemberId(await anna.world.member()), random_id()
    pool = Pool(anna.member, anna.membership)
    shared = msgspec.structs.replace(
        anna.entitled(at - MINUTE, day(1, 12), ground=Ground.SHARED), pool=pool
    )
    await anna.apply(shared, at=at, member=bo, membership=bos)
    wanted = [use(anna, at, f"R-{no}", member=(anna.member, bo)[no % 2]) for no in range(4)]
    found = await asyncio.gather(*wanted, return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == [
        "BenefitUsedUp", "BenefitUsedUp", "Used", "Used",
    ]  # fmt: skip
    async with transaction() as connection:
        for member in (anna.member, bo):
            held = await held_now.read(
                connection, member, at_partner=anna.world.grocer, plans=anna.plans, at=at
            )
            assert held is not None
            assert [one.remaining for one in held.benefits if one.code == "shipping"] == [0]
    report = await audit.run(promised.CHECKS)
    assert report.breaches == []


async def test_the_same_use_again_is_told_and_counts_once(at: datetime) -> None:
    anna = await club(at)
    assert await use(anna, at) == await use(anna, at)
    with pytest.raises(ReceiptUsedOtherwise):
        await use(anna, at, saved=4_800)
    other = MemberId(await anna.world.member())
    with pytest.raises(ReceiptUsedOtherwise):
        await use(anna, at, member=other)
    # A receipt of another partner is another receipt.
    assert (await use(anna, at, partner_no=anna.world.fuel)).remaining == 0


async def test_no_more_is_had_than_a_period_gives_even_at_once(at: datetime) -> None:
    anna = await club(at)
    wanted = [use(anna, at, f"R-{no}") for no in range(4)]
    found = await asyncio.gather(*wanted, return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == [
        "BenefitUsedUp", "BenefitUsedUp", "Used", "Used",
    ]  # fmt: skip
    refused = next(one for one in found if isinstance(one, BenefitUsedUp))
    assert refused.facts == {"limit": 2, "renews_at": day(1, 12).isoformat()}
    both = anna.entitled(day(1), day(1, 12)), anna.entitled(day(1, 12), day(1, 1, 2027))
    await anna.apply(*both, at=at)
    assert (await use(anna, day(1, 12), "R-9")).remaining == 1


async def test_changing_to_and_fro_begins_no_period_anew(at: datetime) -> None:
    anna = await club(at)
    await use(anna, at, "R-1")
    month, year = (day(1), day(1, 12)), (at + MINUTE, day(21, 11, 2027))
    changed = [
        anna.entitled(day(1), at + MINUTE, period=month),
        anna.entitled(at + MINUTE, at + 3 * MINUTE, period=year),
        anna.entitled(at + 3 * MINUTE, day(21, 12)),
    ]
    await anna.apply(*changed, at=at + 3 * MINUTE)
    assert (await use(anna, at + 3 * MINUTE, "R-2")).remaining == 0


async def test_grace_counts_on_with_the_period_before_it(at: datetime) -> None:
    anna = await club(at)
    period = day(1), day(20)
    paid = anna.entitled(*period)
    grace = anna.entitled(day(20), day(27), ground=Ground.GRACE, period=period)
    await anna.apply(paid, grace, at=at)
    assert (await use(anna, day(19), "R-1")).remaining == 1
    assert (await use(anna, at, "R-2")).remaining == 0


async def test_a_discount_is_a_share_of_the_price_and_its_partner_bears_its_own_part(
    at: datetime,
) -> None:
    anna = await club(at)
    price: dict[str, Any] = {"benefit": "five-percent", "price": Money(10_010, "SEK")}
    with pytest.raises(InvalidSaving, match="at most 501"):
        await use(anna, at, saved=502, **price)
    with pytest.raises(InvalidSaving, match="price"):
        await use(anna, at, saved=500, benefit="five-percent")
    with pytest.raises(InvalidSaving, match="at most"):
        await use(anna, at, saved=2**31, benefit="five-percent", price=Money(10**12, "SEK"))
    with pytest.raises(BenefitNotHeld):
        await use(anna, at, saved=500, partner_no=anna.world.fuel, **price)
    assert await use(anna, at, saved=501, **price) == Used(sek(501), sek(501), at, None, None)
    assert await net(anna, at) == (-251, 0)


async def test_what_a_partner_gives_by_itself_nobody_owes_it(at: datetime) -> None:
    anna = await club(at, {**SHIPPING, "funding": {"Grocer": 1}})
    await use(anna, at)
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM settlement_queue") == 0
    assert await net(anna, at) == (0, 0)
    assert await give_back(anna, at + MINUTE) == Returned(at + MINUTE, sek(0))
    assert await net(anna, at + MINUTE) == (0, 0)
    assert (await audit.run((*settled.CHECKS, *promised.CHECKS))).breaches == []


async def test_what_is_not_held_cannot_be_used(at: datetime) -> None:
    anna = await club(at)
    with pytest.raises(BenefitNotHeld):
        await use(anna, day(2, 12))
    with pytest.raises(InvalidSaving, match="at most 5900"):
        await use(anna, at, saved=5_901)
    with pytest.raises(SavingInOtherCurrency, match="in SEK, not in EUR") as refused:
        await use(anna, at, currency="EUR")
    assert refused.value.facts == {"benefit": "shipping", "currency": "SEK"}
    price = Money(900, "EUR")
    with pytest.raises(SavingInOtherCurrency, match="price before the discount in SEK"):
        await use(anna, at, saved=45, benefit="five-percent", price=price)
    euros = await make_club(at, plan("plus", {**SHIPPING, "currency": "EUR"}))
    await euros.apply(euros.entitled(day(1), day(1, 12)), at=at)
    with pytest.raises(SavingInOtherCurrency, match="your contract is in SEK") as refused:
        await use(euros, at, currency="EUR")
    assert refused.value.facts == {"benefit": "shipping", "currency": "SEK"}
    with pytest.raises(UnknownUse):
        await give_back(anna, at)
