"""Prepaid partners issue for what they have paid in: not a point beyond it, and all of it."""

import asyncio
import random
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from coalition.federation.service import create_partner
from coalition.federation.terms import CreditMode, Mode
from coalition.kernel.database import bound_engine, transaction
from coalition.kernel.errors import Refused
from coalition.ledger import audit
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.posting import PINNED_FOR_LINES, POSTER_ROLE
from coalition.points import leases
from coalition.points.commands import (
    Asked,
    IssueBody,
    PostingAnswer,
    Purchase,
    PurchaseLine,
    ReverseBody,
)
from coalition.points.till import Tills
from partners.settlement import credit
from tests.partners.settlement.credit_world import TERMS, CreditWorld, code, credit_world, told
from tests.points.bonuses.world import activated, document
from tests.points.world import receipt

pytestmark = pytest.mark.usefixtures("database")

POINT = Decimal("1.25")
"""What a point costs in öre: its cent for the fund, the fee and the VAT on it."""


async def left(world: CreditWorld) -> int:
    """Return what could be leased now."""
    async with transaction() as connection:
        return await leases.headroom(connection, world.points.grocer, "SEK")


async def booked(world: CreditWorld) -> Decimal:
    """Return what the money book says the grocer has used, in öre."""
    await world.judged()
    async with transaction() as connection:
        owes: Decimal = await connection.fetchval(
            "SELECT amount FROM money_balance WHERE partner_no = $1", world.points.grocer
        )
    return (owes * 100) + (await world.standing()).prepaid_minor


async def test_what_is_paid_in_is_issued_to_the_last_point(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    assert code(await world.issue(1)) == "prepaid_exhausted"
    await world.prepay(1_250, "bank-1")
    assert code(await world.issue(600)) == "done"
    refused = await world.issue(401)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.status) == ("prepaid_exhausted", 409)
    assert refused.facts == {"left_minor": 500, "cost_minor": 502, "currency": "SEK"}
    assert code(await world.issue(400)) == "done"
    assert code(await world.issue(1)) == "prepaid_exhausted"
    assert await booked(world) == 1_250
    assert (await audit.run()).breaches == []


