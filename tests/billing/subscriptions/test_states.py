"""What a membership entitles to: every state of Stripe, every way to end, pause or give back."""

from datetime import timedelta
from typing import Any

import pytest

from billing.benefits.entitlements import Entitlement, Ground
from billing.gateway.shapes import InvoiceStatus, SubscriptionStatus
from billing.subscriptions.states import Given, State, entitlements, standing
from billing.subscriptions.stretches import Terms
from tests.billing.subscriptions.pictures import (
    MONTH,
    PLUS,
    PRIME,
    SHORT,
    TERMS,
    day,
    dispute,
    entitled,
    invoice,
    line,
    picture,
    refund,
    spans,
)

PAID, GRACE, TRIAL = Ground.PAID, Ground.GRACE, Ground.TRIAL
PAID_MONTH = (PAID, 1, 1, 31)
GRACE_AFTER = (GRACE, 1, 31, 38)
RENEWING = {"trialing", "active", "past_due", "unpaid"}


@pytest.mark.parametrize("status", SubscriptionStatus)
def test_what_is_paid_entitles_in_every_state_and_grace_follows_where_it_renews(
    status: SubscriptionStatus,
) -> None:
    expected = [PAID_MONTH, GRACE_AFTER] if status in RENEWING else [PAID_MONTH]
    assert entitled(picture(MONTH, status=status)) == expected


@pytest.mark.parametrize("status", SubscriptionStatus)
def test_without_a_paid_invoice_no_state_entitles(status: SubscriptionStatus) -> None:
    unpaid = [invoice(1, line(1, 31), status=one) for one in InvoiceStatus if one != "paid"]
    assert entitled(picture(*unpaid, status=status)) == []


@pytest.mark.parametrize("status", SubscriptionStatus)
def test_a_trial_entitles_unless_it_never_began(status: SubscriptionStatus) -> None:
    never = {"incomplete", "incomplete_expired", "unknown"}
    expected = [] if status in never else [(TRIAL, 1, 1, 15)]
    if status in RENEWING:
        expected.append((GRACE, 1, 15, 16))
    assert entitled(picture(status=status, trial=(1, 15))) == expected


def test_a_trial_goes_over_into_what_is_paid_and_is_not_counted_twice() -> None:
    free = invoice(1, line(1, 15, minor=0))
    first = invoice(2, line(15, 45))
    found = entitlements([picture(free, first, trial=(1, 15))], TERMS)
    assert spans(found) == [(TRIAL, 1, 1, 15), (PAID, 1, 15, 45), (GRACE, 1, 45, 52)]
    assert [one.source for one in found] == ["sub_1", "in_2", "sub_1"]


def test_a_trial_is_of_the_plan_that_was_tried() -> None:
    free = invoice(1, line(1, 15, minor=0))
    upgraded = invoice(2, line(15, 45, price=PRIME))
    shown = entitled(picture(free, upgraded, price=PRIME, trial=(1, 15)))
    assert shown[:2] == [(TRIAL, 1, 1, 15), (PAID, 2, 15, 45)]


def test_a_trial_of_a_price_that_is_not_ours_or_of_no_time_gives_nothing() -> None:
    assert entitled(picture(price="price_foreign", trial=(1, 15))) == []
    assert entitled(picture(trial=(1, 1))) == []


def test_renewals_join_without_a_gap_and_grace_moves_on() -> None:
    later = invoice(2, line(31, 61))
    assert entitled(picture(MONTH, later)) == [PAID_MONTH, (PAID, 1, 31, 61), (GRACE, 1, 61, 68)]


@pytest.mark.parametrize(
    "ending",
    [
        {"cancel_at_period_end": True},
        {"cancel_at": day(31)},
        {"is_collection_paused": True},
    ],
    ids=lambda ending: next(iter(ending)),
)
def test_what_will_not_renew_has_no_grace(ending: dict[str, Any]) -> None:
    assert entitled(picture(MONTH, **ending)) == [PAID_MONTH]


def test_what_ends_at_a_later_time_has_grace_until_then() -> None:
    assert entitled(picture(MONTH, cancel_at=day(200))) == [PAID_MONTH, GRACE_AFTER]


def test_an_end_at_once_ends_everything_then() -> None:
    ended = picture(
        MONTH, invoice(2, line(31, 61)), status=SubscriptionStatus.CANCELED, ended_at=day(20)
    )
    assert entitled(ended) == [(PAID, 1, 1, 20)]
    trial = picture(trial=(1, 15), status=SubscriptionStatus.CANCELED, ended_at=day(8))
    assert entitled(trial) == [(TRIAL, 1, 1, 8)]


