"""What is left of credit, and which crossings are news: by hand, and for any amounts."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.federation.terms import CreditMode
from partners.settlement import limits
from partners.settlement.limits import Limit, Owed
from tests.partners.settlement.test_pricing import contract

balances = st.decimals(-(10**9), 10**9, places=12)
minors = st.integers(0, 10**12)
modes = st.sampled_from([CreditMode.NONE, CreditMode.WARN, CreditMode.BLOCK, CreditMode.PREPAID])


def judged(mode: CreditMode, owed: Owed, *, limit: int = 1_000, mark: int | None = None) -> Limit:
    limited = mode in (CreditMode.WARN, CreditMode.BLOCK)
    terms = {"credit_limit_minor": limit if limited else None, "low_water_minor": mark}
    if mode == CreditMode.NONE:
        terms = {}
    return limits.judge(contract(1, credit_mode=mode, **terms), owed, prepaid_minor=500)


@pytest.mark.parametrize(
    ("balance", "is_reached"),
    [("9.994999999999", False), ("9.995", True), ("10", True), ("-1", False)],
)
def test_a_limit_is_reached_by_whole_minor_units(balance: str, is_reached: bool) -> None:  # noqa: FBT001 - a row of the table
    limit = judged(CreditMode.BLOCK, Owed(Decimal(balance)))
    assert (limit.is_reached, limit.blocked) == (is_reached, is_reached)


def test_prepaid_money_is_what_is_paid_in_less_what_is_booked_and_under_way() -> None:
    limit = judged(CreditMode.PREPAID, Owed(Decimal("-3.009"), 100, 50), mark=201)
    # 3.00 is left of 5.00, of which 1.00 is under way.
    assert (limit.spent_minor, limit.leased_minor, limit.is_low) == (300, 50, True)
    assert judged(CreditMode.PREPAID, Owed(Decimal(-1), 100)).blocked


def test_each_crossing_is_told_once() -> None:
    calm = judged(CreditMode.WARN, Owed(), mark=500)
    low = judged(CreditMode.WARN, Owed(Decimal("5.01")), mark=500)
    reached = judged(CreditMode.WARN, Owed(Decimal(11)), mark=500)
    assert limits.news(None, calm) == limits.news(calm, calm) == ()
    assert limits.news(calm, low) == ("credit.low_water",)
    assert limits.news(low, low) == ()
    assert limits.news(low, reached) == ("credit.limit_reached",)
    assert limits.news(None, reached) == ("credit.low_water", "credit.limit_reached")
    assert limits.news(reached, low) == ("credit.released",)
    assert limits.news(reached, reached) == ()
    assert limits.news(low, calm) == ()


def test_what_is_left_is_low_below_the_mark_and_not_at_it() -> None:
    assert not judged(CreditMode.WARN, Owed(Decimal(5)), mark=500).is_low
    assert judged(CreditMode.WARN, Owed(Decimal("5.01")), mark=500).is_low
    unlimited = msgspec.structs.replace(contract(1), low_water_minor=500)
    assert not limits.judge(unlimited, Owed(Decimal(5)), prepaid_minor=0).is_low


@pytest.mark.parametrize("mode", [CreditMode.NONE, CreditMode.WARN, CreditMode.BLOCK])
def test_who_pays_nothing_in_beforehand_spends_nothing_of_it(mode: CreditMode) -> None:
    limit = judged(mode, Owed(Decimal("3.00"), 100, 50))
    assert (limit.partner_no, limit.currency) == (1, "EUR")
    assert (limit.exposure_minor, limit.spent_minor, limit.leased_minor) == (300, 0, 50)


def test_of_whom_nothing_is_known_nothing_is_owed() -> None:
    limit = judged(CreditMode.PREPAID, Owed())
    assert (limit.exposure_minor, limit.leased_minor, limit.is_reached) == (0, 0, True)
    assert limits.left_of(contract(1, credit_mode=CreditMode.PREPAID), Owed()) == 0


@given(modes, balances, minors, minors, st.none() | minors)
def test_who_is_blocked_has_nothing_left(
    mode: CreditMode, balance: Decimal, undrained: int, limit: int, mark: int | None
) -> None:
    owed = Owed(balance, undrained)
    found = judged(mode, owed, limit=limit, mark=mark)
    if mode == CreditMode.NONE:
        assert (found.blocked, found.is_reached, found.is_low) == (False, False, False)
    elif mode == CreditMode.PREPAID:
        left = found.prepaid_minor - found.spent_minor
        assert found.blocked == (left <= 0)
        # Never more than there is, and less than a minor unit is given away.
        assert 0 <= -balance * 100 - undrained - left < 1
    else:
        assert found.is_reached == (found.exposure_minor >= limit)
        assert found.blocked == (found.is_reached and mode == CreditMode.BLOCK)
        assert abs(found.exposure_minor - balance * 100) <= Decimal("0.5")
