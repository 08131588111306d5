"""Points of one currency become points of another: whole multiples, and the money value kept."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.kernel.database import transaction
from coalition.kernel.ids import random_id
from coalition.kernel.money import POINTS_MAX
from coalition.ledger import audit, posting
from coalition.ledger.drafts import Convert, Converted, Grant, Issue, Outcome
from coalition.ledger.exchanging import exchanged_price, whole_multiples
from coalition.ledger.refusals import (
    ConversionTooLarge,
    DuplicateReceipt,
    NotEnoughPoints,
    NothingToConvert,
    NotReversible,
    PriceNotExact,
)
from coalition.ledger.rules import Available
from tests.support.ledger import (
    FUEL,
    GROCER,
    balance,
    issue,
    open_holder,
    post,
    provenance,
    redeem,
    reverse,
    till,
)

MILES = 2
LOTS = [random_id() for _ in range(5)]


@given(
    points=st.integers(1, 10_000),
    kept=st.lists(st.integers(1, 3_000), min_size=1, max_size=5),
    unit=st.integers(1, 100),
)
def test_lots_give_whole_multiples_in_order(points: int, kept: list[int], unit: int) -> None:
    available = [Available(lot, part) for lot, part in zip(LOTS, kept, strict=False)]
    taken = dict(whole_multiples(points, available, unit))
    assert all(part % unit == 0 and part > 0 for part in taken.values())
    assert sum(taken.values()) <= points
    left = points
    for lot, part, _ in available:
        assert taken.get(lot, 0) == min(left, part) // unit * unit
        left -= taken.get(lot, 0)


@given(
    price=st.decimals(0, 1000, places=9),
    from_points=st.integers(1, 1_000_000),
    to_points=st.integers(1, 1_000_000),
    times=st.integers(1, 1000),
)
def test_a_price_is_scaled_exactly_or_not_at_all(
    price: Decimal, from_points: int, to_points: int, times: int
) -> None:
    scaled = exchanged_price(price, from_points, to_points)
    if scaled is not None:
        assert scaled * to_points * times == price * from_points * times
        assert scaled.as_tuple().exponent == -9


def test_a_price_that_needs_more_than_nine_decimals_has_no_exchange() -> None:
    assert exchanged_price(Decimal("0.01"), 5, 2) == Decimal("0.025")
    assert exchanged_price(Decimal("0.01"), 7, 3) is None
    assert exchanged_price(Decimal(999_999_999), 2, 1) is None


def convert(
    holder: UUID,
    points: int,
    at: datetime,
    *,
    rate: tuple[int, int] = (5, 2),
    receipt: str | None = None,
) -> Convert:
    return Convert(holder, till(FUEL, at, receipt), 1, MILES, points, *rate)


async def miles(holder: UUID, at: datetime) -> int:
    async with transaction() as connection:
        found = await posting.balances(connection, [holder], currency_no=MILES, today=at.date())
    return found[holder]


async def assert_books_hold() -> None:
    report = await audit.run()
    assert report.ok, report.breaches


async def one(outcomes: list[Outcome]) -> Outcome:
    (outcome,) = outcomes
    return outcome


@pytest.mark.usefixtures("database")
class TestInTheBooks:
    async def test_what_a_lot_cannot_give_whole_stays_in_it(self, at: datetime) -> None:
        anna = await open_holder(at)
        soon = at.date() + timedelta(days=3)
        await post([issue(anna, 13, at, expires_on=soon), issue(anna, 100, at)], at)
        made = await one(await post([convert(anna, 34, at)], at))
        assert isinstance(made, Converted)
        # 10 of the 13 that end first, then 20 of the 24 still wanted.
        assert (made.points, made.given, made.remainder) == (30, 12, 4)
        assert (await balance(anna, at), await miles(anna, at)) == (83, 12)
        await assert_books_hold()

    async def test_new_points_keep_everything_but_currency_and_price(self, at: datetime) -> None:
        anna = await open_holder(at)
        soon = at.date() + timedelta(days=3)
        await post([issue(anna, 10, at, expires_on=soon)], at)
        await post([convert(anna, 10, at)], at)
        async with transaction() as connection:
            rows = await connection.fetch(
                """
                SELECT issuer_no, contract_no, funder_no, earned_month, expires_on, clock_no,
                       class_no, prefunded_share, issue_price FROM lot ORDER BY currency_no
                """
            )
        old, new = (tuple(row) for row in rows)
        assert old[:-1] == new[:-1]
        assert (old[-1], new[-1]) == (Decimal("0.01"), Decimal("0.025"))

    async def test_halves_of_a_conversion_name_each_other(self, at: datetime) -> None:
        anna = await open_holder(at)
        await post([issue(anna, 10, at)], at)
        made = await one(await post([convert(anna, 10, at, receipt="r")], at))
        assert isinstance(made, Converted)
        async with transaction() as connection:
            rows = await connection.fetch(
                """
                SELECT id, linked, currency_no, points, direction, account, receipt FROM posting
                WHERE kind = 6 ORDER BY currency_no
                """
            )
        assert [tuple(row) for row in rows] == [
            (made.posting, made.into_posting, 1, 10, -1, 5, "r"),
            (made.into_posting, made.posting, MILES, 4, 1, 5, None),
        ]

    async def test_conversions_that_cannot_be_leave_nothing(self, at: datetime) -> None:
        anna, bo = await open_holder(at), await open_holder(at)
        dear = provenance()._replace(issue_price=Decimal(3))
        await post(
            [
                issue(anna, 9, at),
                Issue(anna, till(FUEL, at), (Grant(provenance(FUEL), 9),)),
                Issue(bo, till(GROCER, at), (Grant(dear, 9),)),
            ],
            at,
        )
        wanted = [
            (convert(anna, 19, at), NotEnoughPoints),
            (convert(anna, 18, at, rate=(10, 1)), NothingToConvert),
            (convert(anna, 4, at), NothingToConvert),
            (convert(anna, 18, at, rate=(1, 7)), PriceNotExact),
            (convert(bo, 9, at, rate=(1, 1_000_000_000)), ConversionTooLarge),
        ]
        outcomes = await post([draft for draft, _ in wanted], at)
        assert [type(outcome) for outcome in outcomes] == [refusal for _, refusal in wanted]
        assert (await balance(anna, at), await miles(anna, at)) == (18, 0)
        await assert_books_hold()

    async def test_as_many_points_as_a_posting_carries_are_converted_at_once(
        self, at: datetime
    ) -> None:
        anna = await open_holder(at)
        await post([issue(anna, POINTS_MAX, at)], at)
        outcome = await one(await post([convert(anna, POINTS_MAX, at, rate=(1, 1))], at))
        assert isinstance(outcome, Converted)
        assert await miles(anna, at) == POINTS_MAX

    async def test_conversions_of_one_batch_follow_each_other(self, at: datetime) -> None:
        anna = await open_holder(at)
        outcomes = await post(
            [
                issue(anna, 20, at),
                convert(anna, 10, at),
                redeem(anna, 5, at),
                convert(anna, 10, at),
            ],
            at,
        )
        assert isinstance(outcomes[3], NotEnoughPoints)
        assert (await balance(anna, at), await miles(anna, at)) == (5, 4)
        await assert_books_hold()

    async def test_a_receipt_converts_once_and_is_free_for_a_purchase(self, at: datetime) -> None:
        anna = await open_holder(at)
        await post([issue(anna, 50, at, partner_no=FUEL, receipt="r")], at)
        await post([convert(anna, 10, at, receipt="r")], at)
        again = await one(await post([convert(anna, 10, at, receipt="r")], at))
        assert isinstance(again, DuplicateReceipt)
        await post([redeem(anna, 10, at, receipt="r")], at)
        assert await balance(anna, at) == 30
        await assert_books_hold()

    async def test_a_conversion_is_not_reversed(self, at: datetime) -> None:
        anna = await open_holder(at)
        await post([issue(anna, 10, at)], at)
        made = await one(await post([convert(anna, 10, at)], at))
        assert isinstance(made, Converted)
        refused = await one(await post([reverse(made.posting, at, partner_no=FUEL)], at))
        assert isinstance(refused, NotReversible)

    async def test_points_that_have_ended_are_not_converted(self, at: datetime) -> None:
        anna = await open_holder(at)
        await post([issue(anna, 10, at, expires_on=date(2026, 11, 20))], at)
        refused = await one(await post([convert(anna, 10, at)], at))
        assert isinstance(refused, NotEnoughPoints)
