"""Holds: made, captured, voided, expired; each resolves once, whoever comes first."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import random_id
from coalition.ledger import audit, expiry, holders, posting, resolutions, upkeep
from coalition.ledger.accounts import HolderState
from coalition.ledger.drafts import Capture, Held, Hold, Outcome, Posted, Void
from coalition.ledger.refusals import (
    CaptureExceedsHold,
    DuplicateReceipt,
    HolderNotActive,
    HoldResolved,
    NotEnoughPoints,
    UnknownHold,
    UnknownHolder,
)
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

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def hold(holder: UUID, points: int, at: datetime, receipt: str = "h1") -> Hold:
    return Hold(holder, till(FUEL, at, receipt), 1, points, at + HOUR)


def capture(of: UUID, points: int | None = None) -> Capture:
    return Capture(of, FUEL, None, points)


async def make_hold(holder: UUID, points: int, at: datetime, receipt: str = "h1") -> UUID:
    (outcome,) = await post([hold(holder, points, at, receipt)], at)
    assert isinstance(outcome, Held)
    return outcome.hold


async def member_with(points: int, at: datetime) -> UUID:
    anna = await open_holder(at)
    await post([issue(anna, points, at)], at)
    return anna


async def run_out(at: datetime) -> int:
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        return await resolutions.expire_holds(connection, at)


def kinds(outcomes: Sequence[Outcome]) -> list[type]:
    return [type(outcome) for outcome in outcomes]


async def test_a_hold_reserves_and_a_partial_capture_releases_the_rest(at: datetime) -> None:
    anna = await member_with(100, at)
    made = await make_hold(anna, 60, at)
    assert await balance(anna, at) == 40
    (captured,) = await post([capture(made, 25)], at)
    assert isinstance(captured, Posted)
    assert captured.points == 25
    assert await balance(anna, at) == 75
    assert (await audit.run()).ok


async def test_a_hold_takes_at_most_the_balance_in_order_of_arrival(at: datetime) -> None:
    anna = await member_with(100, at)
    outcomes = await post([hold(anna, points, at, f"h{points}") for points in (60, 50, 40)], at)
    assert kinds(outcomes) == [Held, NotEnoughPoints, Held]
    assert isinstance(outcomes[1], NotEnoughPoints)
    assert outcomes[1].facts == {"points": 50, "balance": 40}


async def test_what_is_held_can_be_captured_and_not_redeemed(at: datetime) -> None:
    anna = await member_with(100, at)
    made = await make_hold(anna, 100, at)
    (refused,) = await post([redeem(anna, 1, at)], at)
    assert isinstance(refused, NotEnoughPoints)
    assert kinds(await post([capture(made)], at)) == [Posted]


@pytest.mark.parametrize("kinds_of_drafts", ["cc", "cv", "vc", "vv"])
@pytest.mark.parametrize("batches", [1, 2])
async def test_a_hold_resolves_once(at: datetime, kinds_of_drafts: str, batches: int) -> None:
    anna = await member_with(100, at)
    made = await make_hold(anna, 60, at)
    drafts = [capture(made) if kind == "c" else Void(made, FUEL) for kind in kinds_of_drafts]
    split = [drafts] if batches == 1 else [[draft] for draft in drafts]
    outcomes = [outcome for batch in split for outcome in await post(batch, at)]
    assert not isinstance(outcomes[0], Refused)
    assert isinstance(outcomes[1], HoldResolved)
    assert (await audit.run()).breaches == []


async def test_a_capture_that_was_too_large_may_be_followed_by_a_smaller_one(at: datetime) -> None:
    anna = await member_with(100, at)
    made = await make_hold(anna, 60, at)
    refused, captured, late = await post(
        [capture(made, 61), capture(made, 60), capture(made, 1)], at
    )
    assert isinstance(refused, CaptureExceedsHold)
    assert refused.facts == {"limit": 60}
    assert isinstance(captured, Posted)
    assert isinstance(late, HoldResolved)
    assert (await audit.run()).breaches == []


async def test_two_holds_on_one_receipt_are_captured_once(at: datetime) -> None:
    anna = await member_with(100, at)
    first, second = await make_hold(anna, 10, at), await make_hold(anna, 20, at)
    assert kinds(await post([capture(first), capture(second)], at)) == [Posted, DuplicateReceipt]
    assert kinds(await post([capture(second)], at)) == [DuplicateReceipt]
    assert kinds(await post([Void(second, FUEL)], at)) == [Held]
    assert kinds(await post([capture(second)], at)) == [HoldResolved]


async def test_a_hold_of_another_partner_is_not_found(at: datetime) -> None:
    anna = await member_with(100, at)
    made = await make_hold(anna, 10, at)
    outcomes = await post(
        [Capture(made, GROCER, None, None), Void(made, GROCER), Void(random_id(), FUEL)], at
    )
    assert kinds(outcomes) == [UnknownHold] * 3


async def test_a_hold_cannot_be_captured_after_its_time_whether_or_not_it_was_released(
    at: datetime,
) -> None:
    anna = await member_with(100, at)
    made = await make_hold(anna, 10, at)
    assert await run_out(at + HOUR - DAY / 86_400) == 0
    late = at + HOUR
    assert kinds(await post([capture(made), Void(made, FUEL)], late)) == [HoldResolved] * 2
    assert await run_out(late) == 1
    assert await run_out(late) == 0
    assert kinds(await post([capture(made), Void(made, FUEL)], late)) == [HoldResolved] * 2
    assert await balance(anna, late) == 100
    assert (await audit.run()).breaches == []


async def test_held_points_outlive_their_last_day_while_the_hold_stands(at: datetime) -> None:
    evening = at.replace(hour=23, minute=30)
    anna = await open_holder(at)
    await post([issue(anna, 50, evening, expires_on=evening.date())], evening)
    captured, voided = (
        await make_hold(anna, 20, evening, "h1"),
        await make_hold(anna, 10, evening, "h2"),
    )
    night = evening + HOUR / 2
    assert await expiry.expire(night, night.date()) == 20
    outcomes = await post([capture(captured, 15), Void(voided, FUEL)], night)
    assert kinds(outcomes) == [Posted, Held]
    assert await balance(anna, night) == 0, "what is released has expired"
    assert await expiry.expire(night, night.date()) == 15
    # What comes back of a capture after the last day gets its grace.
    assert isinstance(outcomes[0], Posted)
    await post([reverse(outcomes[0].posting, night, partner_no=FUEL)], night)
    assert await balance(anna, night) == 15
    assert (await audit.run()).breaches == []


async def test_a_hold_of_a_frozen_member_waits(at: datetime) -> None:
    anna = await member_with(100, at)
    made = await make_hold(anna, 10, at)
    async with transaction() as connection:
        await holders.set_state(connection, anna, HolderState.FROZEN)
    assert kinds(await post([capture(made), Void(made, FUEL)], at)) == [HolderNotActive] * 2
    assert await run_out(at + DAY) == 1, "its time runs out all the same"
    assert (await audit.run()).breaches == []


async def test_nobody_holds_points_of_an_unknown_member(at: datetime) -> None:
    nobody = random_id()
    outcomes = await post([hold(nobody, 1, at), redeem(nobody, 1, at), issue(nobody, 1, at)], at)
    assert kinds(outcomes) == [UnknownHolder] * 3
    async with transaction() as connection:
        with pytest.raises(UnknownHolder):
            await holders.set_state(connection, nobody, HolderState.FROZEN)


async def test_a_capture_and_the_end_of_a_hold_at_once_resolve_it_once(at: datetime) -> None:
    """The job judges by its own clock, which may run ahead of the till's."""
    anna = await member_with(200, at)
    made = [await make_hold(anna, 10, at, f"h{number}") for number in range(8)]
    results = await asyncio.gather(
        *(post([capture(one)], at) for one in made), *(run_out(at + HOUR) for _ in range(4))
    )
    outcomes = [outcome for result in results if isinstance(result, list) for outcome in result]
    released = sum(result for result in results if isinstance(result, int))
    captured = [outcome for outcome in outcomes if isinstance(outcome, Posted)]
    assert set(kinds(outcomes)) <= {Posted, HoldResolved}
    assert len(captured) + released == len(made)
    assert await balance(anna, at) == 200 - 10 * len(captured)
    assert (await audit.run()).breaches == []


