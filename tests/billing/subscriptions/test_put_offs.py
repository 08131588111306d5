"""Renewals that are put off: the subscription says by itself what was a trial and what was not."""

from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.benefits.entitlements import Ground
from billing.gateway.shapes import InvoiceLine, Picture, SubscriptionStatus
from billing.subscriptions import put_offs
from tests.billing.subscriptions.pictures import PRIME, day, entitled, invoice, line, picture

TRIALING = SubscriptionStatus.TRIALING
MONTH = invoice(1, line(1, 31))


def put_off(shown: Picture, until: datetime, at: datetime) -> Picture:
    """Return a picture after its renewal was put off, as Stripe would show it."""
    one = shown.subscription
    is_tried = one.status is TRIALING
    after = msgspec.structs.replace(
        one,
        status=TRIALING,
        trial_start=one.trial_start if is_tried else at,
        trial_end=until,
        period_end=until,
        metadata=one.metadata | put_offs.put(one, until, at),
    )
    # Stripe makes an invoice of nothing over what begins anew.
    nothing = invoice(90 + len(shown.invoices), line_of_nothing(at, until), created=days(at))
    invoices = shown.invoices if is_tried else (*shown.invoices, nothing)
    return msgspec.structs.replace(shown, subscription=after, invoices=invoices)


def days(at: datetime) -> float:
    """Return an instant as a number of days."""
    return (at - day(0)) / timedelta(days=1)


def line_of_nothing(begins: datetime, ends: datetime) -> InvoiceLine:
    """Return what a trial's invoice charges."""
    return line(days(begins), days(ends), minor=0)


def test_nothing_but_what_is_paid_and_grace_after_the_wait_is_entitled() -> None:
    waits = put_off(picture(MONTH), day(91), day(5))
    assert entitled(waits) == [(Ground.PAID, 1, 1, 31), (Ground.GRACE, 1, 91, 98)]
    again = put_off(waits, day(121), day(40))
    assert entitled(again) == [(Ground.PAID, 1, 1, 31), (Ground.GRACE, 1, 121, 128)]
    renewed = msgspec.structs.replace(
        again,
        invoices=(*again.invoices, invoice(2, line(121, 151))),
        subscription=msgspec.structs.replace(
            again.subscription, status=SubscriptionStatus.ACTIVE, period_end=day(151)
        ),
    )
    paid = [(Ground.PAID, 1, 1, 31), (Ground.PAID, 1, 121, 151), (Ground.GRACE, 1, 151, 158)]
    assert entitled(renewed) == paid
    # A further one writes over Stripe's dates, and the spans before are known.
    third = put_off(renewed, day(181), day(130))
    assert entitled(third) == [*paid[:2], (Ground.GRACE, 1, 181, 188)]


@pytest.mark.parametrize("at", [5, 40])
def test_a_trial_stays_the_trial_that_it_was(at: float) -> None:
    tried = picture(status=TRIALING, trial=(1, 15), period_end=day(15))
    if at == 5:
        waits = put_off(tried, day(45), day(5))
        wanted = [(Ground.TRIAL, 1, 1, 15), (Ground.GRACE, 1, 45, 46)]
    else:
        paid = picture(invoice(1, line(15, 45)), trial=(1, 15), period_end=day(45))
        waits = put_off(paid, day(75), day(40))
        wanted = [(Ground.TRIAL, 1, 1, 15), (Ground.PAID, 1, 15, 45), (Ground.GRACE, 1, 75, 82)]
    assert entitled(waits) == wanted


def test_what_is_ordered_begins_after_what_was_given_and_its_trial() -> None:
    begins, metadata = put_offs.ordered(day(31), 14, day(5))
    made = picture(
        status=TRIALING,
        trial=(5, 45),
        created_at=day(5),
        period_end=begins,
        metadata=metadata,
    )
    assert begins == day(45)
    assert entitled(made) == [(Ground.TRIAL, 1, 31, 45), (Ground.GRACE, 1, 45, 46)]
    # What it changes to later was not tried.
    nothing = invoice(1, line(5, 45, minor=0), created=5)
    later = invoice(2, line(45, 75, price=PRIME))
    changed = msgspec.structs.replace(
        made,
        invoices=(nothing, later),
        subscription=msgspec.structs.replace(
            made.subscription, price_id=PRIME, status=SubscriptionStatus.ACTIVE, period_end=day(75)
        ),
    )
    assert entitled(changed)[:2] == [(Ground.TRIAL, 1, 31, 45), (Ground.PAID, 2, 45, 75)]
    soon, _ = put_offs.ordered(day(6), 0, day(5))
    assert soon == day(5) + put_offs.SOONEST


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    written=st.text("0123456789- ab", max_size=60) | st.text(max_size=20),
    waits=st.lists(st.integers(1, 400), max_size=40),
)
def test_what_stripe_says_is_read_whatever_it_is_and_stays_short(
    written: str, waits: list[int]
) -> None:
    one = picture(MONTH, metadata={put_offs.PUT_OFF: written, put_offs.TRIED: written}).subscription
    put_offs.of(one)
    far = {put_offs.PUT_OFF: "1-99999999999999999999"}
    assert not put_offs.of(msgspec.structs.replace(one, metadata=far)).spans
    at = day(5)
    for length in waits:
        metadata = put_offs.put(one, at + timedelta(days=length), at)
        assert all(len(value) <= 500 for value in metadata.values())
        one = msgspec.structs.replace(one, metadata=one.metadata | metadata)
        assert put_offs.of(one).covers(at)
        at += timedelta(days=length)
