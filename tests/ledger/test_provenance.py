"""Lot ids: derived, in spending order, the same for equal provenances and no others."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from coalition.kernel.ids import random_id
from coalition.ledger.provenance import (
    LAST_EXPIRY,
    Provenance,
    bounds_of,
    last_lot,
    lot_id,
    lowest_lot,
    of_holder,
)
from tests.support.ledger import provenance

HOLDER = UUID("6f1de5b4-8f3c-4a86-9d52-0a63c7d1e2f3")

days = st.dates(date(2000, 1, 1), LAST_EXPIRY)
months = st.builds(
    lambda year, month: year * 100 + month, st.integers(2000, 2300), st.integers(1, 12)
)
provenances = st.builds(
    Provenance,
    currency_no=st.integers(1, 100),
    issuer_no=st.integers(1, 10_000),
    contract_no=st.integers(1, 10_000),
    funder_no=st.integers(0, 10_000),
    earned_month=months,
    expires_on=st.none() | days,
    issue_price=st.decimals(0, 10, places=9),
    prefunded_share=st.decimals(0, 1, places=6),
    clock_no=st.integers(0, 9),
    class_no=st.integers(0, 9),
    contributor=st.none() | st.uuids(),
)


def spending_order(kept: Provenance) -> tuple[date, int]:
    return kept.expires_on or date.max, kept.earned_month


@given(provenances, provenances)
def test_ids_sort_by_expiry_then_month_earned(one: Provenance, other: Provenance) -> None:
    ids = lot_id(HOLDER, one).bytes, lot_id(HOLDER, other).bytes
    if spending_order(one) < spending_order(other):
        assert ids[0] < ids[1]
    elif one == other:
        assert ids[0] == ids[1]
    elif spending_order(one) == spending_order(other):
        assert ids[0] != ids[1], "a collision in 36 bits would be news"


@given(provenances, days)
def test_an_id_is_spendable_from_today_on_if_its_last_day_is_not_over(
    kept: Provenance, today: date
) -> None:
    lot = lot_id(HOLDER, kept).bytes
    is_spendable = kept.expires_on is None or kept.expires_on >= today
    (lowest,), (spendable,), (last,) = bounds_of([HOLDER], today)
    assert (lot >= spendable) == is_spendable
    assert lowest <= lot <= last


@given(provenances, st.integers(0, 9))
def test_the_way_a_number_is_written_does_not_matter(kept: Provenance, zeros: int) -> None:
    respelt = kept._replace(
        issue_price=Decimal(f"{kept.issue_price:.9f}" + "0" * zeros),
        prefunded_share=kept.prefunded_share.normalize(),
    )
    assert lot_id(HOLDER, respelt) == lot_id(HOLDER, kept)


@given(provenances)
def test_whatever_a_rule_or_a_settlement_tells_apart_is_another_lot(kept: Provenance) -> None:
    others = [
        kept._replace(currency_no=kept.currency_no + 1),
        kept._replace(issuer_no=kept.issuer_no + 1),
        kept._replace(contract_no=kept.contract_no + 1),
        kept._replace(funder_no=kept.funder_no + 1),
        kept._replace(issue_price=kept.issue_price + Decimal("0.000000001")),
        kept._replace(prefunded_share=kept.prefunded_share + Decimal("0.000001")),
        kept._replace(clock_no=kept.clock_no + 1),
        kept._replace(class_no=kept.class_no + 1),
        kept._replace(contributor=random_id()),
    ]
    ids = {lot_id(HOLDER, other) for other in [kept, *others]}
    assert len(ids) == 1 + len(others)


def test_what_never_expires_comes_last_and_beyond_the_last_day_counts_as_never() -> None:
    last = lot_id(HOLDER, provenance(expires_on=LAST_EXPIRY))
    never = lot_id(HOLDER, provenance())
    beyond = lot_id(HOLDER, provenance(expires_on=LAST_EXPIRY + timedelta(days=1)))
    assert last.bytes[8:10] < never.bytes[8:10] == beyond.bytes[8:10]
    assert beyond != never, "the day itself is a part of the provenance"


def test_lots_of_two_holders_never_meet() -> None:
    assert lot_id(random_id(), provenance()) != lot_id(random_id(), provenance())


def test_two_provenances_may_meet_in_one_id() -> None:
    """Found by trying: 36 bits meet after some hundred thousand. The ledger notices."""
    one, other = (provenance()._replace(contract_no=no) for no in MEETING_CONTRACTS)
    assert lot_id(HOLDER, one) == lot_id(HOLDER, other)


MEETING_CONTRACTS = (122_874, 250_360)


def test_an_id_is_what_it_was_when_databases_were_filled() -> None:
    """9892 days after 2000 (26a4), 322 months (142), then 36 bits of the digest of it all."""
    kept = Provenance(1, 2, 20, 3, 202611, date(2027, 1, 31), Decimal("0.01"), Decimal(1))
    assert lot_id(HOLDER, kept) == UUID("6f1de5b4-8f3c-4a86-26a4-142231f99c55")
    other = kept._replace(expires_on=None, clock_no=4, class_no=2, contributor=HOLDER)
    assert str(lot_id(HOLDER, other)).startswith("6f1de5b4-8f3c-4a86-ffff-142")
    assert lot_id(HOLDER, other) != lot_id(HOLDER, other._replace(class_no=0))
    bounds = lowest_lot(HOLDER).bytes, lowest_lot(HOLDER).bytes, last_lot(HOLDER).bytes
    assert tuple(one for (one,) in bounds_of([HOLDER], date(2000, 1, 1))) == bounds
    assert lowest_lot(HOLDER) == UUID("6f1de5b4-8f3c-4a86-0000-000000000000")
    assert last_lot(HOLDER) == UUID("6f1de5b4-8f3c-4a86-ffff-ffffffffffff")
    assert date(2179, 6, 5) == LAST_EXPIRY


@given(provenances)
def test_what_a_holder_brought_itself_is_simply_its_own(kept: Provenance) -> None:
    own = kept._replace(contributor=None)
    assert lot_id(HOLDER, kept._replace(contributor=HOLDER)) == lot_id(HOLDER, own)
    assert of_holder(HOLDER, kept._replace(contributor=HOLDER)) == own
