"""Which months of a membership are due, what each lacks, and what goes back."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from billing.benefits.entitlements import Entitlement, Ground
from billing.benefits.rules import Given, beginning, look
from billing.plans.documents import MonthlyPoints
from tests.billing.benefits.world import day

BASIC, PLUS, NOTHING = 1, 2, 3
MONTHLY = {
    BASIC: [MonthlyPoints(code="monthly", points=40)],
    PLUS: [MonthlyPoints(code="monthly", points=60), MonthlyPoints(code="extra", points=40)],
    NOTHING: [],
}
SECOND = timedelta(seconds=1)


def entitled(
    begins: datetime,
    ends: datetime,
    plan: int = PLUS,
    ground: Ground = Ground.PAID,
    *,
    taken_back: bool = False,
) -> Entitlement:
    return Entitlement(
        plan_no=plan,
        begins=begins,
        ends=ends,
        ground=ground,
        period_start=begins,
        period_end=ends,
        source="invoice",
        taken_back=taken_back,
    )


def lacking(
    entitlements: Sequence[Entitlement], at: datetime, *given: Given, start: datetime | None = None
) -> list[tuple[int, int, str, int]]:
    """Return month, plan, benefit and points of what is owed."""
    found = look(entitlements, given, MONTHLY, months_from=start, at=at)
    return [(one.month, one.plan_no, one.benefit.code, one.points) for one in found.owing]


BOTH = [(PLUS, "monthly", 60), (PLUS, "extra", 40)]


def test_each_month_of_a_year_is_due_as_it_begins() -> None:
    year = [entitled(day(1), day(1, 11, 2027))]
    assert lacking(year, day(1) - SECOND) == []
    assert lacking(year, day(1)) == [(0, *one) for one in BOTH]
    had = [Given(0, 0, PLUS, "monthly", 60), Given(0, 1, PLUS, "extra", 40)]
    assert lacking(year, day(30), *had) == []
    assert lacking(year, day(1, 12), *had) == [(1, *one) for one in BOTH]
    # What nobody did in time is made up for, and the last month is the twelfth.
    late = lacking(year, day(1, 12, 2030))
    assert [month for month, *_ in late] == [month for month in range(12) for _ in BOTH]


def test_months_that_are_too_short_begin_on_their_last_day() -> None:
    start = datetime(2027, 1, 31, 9, tzinfo=UTC)
    assert [beginning(start, month).day for month in range(4)] == [31, 28, 31, 30]


@pytest.mark.parametrize("ground", [Ground.TRIAL, Ground.GRACE])
def test_nothing_is_given_before_it_is_paid(ground: Ground) -> None:
    unpaid = entitled(day(1), day(15), ground=ground)
    assert lacking([unpaid], day(10)) == []
    # So the months count from the first payment.
    paid = entitled(day(15), day(15, 12))
    found = look([unpaid, paid], (), MONTHLY, months_from=None, at=day(15))
    assert (found.months_from, found.next_at) == (day(15), None)
    assert [one.month for one in found.owing] == [0, 0]


def test_who_goes_up_has_the_difference_and_loops_give_nothing_twice() -> None:
    had = [Given(0, 0, BASIC, "monthly", 40)]
    up = [entitled(day(1), day(10), BASIC), entitled(day(10), day(1, 12))]
    assert lacking(up, day(10), *had) == [(0, PLUS, "monthly", 20), (0, PLUS, "extra", 40)]
    had += [Given(0, 1, PLUS, "monthly", 20), Given(0, 2, PLUS, "extra", 40)]
    loop = [
        entitled(day(1), day(10), BASIC),
        entitled(day(10), day(12)),
        entitled(day(12), day(14), NOTHING),
        entitled(day(14), day(16), BASIC),
        entitled(day(16), day(16, 11, 2027)),
    ]
    assert lacking(loop, day(16), *had) == []
    # A change to a year begins no other month.
    assert lacking(loop, day(1, 12), *had) == [(1, *one) for one in BOTH]


def test_a_payment_that_is_returned_takes_its_months_back_and_no_others() -> None:
    ended = entitled(day(1, 12), day(20, 1, 2027), taken_back=True)
    kept = entitled(day(1), day(1, 12), BASIC)
    given = [
        Given(0, 0, BASIC, "monthly", 40),
        Given(1, 0, PLUS, "monthly", 60),
        Given(1, 1, PLUS, "extra", 40),
        Given(2, 0, PLUS, "monthly", 60),
    ]
    found = look([kept, ended], given, MONTHLY, months_from=day(1), at=day(20, 1, 2027))
    assert sorted(found.taken_back) == given[1:]
    assert found.owing == ()
    assert found.next_at is None


def test_in_a_month_that_another_plan_pays_for_too_only_the_difference_goes_back() -> None:
    given = [Given(0, 0, BASIC, "monthly", 40), Given(0, 1, PLUS, "extra", 60)]
    both = [entitled(day(1), day(10), BASIC), entitled(day(10), day(12), taken_back=True)]
    found = look(both, given, MONTHLY, months_from=day(1), at=day(12))
    assert found.taken_back == (given[1],)


def test_what_ends_by_itself_takes_nothing_back() -> None:
    ended = [entitled(day(1), day(5))]
    given = [Given(0, 0, PLUS, "monthly", 60), Given(0, 1, PLUS, "extra", 40)]
    found = look(ended, given, MONTHLY, months_from=day(1), at=day(6))
    assert (found.owing, found.taken_back, found.next_at) == ((), (), None)


def test_it_is_looked_at_again_when_a_month_or_an_entitlement_begins() -> None:
    year = entitled(day(1), day(1, 11, 2027))
    assert look([year], (), MONTHLY, months_from=None, at=day(2)).next_at == day(1, 12)
    later = entitled(day(20), day(20, 12))
    assert look([later], (), MONTHLY, months_from=None, at=day(2)).next_at == day(20)
    assert look([], (), MONTHLY, months_from=None, at=day(2)).next_at is None
