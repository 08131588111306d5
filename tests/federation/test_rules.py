"""What makes names and terms valid; each complaint names its field."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from coalition.federation import rules
from coalition.federation.refusals import InvalidTerms
from coalition.federation.terms import ExpiryRule, Mode
from tests.federation.world import TERMS


@pytest.mark.parametrize(
    ("mode", "share", "settled"),
    [
        (Mode.OPERATOR_FUND, None, Decimal(1)),
        (Mode.OPERATOR_FUND, Decimal(1), Decimal(1)),
        (Mode.ISSUER_ON_REDEMPTION, None, Decimal(0)),
        (Mode.ISSUER_ON_REDEMPTION, Decimal(0), Decimal(0)),
        (Mode.HYBRID, Decimal("0.4"), Decimal("0.4")),
    ],
)
def test_the_mode_says_how_much_is_paid_at_issue(
    mode: Mode, share: Decimal | None, settled: Decimal
) -> None:
    terms = msgspec.structs.replace(TERMS, mode=mode, prefunded_share=share)
    assert rules.settled_terms(terms).prefunded_share == settled


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"issues": False, "accepts": False}, "issues"),
        ({"currency": "XXX"}, "currency"),
        ({"currency": "eur"}, "currency"),
        ({"issue_price": Decimal("-0.01")}, "issue_price"),
        ({"issue_price": Decimal("0.0000000001")}, "issue_price"),
        ({"issue_price": Decimal("NaN")}, "issue_price"),
        ({"redemption_price": Decimal("Infinity")}, "redemption_price"),
        ({"redemption_price": Decimal(10**9)}, "redemption_price"),
        ({"service_fee_per_point": Decimal(-1)}, "service_fee_per_point"),
        ({"prefunded_share": Decimal("0.5")}, "prefunded_share"),
        ({"mode": Mode.ISSUER_ON_REDEMPTION, "prefunded_share": Decimal(1)}, "prefunded_share"),
        ({"mode": Mode.HYBRID}, "prefunded_share"),
        ({"mode": Mode.HYBRID, "prefunded_share": Decimal(0)}, "prefunded_share"),
        ({"mode": Mode.HYBRID, "prefunded_share": Decimal(1)}, "prefunded_share"),
        ({"mode": Mode.HYBRID, "prefunded_share": Decimal("0.1234567")}, "prefunded_share"),
        ({"mode": Mode.HYBRID, "prefunded_share": Decimal("NaN")}, "prefunded_share"),
        ({"expiry_months": 0}, "expiry_months"),
        ({"expiry_months": 601}, "expiry_months"),
        ({"expiry_rule": ExpiryRule.NEVER, "expiry_months": 1}, "expiry_months"),
        ({"expiry_rule": ExpiryRule.MONTHS}, "expiry_months"),
        ({"expiry_rule": ExpiryRule.MONTHS, "expiry_months": 0}, "expiry_months"),
        ({"expiry_rule": ExpiryRule.END_OF_YEAR}, "expiry_months"),
        ({"expiry_rule": ExpiryRule.END_OF_YEAR, "expiry_months": -1}, "expiry_months"),
        ({"expiry_rule": ExpiryRule.END_OF_YEAR, "expiry_months": 601}, "expiry_months"),
        ({"inactivity_months": 0}, "inactivity_months"),
        ({"inactivity_months": 601}, "inactivity_months"),
        ({"expiry_notice_days": (7, 7)}, "expiry_notice_days"),
        ({"expiry_notice_days": (0,)}, "expiry_notice_days"),
        ({"expiry_notice_days": (366,)}, "expiry_notice_days"),
        ({"recover_percent": 0}, "recover_percent"),
        ({"recover_percent": 101}, "recover_percent"),
        ({"return_grace_days": -1}, "return_grace_days"),
        ({"return_grace_days": 3651}, "return_grace_days"),
    ],
)
def test_terms_out_of_bounds_are_refused_by_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidTerms) as refusal:
        rules.settled_terms(msgspec.structs.replace(TERMS, **changes))
    errors = refusal.value.facts["errors"]
    assert isinstance(errors, list)
    assert [error["pointer"] for error in errors] == [f"/{field}"]


def test_every_problem_is_named_at_once() -> None:
    terms = msgspec.structs.replace(TERMS, currency="?", issue_price=Decimal(-1), expiry_months=0)
    with pytest.raises(InvalidTerms) as refusal:
        rules.settled_terms(terms)
    errors = refusal.value.facts["errors"]
    assert isinstance(errors, list)
    assert len(errors) == 3


def test_prices_are_written_at_nine_places_and_shares_at_six() -> None:
    settled = rules.settled_terms(TERMS)
    assert str(settled.issue_price) == "0.010000000"
    assert str(settled.prefunded_share) == "1.000000"


def test_points_without_months_never_expire() -> None:
    assert rules.expiry_rule(TERMS) == ExpiryRule.NEVER
    dated = msgspec.structs.replace(TERMS, expiry_months=12)
    assert rules.expiry_rule(dated) == ExpiryRule.END_OF_MONTH


@pytest.mark.parametrize(
    "changes",
    [
        {"expiry_rule": ExpiryRule.END_OF_YEAR, "expiry_months": 0},
        {"expiry_rule": ExpiryRule.MONTHS, "expiry_months": 600, "inactivity_months": 1},
        {"expiry_rule": ExpiryRule.NEVER, "inactivity_months": 600, "recover_percent": 1},
    ],
)
def test_policies_within_their_bounds_are_written_as_they_are(changes: dict[str, object]) -> None:
    settled = rules.settled_terms(msgspec.structs.replace(TERMS, **changes))
    assert {name: getattr(settled, name) for name in changes} == changes


def test_notice_days_are_written_from_the_farthest_on() -> None:
    terms = msgspec.structs.replace(TERMS, expiry_notice_days=(1, 30, 7))
    assert rules.settled_terms(terms).expiry_notice_days == (30, 7, 1)


def test_today_depends_on_where_one_asks() -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert rules.today_in(ZoneInfo("UTC"), late) == date(2026, 12, 31)
    assert rules.today_in(ZoneInfo("Europe/Stockholm"), late) == date(2027, 1, 1)


@pytest.mark.parametrize("day", [date(1999, 12, 31), date(2100, 1, 1)])
def test_a_contract_begins_in_years_that_the_ledger_counts(day: date) -> None:
    with pytest.raises(InvalidTerms):
        rules.valid_day(day)
