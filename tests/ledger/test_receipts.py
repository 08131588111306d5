"""Receipts: each earns once and pays once per store and business day, across members and tills."""

import asyncio
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import bucket_of, random_id
from coalition.ledger import audit, receipts
from coalition.ledger.accounts import Kind
from coalition.ledger.claiming import receipt_digest
from coalition.ledger.drafts import Draft, Hold, Issue, Outcome, Posted
from coalition.ledger.refusals import DuplicateReceipt, NotEnoughPoints
from tests.support.ledger import (
    FUEL,
    GROCER,
    balance,
    issue,
    open_holder,
    post,
    redeem,
    reverse,
    till,
)

pytestmark = pytest.mark.usefixtures("database")


def at_till(draft: Issue, **changes: Any) -> Issue:  # Any: whatever a till is made of
    """Return `draft` as another till would send it."""
    return msgspec.structs.replace(draft, till=msgspec.structs.replace(draft.till, **changes))


def kinds(outcomes: list[Outcome]) -> list[type]:
    return [type(outcome) for outcome in outcomes]


async def test_store_day_partner_and_kind_tell_receipts_apart(at: datetime) -> None:
    anna = await open_holder(at)
    first = issue(anna, 10, at, receipt="r1")
    outcomes = await post(
        [
            first,
            at_till(first, store_no=1),
            at_till(first, store_no=2),
            at_till(first, business_day=at.date() + timedelta(days=1)),
            issue(anna, 10, at, partner_no=FUEL, receipt="r1"),
            redeem(anna, 1, at, partner_no=GROCER, receipt="r1"),
            issue(anna, 10, at, receipt="R1"),
        ],
        at,
    )
    assert kinds(outcomes) == [Posted] * 7
    again = [at_till(first, store_no=2), at_till(first, occurred_at=at + timedelta(hours=2))]
    assert kinds(await post([*again, first], at)) == [DuplicateReceipt] * 3
    assert (await audit.run()).breaches == []


async def test_acts_without_a_receipt_are_not_told_apart(at: datetime) -> None:
    anna = await open_holder(at)
    assert kinds(await post([issue(anna, 10, at), issue(anna, 10, at)], at)) == [Posted, Posted]
    reversing = reverse(random_id(), at, partner_no=GROCER)
    assert receipt_digest(reversing, reversing.till) is None
    hold = Hold(anna, till(FUEL, at, "h1"), 1, 5, at + timedelta(hours=1))
    assert receipt_digest(hold, hold.till) is None


async def test_a_receipt_used_at_once_by_many_tills_earns_once(at: datetime) -> None:
    members = [await open_holder(at) for _ in range(8)]
    results = await asyncio.gather(
        *(post([issue(member, 10, at, receipt="r1")], at) for member in members)
    )
    outcomes = sorted(kind.__name__ for (outcome,) in results for kind in [type(outcome)])
    assert outcomes == ["DuplicateReceipt"] * 7 + ["Posted"]
    assert sum([await balance(member, at) for member in members]) == 10
    assert (await audit.run()).breaches == []


async def test_the_claims_of_a_day_lie_together(at: datetime) -> None:
    def claim(number: int, day: date) -> bytes:
        return receipts.digest(
            partner_no=1, store_no=None, receipt=f"r{number}", business_day=day, kind=Kind.ISSUE
        )

    today, tomorrow = at.date(), at.date() + timedelta(days=1)
    claims = [claim(number, day) for day in (today, tomorrow) for number in range(50)]
    assert len(set(claims)) == 100
    assert max(claims[:50]) < min(claims[50:])
    assert len({bucket_of(UUID(bytes=one)) for one in claims}) > 40, "and spread over the buckets"


async def test_a_receipt_leads_to_the_batches_in_which_it_earned_and_paid(at: datetime) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 10, at, receipt="r1")], at)
    await post([redeem(anna, 5, at, partner_no=GROCER, receipt="r1")], at)
    async with transaction() as connection:

        async def batches(receipt: str, store_no: int | None = None) -> list[UUID]:
            return await receipts.batches_of(
                connection,
                partner_no=GROCER,
                store_no=store_no,
                receipt=receipt,
                business_day=at.date(),
            )

        rows = await connection.fetch("SELECT batch FROM posting ORDER BY kind")
        assert await batches("r1") == [row[0] for row in rows]
        assert await batches("r2") == []
        assert await batches("r1", store_no=3) == []


async def test_a_till_is_told_which_receipt_was_used(at: datetime) -> None:
    anna = await open_holder(at)
    draft = issue(anna, 10, at, receipt="r1")
    (_, refused) = await post([draft, draft], at)
    assert isinstance(refused, DuplicateReceipt)
    assert refused.facts == {"receipt": "r1"}
    assert "idempotency key" in refused.detail


async def test_a_receipt_asked_for_twice_at_once_is_free_when_the_first_is_refused(
    at: datetime,
) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 10, at)], at)
    asked = [redeem(anna, points, at, receipt="r1") for points in (50, 5, 6)]
    first, *others = await post(asked, at)
    assert isinstance(first, NotEnoughPoints)
    for other in others:
        assert isinstance(other, DuplicateReceipt)
        assert "was refused; the receipt is unused, so send this one again" in other.detail
        assert "used on" not in other.detail
    assert kinds(await post(asked[1:2], at)) == [Posted]
    (used,) = await post(asked[2:], at)
    assert isinstance(used, DuplicateReceipt)
    assert "was used on 2026-11-21 already" in used.detail
    assert await balance(anna, at) == 5
    assert (await audit.run()).breaches == []


async def test_two_requests_on_a_used_receipt_hear_that_it_is_used(at: datetime) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 10, at, receipt="r1")], at)
    for refused in await post([issue(anna, 3, at, receipt="r1")] * 2, at):
        assert isinstance(refused, DuplicateReceipt)
        assert "was used on 2026-11-21 already" in refused.detail


async def test_a_receipt_that_earned_and_paid_at_once_leads_to_its_batch_once(at: datetime) -> None:
    anna = await open_holder(at)
    asked: list[Draft] = [
        issue(anna, 10, at, receipt="r1"),
        redeem(anna, 5, at, partner_no=GROCER, receipt="r1"),
    ]
    assert kinds(await post(asked, at)) == [Posted, Posted]
    async with transaction() as connection:
        batches = await receipts.batches_of(
            connection, partner_no=GROCER, store_no=None, receipt="r1", business_day=at.date()
        )
        assert batches == [await connection.fetchval("SELECT DISTINCT batch FROM posting")]
