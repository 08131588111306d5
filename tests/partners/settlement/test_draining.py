"""The drain: every posting becomes money once, in the period in which it happened or the next."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from coalition.federation.service import create_coalition, create_partner
from coalition.federation.terms import ContractTerms, Mode, Vat
from coalition.kernel.database import transaction
from coalition.kernel.ids import SHARDS
from coalition.ledger import money
from coalition.ledger.drafts import Grant, Issue, Posted, Redeem, Reverse
from coalition.ledger.money import MoneyAccount
from coalition.ledger.provenance import Provenance
from partners.settlement import draining, feed, periods
from partners.settlement.pricing import price
from tests.support.ledger import open_holder, post, till

pytestmark = pytest.mark.usefixtures("database")

ACTOR = "staff:test"
OCTOBER = datetime(2026, 10, 5, 10, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 10, 10, tzinfo=UTC)
GROCER, SHOP = 1, 2

_CHARGES = """
SELECT tariff.partner_no, tariff.kind, settlement_period.name, origin.name AS origin,
       sum(charge.points)::int, sum(charge.points * tariff.unit_price)
FROM charge JOIN tariff ON tariff.id = charge.tariff
JOIN settlement_period ON settlement_period.partner_no = tariff.partner_no
    AND settlement_period.no = tariff.period_no
JOIN settlement_period AS origin ON origin.partner_no = tariff.partner_no
    AND origin.no = tariff.origin_no
