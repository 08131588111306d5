"""What holds of every history: no benefit without a ground, and no order of facts changes it."""

import itertools
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.benefits.entitlements import Entitlement, Ground
from billing.gateway.shapes import InvoiceStatus, Picture, SubscriptionStatus
from billing.subscriptions.bookings import bookings, net
from billing.subscriptions.states import entitlements, standing
from tests.billing.subscriptions.pictures import (
    PLUS,
    PRIME,
    TERMS,
    day,
    dispute,
    invoice,
    line,
    picture,
    refund,
)

EXAMPLES = 60
PERIODS = 4
LENGTH = 30

_price = st.sampled_from([PLUS, PRIME, "price_foreign"])
_status = st.sampled_from([InvoiceStatus.PAID, InvoiceStatus.PAID, *InvoiceStatus])
_dispute = st.sampled_from(["needs_response", "won", "lost", "warning_needs_response"])


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """Return a subscription of some periods, with whatever may have happened to it."""
    trial = draw(st.sampled_from([None, (1, 15)]))
    begins = 15 if trial else 1
    invoices = []
    for no in range(draw(st.integers(0, PERIODS))):
        start = begins + no * LENGTH
        lines = [line(start, start + LENGTH, price=draw(_price))]
        if draw(st.booleans()):
            rest = start + draw(st.integers(1, LENGTH - 1))
            lines.append(line(rest, start + LENGTH, price=draw(_price), is_proration=True))
        invoices.append(invoice(no, *lines, status=draw(_status), created=start))
    taken = st.lists(st.integers(0, PERIODS), max_size=2, unique=True)
    at = st.integers(1, 150)
    return picture(
        *invoices,
        status=draw(st.sampled_from(SubscriptionStatus)),
        trial=trial,
        refunds=tuple(
            refund(no, draw(at), draw(st.sampled_from([100, 9_900, 19_800]))) for no in draw(taken)
        ),
        disputes=tuple(dispute(no, draw(at), draw(_dispute)) for no in draw(taken)),
        cancel_at_period_end=draw(st.booleans()),
        is_collection_paused=draw(st.booleans()),
        ended_at=draw(st.one_of(st.none(), at.map(day))),
    )


def lasting(held: Iterable[Entitlement]) -> list[Entitlement]:
    """Return what holds for any time."""
    return [one for one in held if one.begins < one.ends]


def _covers(held: tuple[Entitlement, ...], instant: datetime) -> bool:
    return any(one.begins <= instant < one.ends for one in held)


def _instants(*held: tuple[Entitlement, ...]) -> list[datetime]:
    """Return an instant within each stretch in which nothing changes."""
    edges = sorted({edge for all_of in held for one in all_of for edge in (one.begins, one.ends)})
    return [begins + (ends - begins) / 2 for begins, ends in itertools.pairwise(edges)]


@settings(max_examples=EXAMPLES, deadline=None)
@given(pictures())
def test_behind_every_entitlement_stands_its_ground(shown: Picture) -> None:
    one = shown.subscription
    paid = {each.id: each.lines for each in shown.invoices if each.status is InvoiceStatus.PAID}
    held = lasting(entitlements([shown], TERMS))
    for entitlement in held:
        if entitlement.ground is Ground.PAID:
            assert any(
                line.period_start <= entitlement.begins and entitlement.ends <= line.period_end
                for line in paid[entitlement.source]
            )
        elif entitlement.ground is Ground.TRIAL:
            assert one.trial_start is not None
            assert one.trial_end is not None
            assert one.trial_start <= entitlement.begins < entitlement.ends <= one.trial_end
        else:
            assert entitlement is held[-1]
            assert held[-2].ends == entitlement.begins
            assert entitlement.ends - entitlement.begins <= timedelta(days=7)
        assert one.ended_at is None or entitlement.ends <= one.ended_at


@settings(max_examples=EXAMPLES, deadline=None)
@given(pictures())
def test_entitlements_follow_each_other_and_never_overlap(shown: Picture) -> None:
    held = entitlements([shown], TERMS)
    # What is for no time was taken back in the second in which it came.
    assert all(one.begins < one.ends or one.taken_back for one in held)
    assert list(held) == sorted(held, key=lambda one: (one.begins, one.ends))
    assert all(one.ends <= other.begins for one, other in itertools.pairwise(lasting(held)))


@settings(max_examples=EXAMPLES, deadline=None)
@given(pictures(), st.randoms(use_true_random=False))
def test_the_order_in_which_facts_are_told_changes_nothing(shown: Picture, dice: object) -> None:
    shuffled = msgspec.structs.replace(
        shown,
        **{
            name: tuple(dice.sample(getattr(shown, name), len(getattr(shown, name))))  # type: ignore[attr-defined]  # a Random
            for name in ("invoices", "refunds", "disputes")
        },
    )
    assert entitlements([shuffled], TERMS) == entitlements([shown], TERMS)
    assert bookings(shuffled) == bookings(shown)


@settings(max_examples=EXAMPLES, deadline=None)
@given(pictures())
def test_a_renewal_never_takes_time_away(shown: Picture) -> None:
    start = 200
    renewed = msgspec.structs.replace(
        shown, invoices=(*shown.invoices, invoice(99, line(start, start + LENGTH)))
    )
    before, after = entitlements([shown], TERMS), entitlements([renewed], TERMS)
    without_grace = tuple(one for one in before if one.ground is not Ground.GRACE)
    for instant in _instants(before, after):
        assert not _covers(without_grace, instant) or _covers(after, instant)


@settings(max_examples=EXAMPLES, deadline=None)
@given(pictures())
def test_how_it_stands_agrees_with_what_it_entitles_to_at_every_instant(shown: Picture) -> None:
    held = entitlements([shown], TERMS)
    for instant in [day(0), *_instants(held), day(500)]:
        stands = standing(held, [shown.subscription], instant)
        assert (stands.current is not None) is _covers(held, instant)
        assert (stands.state in {"trialing", "active", "grace"}) is _covers(held, instant)
        assert (stands.ended_at is not None) is (stands.state == "ended")
        assert stands.turns_at is None or stands.turns_at > instant


@settings(max_examples=EXAMPLES, deadline=None)
@given(pictures())
def test_the_ledger_comes_to_what_stripe_has_kept(shown: Picture) -> None:
    told = bookings(shown)
    paid = {one.id: one.amount_paid.amount_minor for one in shown.invoices if one.paid_at}
    payments = {one.payment_intent_ids for one in shown.invoices if one.paid_at}
    kept = sum(paid.values())
    kept -= sum(
        one.amount.amount_minor
        for one in shown.refunds
        if one.counts and (one.payment_intent_id,) in payments
    )
    kept -= sum(
        one.amount.amount_minor
        for one in shown.disputes
        if one.takes_money and (one.payment_intent_id,) in payments
    )
    assert sum(net(told).values()) == kept