async def test_others_and_redemptions_are_not_held_up(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    await world.prepay(1_250, "bank-1")
    await world.issue(1_000)
    assert code(await world.issue(1)) == "prepaid_exhausted"
    await world.judged()
    assert (await world.standing()).blocked
    assert code(await world.issue(1)) == "prepaid_exhausted"
    assert code(await world.redeem(100)) == "done"
    # What the grocer is owed for points it took is as good as money paid in.
    await world.judged()
    assert not (await world.standing()).blocked
    assert code(await world.issue(800)) == "done"
    assert code(await world.issue(1)) == "prepaid_exhausted"
    assert await told() == [
        "credit.limit_reached",
        "credit.limit_reached",
        "credit.prepaid",
        "credit.released",
    ]


async def test_two_processes_and_64_issues_at_once_never_overspend(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    paid_in = 2_500
    await world.prepay(paid_in, "bank-1")
    tills = [world.points.tills, world.points.more_tills()]
    members = [await world.points.member() for _ in range(8)]
    sizes = [100 if number % 3 else 37 for number in range(64)]
    answers = await asyncio.gather(
        *(
            world.issue(points, member=members[number % 8], tills=tills[number % 2])
            for number, points in enumerate(sizes)
        )
    )
    codes = [code(answer) for answer in answers]
    assert set(codes) == {"done", "prepaid_exhausted"}
    issued = sum(points for points, how in zip(sizes, codes, strict=True) if how == "done")
    used = await booked(world)
    assert used == issued * POINT
    assert used <= paid_in
    for one in tills:
        await one.finish()
    # Nothing is lost: what was refused for want of a lease is there when leases are back.
    # (A cost is rounded up and what is left down, so a point less is sure to be covered.)
    rest = int((paid_in - used) // POINT) - 1
    world.points.clock.advance(timedelta(seconds=2))
    assert code(await world.issue(rest, tills=world.points.more_tills())) == "done"
    assert 0 <= paid_in - await booked(world) < 2 * POINT
    assert (await audit.run()).breaches == []


async def test_issues_and_drains_at_once_never_overspend(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    await world.prepay(1_250, "bank-1")
    tills = [world.points.tills, world.points.more_tills()]

    async def sell(number: int) -> int:
        done = 0
        for _ in range(20):
            done += code(await world.issue(40, tills=tills[number % 2])) == "done"
        return done

    async def settle() -> int:
        for _ in range(12):
            await world.judged()
        return 0

    done = sum(await asyncio.gather(*(sell(number) for number in range(4)), settle()))
    assert await booked(world) == done * 50
    assert done <= 25
    assert await left(world) + await leased(world) == 1_250 - done * 50


async def leased(world: CreditWorld) -> int:
    async with transaction() as connection:
        held: int = await connection.fetchval(
            "SELECT coalesce(sum(amount_minor - used_minor), 0)::int8 FROM prepaid_lease"
        )
    return held


async def test_a_process_that_was_killed_keeps_nothing_beyond_its_lease(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    await world.prepay(16_000, "bank-1")
    # It leases a sixteenth, spends a part, and is never heard of again.
    assert code(await world.issue(80)) == "done"
    assert (await leased(world), await left(world)) == (900, 15_000)
    await world.judged()
    assert (await leased(world), await left(world)) == (900, 15_000)
    world.points.clock.advance(leases.LEASED_FOR)
    await world.judged()
    assert (await leased(world), await left(world)) == (0, 15_900)


async def test_a_lease_that_has_ended_is_not_spent(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    await world.prepay(16_000, "bank-1")
    await world.issue(80)
    # Somebody whose clock is ahead ends the lease; the till's own clock still trusts it.
    await credit.judge(world.at + leases.LEASED_FOR)
    assert await leased(world) == 0
    assert code(await world.issue(80)) == "done"
    assert await booked(world) == 200
    assert await left(world) + await leased(world) == 15_800


async def test_a_process_that_ends_gives_its_leases_back(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    await world.prepay(16_000, "bank-1")
    await world.issue(80)
    await world.points.tills.finish()
    assert (await leased(world), await left(world)) == (0, 15_900)


async def test_money_paid_in_is_found_at_once(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    await world.prepay(100, "bank-1")
    assert code(await world.issue(100)) == "prepaid_exhausted"
    await world.prepay(25, "bank-2")
    assert code(await world.issue(100)) == "done"


async def test_a_refused_issue_and_a_reversed_one_cost_nothing(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    await world.prepay(1_250, "bank-1")
    body = IssueBody(receipt(), world.at, member_id=world.anna, points=900)
    made = await world.points.ask(body)
    again = await world.points.ask(msgspec.structs.replace(body, points=10))
    assert code(again) == "duplicate_receipt"
    await world.points.ask(ReverseBody(), target=UUID(made["posting_id"]))
    # The reversal counts when it is drained.
    assert code(await world.issue(900)) == "prepaid_exhausted"
    await world.judged()
    world.points.clock.advance(timedelta(seconds=2))
    assert code(await world.issue(900)) == "done"
    assert await booked(world) == 1_125


async def in_lines(world: CreditWorld, tills: Tills, sizes: list[list[int]]) -> list[str]:
    """Post chunks of lines in one transaction, as a small batch does; return how each went."""
    await ensure_partition(world.at)

    async def post() -> list[Any]:
        answers: list[Any] = []
        async with transaction(PINNED_FOR_LINES, role=POSTER_ROLE) as connection:
            for chunk in sizes:
                bodies = [
                    IssueBody(receipt(), world.at, member_id=world.anna, points=points)
                    for points in chunk
                ]
                asked = [Asked(world.points.grocer, 7, None, body, None) for body in bodies]
                answers += await tills.post_lines(connection, asked, world.at)
        return answers

    answers = await tills.covered(post)
    assert all(isinstance(answer, PostingAnswer | Refused) for answer in answers)
    return [code(answer) for answer in answers]


async def test_the_lines_of_a_batch_are_covered_in_their_order(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    await world.prepay(1_250, "bank-1")
    codes = await in_lines(world, world.points.tills, [[300, 300, 300], [200, 60, 50, 40]])
    refused = [number for number, code in enumerate(codes) if code == "prepaid_exhausted"]
    assert refused == [3, 5]
    assert codes.count("done") == 5
    assert await booked(world) == 1_250


async def test_a_batch_larger_than_a_lease_leases_as_it_goes(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    await world.prepay(125_000, "bank-1")
    codes = await in_lines(world, world.points.tills, [[10_000] * 3, [10_000] * 3, [30_000] * 2])
    assert codes == ["done"] * 7 + ["prepaid_exhausted"]
    assert await booked(world) == 112_500
    assert await left(world) + await leased(world) == 12_500


async def test_a_line_that_is_refused_with_its_reasons_leaves_the_others_covered(
    at: datetime,
) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    await activated(document("fruit", applies_to={"categories": ["fruit"]}), at)
    await world.prepay(1_250, "bank-1")
    async with transaction() as connection:
        await connection.execute(
            "ALTER TABLE purchase_line ADD CONSTRAINT nobody_foresaw_this CHECK (sku <> 'bad')"
        )

    async def post() -> list[Any]:
        bodies = [
            IssueBody(
                receipt(),
                at,
                member_id=world.anna,
                purchase=Purchase(amount_minor=10_000, currency="SEK"),
                lines=[PurchaseLine(amount_minor=10_000, sku=sku)],
            )
            for sku in ("good", "bad", "good", "good", "good", "good")
        ]
        asked = [Asked(world.points.grocer, 7, None, body, None) for body in bodies]
        async with transaction(PINNED_FOR_LINES, role=POSTER_ROLE) as connection:
            return await world.points.tills.post_lines(connection, asked, at)

    await ensure_partition(at)
    answers = await world.points.tills.covered(post)
    assert [code(one) for one in answers] == ["done", "refused_by_database", *["done"] * 4]
    await world.points.tills.finish()
    assert (await leased(world), await left(world)) == (0, 1_250 - 5 * 125)


async def test_points_of_hybrid_contracts_cost_their_prefunded_share(at: datetime) -> None:
    world = await credit_world(
        at, CreditMode.PREPAID, mode=Mode.HYBRID, prefunded_share=Decimal("0.25")
    )
    await world.prepay(50, "bank-1")
    assert code(await world.issue(100)) == "done"
    assert code(await world.issue(1)) == "prepaid_exhausted"
    assert await booked(world) == 50


async def test_capped_issues_are_covered_when_their_points_are_known(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    capped = document("capped", effect={"kind": "bonus", "points": 30}, caps={"day": 50})
    await activated(capped, at)
    await world.prepay(100, "bank-1")

    def buy(kronor: int) -> Any:
        bought = Purchase(amount_minor=kronor * 100, currency="SEK")
        return world.points.ask(IssueBody(receipt(), at, member_id=world.anna, purchase=bought))

    # A point per krona and the bonus: 40, then 10 + 20 of the cap, then no more bonus.
    answers = [await buy(10), await buy(10), await buy(11), await buy(9)]
    assert [code(one) for one in answers] == ["done", "done", "prepaid_exhausted", "done"]
    assert [one["points"] for one in answers if isinstance(one, dict)] == [40, 30, 9]
    assert await booked(world) == Decimal("98.75")


async def test_what_was_rolled_back_is_not_spent(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    await world.prepay(1_250, "bank-1")
    await ensure_partition(at)

    async def fails() -> None:
        async with transaction(PINNED_FOR_LINES, role=POSTER_ROLE) as connection:
            body = IssueBody(receipt(), at, member_id=world.anna, points=900)
            asked = [Asked(world.points.grocer, 7, None, body, None)]
            [answer] = await world.points.tills.post_lines(connection, asked, at)
            assert code(answer) == "done"
            raise KeyError

    for _ in range(3):
        with pytest.raises(KeyError):
            await world.points.tills.covered(fails)
    assert code(await world.issue(1_000)) == "done"
    assert await booked(world) == 1_250


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_whatever_happens_nothing_is_overspent_and_nothing_lost(
    at: datetime, seed: int
) -> None:
    dice = random.Random(seed)
    world = await credit_world(at, CreditMode.PREPAID)
    tills = [world.points.tills, world.points.more_tills()]
    paid_in = issued = 0
    for step in range(40):
        match dice.randrange(8):
            case 0:
                paid_in += 300
                await world.prepay(300, f"bank-{step}")
            case 1:
                await world.judged()
            case 2:
                tills[dice.randrange(2)] = world.points.more_tills()  # the other was killed
            case 3:
                world.points.clock.advance(timedelta(seconds=dice.randrange(40)))
            case 4:
                await tills[dice.randrange(2)].finish()
            case _:
                sizes = [4 * dice.randrange(1, 20) for _ in range(6)]
                answers = await asyncio.gather(
                    *(world.issue(size, tills=dice.choice(tills)) for size in sizes)
                )
                issued += sum(
                    size for size, one in zip(sizes, answers, strict=True) if code(one) == "done"
                )
        assert issued * POINT <= paid_in
        # At every moment all of the money is spent, in a till's hands, or there to lease.
        assert issued * POINT + await leased(world) + await left(world) == paid_in
    await world.prepay(40, "last")
    world.points.clock.advance(leases.LEASED_FOR)
    assert await booked(world) == issued * POINT
    rest = int((paid_in + 40 - issued * POINT) / POINT)
    assert code(await world.issue(rest)) == "done"
    assert (await audit.run()).breaches == []


async def test_who_never_agreed_to_prepay_issues_as_ever(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    made = await create_partner(
        name="Bakery", terms=TERMS, actor="staff:kim", at=at, valid_from=date(2026, 1, 1)
    )
    assert code(await world.issue(100, partner_no=made.partner.no)) == "done"
    assert code(await world.issue(100)) == "prepaid_exhausted"


async def test_batches_that_lack_money_at_once_lease_once(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    await world.prepay(160_000, "bank-1")
    tills = world.points.tills
    codes = await asyncio.gather(*(in_lines(world, tills, [[80]]) for _ in range(4)))
    assert codes == [["done"]] * 4
    # A sixteenth covers them all.
    assert await leased(world) + await booked(world) == 10_000


async def test_a_process_may_end_without_its_database(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    await world.prepay(16_000, "bank-1")
    await world.issue(80)
    pool = bound_engine().pool
    assert pool is not None
    await pool.close()
    await world.points.tills.finish()
