"""By which price something was had, and what a whole period of it is charged at."""

from collections.abc import Iterable
from datetime import timedelta

from billing.benefits.entitlements import Entitlement, Ground
from billing.subscriptions.states import entitlements
from billing.subscriptions.stretches import Terms
from tests.billing.subscriptions.pictures import PLUS, PRIME, invoice, line, picture

PAID, TRIAL, GRACE = Ground.PAID, Ground.TRIAL, Ground.GRACE


def prices(found: Iterable[Entitlement]) -> list[tuple[str, int | None, int | None]]:
    return [(one.ground, one.price_no, one.recurring_minor) for one in found]


PRICED = {
    PLUS: Terms(1, 1, timedelta(days=7), timedelta(days=1), 11, 9_900),
    PRIME: Terms(2, 2, timedelta(days=7), timedelta(days=1), 22, 14_900),
}


def test_each_stretch_knows_its_price_and_what_a_whole_period_is_charged_at() -> None:
    halved = invoice(1, line(1, 31, minor=4_950))
    # A coupon took half; for the last third the rest of Prime is 4,967 of 14,900, rounded up.
    upgrade = invoice(2, line(21, 31, price=PRIME, minor=4_967, is_proration=True), created=21)
    found = entitlements([picture(halved, upgrade, price=PRIME)], PRICED)
    assert prices(found) == [(PAID, 11, 4_950), (PAID, 22, 14_900), (GRACE, 22, 14_900)]
    # A part that was charged at half is half of the whole.
    cheaper = invoice(2, line(21, 31, price=PRIME, minor=2_483, is_proration=True), created=21)
    found = entitlements([picture(halved, cheaper, price=PRIME)], PRICED)
    assert prices(found)[1:] == [(PAID, 22, 7_449), (GRACE, 22, 7_449)]


def test_a_trial_has_a_price_and_is_charged_nothing_until_it_is_awaited() -> None:
    found = entitlements([picture(trial=(1, 15))], PRICED)
    assert prices(found) == [(TRIAL, 11, None), (GRACE, 11, 9_900)]