def test_grace_that_has_passed_stays_when_stripe_gives_up() -> None:
    over: dict[str, Any] = {
        "status": SubscriptionStatus.CANCELED,
        "canceled_at": day(35),
        "ended_at": day(35),
    }
    assert entitled(picture(MONTH, **over)) == [PAID_MONTH, (GRACE, 1, 31, 35)]
    later = over | {"canceled_at": day(60), "ended_at": day(60)}
    assert entitled(picture(MONTH, **later)) == [PAID_MONTH, GRACE_AFTER]


def test_who_cancels_in_grace_keeps_what_has_passed_of_it() -> None:
    late = picture(MONTH, cancel_at_period_end=True, canceled_at=day(33))
    assert entitled(late) == [PAID_MONTH, (GRACE, 1, 31, 33)]
    early = picture(MONTH, cancel_at_period_end=True, canceled_at=day(5))
    assert entitled(early) == [PAID_MONTH]


def test_a_plan_without_grace_ends_with_what_is_paid() -> None:
    assert entitled(picture(invoice(1, line(1, 31, price=SHORT)))) == [(PAID, 3, 1, 31)]


def test_a_period_that_the_operator_or_a_pause_made_void_has_no_grace_before_it() -> None:
    void = invoice(2, line(31, 61), status=InvoiceStatus.VOID)
    assert entitled(picture(MONTH, void)) == [PAID_MONTH]
    again = invoice(3, line(61, 91))
    assert entitled(picture(MONTH, void, again)) == [
        PAID_MONTH,
        (PAID, 1, 61, 91),
        (GRACE, 1, 91, 98),
    ]


def test_a_full_refund_ends_the_period_then_and_takes_back() -> None:
    found = entitlements([picture(MONTH, refunds=(refund(1, 10),))], TERMS)
    assert spans(found) == [(PAID, 1, 1, 10)]
    assert [one.taken_back for one in found] == [True]


