"""What a withdrawal gives back, by hand: days begun, rounding, uses beyond the days, payments."""

import pytest

from billing.gateway.shapes import Picture
from billing.subscriptions import metering
from billing.subscriptions.metering import PartOfPayment, Reckoning
from tests.billing.subscriptions.pictures import day, invoice, line, picture, refund

SECOND = 1 / 86_400


def reckoned(found: Picture, at: float, used: int = 0) -> Reckoning:
    """Return what comes back at a day of a picture."""
    return metering.reckon(found, currency="SEK", used_minor=used, at=day(at))


@pytest.mark.parametrize(
    ("at", "used", "kept_for_days", "kept_for_use"),
    [
        (1, 0, 0, 0),
        (1 + SECOND, 0, 100, 0),
        (2, 0, 100, 0),
        (13.1, 0, 1300, 0),
        (13, 1500, 1200, 300),
        (13, 1100, 1200, 0),
        (13, 9999, 1200, 1800),
        (41, 0, 3000, 0),
    ],
)
def test_days_that_have_begun_are_kept_and_uses_beyond_them(
    at: float, used: int, kept_for_days: int, kept_for_use: int
) -> None:
    seen = reckoned(picture(invoice(1, line(1, 31, minor=3000))), at, used)
    left = 3000 - kept_for_days - kept_for_use
    assert seen == Reckoning("SEK", 3000, kept_for_days, kept_for_use, left)


@pytest.mark.parametrize(("used", "kept"), [(0, (0, 0)), (1, (1200, 0)), (1500, (1200, 300))])
def test_of_a_plan_that_says_so_nothing_is_kept_of_what_nobody_used(
    used: int, kept: tuple[int, int]
) -> None:
    found = picture(invoice(1, line(1, 31, minor=3000)))
    seen = metering.reckon(found, currency="SEK", used_minor=used, at=day(13), whole_if_unused=True)
    assert seen == Reckoning("SEK", 3000, *kept, 3000 - sum(kept))


def test_a_change_counts_by_its_own_lines_in_the_members_favour() -> None:
    found = picture(
        invoice(1, line(1, 31, minor=3001)),
        invoice(
            2,
            line(11, 31, minor=-2000, is_proration=True),
            line(11, 31, minor=4000, is_proration=True),
            created=11,
        ),
    )
    # 20 of 30 days of 3001, and 10 of 20 days of -2000 and 4000.
    seen = reckoned(found, 21)
    assert (seen.paid, seen.kept_for_days) == (5001, 3000)
    one, two = (found.invoices[no].payment_intent_ids[-1] for no in (0, 1))
    assert metering.parts(found, seen.refund) == (PartOfPayment(two, 2000), PartOfPayment(one, 1))


def test_what_was_given_back_before_is_not_given_back_again() -> None:
    found = picture(invoice(1, line(1, 31, minor=3000)), refunds=(refund(1, 1, 1000),))
    seen = reckoned(found, 1)
    assert (seen.paid, seen.refund) == (2000, 2000)
    (payment,) = found.invoices[0].payment_intent_ids
    assert metering.parts(found, 2000) == (PartOfPayment(payment, 2000),)


def test_nothing_was_paid_in_a_trial() -> None:
    assert reckoned(picture(), 1, 500) == Reckoning("SEK", 0, 0, 0, 0)
    assert metering.parts(picture(), 0) == ()
