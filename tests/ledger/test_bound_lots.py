"""Points that rules bind to partners are spent there, and nowhere else."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import audit, audit_classes, classes, clocks, elsewhere, funds, posting
from coalition.ledger.classes import Binding, LotClasses
from coalition.ledger.clocks import Clock
from coalition.ledger.drafts import (
    Capture,
    Draft,
    Grant,
    Held,
    Hold,
    Issue,
    Outcome,
    Posted,
    Redeem,
)
from coalition.ledger.journal import Journal
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.provenance import Provenance
from coalition.ledger.refusals import NotEnoughPoints
from coalition.ledger.selecting import Sources, SpendOrder
from tests.ledger.transfer_world import lots_of, transfer
from tests.support.ledger import FUEL, GROCER, issue, open_holder, provenance, redeem, till

pytestmark = pytest.mark.usefixtures("database")

BAKER = 9
AT_FUEL = Binding(frozenset({FUEL}))
AT_ISSUER = Binding(frozenset(), at_issuer=True)


async def registered(*bindings: Binding) -> LotClasses:
    async with transaction() as connection:
        for binding in bindings:
            await classes.register(connection, binding)
        return await classes.registered(connection)


async def post(
    drafts: Sequence[Draft],
    at: datetime,
    kept: LotClasses,
    *,
    ruled: Sequence[Clock] = (),
    suspended: Sequence[int] = (),
) -> list[Outcome]:
    """Post as the product does where classes are registered."""
    await ensure_partition(at)
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        _, outcomes = await posting.post(
            connection,
            drafts,
            at=at,
            today=at.date(),
            clocks=ruled,
            classes=kept,
            suspended=suspended,
        )
    return outcomes


def give(holder: UUID, points: int, at: datetime, of: Provenance) -> Issue:
    return Issue(holder, till(of.issuer_no, at), (Grant(of, points),))


def bound(kept: LotClasses, binding: Binding, issuer_no: int = GROCER) -> Provenance:
    """Return where points come from that another member has sent under a binding."""
    return provenance(issuer_no)._replace(class_no=kept.when_received(binding)[0])


async def test_bound_points_pay_only_where_they_may(at: datetime) -> None:
    kept = await registered(AT_FUEL)
    anna = await open_holder(at)
    await post([issue(anna, 10, at), give(anna, 50, at, bound(kept, AT_FUEL))], at, kept)

    [refused] = await post([redeem(anna, 11, at, partner_no=BAKER)], at, kept)
    assert isinstance(refused, NotEnoughPoints)
    assert refused.facts == {"points": 11, "balance": 10, "elsewhere": 50}
    assert "50 more can be spent at other partners only" in str(refused.detail)
    [paid] = await post([redeem(anna, 10, at, partner_no=BAKER)], at, kept)
    assert isinstance(paid, Posted)
    [paid] = await post([redeem(anna, 50, at, partner_no=FUEL)], at, kept)
    assert isinstance(paid, Posted)
    assert (await audit.run()).breaches == []


async def test_bound_points_pay_at_whoever_issued_them(at: datetime) -> None:
    kept = await registered(AT_ISSUER, Binding(frozenset({FUEL}), at_issuer=True))
    anna = await open_holder(at)
    both = Binding(frozenset({FUEL}), at_issuer=True)
    given = [
        give(anna, 10, at, bound(kept, AT_ISSUER, GROCER)),
        give(anna, 20, at, bound(kept, AT_ISSUER, BAKER)),
        give(anna, 40, at, bound(kept, both, BAKER)),
    ]
    await post(given, at, kept)
    pairs = [(anna, partner_no) for partner_no in (GROCER, FUEL, BAKER, 0)]
    async with transaction() as connection:
        found = await elsewhere.read(connection, pairs, currency_no=1, today=at.date())

    assert found == dict(zip(pairs, (60, 30, 10, 0), strict=True))
    for partner_no, points in ((GROCER, 10), (FUEL, 40), (BAKER, 60)):
        [refused] = await post([redeem(anna, points + 1, at, partner_no=partner_no)], at, kept)
        assert isinstance(refused, NotEnoughPoints)
        assert refused.facts["balance"] == points


async def test_a_member_at_two_tills_at_once_pays_at_each_what_it_may(at: datetime) -> None:
    kept = await registered(AT_FUEL)
    anna = await open_holder(at)
    await post([issue(anna, 10, at), give(anna, 50, at, bound(kept, AT_FUEL))], at, kept)

    made = await post(
        [
            redeem(anna, 12, at, partner_no=BAKER),
            redeem(anna, 4, at, partner_no=BAKER),
            redeem(anna, 55, at, partner_no=FUEL),
            redeem(anna, 1, at, partner_no=BAKER),
        ],
        at,
        kept,
    )

    assert [isinstance(one, Posted) for one in made] == [False, True, True, True]
    assert await lots_of(anna) == []
    assert (await audit.run()).breaches == []


async def test_a_hold_reserves_what_its_partner_may_take(at: datetime) -> None:
    kept = await registered(AT_FUEL)
    anna = await open_holder(at)
    await post([give(anna, 50, at, bound(kept, AT_FUEL))], at, kept)
    until = at + timedelta(hours=1)

    [refused] = await post([Hold(anna, till(BAKER, at, "h1"), 1, 1, until)], at, kept)
    [held] = await post([Hold(anna, till(FUEL, at, "h1"), 1, 50, until)], at, kept)
    assert isinstance(refused, NotEnoughPoints)
    assert isinstance(held, Held)
    [paid] = await post([Capture(held.hold, FUEL, None, None)], at, kept)
    assert isinstance(paid, Posted)
    assert (await audit.run()).breaches == []


async def test_clocks_and_suspended_funders_count_beside_bindings(at: datetime) -> None:
    kept = await registered(AT_FUEL)
    async with transaction() as connection:
        clock_no = await clocks.register(connection, months=3)
        ruled = await clocks.registered(connection)
    anna = await open_holder(at)
    given = [
        give(anna, 10, at, provenance()._replace(clock_no=clock_no)),
        give(anna, 20, at, bound(kept, AT_FUEL)._replace(clock_no=clock_no)),
        give(anna, 40, at, bound(kept, AT_FUEL, BAKER)),
    ]
    await post(given, at, kept, ruled=ruled)

    for partner_no, suspended, balance, other in (
        (BAKER, (), 10, 60),
        (BAKER, (BAKER,), 10, 20),
        (FUEL, (BAKER,), 30, None),
        (FUEL, (), 70, None),
    ):
        for clocked in (ruled, ()):
            draft = redeem(anna, 71, at, partner_no=partner_no)
            [refused] = await post([draft], at, kept, ruled=clocked, suspended=suspended)
            assert isinstance(refused, NotEnoughPoints)
            assert refused.facts["balance"] == balance
            assert refused.facts.get("elsewhere") == other


class TestPools:
    """Points that several spend together."""

    @pytest.mark.parametrize("order", list(SpendOrder))
    async def test_bound_points_of_others_pay_only_where_they_may(
        self, at: datetime, order: SpendOrder
    ) -> None:
        kept = await registered(AT_FUEL)
        anna, bo = await open_holder(at), await open_holder(at)
        given = [
            issue(anna, 5, at),
            issue(bo, 10, at),
            give(bo, 50, at, bound(kept, AT_FUEL)),
            give(anna, 7, at, bound(kept, AT_FUEL)),
        ]
        await post(given, at, kept)
        sources = Sources(order=order, holders=(bo,))

        [refused] = await post([Redeem(anna, till(BAKER, at), 1, 16, sources)], at, kept)
        [paid] = await post([Redeem(anna, till(BAKER, at), 1, 15, sources)], at, kept)
        assert isinstance(refused, NotEnoughPoints)
        assert refused.facts == {"points": 16, "balance": 15, "elsewhere": 57}
        assert isinstance(paid, Posted)
        journal = Journal(at, at.date(), classes=kept)
        async with transaction() as connection:
            wanted = {(anna, BAKER): sources, (anna, FUEL): sources, (anna, 0): sources}
            found = await funds.together(connection, journal, wanted, 1)
        assert [tuple(one) for one in found.values()] == [(0, 0), (7, 50), (7, 50)]
        assert (await audit.run()).breaches == []

    async def test_a_pool_may_bind_what_stays_with_its_members(self, at: datetime) -> None:
        kept = await registered(AT_ISSUER)
        anna, bo = await open_holder(at), await open_holder(at)
        given = [issue(one, 10, at, partner_no=no) for one in (anna, bo) for no in (GROCER, FUEL)]
        await post(given, at, kept)
        sources = Sources(holders=(bo,), binding=AT_ISSUER)

        [refused] = await post([Redeem(anna, till(FUEL, at), 1, 31, sources)], at, kept)
        [paid] = await post([Redeem(anna, till(FUEL, at), 1, 30, sources)], at, kept)
        assert isinstance(refused, NotEnoughPoints)
        assert refused.facts == {"points": 31, "balance": 30, "elsewhere": 10}
        assert isinstance(paid, Posted)
        assert [row["issuer_no"] for row in await lots_of(bo)] == [GROCER]


class TestMoving:
    """What becomes of a binding where points go."""

    async def test_what_is_bound_stays_bound_wherever_it_is_sent(self, at: datetime) -> None:
        kept = await registered(AT_FUEL, AT_ISSUER)
        anna, bo, cleo = [await open_holder(at) for _ in range(3)]
        await post([issue(anna, 50, at)], at, kept)
        ways = [
            transfer(anna, bo, 50, at, classes=kept.when_received(AT_FUEL)),
            transfer(bo, cleo, 30, at, classes=kept.when_received(None)),
            transfer(bo, cleo, 20, at, classes=kept.when_received(AT_ISSUER)),
        ]
        for way in ways:
            await post([way], at, kept)

        (lot,) = await lots_of(cleo)
        assert lot["class_no"] == kept.when_received(AT_FUEL)[0]
        assert lot["class_no"] in kept.received
        [refused] = await post([redeem(cleo, 1, at, partner_no=GROCER)], at, kept)
        assert isinstance(refused, NotEnoughPoints)

    async def test_what_a_pool_bound_is_free_again_with_whoever_brought_it(
        self, at: datetime
    ) -> None:
        kept = await registered(AT_FUEL, AT_ISSUER)
        anna, pool = await open_holder(at), await open_holder(at)
        received = provenance()._replace(class_no=1)
        sent = bound(kept, AT_FUEL)
        given = [issue(anna, 10, at), give(anna, 20, at, received), give(anna, 40, at, sent)]
        await post(given, at, kept)
        before = [(row["class_no"], row["points"]) for row in await lots_of(anna)]
        into = transfer(anna, pool, 70, at, contributor=anna, classes=kept.when_pooled(AT_ISSUER))
        await post([into], at, kept)

        assert {row["class_no"] for row in await lots_of(pool)}.isdisjoint({0, 1})
        home = transfer(pool, anna, 70, at, classes=kept.when_home())
        await post([home], at, kept)
        assert [(row["class_no"], row["points"]) for row in await lots_of(anna)] == before

    async def test_a_binding_is_registered_once(self) -> None:
        first = await registered(AT_FUEL, AT_ISSUER)
        again = await registered(AT_FUEL, AT_ISSUER, AT_FUEL)

        assert again.when_received(AT_FUEL) == first.when_received(AT_FUEL)
        assert len(again.received | again.not_received) == 2 + 2 * 3


async def test_the_audit_finds_bound_points_that_were_spent_elsewhere(at: datetime) -> None:
    kept = await registered(AT_FUEL)
    anna = await open_holder(at)
    await post([give(anna, 50, at, bound(kept, AT_FUEL))], at, kept)
    until = at + timedelta(hours=1)
    drafts: list[Draft] = [redeem(anna, 10, at, partner_no=FUEL)]
    drafts.append(Hold(anna, till(FUEL, at, "h1"), 1, 10, until))
    await post(drafts, at, kept)
    assert (await audit.run()).breaches == []

    for damage in (
        "UPDATE hold SET partner_no = 9",
        "UPDATE lot_class SET spend_on = '{9}' WHERE no > 1",
    ):
        async with transaction() as connection:
            await connection.execute(damage)
        broken = [breach.promise for breach in (await audit.run()).breaches]
        assert audit_classes.CHECKS[0].promise in broken