GROUP BY 1, 2, 3, 4 ORDER BY 1, 3, 2
"""

_TOTALS = """
SELECT count(*) FROM (
    SELECT tariff, shard, sum(charge.points), count(*)
    FROM charge JOIN drain ON drain.id = charge.drain GROUP BY tariff, shard
    EXCEPT SELECT tariff, shard, points, charges FROM tariff_total
) AS differing
"""


async def coalition(**of_grocer: Any) -> None:
    """Make a grocer that issues at a cent a point, and a shop that takes points."""
    begins = datetime(2026, 1, 1, tzinfo=UTC)
    await create_coalition(name="Test", timezone="Europe/Oslo", actor=ACTOR, at=begins)
    for name, terms in (("Grocer", of_grocer), ("Shop", {"redemption_price": Decimal("0.0080")})):
        plain = {"issue_price": Decimal("0.0100"), "redemption_price": Decimal("0.0085")}
        await create_partner(
            name=name,
            terms=ContractTerms(currency="EUR", **(plain | terms)),
            actor=ACTOR,
            at=begins,
            valid_from=date(2026, 1, 1),
        )


def issued(holder: UUID, points: int, at: datetime, *, share: int = 1) -> Issue:
    """Return a draft of points of the grocer."""
    source = Provenance(
        currency_no=1,
        issuer_no=GROCER,
        contract_no=GROCER,
        funder_no=GROCER,
        earned_month=202610,
        expires_on=None,
        issue_price=Decimal("0.0100"),
        prefunded_share=Decimal(share),
    )
    return Issue(holder, till(GROCER, at), (Grant(source, points),))


async def balances() -> dict[str, str]:
    """Return what the accounts of the money book come to."""
    async with transaction() as connection:
        return {
            f"{row.account.name.lower()} {row.partner_no}": f"{row.amount.normalize():f}"
            for row in await money.trial_balance(connection)
        }


async def charges() -> list[tuple[Any, ...]]:
    """Return what partners were charged, by kind and period."""
    async with transaction() as connection:
        assert await connection.fetchval(_TOTALS) == 0
        return [tuple(row) for row in await connection.fetch(_CHARGES)]


async def test_postings_become_charges_and_an_exact_posting_of_money() -> None:
    await coalition(
        service_fee_per_point=Decimal("0.0008"), vat={"service_fee": Vat(rate=Decimal("0.25"))}
    )
    anna = await open_holder(OCTOBER)
    await post([issued(anna, 300, OCTOBER)], OCTOBER)
    await post([Redeem(anna, till(SHOP, OCTOBER), 1, 250)], OCTOBER)
    assert await draining.drain_all(OCTOBER) == 2
    assert await charges() == [
        (GROCER, 1, "2026-10", "2026-10", 300, Decimal("3.00")),
        (GROCER, 3, "2026-10", "2026-10", 300, Decimal("0.24")),
        (SHOP, 2, "2026-10", "2026-10", 250, Decimal("-2.00")),
    ]
    assert await balances() == {
        "partner 1": "3.3",
        "partner 2": "-2",
        "fund 0": "-1",
        "fee 0": "-0.24",
        "vat 0": "-0.06",
    }


async def test_what_is_drained_again_is_nothing() -> None:
    await coalition()
    anna = await open_holder(OCTOBER)
    await post([issued(anna, 300, OCTOBER)], OCTOBER)
    assert await draining.drain_all(OCTOBER) == 1
    before = await charges()
    assert await draining.drain_all(OCTOBER) == 0
    assert await charges() == before


async def test_a_reversal_is_booked_when_it_happens_and_named_after_its_original() -> None:
    await coalition(mode=Mode.ISSUER_ON_REDEMPTION)
    anna = await open_holder(OCTOBER)
    await post([issued(anna, 300, OCTOBER, share=0)], OCTOBER)
    [spent] = await post([Redeem(anna, till(SHOP, OCTOBER), 1, 250)], OCTOBER)
    assert isinstance(spent, Posted)
    await draining.drain_all(OCTOBER)
    back = Reverse(spent.posting, till(SHOP, NOVEMBER), 100, "reverse", NOVEMBER.date())
    await post([back], NOVEMBER)
    assert await draining.drain_all(NOVEMBER) == 1
    assert await charges() == [
        (GROCER, 1, "2026-10", "2026-10", 250, Decimal("2.50")),
        (GROCER, 1, "2026-11", "2026-10", -100, Decimal("-1.00")),
        (SHOP, 2, "2026-10", "2026-10", 250, Decimal("-2.00")),
        (SHOP, 2, "2026-11", "2026-10", -100, Decimal("0.80")),
    ]
    assert await balances() == {"partner 1": "1.5", "partner 2": "-1.2", "margin 0": "-0.3"}


async def test_points_of_several_lots_make_one_charge_of_a_posting_where_their_price_is_one() -> (
    None
):
    await coalition()
    anna = await open_holder(OCTOBER)
    grants = issued(anna, 30, OCTOBER).grants
    older = grants[0].provenance._replace(earned_month=202609)
    both = Issue(anna, till(GROCER, OCTOBER), (*grants, Grant(older, 12)))
    await post([both], OCTOBER)
    await draining.drain_all(OCTOBER)
    async with transaction() as connection:
        [row] = await connection.fetch("SELECT points FROM charge")
    assert row[0] == 42


async def test_what_a_sealed_period_missed_is_booked_in_the_next_one() -> None:
    await coalition()
    anna = await open_holder(OCTOBER)
    await periods.ensure(NOVEMBER)
    async with transaction() as connection:
        october = await periods.named(connection, GROCER, "2026-10")
        await connection.execute(
            "INSERT INTO first_open SELECT generate_series(0, 15), $1, $2", GROCER, october.no + 1
        )
    await post([issued(anna, 300, OCTOBER)], NOVEMBER)
    await draining.drain_all(NOVEMBER)
    assert await charges() == [(GROCER, 1, "2026-11", "2026-10", 300, Decimal("3.00"))]


async def test_a_drain_takes_about_as_much_as_it_may_and_the_rest_stays() -> None:
    await coalition()
    anna = await open_holder(OCTOBER)
    for step in range(4):
        at = OCTOBER + timedelta(seconds=step)
        await post([issued(anna, 10, at), issued(anna, 20, at)], at)
    await periods.ensure(OCTOBER)
    shard = next(iter(await _shards()))
    assert await draining.drain(shard, OCTOBER, limit=3) == 4
    assert await draining.drain(shard, OCTOBER, limit=3) == 4
    assert await draining.drain(shard, OCTOBER, limit=3) == 0
    assert [row[4] for row in await charges()] == [120]


async def test_what_waits_can_be_priced_without_being_taken() -> None:
    await coalition()
    holders = [await open_holder(OCTOBER) for _ in range(40)]
    await post([issued(holder, 10, OCTOBER) for holder in holders], OCTOBER)
    await periods.ensure(OCTOBER)
    half = (await _shards())[::2]
    taken = sum([await draining.drain(shard, OCTOBER) for shard in half])
    async with transaction(feed.PLANS) as connection:
        book = await draining.read_book(connection)
        waiting = await feed.queued(connection, list(range(SHARDS)))
        moves = await feed.moves_of(connection, waiting, book)
        assert await feed.moves_of(connection, [], book) == []
    assert taken + sum(move.postings for move in moves) == 40
    assert taken
    [move] = moves
    assert {charge.partner_no for charge in price(move, book).charges} == {GROCER}
    assert len(await _shards()) == len(half) or len(await _shards()) == len(half) - 1


async def test_the_book_is_untouched_by_what_costs_nothing() -> None:
    await coalition(mode=Mode.ISSUER_ON_REDEMPTION)
    anna = await open_holder(OCTOBER)
    await post([issued(anna, 300, OCTOBER, share=0)], OCTOBER)
    assert await draining.drain_all(OCTOBER) == 1
    assert await charges() == []
    assert await balances() == {}
    async with transaction() as connection:
        assert await connection.fetchval("SELECT sum(postings) FROM drain") == 1


async def test_a_posting_of_money_that_does_not_balance_is_an_error_of_ours() -> None:
    one_sided = [money.MoneyEntry(MoneyAccount.CASH, 0, "EUR", Decimal(1))]
    with pytest.raises(AssertionError, match="zero per currency"):
        async with transaction() as connection:
            await money.post(
                connection,
                kind=money.MoneyKind.DRAIN,
                subject="test",
                entries=one_sided,
                at=OCTOBER,
            )


async def _shards() -> list[int]:
    async with transaction() as connection:
        rows = await connection.fetch("SELECT DISTINCT shard FROM settlement_queue ORDER BY shard")
    return [row[0] for row in rows]