@pytest.mark.parametrize(("ended", "taken_back"), [(10, True), (31, False)])
def test_what_cost_no_money_is_taken_back_when_it_ends_before_its_time(
    ended: float,
    taken_back: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    free = invoice(1, line(1, 31, minor=0))
    over = picture(free, status=SubscriptionStatus.CANCELED, ended_at=day(ended))
    (found,) = entitlements([over], TERMS)
    assert (found.ends, found.taken_back) == (day(ended), taken_back)


def test_a_partial_refund_takes_nothing() -> None:
    found = entitlements([picture(MONTH, refunds=(refund(1, 10, 9_899),))], TERMS)
    assert spans(found) == [PAID_MONTH, GRACE_AFTER]
    assert not any(one.taken_back for one in found)


def test_partial_refunds_end_the_period_once_they_are_whole() -> None:
    parts = (refund(1, 20, 4_900), refund(1, 10, 5_000), refund(1, 25, 1))
    assert entitled(picture(MONTH, refunds=parts)) == [(PAID, 1, 1, 20)]


def test_a_withdrawal_ends_the_period_however_much_comes_back() -> None:
    withdrawn = refund(1, 10, 6_000, metadata={"withdrawal_id": "w"})
    found = entitlements([picture(MONTH, refunds=(withdrawn,))], TERMS)
    assert spans(found) == [(PAID, 1, 1, 10)]
    assert found[0].taken_back


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_refund_that_failed_takes_nothing(status: str) -> None:
    assert entitled(picture(MONTH, refunds=(refund(1, 10, status=status),))) == [
        PAID_MONTH,
        GRACE_AFTER,
    ]


def test_a_refund_of_another_payment_takes_nothing() -> None:
    others = picture(MONTH, refunds=(refund(7, 10),), disputes=(dispute(7, 10),))
    assert entitled(others) == [PAID_MONTH, GRACE_AFTER]


def test_a_refund_before_the_period_leaves_nothing_of_it_and_no_grace() -> None:
    later = invoice(2, line(31, 61), created=28)
    assert entitled(picture(MONTH, later, refunds=(refund(2, 29),))) == [PAID_MONTH]


@pytest.mark.parametrize(
    ("status", "end", "taken_back"),
    [
        ("needs_response", 10, False),
        ("under_review", 10, False),
        ("appeal_under_review", 10, False),
        ("lost", 10, True),
        ("won", 38, False),
        ("prevented", 38, False),
        ("warning_needs_response", 38, False),
        ("warning_closed", 38, False),
    ],
)
def test_a_dispute_freezes_what_it_takes_and_a_lost_one_takes_back(
    status: str,
    end: float,
    taken_back: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    found = entitlements([picture(MONTH, disputes=(dispute(1, 10, status),))], TERMS)
    assert found[-1].ends == day(end)
    assert any(one.taken_back for one in found) is taken_back


def test_an_upgrade_holds_from_its_payment_within_the_same_period() -> None:
    change = invoice(
        2,
        line(11, 31, minor=-6_600, is_proration=True),
        line(11, 31, price=PRIME, minor=13_200, is_proration=True),
    )
    found = entitlements([picture(MONTH, change, price=PRIME)], TERMS)
    assert spans(found) == [(PAID, 1, 1, 11), (PAID, 2, 11, 31), (GRACE, 2, 31, 38)]
    assert {(one.period_start, one.period_end) for one in found} == {(day(1), day(31))}


def test_a_change_in_the_second_of_its_period_holds() -> None:
    change = invoice(0, line(1, 31, price=PRIME, minor=19_900, is_proration=True))
    assert entitled(picture(change, MONTH))[0] == (PAID, 2, 1, 31)
    again = invoice(9, line(1, 31, minor=9_900, is_proration=True))
    assert entitled(picture(again, change, MONTH))[0] == PAID_MONTH


def test_an_upgrade_that_is_refunded_leaves_the_plan_before() -> None:
    change = invoice(2, line(11, 31, price=PRIME, minor=13_200, is_proration=True))
    given_back = picture(MONTH, change, refunds=(refund(2, 15, 13_200),))
    assert entitled(given_back) == [
        (PAID, 1, 1, 11),
        (PAID, 2, 11, 15),
        (PAID, 1, 15, 31),
        (GRACE, 1, 31, 38),
    ]


def test_a_change_that_is_no_rest_of_a_period_is_a_period_itself() -> None:
    yearly = invoice(2, line(11, 376, minor=99_000, is_proration=True))
    found = entitlements([picture(MONTH, yearly)], TERMS)
    assert (found[1].period_start, found[1].period_end) == (day(11), day(376))


def test_up_and_down_in_one_period_ends_with_the_last() -> None:
    up = invoice(2, line(11, 31, price=PRIME, minor=13_200, is_proration=True))
    down = invoice(3, line(21, 31, minor=3_300, is_proration=True))
    assert entitled(picture(MONTH, up, down)) == [
        (PAID, 1, 1, 11),
        (PAID, 2, 11, 21),
        (PAID, 1, 21, 31),
        GRACE_AFTER,
    ]


def test_lines_without_a_price_of_ours_entitle_to_nothing() -> None:
    foreign = invoice(1, line(1, 31, price="price_foreign"), line(1, 31, price=None))
    assert entitled(picture(foreign)) == []


def test_two_subscriptions_of_one_membership_are_one_timeline() -> None:
    first = picture(MONTH, status=SubscriptionStatus.CANCELED, ended_at=day(31))
    second = picture(invoice(2, line(20, 50, price=PRIME)), price=PRIME)
    assert entitled(first, second) == [(PAID, 1, 1, 20), (PAID, 2, 20, 50), (GRACE, 2, 50, 57)]


def _given(begins: float, ends: float, ground: Ground = Ground.GIFT, rank: int = 1) -> Given:
    return Given(
        ground=ground,
        plan_no=rank,
        rank=rank,
        begins=day(begins),
        ends=day(ends),
        source=f"{ground}:{begins}",
    )


def test_what_is_given_fills_what_grace_would_and_never_covers_what_is_paid() -> None:
    found = entitlements([picture(MONTH)], TERMS, [_given(20, 50)])
    assert spans(found) == [PAID_MONTH, (Ground.GIFT, 1, 31, 50)]


def test_a_higher_plan_that_is_given_holds_over_a_lower_one_that_is_paid() -> None:
    found = entitlements([picture(MONTH)], TERMS, [_given(10, 20, Ground.COMPED, rank=2)])
    assert spans(found) == [
        (PAID, 1, 1, 10),
        (Ground.COMPED, 2, 10, 20),
        (PAID, 1, 20, 31),
        GRACE_AFTER,
    ]


def test_without_stripe_what_is_given_entitles_alone() -> None:
    found = entitlements((), {}, [_given(1, 31, Ground.SPONSORED), _given(40, 50)])
    assert spans(found) == [(Ground.SPONSORED, 1, 1, 31), (Ground.GIFT, 1, 40, 50)]


# ---- how it stands -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "state", "until", "turns"),
    [
        (5, State.TRIALING, 52, 15),
        (15, State.ACTIVE, 52, 45),
        (46, State.GRACE, 52, 52),
        (52, State.SUSPENDED, None, None),
    ],
)
def test_a_membership_goes_from_trial_to_grace_and_is_suspended_then(
    at: float, state: State, until: float | None, turns: float | None
) -> None:
    failing = SubscriptionStatus.PAST_DUE
    shown = picture(invoice(2, line(15, 45)), trial=(1, 15), status=failing)
    stands = standing(entitlements([shown], TERMS), [shown.subscription], day(at))
    assert stands.state is state
    assert stands.entitled_until == (None if until is None else day(until))
    assert stands.turns_at == (None if turns is None else day(turns))
    assert stands.ended_at is None


def test_grace_begins_in_the_instant_in_which_what_is_paid_ends() -> None:
    held = entitlements([picture(MONTH)], TERMS)
    before = day(31) - timedelta(microseconds=1)
    failing = picture(MONTH, status=SubscriptionStatus.PAST_DUE).subscription
    assert standing(held, [failing], before).state is State.ACTIVE
    assert standing(held, [failing], day(31)).state is State.GRACE


def test_while_a_renewal_is_being_collected_nothing_is_wrong() -> None:
    held = entitlements([picture(MONTH)], TERMS)
    stands = standing(held, [picture(MONTH).subscription], day(31))
    assert (stands.state, stands.current and stands.current.ground) == (State.ACTIVE, GRACE)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"is_collection_paused": True}, State.PAUSED),
        ({"status": SubscriptionStatus.PAUSED}, State.PAUSED),
        ({"status": SubscriptionStatus.UNPAID}, State.SUSPENDED),
        ({"status": SubscriptionStatus.CANCELED, "ended_at": day(31)}, State.ENDED),
    ],
    ids=["collection", "paused", "unpaid", "canceled"],
)
def test_after_what_is_paid_the_subscription_says_how_it_stands(
    changes: dict[str, Any], state: State
) -> None:
    shown = picture(MONTH, **changes)
    stands = standing(entitlements([shown], TERMS), [shown.subscription], day(60))
    assert stands.state is state
    assert stands.current is None
    assert stands.ended_at == (day(31) if state is State.ENDED else None)


