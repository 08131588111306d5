"""What the money of a subscription comes to, source by source."""

from billing.gateway.shapes import InvoiceStatus
from billing.subscriptions.bookings import Booking, bookings, difference, net
from tests.billing.subscriptions.pictures import (
    MONTH,
    day,
    dispute,
    invoice,
    line,
    picture,
    refund,
)


def _told(*rows: Booking) -> list[tuple[str, str, int, int]]:
    return [(one.source, one.kind, one.amount_minor, one.tax_minor) for one in rows]


def test_a_paid_invoice_is_a_payment_with_its_tax_and_period() -> None:
    (only,) = bookings(picture(MONTH))
    assert _told(only) == [("in_1", "payment", 9_900, 1_980)]
    assert (only.period, only.payment) == ((day(1), day(31)), "pi_1")


def test_what_is_open_free_or_settled_by_credit_is_no_payment() -> None:
    open_one = invoice(1, line(1, 31), status=InvoiceStatus.OPEN)
    free = invoice(2, line(1, 31, minor=0))
    credited = invoice(3, line(1, 31, minor=-500))
    assert bookings(picture(open_one, free, credited)) == ()


def test_tax_is_counted_on_what_was_paid_in_money() -> None:
    half = invoice(1, line(1, 31), paid_minor=4_950)
    assert _told(*bookings(picture(half))) == [("in_1", "payment", 4_950, 990)]


def test_a_payment_of_nothing_due_carries_no_tax() -> None:
    strange = invoice(1, line(1, 31, minor=0), paid_minor=100)
    assert _told(*bookings(picture(strange))) == [("in_1", "payment", 100, 0)]


def test_refunds_in_parts_give_back_all_of_the_tax_and_no_more() -> None:
    parts = (refund(1, 5, 3_333), refund(1, 6, 3_333), refund(1, 7, 3_234))
    told = bookings(picture(MONTH, refunds=parts))
    assert sum(one.tax_minor for one in told) == 0
    assert net(told) == {"SEK": 0}
    assert [one.kind for one in told] == ["payment", "refund", "refund", "refund"]


def test_a_dispute_takes_back_what_it_withdraws_and_returns_it_when_won() -> None:
    lost = bookings(picture(MONTH, disputes=(dispute(1, 10, "lost"),)))
    won = bookings(picture(MONTH, disputes=(dispute(1, 10, "won"),)))
    assert _told(lost[1]) == [("dp_1", "dispute", -9_900, -1_980)]
    assert _told(won[1]) == [("dp_1", "dispute", 0, 0)]


def test_only_the_difference_is_booked() -> None:
    (told,) = bookings(picture(MONTH))
    assert difference(told, 0, 0) == told
    assert difference(told, 9_900, 1_980) is None


def test_what_is_undone_is_booked_back_under_its_own_name() -> None:
    failed = picture(MONTH, refunds=(refund(1, 5, status="failed"),))
    found = difference(bookings(failed)[1], -9_900, -1_980)
    assert found is not None
    assert _told(found) == [("re_1_5", "refund_failed", 9_900, 1_980)]
    won = difference(bookings(picture(MONTH, disputes=(dispute(1, 5, "won"),)))[1], -9_900, -1_980)
    assert won is not None
    assert won.kind == "dispute_won"