async def test_two_tills_that_capture_one_hold_at_once_take_it_once(at: datetime) -> None:
    anna = await member_with(100, at)
    made = await make_hold(anna, 30, at)
    results = await asyncio.gather(*(post([capture(made)], at) for _ in range(8)))
    outcomes = kinds([outcome for (outcome,) in results])
    assert sorted(kind.__name__ for kind in outcomes) == ["HoldResolved"] * 7 + ["Posted"]
    assert await balance(anna, at) == 70
    assert (await audit.run()).breaches == []


async def test_a_lot_under_a_hold_is_not_swept(at: datetime) -> None:
    anna = await member_with(30, at)
    made = await make_hold(anna, 10, at)
    await post([redeem(anna, 20, at)], at)
    assert await upkeep.sweep() == 0
    await post([Void(made, FUEL)], at)
    assert await balance(anna, at) == 10
    assert await upkeep.sweep() == 0


async def test_a_partial_capture_takes_from_a_hold_what_expires_first(at: datetime) -> None:
    anna = await open_holder(at)
    soon, later = (at + DAY).date(), (at + 9 * DAY).date()
    await post([issue(anna, 30, at, expires_on=later), issue(anna, 20, at, expires_on=soon)], at)
    made = await make_hold(anna, 40, at)
    assert kinds(await post([capture(made, 25)], at)) == [Posted]
    async with transaction() as connection:
        rows = await connection.fetch("SELECT expires_on, points_out, held FROM lot ORDER BY id")
    assert [tuple(row) for row in rows] == [(soon, 20, 0), (later, 5, 0)]
    assert (await audit.run()).breaches == []


async def test_what_the_balance_does_not_cover_is_not_held_at_all(at: datetime) -> None:
    anna = await member_with(5, at)
    assert kinds(await post([hold(anna, 6, at)], at)) == [NotEnoughPoints]
    assert await balance(anna, at) == 5
    assert (await audit.run()).breaches == []