def test_what_never_held_has_ended_when_its_subscription_did_or_when_it_is_asked() -> None:
    over = picture(status=SubscriptionStatus.INCOMPLETE_EXPIRED, ended_at=day(2)).subscription
    assert standing((), [over], day(5)).ended_at == day(2)
    assert standing((), (), day(5)).ended_at == day(5)


@pytest.mark.parametrize("ending", [{"cancel_at_period_end": True}, {"cancel_at": day(31)}])
def test_what_was_cancelled_has_ended_with_its_time_before_stripe_tells_of_it(
    ending: dict[str, Any],
) -> None:
    shown = picture(MONTH, canceled_at=day(5), **ending)
    held = entitlements([shown], TERMS)
    assert standing(held, [shown.subscription], day(30.9)).state is State.ACTIVE
    ended = standing(held, [shown.subscription], day(31))
    assert (ended.state, ended.ended_at) == (State.ENDED, day(31))


def test_what_is_given_for_later_keeps_a_membership_from_ending() -> None:
    held = entitlements((), {}, [_given(1, 10), _given(20, 30)])
    stands = standing(held, (), day(15))
    assert (stands.state, stands.turns_at) == (State.SUSPENDED, day(20))
    assert standing(held, (), day(30)).ended_at == day(30)


def test_the_end_is_that_of_all_that_follows_without_a_gap() -> None:
    held: tuple[Entitlement, ...] = entitlements((), {}, [_given(1, 10), _given(10, 20)])
    assert standing(held, (), day(2)).entitled_until == day(20)


def test_terms_say_whose_grace_it_is() -> None:
    long = {PLUS: Terms(9, 1, timedelta(days=30), timedelta())}
    found = entitlements([picture(MONTH)], long)
    assert spans(found) == [(PAID, 9, 1, 31), (GRACE, 9, 31, 61)]
